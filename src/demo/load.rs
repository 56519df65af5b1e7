//! Loads a made market into Postgres, in the tables a market-data importer keeps.
//!
//! [`create_source_tables`] makes `symbols` and `ohlcv_daily`, [`load_market`] fills them in one transaction, and
//! [`apply_day`] is the nightly import: new rows, changed rows, the day's bars.
//!
//! # Why it is fast
//! Rows go over the wire as binary COPY, encoded straight from integers: a price in ten-thousandths of a dollar has the
//! digits of Postgres's `numeric` already, which counts in groups of four decimals. Bars are made while they are sent,
//! one security at a time, so a million securities need no more memory than one. The keys are built
//! after the rows are in, and rows are written frozen: the first reader has nothing to tidy up.
//!
//! # Why only empty tables are filled
//! Loading begins by truncating, as frozen rows demand. Pointed at somebody's real tables by mistake, it must
//! find out before that.

use std::io::Cursor;
use std::pin::Pin;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use futures_util::SinkExt;
use tokio_postgres::{Client, CopyInSink};

use super::day::DayChange;
use super::market::{MadeMarket, MadeSecurity};
use super::prices::Bar;

/// Bytes sent at once: large enough that a message's overhead vanishes, small enough for steady progress.
const CHUNK_BYTES: usize = 128 * 1024;

/// Why a made market could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The tables have rows, perhaps someone's own; nothing was changed.
    #[error("refused to load a made market: {table} already has rows")]
    NotEmpty {
        /// The table, with its schema.
        table: String,
    },
    /// Postgres refused or was lost; the transaction was rolled back.
    #[error("could not {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What Postgres said.
        source: tokio_postgres::Error,
    },
}

/// Makes `symbols` and `ohlcv_daily` in `schema`, and the schema, where they are missing.
pub async fn create_source_tables(client: &Client, schema: &str) -> Result<(), LoadError> {
    let schema = quoted(schema);
    let statements = format!(
        "create schema if not exists {schema};
         create table if not exists {schema}.symbols (
             symbol varchar(20) constraint symbols_pkey primary key,
             name text,
             exchange varchar(20),
             type varchar(20),
             active boolean,
             market_cap bigint,
             weighted_shares_outstanding bigint,
             sector text,
             industry text,
             sic_code varchar(10),
             list_date date,
             delisted_date date,
             cik varchar(10),
             composite_figi varchar(12),
             share_class_figi varchar(12),
             etf_type text,
             issuer text,
             aum_millions numeric,
             last_updated timestamptz);
         create table if not exists {schema}.ohlcv_daily (
             symbol varchar(20) not null,
             date date not null,
             open numeric(14,4),
             high numeric(14,4),
             low numeric(14,4),
             close numeric(14,4),
             volume bigint,
             constraint ohlcv_daily_pkey primary key (symbol, date));"
    );
    client.batch_execute(&statements).await.map_err(while_doing("create the source tables"))
}

/// Fills the empty tables of `schema` with all of `market` and its bars on `sessions` (ascending, ending on
/// [`MadeMarket::date`]). `progress` is told now and then how many rows of how many are sent.
pub async fn load_market(
    client: &Client,
    schema: &str,
    market: &MadeMarket,
    sessions: &[NaiveDate],
    mut progress: impl FnMut(u64, u64),
) -> Result<(), LoadError> {
    let schema = quoted(schema);
    in_transaction(client, async {
        prepare_empty_tables(client, &schema).await?;
        copy_market(client, &schema, market, sessions, &mut progress).await?;
        // Half a gigabyte sorts a few million bars in memory; the setting ends with the transaction.
        let keys = format!(
            "set local maintenance_work_mem = '512MB';
             alter table {schema}.symbols add constraint symbols_pkey primary key (symbol);
             alter table {schema}.ohlcv_daily add constraint ohlcv_daily_pkey primary key (symbol, date);"
        );
        client.batch_execute(&keys).await.map_err(while_doing("build the keys of the source tables"))
    })
    .await?;
    let analyze = format!("analyze {schema}.symbols, {schema}.ohlcv_daily");
    client.batch_execute(&analyze).await.map_err(while_doing("analyze the source tables"))
}

/// Brings the loaded tables of `schema` from the evening before to that of `change`: touched rows are inserted or
/// updated, the day's bars added. Doing it twice changes nothing more. `market` is as [`MadeMarket::next_day`] left it.
pub async fn apply_day(
    client: &Client,
    schema: &str,
    market: &MadeMarket,
    change: &DayChange,
) -> Result<(), LoadError> {
    let schema = quoted(schema);
    in_transaction(client, async {
        stage_day(client, &schema, market, change).await?;
        client
            .batch_execute(&merge_day(&schema))
            .await
            .map_err(while_doing("merge the day into the source tables"))
    })
    .await
}

/// Runs `work` between `begin` and `commit`, or rolls back what it did.
async fn in_transaction(
    client: &Client,
    work: impl Future<Output = Result<(), LoadError>>,
) -> Result<(), LoadError> {
    client.batch_execute("begin").await.map_err(while_doing("begin a transaction"))?;
    match work.await {
        Ok(()) => client.batch_execute("commit").await.map_err(while_doing("commit the made market")),
        Err(error) => {
            // The first error says what went wrong; a failing rollback adds nothing, the server ends it by itself.
            let _ = client.batch_execute("rollback").await;
            Err(error)
        }
    }
}

/// Drops the keys for the time of loading, and refuses tables that have rows.
async fn prepare_empty_tables(client: &Client, schema: &str) -> Result<(), LoadError> {
    // Dropping the key takes the table's exclusive lock: what is found empty afterwards stays so.
    let drop_keys = format!(
        "alter table {schema}.symbols drop constraint if exists symbols_pkey;
         alter table {schema}.ohlcv_daily drop constraint if exists ohlcv_daily_pkey;"
    );
    client.batch_execute(&drop_keys).await.map_err(while_doing("drop the keys of the source tables"))?;
    for table in ["symbols", "ohlcv_daily"] {
        let table = format!("{schema}.{table}");
        let query = format!("select exists (select from {table})");
        let row = client.query_one(&query, &[]).await.map_err(while_doing("look into the source tables"))?;
        if row.get::<_, bool>(0) {
            return Err(LoadError::NotEmpty { table });
        }
    }
    let truncate = format!("truncate {schema}.symbols, {schema}.ohlcv_daily");
    client.batch_execute(&truncate).await.map_err(while_doing("truncate the source tables"))
}

/// Sends all rows, in the order of their symbols: the key is then built from sorted rows.
async fn copy_market(
    client: &Client,
    schema: &str,
    market: &MadeMarket,
    sessions: &[NaiveDate],
    progress: &mut impl FnMut(u64, u64),
) -> Result<(), LoadError> {
    let securities = market.securities();
    let mut order: Vec<usize> = (0..securities.len()).collect();
    order.sort_unstable_by(|&a, &b| securities[a].symbol.cmp(&securities[b].symbol));
    let bars_to_come: usize = order.iter().map(|&at| market.bar_count(at, sessions)).sum();
    let total = (securities.len() + bars_to_come) as u64;
    let updated = evening(market.date());

    let mut rows = Copy::into(client, &format!("{schema}.symbols"), SYMBOL_COLUMNS, "freeze").await?;
    for &at in &order {
        rows.symbol(&securities[at], updated);
        rows.send_if_full(|sent| progress(sent, total)).await?;
    }
    let symbols_sent = rows.finish().await?;

    let mut rows = Copy::into(client, &format!("{schema}.ohlcv_daily"), BAR_COLUMNS, "freeze").await?;
    let mut bars = Vec::with_capacity(sessions.len());
    for &at in &order {
        market.bars(at, sessions, &mut bars);
        for bar in &bars {
            rows.bar(&securities[at].symbol, bar);
        }
        rows.send_if_full(|sent| progress(symbols_sent + sent, total)).await?;
    }
    let bars_sent = rows.finish().await?;
    progress(symbols_sent + bars_sent, total);
    Ok(())
}

/// Puts the day's rows and bars into two temporary tables that end with the transaction.
async fn stage_day(
    client: &Client,
    schema: &str,
    market: &MadeMarket,
    change: &DayChange,
) -> Result<(), LoadError> {
    let tables = format!(
        "create temporary table made_symbols (like {schema}.symbols) on commit drop;
         create temporary table made_bars (like {schema}.ohlcv_daily) on commit drop;"
    );
    client.batch_execute(&tables).await.map_err(while_doing("create the tables of the day"))?;
    let updated = evening(change.date);
    let mut rows = Copy::into(client, "made_symbols", SYMBOL_COLUMNS, "").await?;
    for &at in &change.touched {
        rows.symbol(&market.securities()[at], updated);
        rows.send_if_full(|_| ()).await?;
    }
    rows.finish().await?;
    let mut rows = Copy::into(client, "made_bars", BAR_COLUMNS, "").await?;
    for (at, bar) in &change.bars {
        rows.bar(&market.securities()[*at].symbol, bar);
        rows.send_if_full(|_| ()).await?;
    }
    rows.finish().await?;
    Ok(())
}

/// The statements that carry the staged day over.
fn merge_day(schema: &str) -> String {
    let updates = |columns: &[&str]| {
        let updates: Vec<String> =
            columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        updates.join(", ")
    };
    format!(
        "insert into {schema}.symbols ({symbol_columns})
         select {symbol_columns} from made_symbols
         on conflict (symbol) do update set {symbol_updates};
         insert into {schema}.ohlcv_daily ({bar_columns})
         select {bar_columns} from made_bars
         on conflict (symbol, date) do update set {bar_updates};",
        symbol_columns = SYMBOL_COLUMNS.join(", "),
        symbol_updates = updates(&SYMBOL_COLUMNS[1..]),
        bar_columns = BAR_COLUMNS.join(", "),
        bar_updates = updates(&BAR_COLUMNS[2..]),
    )
}

/// The columns of `symbols`, in the order [`Copy::symbol`] writes them.
const SYMBOL_COLUMNS: &[&str] = &[
    "symbol",
    "name",
    "exchange",
    "type",
    "active",
    "market_cap",
    "weighted_shares_outstanding",
    "sector",
    "industry",
    "sic_code",
    "list_date",
    "delisted_date",
    "cik",
    "composite_figi",
    "share_class_figi",
    "etf_type",
    "issuer",
    "aum_millions",
    "last_updated",
];
/// The columns of `ohlcv_daily`, in the order [`Copy::bar`] writes them.
const BAR_COLUMNS: &[&str] = &["symbol", "date", "open", "high", "low", "close", "volume"];

/// One running binary COPY: rows are encoded into a buffer that is sent whenever it is full.
struct Copy {
    sink: Pin<Box<CopyInSink<Cursor<Vec<u8>>>>>,
    buffer: Vec<u8>,
    rows: u64,
}

impl Copy {
    async fn into(client: &Client, table: &str, columns: &[&str], option: &str) -> Result<Copy, LoadError> {
        let comma = if option.is_empty() { "" } else { ", " };
        let statement =
            format!("copy {table} ({}) from stdin (format binary{comma}{option})", columns.join(", "));
        let sink = client.copy_in(&statement).await.map_err(while_doing("start to copy rows"))?;
        let mut buffer = Vec::with_capacity(2 * CHUNK_BYTES);
        // Signature, no flags, no header extension.
        buffer.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        Ok(Copy { sink: Box::pin(sink), buffer, rows: 0 })
    }

    fn symbol(&mut self, security: &MadeSecurity, updated: DateTime<Utc>) {
        self.begin_row(SYMBOL_COLUMNS);
        self.text(Some(&security.symbol));
        self.text(Some(&security.name));
        self.text(Some(security.exchange));
        self.text(Some(security.kind.code()));
        self.field(&[u8::from(security.active)]);
        self.bigint(security.market_cap);
        self.bigint(security.shares);
        self.text(security.sector);
        self.text(security.industry);
        self.text(security.sic_code);
        self.date(security.list_date);
        self.date(security.delisted_date);
        self.text(security.cik.as_deref());
        self.text(security.composite_figi.as_deref());
        self.text(security.share_class_figi.as_deref());
        self.text(security.etf_type);
        self.text(security.issuer);
        match security.aum_millions {
            Some(millions) => self.numeric(millions * 10_000, 0),
            None => self.null(),
        }
        self.field(&microseconds_since_2000(updated).to_be_bytes());
    }

    fn bar(&mut self, symbol: &str, bar: &Bar) {
        self.begin_row(BAR_COLUMNS);
        self.text(Some(symbol));
        self.date(Some(bar.date));
        for price in [bar.open, bar.high, bar.low, bar.close] {
            self.numeric(price, 4);
        }
        self.bigint(Some(bar.volume));
    }

    fn begin_row(&mut self, columns: &[&str]) {
        self.rows += 1;
        self.buffer.extend_from_slice(&(columns.len() as i16).to_be_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        self.buffer.extend_from_slice(bytes);
    }

    fn null(&mut self) {
        self.buffer.extend_from_slice(&(-1_i32).to_be_bytes());
    }

    fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.field(text.as_bytes()),
            None => self.null(),
        }
    }

    fn bigint(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.field(&number.to_be_bytes()),
            None => self.null(),
        }
    }

    fn date(&mut self, date: Option<NaiveDate>) {
        match date {
            Some(date) => self.field(&days_since_2000(date).to_be_bytes()),
            None => self.null(),
        }
    }

    fn numeric(&mut self, ten_thousandths: i64, decimals_shown: i16) {
        let (bytes, length) = numeric_bytes(ten_thousandths, decimals_shown);
        self.field(&bytes[..length]);
    }

    async fn send_if_full(&mut self, sent: impl FnOnce(u64)) -> Result<(), LoadError> {
        if self.buffer.len() >= CHUNK_BYTES {
            self.send().await?;
            sent(self.rows);
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), LoadError> {
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(2 * CHUNK_BYTES));
        self.sink.send(Cursor::new(chunk)).await.map_err(while_doing("copy rows"))
    }

    /// Ends the COPY; returns how many rows it had.
    async fn finish(mut self) -> Result<u64, LoadError> {
        self.buffer.extend_from_slice(&(-1_i16).to_be_bytes());
        self.send().await?;
        self.sink.as_mut().finish().await.map_err(while_doing("finish copying rows"))
    }
}

/// A non-negative number of ten-thousandths as Postgres sends a `numeric`: how many groups of four decimals, the
/// power of the first, the sign, how many decimals to show, then the groups without zeros at either end.
fn numeric_bytes(ten_thousandths: i64, decimals_shown: i16) -> ([u8; 20], usize) {
    // Nineteen digits make five groups.
    let mut groups = [0_u16; 5];
    let mut rest = ten_thousandths.max(0);
    let mut count = 0;
    while rest > 0 {
        groups[count] = (rest % 10_000) as u16;
        rest /= 10_000;
        count += 1;
    }
    let zeros = groups[..count].iter().take_while(|group| **group == 0).count();
    // The lowest group counts ten-thousandths: its power is -1.
    let weight = if count == 0 { 0 } else { count as i16 - 2 };
    let mut bytes = [0_u8; 20];
    let header = [(count - zeros) as i16, weight, 0, decimals_shown];
    let groups = groups[zeros..count].iter().rev().map(|group| group.to_be_bytes());
    let words = header.into_iter().map(i16::to_be_bytes).chain(groups);
    let mut length = 0;
    for word in words {
        bytes[length..length + 2].copy_from_slice(&word);
        length += 2;
    }
    (bytes, length)
}

fn days_since_2000(date: NaiveDate) -> i32 {
    date.signed_duration_since(epoch()).num_days() as i32
}

fn microseconds_since_2000(time: DateTime<Utc>) -> i64 {
    let since = time.signed_duration_since(epoch().and_time(NaiveTime::MIN).and_utc());
    since.num_microseconds().expect("a market's date is within 290,000 years of 2000")
}

/// Postgres counts days and microseconds from here.
fn epoch() -> NaiveDate {
    NaiveDate::from_ymd_opt(2000, 1, 1).expect("the first of January 2000 is a date")
}

/// When the importer has finished a day: 22:00 UTC, an hour or two after the close in New York.
fn evening(date: NaiveDate) -> DateTime<Utc> {
    date.and_hms_opt(22, 0, 0).expect("every day has a 22:00 in UTC").and_utc()
}

/// A name as SQL takes it whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn while_doing(doing: &'static str) -> impl FnOnce(tokio_postgres::Error) -> LoadError {
    move |source| LoadError::Database { doing, source }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use tokio_postgres::types::{FromSql, Type};

    use super::*;

    #[test]
    fn a_price_is_sent_as_the_very_number_that_postgres_keeps() {
        for price in [0, 1, 9_999, 10_000, 12_345, 100_000_000, 7_435_000_000, 99_999_999_999_999, i64::MAX] {
            let (bytes, length) = numeric_bytes(price, 4);
            let read = Decimal::from_sql(&Type::NUMERIC, &bytes[..length]).expect("a numeric");
            assert_eq!(read, Decimal::new(price, 4));
        }
    }

    #[test]
    fn days_are_counted_from_the_first_of_january_2000() {
        let date = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).expect("a date");
        assert_eq!(days_since_2000(date(2000, 1, 2)), 1);
        assert_eq!(days_since_2000(date(1999, 12, 31)), -1);
        assert_eq!(microseconds_since_2000(evening(date(2000, 1, 1))), 22 * 3_600 * 1_000_000);
    }

    #[test]
    fn a_schema_name_cannot_end_its_quotes() {
        assert_eq!(quoted("a\"; drop"), "\"a\"\"; drop\"");
    }

    #[test]
    fn a_merge_leaves_the_keys_alone() {
        let sql = merge_day("\"s\"");
        assert!(!sql.contains("symbol = excluded.symbol") && sql.contains("active = excluded.active"));
        assert!(!sql.contains(" date = excluded.date") && sql.contains("close = excluded.close"));
    }
}
