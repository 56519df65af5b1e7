//! The made market: a background of ordinary stocks, and verbs that change it.

use cache_sync::domain::calendar::next_session;
use chrono::{Days, NaiveDate};

use super::World;

/// The date of the background, a Monday.
pub(super) const START: &str = "2026-03-02";
/// Stocks of the background; a hundred are the least that a market has.
const STOCKS: usize = 130;
/// What every share of the background costs at first.
const PRICE: i64 = 100;

/// The symbol of the background's stock of this rank, from 1. Each cap is 6 % below the one before, from 400 billion
/// down to 130 million: 12 mega caps, then large ones to rank 60, mid to 86, small to 117, micro.
pub(crate) fn background(rank: usize) -> String {
    assert!((1..=STOCKS).contains(&rank));
    format!("BG{rank:03}")
}

/// Fills the source tables: every stock has a close on the last two sessions.
pub(super) fn background_sql() -> String {
    format!(
        "insert into symbols (symbol, name, exchange, type, active, weighted_shares_outstanding, sector, list_date)
         select 'BG' || lpad(rank::text, 3, '0'), 'Company ' || rank, 'XNYS', 'CS', true,
                (4e11 * 0.94 ^ (rank - 1))::bigint / {PRICE},
                (array['Technology', 'Healthcare', 'Energy', 'Utilities', 'Industrials'])[1 + rank % 5], '2005-01-03'
         from generate_series(1, {STOCKS}) as rank;
         insert into ohlcv_daily (symbol, date, close, volume)
         select symbol, date, {PRICE}, 1000 from symbols, unnest(array['2026-02-27', '{START}']::date[]) as date;"
    )
}

/// A security to be listed; what is not said is as for most stocks.
#[derive(Debug, Clone)]
pub(crate) struct Stock {
    symbol: String,
    cap: i64,
    sector: String,
    listed_days_ago: u64,
}

/// A common stock of 5 billion, listed long ago.
pub(crate) fn stock(symbol: &str) -> Stock {
    Stock {
        symbol: symbol.to_owned(),
        cap: 5_000_000_000,
        sector: "Energy".to_owned(),
        listed_days_ago: 3_000,
    }
}

impl Stock {
    /// With this market cap: `12.4B`, `80M`.
    pub(crate) fn cap(self, text: &str) -> Self {
        let (number, unit) = text.split_at(text.len() - 1);
        let unit = match unit {
            "B" => 1e9,
            "M" => 1e6,
            _ => panic!("{text:?} ends neither in B nor in M"),
        };
        Self { cap: (number.parse::<f64>().unwrap() * unit).round() as i64, ..self }
    }

    /// Listed so many days before the newest close.
    pub(crate) fn listed_days_ago(self, days: u64) -> Self {
        Self { listed_days_ago: days, ..self }
    }
}

impl World {
    /// The newest date with closes.
    pub(crate) async fn today(&self) -> NaiveDate {
        self.ask("select max(date) from ohlcv_daily").await[0].parse().unwrap()
    }

    /// Lists a security, with a close today.
    pub(crate) async fn list(&self, stock: Stock) {
        let today = self.today().await;
        let list_date = today - Days::new(stock.listed_days_ago);
        let Stock { symbol, cap, sector, .. } = stock;
        self.sql(&format!(
            "insert into symbols (symbol, name, type, active, weighted_shares_outstanding, sector, list_date)
             values ('{symbol}', 'Company {symbol}', 'CS', true, {cap} / {PRICE}, '{sector}', '{list_date}');
             insert into ohlcv_daily (symbol, date, close, volume) values ('{symbol}', '{today}', {PRICE}, 1000);"
        ))
        .await;
    }

    /// Ends the trading of a security.
    pub(crate) async fn delist(&self, symbol: &str) {
        self.sql(&format!("update symbols set active = false where symbol = '{symbol}'")).await;
    }

    /// Closes the next session: every active security at its last price, these at so many times it. The date.
    pub(crate) async fn close_next_day(&self, moves: &[(&str, f64)]) -> NaiveDate {
        self.close_part_of_next_day(100, moves).await
    }

    /// The same for the first so many percent of the securities only: the import is under way.
    pub(crate) async fn close_part_of_next_day(&self, percent: usize, moves: &[(&str, f64)]) -> NaiveDate {
        let today = self.today().await;
        let date = next_session(today);
        self.import_closes(date, percent).await;
        for (symbol, factor) in moves {
            self.sql(&format!(
                "update ohlcv_daily set close = close * {factor} where symbol = '{symbol}' and date = '{date}'"
            ))
            .await;
        }
        date
    }

    /// Imports the closes of a date for the first so many percent of the securities, where they are missing.
    pub(crate) async fn import_closes(&self, date: NaiveDate, percent: usize) {
        self.sql(&format!(
            "insert into ohlcv_daily (symbol, date, close, volume)
             select s.symbol, '{date}', b.close, 1000
             from (select symbol, row_number() over (order by symbol) as place, count(*) over () as total
                   from symbols where active) s
             cross join lateral (select close from ohlcv_daily b where b.symbol = s.symbol and b.date < '{date}'
                                 order by b.date desc limit 1) b
             where s.place * 100 <= s.total * {percent}
             on conflict do nothing"
        ))
        .await;
    }
}
