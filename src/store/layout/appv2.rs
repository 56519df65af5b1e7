//! What of the table of `TickStockAppV2` is ours, and where it stands.
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
//! | `etf_lists:etf_bonds` ... | `etf_universe` | `Bond` ..., in an environment of its own | the universe | `[tickers]` |
//! | `stock_stats:summary` | `stock_stats` | `universe` | `summary` | `{overview: {...}}` |
//! | `stock_etf_combo:combo_test` | `stock_etf_combo` | `stock_etf_test` | `combo_test` | `{count, stocks, symbols}` |
//!
//! # Why funds stand there twice
//! The end-of-day reader stops on a bare list, and dropdowns show nothing but bare lists. But it reads `DEFAULT` only, and
//! they read every environment. So the lists have an environment of their own, and another name than the row of the same
//! key, for dropdowns keep one of each type, name and key.
//!
//! `recent_ipos` has no row: its members stand in history alone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::universe::{CacheType, FundCategory, UniverseName};
use crate::plan::given::policy::Policy;
use crate::plan::members::universes::Universe;

const STOCK_UNIVERSE: &str = "stock_universe";
const ETF_UNIVERSE: &str = "etf_universe";
const THEMES: &str = "themes";
/// The slot of the statistics.
pub const STATISTICS: &str = "stock_stats:summary";
/// The slot of the list that the live feed starts from.
pub const FEED: &str = "stock_etf_combo:combo_test";
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
    /// The environment of lists of funds that only dropdowns read, where they are written.
    pub etf_lists: Option<String>,
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
    /// Another environment than that of the table's other rows.
    pub environment: Option<String>,
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

impl Table {
    /// The environment of a row.
    pub fn environment_of<'a>(&'a self, at: Option<&'a Location>) -> &'a str {
        at.and_then(|at| at.environment.as_deref()).unwrap_or(&self.environment)
    }
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
        Self { kind: kind.to_owned(), name: name.to_owned(), key: key.to_owned(), environment: None }
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
pub(super) fn fund_title(universe: &str) -> &'static str {
    match universe.strip_prefix("etf_").and_then(FundCategory::from_text) {
        Some(FundCategory::Bonds) => "Bond ETFs",
        Some(FundCategory::Commodities) => "Commodity ETFs",
        Some(FundCategory::International) => "International ETFs",
        Some(FundCategory::Sectors) => "Sector ETFs",
        Some(FundCategory::Technology) => "Technology ETFs",
        Some(FundCategory::Growth) => "Growth ETFs",
        Some(FundCategory::Value) => "Value ETFs",
        Some(FundCategory::BroadMarket) => "Broad Market ETFs",
        // Of no category: all of them together.
        None => "All ETFs",
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
    let universes = Universe::kinds_by_name(policy);
    let ours = universes.iter().map(|(name, cache_type)| Slot::of_universe(name, *cache_type));
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
    let lists = universes.iter().filter(|(_, kind)| **kind == CacheType::Etf);
    let lists =
        lists.zip(std::iter::repeat(table.etf_lists.as_ref())).filter_map(|((name, _), environment)| {
            let title = fund_title(name.as_str()).trim_end_matches(" ETFs");
            let at = Location::new(ETF_UNIVERSE, title, name.as_str());
            let at = Location { environment: Some(environment?.clone()), ..at };
            Some(Slot { name: etf_list_slot(name), cache_type: None, at: Some(at) })
        });
    let others = [
        (STATISTICS, Location::new("stock_stats", "universe", "summary")),
        (FEED, Location::new("stock_etf_combo", "stock_etf_test", "combo_test")),
    ];
    let others =
        others.into_iter().map(|(name, at)| Slot { name: name.to_owned(), cache_type: None, at: Some(at) });
    ours.chain(themes).chain(lists).chain(others).collect()
}

/// The slot of the bare list of a theme.
pub fn list_slot(theme: &UniverseName) -> String {
    format!("{THEMES}:{theme}")
}

/// The slot of the list of a universe of funds.
pub fn etf_list_slot(universe: &UniverseName) -> String {
    format!("etf_lists:{universe}")
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::universe::{ETF_ALL, Tier};
    use crate::hostile::{any_json, corpus};
    use crate::plan::given::policy::{FundRules, Guards, Ranking, SectorTable, Stability, ThemeRules};
    use std::collections::{BTreeSet, HashSet};

    fn table() -> Table {
        Table {
            environment: "DEFAULT".to_owned(),
            unique: Unique::WithName,
            has_created_at: true,
            has_updated_at: true,
            bare_etf_lists: false,
            etf_lists: Some("DROPDOWN".to_owned()),
        }
    }

    fn policy() -> Policy {
        Policy {
            eligible_types: BTreeSet::new(),
            tier_floors: Tier::ALL.iter().map(|tier| (*tier, 1)).collect(),
            rankings: Ranking::of_appv2(),
            sectors: SectorTable::default(),
            themes: ThemeRules::default(),
            funds: FundRules::default(),
            guards: Guards::default(),
            stability: Stability::default(),
            adopt_existing: false,
            protected_types: BTreeSet::new(),
        }
    }

    #[test]
    fn tickers_are_found_in_every_shape_that_was_ever_written() {
        for json in [
            r#"["A", "B"]"#,
            r#"{"stocks": [{"ticker": "A"}, {"name": "x"}, {"ticker": "B"}]}"#,
            r#"{"etfs": [{"ticker": "A", "symbol": "Z"}, {"symbol": "B"}], "count": 2}"#,
            r#"{"symbols": ["A", 7, null, "B"]}"#,
            r#"[{"ticker": "A"}, "B"]"#,
        ] {
            assert_eq!(tickers(json), ["A", "B"], "{json}");
        }
        for json in ["7", "null", "{}", r#"{"stocks": "A"}"#, "no json"] {
            assert_eq!(tickers(json), [""; 0], "{json}");
        }
    }

    #[test]
    fn every_fund_category_has_a_title_and_no_two_universes_share_a_place() {
        let slots = slots(&table(), &policy());
        let places: HashSet<String> = slots.iter().map(|slot| format!("{:?}", slot.at)).collect();
        assert_eq!(places.len(), slots.len());
        assert!(
            slots.iter().filter(|slot| slot.at.is_none()).map(|slot| slot.name.as_str()).eq(["recent_ipos"])
        );
        for category in FundCategory::ALL {
            assert!(fund_title(category.universe().as_str()).ends_with(" ETFs"));
        }
        assert_eq!(fund_title(ETF_ALL), "All ETFs");
    }

    #[test]
    fn contents_of_the_corpus_have_tickers_or_none() {
        for (name, bytes) in corpus("contents") {
            println!("{name}");
            tickers(&String::from_utf8_lossy(&bytes));
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(
            tickers(&deep).is_empty(),
            "too deep to be a list of tickers, and no reason to run out of stack"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_content_has_tickers_or_none(
            value in any_json(&["stocks", "etfs", "symbols", "ticker", "symbol", "AAPL"]),
            text in ".{0,60}",
        ) {
            let found = tickers(&value.to_string());
            prop_assert!(found.len() <= value.to_string().len());
            tickers(&text);
        }
    }
}
