//! The rows of `TickStockAppV2`'s table that show what a plan decided.
//!
//! # Why projecting is a step of its own
//! Who is a member is decided without a thought of any table. [`project`] takes that decision and says which rows would
//! show it, and of those only the ones that do not show it yet, whoever wrote what stands there.
//!
//! # What its readers can't bear
//! One element without a ticker blanks the dropdowns that come after it; a bare list under `stock_universe` stops the
//! end-of-day reader; an empty table keeps the whole of `AppV2` from starting. So every element has a ticker, a
//! name, and words and numbers instead of nulls.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Number, Value, json};

use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;
use crate::domain::universe::{ALL_STOCKS, CacheType};
use crate::plan::given::snapshot::{Snapshot, StockState};
use crate::plan::market::FUND_KINDS;
use crate::plan::result::{Plan, PlannedUniverse};

use super::appv2::{FEED, Location, RowToWrite, Rows, STATISTICS, Table, etf_list_slot, list_slot};

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

/// The rows that `plan` calls for and that do not stand there yet. Marks the universes whose rows are among them.
///
/// Rows differ where anything but `last_updated` does. The feed's row is made where there is none, and never touched.
pub fn project(
    table: &Table,
    rows: &Rows,
    plan: &mut Plan,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> Vec<RowToWrite> {
    let known = PlannedSecurities::new(plan, snapshot);
    let mut wanted = Vec::new();
    for universe in &plan.universes {
        let slot = universe.name.as_str();
        wanted.push((slot.to_owned(), known.universe(table, universe)));
        if let Some(list) = list_of(universe) {
            wanted.push((list, bare_list(&universe.members)));
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
        let list = list_of(universe);
        universe.rewrite =
            slots.contains(universe.name.as_str()) || list.is_some_and(|list| slots.contains(list.as_str()));
    }
    written
}

/// The slot of a universe's bare list, where its kind has one.
fn list_of(universe: &PlannedUniverse) -> Option<String> {
    match universe.cache_type {
        CacheType::Theme => Some(list_slot(&universe.name)),
        CacheType::Etf => Some(etf_list_slot(&universe.name)),
        _ => None,
    }
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
struct PlannedSecurities<'a> {
    securities: HashMap<&'a str, &'a Security>,
    states: HashMap<&'a str, &'a StockState>,
}

impl<'a> PlannedSecurities<'a> {
    fn new(plan: &'a Plan, snapshot: &'a Snapshot) -> Self {
        let securities = snapshot.securities.iter();
        let stocks = plan.run.stocks.iter();
        Self {
            securities: securities.map(|security| (security.symbol.as_str(), security)).collect(),
            states: stocks.map(|stock| (stock.symbol.as_str(), stock)).collect(),
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
            "market_cap": dollars(self.states.get(symbol.as_str()).and_then(|stock| stock.cap_cents).unwrap_or(0)),
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
        let state = self.states.get(security.symbol.as_str());
        state
            .and_then(|stock| stock.sector)
            .map(Sector::title)
            .or_else(|| security.sector.as_deref().map(str::to_owned))
    }

    fn statistics(&self, complete: &PlannedUniverse, now: DateTime<Utc>) -> Value {
        let stocks: Vec<&Security> = complete
            .members
            .iter()
            .filter_map(|symbol| self.securities.get(symbol.as_str()).copied())
            .collect();
        let exchanges: HashSet<&str> = stocks.iter().filter_map(|stock| stock.exchange.as_deref()).collect();
        let industries: HashSet<&str> = stocks.iter().filter_map(|stock| stock.industry.as_deref()).collect();
        let sectors = stocks.iter().filter_map(|stock| self.sector(stock));
        let sectors: HashSet<String> = sectors.filter(|sector| sector != UNKNOWN).collect();
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
        let symbols = self.feed_symbols(complete);
        let stocks: Vec<Value> = (1..).zip(&symbols).map(|(rank, symbol)| self.stock(symbol, rank)).collect();
        json!({"count": symbols.len(), "stocks": stocks, "symbols": symbols})
    }

    fn feed_symbols(&self, complete: &PlannedUniverse) -> Vec<Symbol> {
        let trades = |symbol: &Symbol| {
            self.securities.get(symbol.as_str()).is_some_and(|security| {
                security.active == Some(true) && FUND_KINDS.contains(&&*security.kind)
            })
        };
        let funds = WELL_KNOWN_FUNDS.iter().filter_map(|symbol| Symbol::parse(symbol)).filter(trades);
        complete.members.iter().take(FEED_STOCKS).cloned().chain(funds).collect()
    }
}

/// What the live feed starts with: the largest stocks of `complete`, and the funds that everybody knows and that trade.
pub(super) fn feed_symbols(plan: &Plan, snapshot: &Snapshot, complete: &PlannedUniverse) -> Vec<Symbol> {
    PlannedSecurities::new(plan, snapshot).feed_symbols(complete)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::UniverseStatus;
    use crate::domain::task::{Mode, SyncTask};
    use crate::domain::universe::UniverseName;
    use crate::plan::given::policy::{
        FundRules, Guards, Policy, Ranking, SectorTable, Stability, ThemeRules,
    };
    use crate::plan::given::snapshot::RunState;
    use crate::plan::market::Counts;
    use crate::plan::result::Before;
    use crate::store::layout::appv2::{Slot, StoredRow, Unique, slots};

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).expect("a symbol")
    }

    fn table() -> Table {
        Table {
            environment: "DEFAULT".to_owned(),
            unique: Unique::WithName,
            has_created_at: true,
            has_updated_at: true,
            bare_etf_lists: false,
            etf_lists: None,
        }
    }

    fn policy() -> Policy {
        Policy {
            eligible_types: std::collections::BTreeSet::new(),
            tier_floors: Vec::new(),
            rankings: Ranking::of_appv2(),
            sectors: SectorTable::default(),
            themes: ThemeRules::default(),
            funds: FundRules::default(),
            guards: Guards::default(),
            stability: Stability::default(),
            adopt_existing: false,
            protected_types: std::collections::BTreeSet::new(),
        }
    }

    fn universe(name: &str, cache_type: CacheType, members: &[&str]) -> PlannedUniverse {
        PlannedUniverse {
            name: UniverseName::known(name),
            cache_type,
            task: SyncTask::MarketCapRecalculation,
            members: members.iter().map(|text| symbol(text)).collect(),
            metadata: json!({}),
            rewrite: false,
            before: Before::Nothing,
            joined: Vec::new(),
            left: Vec::new(),
            renamed: Vec::new(),
            status: UniverseStatus::Ok,
            hold: None,
            total_cap: Usd::from_cents(300_050),
            members_with_cap: 2,
        }
    }

    fn plan(universes: Vec<PlannedUniverse>) -> Plan {
        let stock = |text: &str, cents| StockState {
            symbol: symbol(text),
            cap_cents: cents,
            close_dollars: None,
            shares: None,
            sector: None,
        };
        Plan {
            as_of: "2026-03-02".parse().expect("a date"),
            mode: Mode::Full,
            universes,
            foreign: Vec::new(),
            restored: Vec::new(),
            identities: Vec::new(),
            tasks: Vec::new(),
            warnings: Vec::new(),
            measures: Vec::new(),
            run: RunState {
                stocks: vec![stock("A", Some(200_050)), stock("B", Some(100_000)), stock("C", None)],
                ..RunState::default()
            },
            released: Vec::new(),
            counts: Counts::default(),
            total_symbols: 3,
        }
    }

    /// What is read where nothing of ours stands in the table.
    fn empty_rows() -> Rows {
        let row = |slot: Slot| (slot.name, StoredRow { at: slot.at, ..StoredRow::default() });
        slots(&table(), &policy()).into_iter().map(row).collect()
    }

    fn snapshot() -> Snapshot {
        let known = Security {
            name: Some("A \"quoted\" Ä".into()),
            exchange: Some("XNYS".into()),
            industry: Some("Mining".into()),
            sector: Some("Stone".into()),
            ..Security::new(symbol("A"), "CS")
        };
        Snapshot {
            securities: vec![known, Security::new(symbol("B"), "CS"), Security::new(symbol("GLD"), "ETV")],
            ..Snapshot::default()
        }
    }

    fn projected(rows: &Rows, universes: Vec<PlannedUniverse>) -> (Vec<RowToWrite>, Plan) {
        let mut plan = plan(universes);
        let now = "2026-03-02T21:00:00Z".parse().expect("a time");
        let written = project(&table(), rows, &mut plan, &snapshot(), now);
        (written, plan)
    }

    fn some_universes() -> Vec<PlannedUniverse> {
        vec![
            universe("all_stocks", CacheType::Complete, &["A", "B", "C"]),
            universe("etf_all", CacheType::Etf, &["GLD"]),
            universe("recent_ipos", CacheType::Ipo, &["B"]),
            universe("top_10", CacheType::MarketLeader, &["A", "C", "GONE"]),
        ]
    }

    #[test]
    fn a_plan_becomes_rows_whose_elements_are_complete() {
        let (written, _) = projected(&empty_rows(), some_universes());
        let lines: Vec<String> = written
            .iter()
            .map(|RowToWrite { at, value, .. }| format!("{} {} {}: {value}", at.kind, at.name, at.key))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        stock_universe complete all_stocks: {"count":3,"stocks":[{"ticker":"A","rank":1},{"ticker":"B","rank":2},{"ticker":"C","rank":3}]}
        etf_universe All ETFs etf_all: {"count":1,"etfs":[{"ticker":"GLD","symbol":"GLD","name":"GLD","etf_type":"ETV","issuer":"Unknown"}]}
        stock_universe market_leaders top_10_stocks: {"count":3,"stocks":[{"ticker":"A","name":"A \"quoted\" Ä","rank":1,"sector":"Stone","industry":"Mining","exchange":"XNYS","market_cap":2000.5,"market":"stocks"},{"ticker":"C","name":"C","rank":2,"sector":"Unknown","industry":"Unknown","exchange":"Unknown","market_cap":0,"market":"stocks"},{"ticker":"GONE","name":"GONE","rank":3,"sector":"Unknown","industry":"Unknown","exchange":"Unknown","market_cap":0,"market":"stocks"}]}
        stock_stats universe summary: {"overview":{"total_stocks":3,"total_market_cap":3000.5,"average_market_cap":1500.25,"unique_exchanges":1,"unique_sectors":1,"unique_industries":1,"last_updated":"2026-03-02T21:00:00.000Z"}}
        stock_etf_combo stock_etf_test combo_test: {"count":4,"stocks":[{"ticker":"A","name":"A \"quoted\" Ä","rank":1,"sector":"Stone","industry":"Mining","exchange":"XNYS","market_cap":2000.5,"market":"stocks"},{"ticker":"B","name":"B","rank":2,"sector":"Unknown","industry":"Unknown","exchange":"Unknown","market_cap":1000,"market":"stocks"},{"ticker":"C","name":"C","rank":3,"sector":"Unknown","industry":"Unknown","exchange":"Unknown","market_cap":0,"market":"stocks"},{"ticker":"GLD","name":"GLD","rank":4,"sector":"Unknown","industry":"Unknown","exchange":"Unknown","market_cap":0,"market":"stocks"}],"symbols":["A","B","C","GLD"]}
        "#);
    }

    #[test]
    fn only_rows_that_differ_are_written_whatever_the_order_of_their_keys() {
        let (written, _) = projected(&empty_rows(), some_universes());
        let mut rows = empty_rows();
        for RowToWrite { slot, at, value } in &written {
            let row = rows.get_mut(slot).expect("a slot");
            row.found_name = Some(at.name.clone());
            let last_updated_differs = value.to_string().replace("2026-03-02T", "2026-03-01T");
            row.value = Some(last_updated_differs);
        }
        let (again, plan) = projected(&rows, some_universes());
        assert_eq!(again, []);
        assert!(plan.universes.iter().all(|universe| !universe.rewrite));

        let top = rows.get_mut("top_10").expect("a slot");
        top.value = Some(r#"{"stocks": [], "count": 3}"#.to_owned());
        let (again, plan) = projected(&rows, some_universes());
        assert_eq!(again.len(), 1);
        let rewritten: Vec<&str> =
            plan.universes.iter().filter(|universe| universe.rewrite).map(|u| u.name.as_str()).collect();
        assert_eq!(rewritten, ["top_10"]);
    }

    #[test]
    fn amounts_are_numbers_that_postgres_prints_as_they_came() {
        assert_eq!(json!([dollars(200_000), dollars(200_050), dollars(0)]).to_string(), "[2000,2000.5,0]");
        assert_eq!(dollars(123_456_789_012_345).to_string(), "1234567890123.45");
    }
}
