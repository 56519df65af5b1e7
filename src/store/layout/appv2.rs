//! What stands where in the table of `TickStockAppV2`, worked out from a plan.
//!
//! The table keeps JSON under type, name, key and environment. Each universe has one row there, a theme two; two more
//! belong to none:
//!
//! | [slot](Slot) | type | name | key | value |
//! |---|---|---|---|---|
//! | `mega_cap` ... | `stock_universe` | `market_cap` | the tier | `{count, stocks: [...]}` |
//! | `top_100` ... | `stock_universe` | `market_leaders` | the ranking; that of 10 is `top_10_stocks` | the same |
//! | `top_10_energy` ... | `stock_universe` | `sector_leaders` | the universe | the same |
//! | `green_energy` ... | `stock_universe` | `themes` | the theme | the same |
//! | `themes:green_energy` ... | `themes` | what people call it | `list`, or the theme | `[tickers]` |
//! | `all_stocks` | `stock_universe` | `complete` | `all_stocks` | the same as the tiers, without details |
//! | `etf_bonds` ... | `etf_universe` | `Bond ETFs` ... | the universe | `{count, etfs: [...]}`, or `[tickers]` |
//! | `stock_stats:summary` | `stock_stats` | `universe` | `summary` | `{overview: {...}}` |
//! | `stock_etf_combo:combo_test` | `stock_etf_combo` | `stock_etf_test` | `combo_test` | `{count, stocks, symbols}` |
//!
//! `recent_ipos` has no row: its members stand in history alone.
//!
//! # Why projecting is a step of its own
//! Who is a member is decided without a thought of any table. [`project`] takes that decision and says which rows would
//! show it, and of those only the ones that do not show it yet, whoever wrote what stands there.
//!
//! # What its readers can't bear
//! One element without a ticker blanks the dropdowns that come after it; a bare list under `stock_universe` stops the
//! end-of-day reader; an empty table keeps the whole of `AppV2` from starting. So every element has a ticker, a
//! name, and words and numbers instead of nulls.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Number, Value, json};

use crate::domain::money::Usd;
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;
use crate::domain::universe::{ALL_STOCKS, CacheType, ETF_ALL, FundCategory, UniverseName};
use crate::plan::market::FUND_KINDS;
use crate::plan::outcome::{Plan, PlannedUniverse};
use crate::plan::policy::Policy;
use crate::plan::snapshot::Snapshot;

const STOCK_UNIVERSE: &str = "stock_universe";
const ETF_UNIVERSE: &str = "etf_universe";
const THEMES: &str = "themes";
/// The slot of the statistics.
const STATISTICS: &str = "stock_stats:summary";
/// The slot of the list that the live feed starts from.
pub const FEED: &str = "stock_etf_combo:combo_test";
/// How many stocks the live feed starts with.
const FEED_STOCKS: usize = 50;
/// Funds that everybody knows; the live feed starts with those of them that trade.
const WELL_KNOWN_FUNDS: [&str; 24] = [
    "SPY", "QQQ", "IWM", "DIA", "VTI", "VOO", "XLK", "XLF", "XLE", "XLV", "XLI", "XLY", "XLP", "XLU", "XLB",
    "XLRE", "XLC", "SMH", "XBI", "EFA", "EEM", "TLT", "HYG", "GLD",
];
/// What readers see where nothing is known.
const UNKNOWN: &str = "Unknown";
/// The market of every stock: `AppV2` tells them from `crypto` and `fx`.
const MARKET: &str = "stocks";

/// The table as it was found, and which of its rows are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The environment of our rows.
    pub environment: String,
    /// What is unique in it.
    pub unique: Unique,
    /// Whether it has a column `created_at`.
    pub has_created_at: bool,
    /// Whether it has a column `updated_at`.
    pub has_updated_at: bool,
    /// Whether ETF universes are bare lists of tickers.
    pub bare_etf_lists: bool,
}

/// What tells two rows of the table apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// Type, name, key and environment.
    WithName,
    /// Type, key and environment.
    WithoutName,
}

/// Where a row stands within its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The column `type`.
    pub kind: String,
    /// The column `name`.
    pub name: String,
    /// The column `key`.
    pub key: String,
}

/// What a row is to us: a universe by its name, any other row by a name with a colon, which no universe has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// The kind of universe; `None` for the rows that belong to none.
    pub cache_type: Option<CacheType>,
    /// Where its row stands; `None` for a universe without a row.
    pub at: Option<Location>,
}

/// What stands in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredRow {
    /// Where we write it; `None` for a universe without a row.
    pub at: Option<Location>,
    /// The name under which it stands there now, where it does.
    pub found_name: Option<String>,
    /// What stands there, to the letter; of a universe without a row the list of its members.
    pub value: Option<String>,
    /// How the universe fares; `None` where it is not ours yet.
    pub status: Option<String>,
    /// The kind of universe.
    pub cache_type: Option<CacheType>,
}

/// What stands in every slot, by its name.
pub type Rows = BTreeMap<String, StoredRow>;

/// A row that is to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct RowToWrite {
    /// Its slot.
    pub slot: String,
    /// Where.
    pub at: Location,
    /// What.
    pub value: Value,
}

impl Unique {
    /// The columns, as SQL lists them.
    pub fn columns(self) -> &'static str {
        match self {
            Self::WithName => "type, name, key, environment",
            Self::WithoutName => "type, key, environment",
        }
    }
}

impl Location {
    fn new(kind: &str, name: &str, key: &str) -> Self {
        Self { kind: kind.to_owned(), name: name.to_owned(), key: key.to_owned() }
    }

    /// Where the row of a universe stands; `None` for one that has none.
    pub fn of_universe(universe: &UniverseName, cache_type: CacheType) -> Option<Self> {
        let key = universe.as_str();
        Some(match cache_type {
            CacheType::MarketCap => Self::new(STOCK_UNIVERSE, "market_cap", key),
            CacheType::MarketLeader if key == "top_10" => {
                Self::new(STOCK_UNIVERSE, "market_leaders", "top_10_stocks")
            }
            CacheType::MarketLeader => Self::new(STOCK_UNIVERSE, "market_leaders", key),
            CacheType::SectorLeader => Self::new(STOCK_UNIVERSE, "sector_leaders", key),
            CacheType::Theme => Self::new(STOCK_UNIVERSE, "themes", key),
            CacheType::Complete => Self::new(STOCK_UNIVERSE, "complete", key),
            CacheType::Etf => Self::new(ETF_UNIVERSE, fund_title(key), key),
            CacheType::Ipo => return None,
        })
    }

    /// Whether its name only says what people call it, so that another spelling is no other row.
    pub fn has_display_name(&self) -> bool {
        self.kind == THEMES
    }
}

/// The title of a universe of funds.
fn fund_title(universe: &str) -> &'static str {
    match universe.strip_prefix("etf_").and_then(FundCategory::from_text) {
        Some(FundCategory::Bonds) => "Bond ETFs",
        Some(FundCategory::Commodities) => "Commodity ETFs",
        Some(FundCategory::International) => "International ETFs",
        Some(FundCategory::Sectors) => "Sector ETFs",
        Some(FundCategory::Technology) => "Technology ETFs",
        Some(FundCategory::Growth) => "Growth ETFs",
        Some(FundCategory::Value) => "Value ETFs",
        Some(FundCategory::BroadMarket) => "Broad Market ETFs",
        None => {
            debug_assert_eq!(universe, ETF_ALL);
            "All ETFs"
        }
    }
}

impl Slot {
    /// The slot of a universe.
    pub fn of_universe(universe: &UniverseName, cache_type: CacheType) -> Self {
        Self {
            name: universe.to_string(),
            cache_type: Some(cache_type),
            at: Location::of_universe(universe, cache_type),
        }
    }
}

/// Every slot that `policy` fills.
pub fn slots(table: &Table, policy: &Policy) -> Vec<Slot> {
    let universes = policy.universes();
    let universes = universes.iter().map(|(name, cache_type)| Slot::of_universe(name, *cache_type));
    let themes = policy.themes.themes.iter().map(|theme| {
        let key = match table.unique {
            Unique::WithName => "list",
            Unique::WithoutName => theme.universe.as_str(),
        };
        Slot {
            name: list_slot(&theme.universe),
            cache_type: None,
            at: Some(Location::new(THEMES, &theme.name, key)),
        }
    });
    let others = [
        (STATISTICS, Location::new("stock_stats", "universe", "summary")),
        (FEED, Location::new("stock_etf_combo", "stock_etf_test", "combo_test")),
    ];
    let others =
        others.into_iter().map(|(name, at)| Slot { name: name.to_owned(), cache_type: None, at: Some(at) });
    universes.chain(themes).chain(others).collect()
}

/// The slot of the bare list of a theme.
pub fn list_slot(theme: &UniverseName) -> String {
    format!("{THEMES}:{theme}")
}

/// The rows of other names that stand where ours belong, where a name is no part of what is unique.
pub fn misnamed(rows: &Rows) -> Vec<(&Location, &str)> {
    let standing = rows.iter().filter(|(slot, _)| *slot != FEED);
    let standing = standing.filter_map(|(_, row)| Some((row.at.as_ref()?, row.found_name.as_deref()?)));
    standing.filter(|(at, found)| !at.has_display_name() && at.name != *found).collect()
}

/// The tickers in a value, in its order, whoever wrote it: a bare list, or one under `stocks`, `etfs` or `symbols`, of
/// texts or of objects with a `ticker` or a `symbol`.
pub fn tickers(json: &str) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(json) else { return Vec::new() };
    let list = match &value {
        Value::Object(fields) => ["stocks", "etfs", "symbols"].iter().find_map(|name| fields.get(*name)),
        other => Some(other),
    };
    let elements = list.and_then(Value::as_array).into_iter().flatten();
    let texts = elements.filter_map(|element| match element {
        Value::Object(fields) => fields.get("ticker").or_else(|| fields.get("symbol"))?.as_str(),
        other => other.as_str(),
    });
    texts.map(str::to_owned).collect()
}

/// The rows that `plan` calls for and that do not stand there yet. Marks the universes whose rows are among them.
///
/// Rows differ where anything but `last_updated` does. The feed's row is made where there is none, and never touched.
pub fn project(
    table: &Table,
    rows: &Rows,
    plan: &mut Plan,
    snapshot: &Snapshot,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Vec<RowToWrite> {
    let known = Known::new(plan, snapshot, policy);
    let mut wanted = Vec::new();
    for universe in &plan.universes {
        let slot = universe.name.as_str();
        wanted.push((slot.to_owned(), known.universe(table, universe)));
        if universe.cache_type == CacheType::Theme {
            wanted.push((list_slot(&universe.name), bare_list(&universe.members)));
        }
    }
    let complete = plan.universes.iter().find(|universe| universe.name.as_str() == ALL_STOCKS);
    if let Some(complete) = complete.filter(|universe| plan.recalculates(universe)) {
        wanted.push((STATISTICS.to_owned(), known.statistics(complete, now)));
        let is_missing = rows.get(FEED).is_some_and(|row| row.value.is_none());
        if is_missing && !complete.members.is_empty() {
            wanted.push((FEED.to_owned(), known.feed(complete)));
        }
    }
    let written: Vec<RowToWrite> =
        wanted.into_iter().filter_map(|(slot, value)| to_write(rows, slot, value)).collect();
    let slots: HashSet<&str> = written.iter().map(|row| row.slot.as_str()).collect();
    for universe in &mut plan.universes {
        universe.rewrite =
            slots.contains(universe.name.as_str()) || slots.contains(list_slot(&universe.name).as_str());
    }
    written
}

fn to_write(rows: &Rows, slot: String, value: Value) -> Option<RowToWrite> {
    let row = rows.get(&slot)?;
    let at = row.at.as_ref()?;
    // A theme that somebody calls by another spelling keeps it.
    let name = row.found_name.as_ref().filter(|_| at.has_display_name()).unwrap_or(&at.name);
    let is_there = row.found_name.as_ref() == Some(name)
        && row.value.as_deref().is_some_and(|stored| is_same(stored, &value));
    (!is_there).then(|| RowToWrite { slot, at: Location { name: name.clone(), ..at.clone() }, value })
}

/// Whether a stored value says the same, but for when it was written.
fn is_same(stored: &str, wanted: &Value) -> bool {
    let Ok(mut stored) = serde_json::from_str::<Value>(stored) else { return false };
    if let Some(time) = wanted.pointer("/overview/last_updated") {
        if let Some(own) = stored.pointer_mut("/overview/last_updated") {
            *own = time.clone();
        }
    }
    stored == *wanted
}

/// What is known of the securities of a plan.
struct Known<'a> {
    securities: HashMap<&'a str, &'a Security>,
    caps: HashMap<&'a str, i64>,
    policy: &'a Policy,
}

impl<'a> Known<'a> {
    fn new(plan: &'a Plan, snapshot: &'a Snapshot, policy: &'a Policy) -> Self {
        let securities = snapshot.securities.iter();
        let stocks = plan.run.stocks.iter();
        Self {
            securities: securities.map(|security| (security.symbol.as_str(), security)).collect(),
            caps: stocks.filter_map(|stock| Some((stock.symbol.as_str(), stock.cap_cents?))).collect(),
            policy,
        }
    }

    fn universe(&self, table: &Table, universe: &PlannedUniverse) -> Value {
        let members = &universe.members;
        let ranked = || (1_usize..).zip(members);
        match universe.cache_type {
            CacheType::Complete => {
                let stocks: Vec<Value> =
                    ranked().map(|(rank, symbol)| json!({"ticker": symbol, "rank": rank})).collect();
                json!({"count": members.len(), "stocks": stocks})
            }
            CacheType::Etf if table.bare_etf_lists => bare_list(members),
            CacheType::Etf => {
                let funds: Vec<Value> = members.iter().map(|symbol| self.fund(symbol)).collect();
                json!({"count": members.len(), "etfs": funds})
            }
            _ => {
                let stocks: Vec<Value> = ranked().map(|(rank, symbol)| self.stock(symbol, rank)).collect();
                json!({"count": members.len(), "stocks": stocks})
            }
        }
    }

    fn stock(&self, symbol: &Symbol, rank: usize) -> Value {
        let security = self.securities.get(symbol.as_str()).copied();
        let sector = security.and_then(|security| self.sector(security));
        let industry = security.and_then(|security| security.industry.as_deref());
        let exchange = security.and_then(|security| security.exchange.as_deref());
        json!({
            "ticker": symbol,
            "name": name(security, symbol),
            "rank": rank,
            "sector": sector.as_deref().unwrap_or(UNKNOWN),
            "industry": industry.unwrap_or(UNKNOWN),
            "exchange": exchange.unwrap_or(UNKNOWN),
            "market_cap": dollars(self.caps.get(symbol.as_str()).copied().unwrap_or(0)),
            "market": MARKET,
        })
    }

    fn fund(&self, symbol: &Symbol) -> Value {
        let security = self.securities.get(symbol.as_str()).copied();
        let kind = security.map(|security| security.etf_type.as_deref().unwrap_or(&security.kind));
        let issuer = security.and_then(|security| security.issuer.as_deref());
        json!({
            "ticker": symbol,
            "symbol": symbol,
            "name": name(security, symbol),
            "etf_type": kind.unwrap_or(UNKNOWN),
            "issuer": issuer.unwrap_or(UNKNOWN),
        })
    }

    /// The sector by our rules, else what the source says.
    fn sector(&self, security: &Security) -> Option<String> {
        let sector = self.policy.sectors.sector_of(security);
        sector.map(crate::domain::sector::Sector::title).or_else(|| security.sector.clone())
    }

    fn statistics(&self, complete: &PlannedUniverse, now: DateTime<Utc>) -> Value {
        let stocks: Vec<&Security> = complete
            .members
            .iter()
            .filter_map(|symbol| self.securities.get(symbol.as_str()).copied())
            .collect();
        let exchanges: HashSet<&str> = stocks.iter().filter_map(|stock| stock.exchange.as_deref()).collect();
        let industries: HashSet<&str> = stocks.iter().filter_map(|stock| stock.industry.as_deref()).collect();
        let sectors: HashSet<String> = stocks.iter().filter_map(|stock| self.sector(stock)).collect();
        let average = complete.total_cap.divided_by(complete.members_with_cap).unwrap_or(Usd::ZERO);
        json!({
            "overview": {
                "total_stocks": complete.members.len(),
                "total_market_cap": amount(complete.total_cap),
                "average_market_cap": amount(average),
                "unique_exchanges": exchanges.len(),
                "unique_sectors": sectors.len(),
                "unique_industries": industries.len(),
                "last_updated": now.to_rfc3339_opts(SecondsFormat::Millis, true),
            }
        })
    }

    fn feed(&self, complete: &PlannedUniverse) -> Value {
        let trades = |symbol: &Symbol| {
            self.securities.get(symbol.as_str()).is_some_and(|security| {
                security.active == Some(true) && FUND_KINDS.contains(&security.kind.as_str())
            })
        };
        let funds = WELL_KNOWN_FUNDS.iter().filter_map(|symbol| Symbol::parse(symbol)).filter(trades);
        let symbols: Vec<Symbol> = complete.members.iter().take(FEED_STOCKS).cloned().chain(funds).collect();
        let stocks: Vec<Value> = (1..).zip(&symbols).map(|(rank, symbol)| self.stock(symbol, rank)).collect();
        json!({"count": symbols.len(), "stocks": stocks, "symbols": symbols})
    }
}

fn bare_list(members: &[Symbol]) -> Value {
    Value::from(members.iter().map(Symbol::as_str).collect::<Vec<_>>())
}

/// What people call a security; its ticker where nobody says.
fn name<'a>(security: Option<&'a Security>, symbol: &'a Symbol) -> &'a str {
    security.and_then(|security| security.name.as_deref()).unwrap_or(symbol.as_str())
}

fn amount(amount: Usd) -> Number {
    dollars(i64::try_from(amount.cents()).unwrap_or(i64::MAX))
}

/// Cents as a number of dollars: whole ones without a fraction, as Postgres prints them again.
fn dollars(cents: i64) -> Number {
    if cents % 100 == 0 {
        return Number::from(cents / 100);
    }
    // Exact to the cent up to 90 trillion dollars.
    Number::from_f64(cents as f64 / 100.0).expect("cents are finite")
}
