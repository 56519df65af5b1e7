//! Reads `symbols` and `ohlcv_daily` as they are found; writes nothing to them, ever.
//!
//! The source belongs to others, and its columns are called differently from place to place. [`SourceTables::discover`]
//! looks them up in the catalogue, each by its aliases or by the name in `[source.columns]`, and builds the two
//! statements of this module from their templates. Tables, views, partitioned tables and hypertables will do.
//!
//! # Why one probe per symbol
//! The last close of ten thousand symbols out of 25 million bars takes a tenth of a second by one index probe each,
//! and a quarter of a minute by sorting. A probe needs the raw date column in `order by` and in the filter: an
//! expression around it would defeat the index. So raw values travel, and `decode` says which date they mean.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::pin;

use chrono::NaiveDate;
use futures_util::TryStreamExt;
use rust_decimal::prelude::ToPrimitive;
use rustc_hash::FxHashSet;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::domain::figure::Figure;
use crate::domain::security::{Close, Security, Text};
use crate::domain::symbol::Symbol;
use crate::failure::{Failure, postgres};
use crate::settings::SourceSettings;
use crate::store::Transaction;

use super::decode::{SqlDate, SqlFigure, is_date, is_number};
use crate::store::catalog::{self, Column, Relation};
use crate::store::quoted;
use crate::store::statement::{Param, query};

const DISCOVER: &str = "find the columns of the source";
const READ: &str = "read the securities and their closes";

/// What a column is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnType {
    Text,
    Flag,
    Number,
    Date,
}

/// A fact that we look for in a column.
struct Role {
    /// Its name in the templates and in `[source.columns]`.
    name: &'static str,
    kind: ColumnType,
    /// What the column may be called; the first that exists is taken.
    aliases: &'static [&'static str],
}

const fn role(name: &'static str, kind: ColumnType, aliases: &'static [&'static str]) -> Role {
    Role { name, kind, aliases }
}

/// What is looked for in the table of symbols.
const SYMBOL_ROLES: [Role; 20] = [
    role("symbol", ColumnType::Text, &["symbol"]),
    role("type", ColumnType::Text, &["type"]),
    role("active", ColumnType::Flag, &["active", "is_active"]),
    role("name", ColumnType::Text, &["name", "company_name"]),
    role("market_cap", ColumnType::Number, &["market_cap"]),
    role(
        "shares",
        ColumnType::Number,
        &["weighted_shares_outstanding", "shares_outstanding", "share_class_shares_outstanding"],
    ),
    role("sector", ColumnType::Text, &["sector"]),
    role("industry", ColumnType::Text, &["industry"]),
    role("sic_code", ColumnType::Text, &["sic_code"]),
    role("exchange", ColumnType::Text, &["primary_exchange", "exchange"]),
    role("list_date", ColumnType::Date, &["list_date", "listing_date"]),
    role("delisted_date", ColumnType::Date, &["delisted_date"]),
    role("cik", ColumnType::Text, &["cik"]),
    role("composite_figi", ColumnType::Text, &["composite_figi"]),
    role("share_class_figi", ColumnType::Text, &["share_class_figi"]),
    role("etf_type", ColumnType::Text, &["etf_type"]),
    role("issuer", ColumnType::Text, &["issuer"]),
    role("aum_millions", ColumnType::Number, &["aum_millions"]),
    role("dividend_growth_years", ColumnType::Number, &["dividend_growth_years"]),
    role("esg_score", ColumnType::Number, &["esg_score"]),
];

/// What is looked for in the table of bars. `bar_symbol` is the name in `[source.columns]` only, where `symbol` is
/// the column of the other table.
const BAR_ROLES: [Role; 4] = [
    role("bar_symbol", ColumnType::Text, &["symbol"]),
    role("date", ColumnType::Date, &["date", "timestamp"]),
    role("close", ColumnType::Number, &["close"]),
    role("volume", ColumnType::Number, &["volume"]),
];

/// The source as found in the catalogue, with the statements that read it.
#[derive(Debug, Clone)]
pub struct SourceTables {
    /// What `{...}` stands for in the templates, but for the bound.
    expressions: BTreeMap<&'static str, String>,
    /// The columns of a bar's symbol and date.
    bar_columns: (String, String),
    /// The volume of a bar, where there is such a column.
    volume: Option<String>,
    /// Whether it is read with every close.
    volumes: Volumes,
    /// The condition that keeps bars on or before the date `$1`.
    bound: String,
}

/// Whether the volumes of all bars are read: only one rule asks for them, and they double what is read of a bar. Bars
/// that are read once more always come with theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volumes {
    /// They are, where there is such a column.
    Read,
    /// They are not.
    Unread,
}

/// What was read of the source.
#[derive(Debug, Clone, Default)]
pub struct SourceMarket {
    /// Every row that is a security, in any order. Two spellings of one symbol are two securities.
    pub securities: Vec<Security>,
    /// The symbols of rows that are none (empty, too long, with control characters), escaped and shortened.
    pub unreadable_symbols: Vec<String>,
}

impl SourceTables {
    /// Finds the source in the catalogue.
    ///
    /// A table or a required column that is missing, a column of another kind than needed and a name in
    /// `[source.columns]` that leads nowhere are [`Failure::Permanent`], each with one sentence and its remedy.
    pub async fn discover(tx: &Transaction<'_>, settings: &SourceSettings) -> Result<Self, Failure> {
        Self::discover_with(tx, settings, Volumes::Unread).await
    }

    /// The same, to be read with or without volumes.
    pub async fn discover_with(
        tx: &Transaction<'_>,
        settings: &SourceSettings,
        volumes: Volumes,
    ) -> Result<Self, Failure> {
        let SourceSettings { schema, symbols_table, bars_table, .. } = settings;
        let relations = catalog::relations(tx, schema, &[symbols_table, bars_table]).await?;
        Self::from_catalogue(settings, &relations, volumes)
            .map_err(|problem| Failure::permanent(DISCOVER, problem))
    }

    fn from_catalogue(
        settings: &SourceSettings,
        relations: &BTreeMap<String, Relation>,
        volumes: Volumes,
    ) -> Result<Self, String> {
        refuse_unknown_roles(settings)?;
        let symbols = Finder::new(settings, &settings.symbols_table, "symbols_table", relations)?;
        let bars = Finder::new(settings, &settings.bars_table, "bars_table", relations)?;

        let symbol = symbols.required("symbol")?;
        symbols.required("type")?;
        symbols.required("active")?;
        let bar_symbol = bars.required("bar_symbol")?;
        let date = bars.required("date")?;
        let close = bars.optional("close")?;
        let volume = bars.optional("volume")?.map(|column| expression("b", ColumnType::Number, Some(column)));
        if symbols.optional("market_cap")?.is_none()
            && (symbols.optional("shares")?.is_none() || close.is_none())
        {
            return Err(format!(
                "{} has no column for market_cap, and there is no shares column beside a close to work it out; \
                 name them in [source.columns], or let source.symbols_table name a view that has them",
                symbols.qualified
            ));
        }

        let mut expressions = BTreeMap::new();
        for role in &SYMBOL_ROLES {
            expressions.insert(role.name, expression("s", role.kind, symbols.optional(role.name)?));
        }
        let raw_date = format!("b.{}", quoted(&date.name));
        let raw_close = close.map(|column| format!("b.{}", quoted(&column.name)));
        expressions.insert("close", expression("b", ColumnType::Number, close));
        expressions
            .insert("has_close", raw_close.map_or("true".to_owned(), |close| format!("{close} is not null")));
        expressions.insert("same_symbol", same_symbol(symbol, bar_symbol));
        expressions.insert("symbols", symbols.qualified);
        expressions.insert("bars", bars.qualified);
        let bound = on_or_before(&raw_date, date);
        expressions.insert("date", raw_date);
        let bar_columns = (bar_symbol.name.clone(), date.name.clone());
        Ok(Self { expressions, bar_columns, volume, volumes, bound })
    }

    /// The same without the bars of these dates.
    #[must_use]
    pub fn without(mut self, dates: &[NaiveDate]) -> Self {
        let has_close = self.expressions.entry("has_close").or_default();
        for date in dates {
            let next = on_or_before_text(&self.bound, *date);
            let before = on_or_before_text(&self.bound, date.pred_opt().unwrap_or(*date));
            *has_close = format!("{has_close} and (not ({next}) or ({before}))");
        }
        self
    }

    /// The columns of a bar's symbol and date.
    pub(in crate::store) fn bar_columns(&self) -> (&str, &str) {
        (&self.bar_columns.0, &self.bar_columns.1)
    }

    /// The volume that is read with every close.
    fn volume_of_all(&self) -> Option<&str> {
        self.volume.as_deref().filter(|_| self.volumes == Volumes::Read)
    }

    /// The statement of [`read_securities`]; with a bound, `$1` is the date.
    pub fn securities_sql(&self, bounded: bool) -> String {
        let bound = if bounded { &self.bound } else { "true" };
        self.fill(include_str!("../../../sql/queries/securities_read.sql"), bound, self.volume_of_all())
    }

    /// The statement of [`reread_closes`] and [`read_volumes`].
    pub fn closes_sql(&self) -> String {
        let template = include_str!("../../../sql/queries/closes_reread.sql");
        self.fill(template, &self.bound, self.volume.as_deref())
    }

    fn fill(&self, template: &str, bound: &str, volume: Option<&str>) -> String {
        let mut sql = template
            .replace("{bound}", bound)
            .replace(
                "{and_volume}",
                &volume.map(|raw| format!(",\n        {raw} as volume")).unwrap_or_default(),
            )
            .replace("{and_latest_volume}", volume.map_or("", |_| ",\n    latest.volume"))
            .replace(
                "{and_previous_volume}",
                volume.map_or("", |_| ",\n    previous.volume as previous_volume"),
            );
        for (name, expression) in &self.expressions {
            sql = sql.replace(&format!("{{{name}}}"), expression);
        }
        sql
    }
}

/// Reads every security with its last close; with a `bound`, the last close on or before it.
pub async fn read_securities(
    tx: &Transaction<'_>,
    source: &SourceTables,
    bound: Option<NaiveDate>,
) -> Result<SourceMarket, Failure> {
    let sql = source.securities_sql(bound.is_some());
    let has_volume = source.volume_of_all().is_some();
    let params = bound.map(|date| (date, Type::DATE));
    let mut rows = pin!(tx.query_typed_raw(&sql, params).await.map_err(postgres(READ))?);
    let mut market = SourceMarket::default();
    let mut texts = Texts::default();
    while let Some(row) = rows.try_next().await.map_err(postgres(READ))? {
        let raw: Option<&str> = row.try_get(0).map_err(postgres(READ))?;
        match raw.and_then(Symbol::parse) {
            Some(symbol) => {
                let read = security(symbol, &row, has_volume, &mut texts).map_err(postgres(READ))?;
                market.securities.push(read);
            }
            None => market.unreadable_symbols.push(raw.map_or("null".to_owned(), escaped)),
        }
    }
    Ok(market)
}

/// Reads the close again of those securities whose last one is after `as_of`, and puts in the last one on or before
/// it, or none, with its volume. Returns how many there were.
pub async fn reread_closes(
    tx: &Transaction<'_>,
    source: &SourceTables,
    securities: &mut [Security],
    as_of: NaiveDate,
) -> Result<usize, Failure> {
    let is_late = |security: &Security| security.close.is_some_and(|close| close.date > as_of);
    reread_bars(tx, source, securities, is_late, as_of).await
}

/// Reads the volumes of the closes of `symbols`, where they are not known yet; no close is later than `as_of`. Returns
/// how many there were.
pub async fn read_volumes(
    tx: &Transaction<'_>,
    source: &SourceTables,
    securities: &mut [Security],
    symbols: &BTreeSet<Symbol>,
    as_of: NaiveDate,
) -> Result<usize, Failure> {
    if symbols.is_empty() || source.volume.is_none() {
        return Ok(0);
    }
    let is_wanted = |security: &Security| {
        let is_unread = source.volumes == Volumes::Read || security.volume == Figure::Missing;
        is_unread && security.previous_volume == Figure::Missing && symbols.contains(&security.symbol)
    };
    reread_bars(tx, source, securities, is_wanted, as_of).await
}

/// Puts the last bar on or before `as_of`, or none, into the wanted securities: its close and its volume together, so
/// that no volume is ever that of another day than the close, and the volume of the bar before it.
async fn reread_bars(
    tx: &Transaction<'_>,
    source: &SourceTables,
    securities: &mut [Security],
    is_wanted: impl Fn(&Security) -> bool,
    as_of: NaiveDate,
) -> Result<usize, Failure> {
    let symbols: Vec<&str> = securities
        .iter()
        .filter(|security| is_wanted(security))
        .map(|security| security.symbol.as_str())
        .collect();
    if symbols.is_empty() {
        return Ok(0);
    }
    let params: [Param<'_>; 2] = [(&as_of, Type::DATE), (&symbols, Type::TEXT_ARRAY)];
    let rows = query(tx, READ, &source.closes_sql(), &params).await?;
    let has_volume = source.volume.is_some();
    let mut earlier: HashMap<&str, (Option<Close>, Figure, Figure)> = HashMap::with_capacity(rows.len());
    for row in &rows {
        earlier.insert(
            row.try_get(0).map_err(postgres(READ))?,
            (
                close_at(row, 1).map_err(postgres(READ))?.filter(|close| close.date <= as_of),
                volume_at(row, 3, has_volume).map_err(postgres(READ))?,
                volume_at(row, 4, has_volume).map_err(postgres(READ))?,
            ),
        );
    }
    let mut reread = 0;
    for security in securities.iter_mut().filter(|security| is_wanted(security)) {
        (security.close, security.volume, security.previous_volume) =
            earlier.get(security.symbol.as_str()).copied().unwrap_or_default();
        reread += 1;
    }
    Ok(reread)
}

/// Takes a row of `securities_read.sql` apart; its columns come in the order of [`SYMBOL_ROLES`].
fn security(
    symbol: Symbol,
    row: &Row,
    has_volume: bool,
    texts: &mut Texts,
) -> Result<Security, tokio_postgres::Error> {
    Ok(Security {
        symbol,
        kind: texts.shared(&text(row, 1)?.unwrap_or_default().to_uppercase()),
        active: row.try_get(2)?,
        name: text(row, 3)?.map(Text::from),
        stored_cap: row.try_get::<_, SqlFigure>(4)?.0,
        shares: row.try_get::<_, SqlFigure>(5)?.0,
        sector: text(row, 6)?.map(|text| texts.shared(text)),
        industry: text(row, 7)?.map(|text| texts.shared(text)),
        sic_code: text(row, 8)?.map(|text| texts.shared(text)),
        exchange: text(row, 9)?.map(|text| texts.shared(text)),
        list_date: row.try_get::<_, SqlDate>(10)?.0,
        delisted_date: row.try_get::<_, SqlDate>(11)?.0,
        cik: text(row, 12)?.map(Text::from),
        composite_figi: text(row, 13)?.map(Text::from),
        share_class_figi: text(row, 14)?.map(Text::from),
        etf_type: text(row, 15)?.map(|text| texts.shared(text)),
        issuer: text(row, 16)?.map(|text| texts.shared(text)),
        aum_millions: row.try_get::<_, SqlFigure>(17)?.0,
        dividend_growth_years: row.try_get::<_, SqlFigure>(18)?.0.value().and_then(|years| years.to_i32()),
        esg_score: row.try_get::<_, SqlFigure>(19)?.0,
        close: close_at(row, SYMBOL_ROLES.len())?,
        volume: volume_at(row, SYMBOL_ROLES.len() + 2, has_volume)?,
        previous_volume: Figure::Missing,
    })
}

/// The texts that many rows have in common.
#[derive(Default)]
struct Texts(FxHashSet<Text>);

impl Texts {
    /// `text`, the same for every row that has it.
    fn shared(&mut self, text: &str) -> Text {
        if let Some(known) = self.0.get(text) {
            return Text::clone(known);
        }
        let new = Text::from(text);
        self.0.insert(Text::clone(&new));
        new
    }
}

fn close_at(row: &Row, index: usize) -> Result<Option<Close>, tokio_postgres::Error> {
    let SqlDate(date) = row.try_get(index)?;
    let SqlFigure(price) = row.try_get(index + 1)?;
    Ok(date.map(|date| Close { date, price }))
}

fn volume_at(row: &Row, index: usize, has_volume: bool) -> Result<Figure, tokio_postgres::Error> {
    if has_volume {
        row.try_get::<_, SqlFigure>(index).map(|SqlFigure(volume)| volume)
    } else {
        Ok(Figure::Missing)
    }
}

fn text(row: &Row, index: usize) -> Result<Option<&str>, tokio_postgres::Error> {
    let text: Option<&str> = row.try_get(index)?;
    Ok(text.map(str::trim).filter(|text| !text.is_empty()))
}

/// A text that is no symbol, fit for a report: escaped, and not longer than a line.
fn escaped(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    format!("{shown:?}{more}")
}

/// Finds the columns of one table.
struct Finder<'a> {
    settings: &'a SourceSettings,
    /// The table as SQL names it.
    qualified: String,
    relation: &'a Relation,
}

impl<'a> Finder<'a> {
    fn new(
        settings: &'a SourceSettings,
        table: &str,
        setting: &str,
        relations: &'a BTreeMap<String, Relation>,
    ) -> Result<Self, String> {
        let schema = &settings.schema;
        match relations.get(table) {
            Some(relation) => {
                let qualified = format!("{}.{}", quoted(schema), quoted(table));
                Ok(Self { settings, qualified, relation })
            }
            None => Err(format!(
                "there is no table or view {schema}.{table}; load the market data first, or say in source.schema \
                 and source.{setting} where it is"
            )),
        }
    }

    fn required(&self, name: &'static str) -> Result<&'a Column, String> {
        self.optional(name)?.ok_or_else(|| {
            format!(
                "{} has no column for {name} (looked for {}); name it in [source.columns], or let the source be a \
                 view that has it",
                self.qualified,
                role_named(name).aliases.join(", ")
            )
        })
    }

    fn optional(&self, name: &'static str) -> Result<Option<&'a Column>, String> {
        let role = role_named(name);
        let column = match self.settings.columns.get(name) {
            Some(chosen) => Some(self.relation.column(chosen).ok_or_else(|| {
                format!("{} has no column {chosen}, which [source.columns] names for {name}", self.qualified)
            })?),
            None => role.aliases.iter().find_map(|alias| self.relation.column(alias)),
        };
        match column {
            Some(column) if !fits(role, column) => Err(format!(
                "{}.{} is {}, which can't be read as {}; let the source be a view that converts it",
                self.qualified,
                quoted(&column.name),
                column.type_name,
                wanted(role)
            )),
            other => Ok(other),
        }
    }
}

fn role_named(name: &str) -> &'static Role {
    let mut roles = ALL_ROLES.iter().flat_map(|roles| roles.iter());
    roles.find(|role| role.name == name).expect("only names of roles are looked for")
}

const ALL_ROLES: [&[Role]; 2] = [&SYMBOL_ROLES, &BAR_ROLES];

fn refuse_unknown_roles(settings: &SourceSettings) -> Result<(), String> {
    let known: Vec<&str> = ALL_ROLES.iter().flat_map(|roles| roles.iter()).map(|role| role.name).collect();
    match settings.columns.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(format!(
            "[source.columns] names a column for {name}, but known are only {}",
            known.join(", ")
        )),
    }
}

/// The bars are ordered and filtered by their date, so there only real dates will do; elsewhere texts are read too.
fn fits(role: &Role, column: &Column) -> bool {
    let kind_fits = |fits: fn(&Type) -> bool| column.kind.as_ref().is_some_and(fits);
    match role.kind {
        ColumnType::Text => true,
        ColumnType::Flag => {
            kind_fits(|kind| matches!(*kind, Type::BOOL | Type::INT2 | Type::INT4 | Type::INT8))
        }
        ColumnType::Number => kind_fits(is_number) || column.is_text(),
        ColumnType::Date if role.name == "date" => kind_fits(is_date),
        ColumnType::Date => kind_fits(is_date) || column.is_text(),
    }
}

fn wanted(role: &Role) -> &'static str {
    match role.kind {
        ColumnType::Text => "a text",
        ColumnType::Flag => "a boolean or an integer",
        ColumnType::Number => "a number",
        ColumnType::Date => "a date or timestamp",
    }
}

/// A column of `alias` as the client wants it; a null of the right kind for one that does not exist.
fn expression(alias: &str, kind: ColumnType, column: Option<&Column>) -> String {
    let Some(column) = column else {
        return match kind {
            ColumnType::Text => "null::text",
            ColumnType::Flag => "null::boolean",
            ColumnType::Number => "null::numeric",
            ColumnType::Date => "null::date",
        }
        .to_owned();
    };
    let raw = format!("{alias}.{}", quoted(&column.name));
    match kind {
        ColumnType::Flag if column.kind != Some(Type::BOOL) => format!("{raw} <> 0"),
        ColumnType::Text => format!("{raw}::text"),
        ColumnType::Number | ColumnType::Date if column.is_text() => format!("{raw}::text"),
        ColumnType::Flag | ColumnType::Number | ColumnType::Date => raw,
    }
}

/// Compares the symbol of a bar with that of a security in the type and collation of the bars' column: any
/// conversion on that side would keep its index from being used.
fn same_symbol(symbol: &Column, bar_symbol: &Column) -> String {
    let (s, b) = (quoted(&symbol.name), quoted(&bar_symbol.name));
    let kind = match bar_symbol.kind {
        Some(Type::BPCHAR) => "pg_catalog.bpchar",
        Some(Type::TEXT | Type::VARCHAR | Type::NAME) => "text",
        _ => &bar_symbol.type_name,
    };
    let collate = bar_symbol.collation.as_ref().map(|name| format!(" collate {name}")).unwrap_or_default();
    format!("b.{b} = s.{s}::{kind}{collate}")
}

/// The bound with a date put in: dates are digits and dashes.
fn on_or_before_text(bound: &str, date: NaiveDate) -> String {
    bound.replace("$1::date", &format!("'{date}'::date"))
}

/// The condition that keeps what [`SqlDate`] reads as `$1` or earlier, with the raw column alone on one side.
fn on_or_before(raw: &str, date: &Column) -> String {
    match date.kind {
        Some(Type::TIMESTAMP) => format!("{raw} < ($1::date + 1)::timestamp"),
        Some(Type::TIMESTAMPTZ) => format!(
            "{raw} < ($1::date + 1)::timestamp at time zone 'America/New_York' \
             and {raw} <> ($1::date + 1)::timestamp at time zone 'UTC'"
        ),
        _ => format!("{raw} <= $1::date"),
    }
}
