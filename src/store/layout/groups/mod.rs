//! The group tables of `TickStockAppV2`, from which its newer versions take their universes.
//!
//! `definition_groups` holds a row a universe, `group_memberships` a row a member. They stand beside `cache_entries`,
//! whatever its layout, and show the same memberships. Our rows are those of type `UNIVERSE` in our environment whose
//! metadata carry our mark; every other row is somebody else's.
//!
//! `tables` looks whether they can be written, `Groups::read` reads what stands there, `Groups::project` works out
//! what a plan calls for: only what differs from what is stored, so that a sync without news writes nothing.
//!
//! # Why the type is always UNIVERSE
//! Readers load symbols of the types `UNIVERSE` and `ETF` only. Of type `ETF` the members would count as the holdings of
//! a fund, and of type `THEME` the maintenance scripts of `AppV2` delete all groups.
//!
//! # Why an empty universe has no group
//! A group without members is of no use to any reader, and stands in the dropdown as "0 stocks".

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::domain::symbol::Symbol;
use crate::domain::universe::{ALL_STOCKS, CacheType, UniverseName};
use crate::failure::Failure;
use crate::plan::given::notice::Refusal;
use crate::plan::given::policy::Policy;
use crate::plan::given::snapshot::Snapshot;
use crate::plan::members::universes::Universe;
use crate::plan::result::{Plan, PlannedUniverse, RestoredAs};
use crate::settings::EntriesSettings;
use crate::store::Transaction;
use crate::store::statement::{Param, execute, query};

use super::appv2::fund_title;
use super::projection::feed_symbols;

pub mod tables;

const DOING: &str = "read the group tables of AppV2";
/// What our groups carry in their metadata as `owner`.
pub const MARK: &str = "cache-sync";
/// The group that the live feed starts from, unless it is told otherwise.
pub const FEED_GROUP: &str = "combo_test";
/// The type of our groups.
const UNIVERSE: &str = "UNIVERSE";

/// What stands in the group tables, and what of it a plan changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// The environment of our groups.
    pub environment: String,
    /// The universes that have a group, where they have members.
    choice: Choice,
    /// Whether groups of our names that are not ours are taken over.
    adopts: bool,
    /// The run that is being reverted, where one is.
    pub reverted_run: Option<i64>,
    stored: Vec<StoredGroup>,
    /// What is to be written; nothing until a plan is [projected](Self::project).
    pub changes: Changes,
}

/// Which universes have a group: kinds of universes, and single ones by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice(Vec<String>);

/// A group as it stands in the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
struct StoredGroup {
    id: i32,
    name: String,
    kind: String,
    description: Option<String>,
    metadata: Option<String>,
    is_ours: bool,
    /// A group without times breaks the page that lists all groups.
    lacks_times: bool,
    members: Vec<String>,
}

/// What a plan changes in the group tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Groups that are made, or whose row or members differ.
    pub written: Vec<GroupToWrite>,
    /// Groups of ours that go, with their members, by id.
    pub removed: Vec<i32>,
    /// Groups of others that are taken over, by id.
    pub taken_over: Vec<i32>,
    /// Groups of others that a revert puts back, by name.
    pub restored: Vec<String>,
}

/// A group that is to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupToWrite {
    /// Its name.
    pub name: String,
    /// What people read.
    pub description: Option<String>,
    /// The whole metadata.
    pub metadata: Value,
    /// Symbols that join.
    pub joins: Vec<String>,
    /// Symbols that leave, with the id of the group.
    pub leaves: Vec<(i32, String)>,
}

impl Choice {
    /// Kinds of universes (`market_cap`, `theme`, ...) and names of single ones.
    pub fn new(words: &[String]) -> Self {
        Self(words.to_vec())
    }

    fn has(&self, name: &UniverseName, kind: CacheType) -> bool {
        self.0.iter().any(|word| word == name.as_str() || word == kind.as_str())
    }
}

impl Changes {
    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Groups {
    /// Reads what stands in the group tables, which must have been [looked at](tables::look).
    pub(in crate::store) async fn read(
        tx: &Transaction<'_>,
        settings: &EntriesSettings,
        policy: &Policy,
    ) -> Result<Self, Failure> {
        let choice = Choice::new(&settings.group_universes);
        let names: Vec<String> = Universe::kinds_by_name(policy)
            .iter()
            .filter(|(name, kind)| choice.has(name, **kind))
            .map(|(name, _)| name.to_string())
            .collect();
        Self::read_named(tx, settings, Some(names), policy.adopt_existing).await
    }

    /// The same for a revert, which knows no policy: every group that could be in its way. It takes none of them over
    /// unless it is [told to](Self::adopting).
    pub(in crate::store) async fn read_all(
        tx: &Transaction<'_>,
        settings: &EntriesSettings,
    ) -> Result<Self, Failure> {
        Self::read_named(tx, settings, None, false).await
    }

    async fn read_named(
        tx: &Transaction<'_>,
        settings: &EntriesSettings,
        names: Option<Vec<String>>,
        adopts: bool,
    ) -> Result<Self, Failure> {
        let sql = include_str!("../../../../sql/queries/groups_read.sql");
        let params: [Param<'_>; 4] = [
            (&settings.environment, Type::TEXT),
            (&names, Type::TEXT_ARRAY),
            (&MARK, Type::TEXT),
            (&FEED_GROUP, Type::TEXT),
        ];
        let rows = query(tx, DOING, sql, &params).await?;
        Ok(Self {
            environment: settings.environment.clone(),
            choice: Choice::new(&settings.group_universes),
            adopts,
            reverted_run: None,
            stored: rows.iter().map(StoredGroup::from_row).collect(),
            changes: Changes::default(),
        })
    }

    /// The same, taking over groups of our names that are not ours where `adopts` says so.
    #[must_use]
    pub fn adopting(self, adopts: bool) -> Self {
        Self { adopts, ..self }
    }

    /// Why a sync is refused: a group of one of our names is somebody else's.
    pub fn refusal(&self, policy: &Policy) -> Option<Refusal> {
        if self.adopts {
            return None;
        }
        let universes = Universe::kinds_by_name(policy);
        let is_in_the_way = |group: &&StoredGroup| {
            let kind = universes.get(group.name.as_str());
            let name = universes.get_key_value(group.name.as_str()).map(|(name, _)| name);
            let is_wanted = name.zip(kind).is_some_and(|(name, kind)| self.choice.has(name, *kind));
            group.kind == UNIVERSE && !group.is_ours && is_wanted
        };
        let mut found = self.stored.iter().filter(is_in_the_way);
        let first = found.next()?;
        let others = found.count();
        let more = if others == 0 { String::new() } else { format!(", and {others} more") };
        Some(Refusal {
            code: "foreign_group",
            text: format!(
                "the group {} of type UNIVERSE and environment {} in definition_groups was not made by cache-sync{more}; \
                 rename or remove it, take it out of database.group_universes, or set database.adopt_existing to take it \
                 over",
                first.name, self.environment
            ),
        })
    }

    /// Groups of ours that belong to no universe of `policy`, by name.
    pub fn without_universe(&self, policy: &Policy) -> Vec<&str> {
        let universes = Universe::kinds_by_name(policy);
        let is_kept = |name: &str| {
            universes.get_key_value(name).is_some_and(|(name, kind)| self.choice.has(name, *kind))
        };
        let ours = self.stored.iter().filter(|group| group.is_ours && group.name != FEED_GROUP);
        ours.map(|group| group.name.as_str()).filter(|name| !is_kept(name)).collect()
    }

    /// Removes the groups of ours that belong to no universe of `policy`.
    pub async fn remove_without_universe(
        &self,
        tx: &Transaction<'_>,
        policy: &Policy,
    ) -> Result<(), Failure> {
        let names = self.without_universe(policy);
        let gone = self.stored.iter().filter(|group| group.is_ours && names.contains(&group.name.as_str()));
        let ids: Vec<i32> = gone.map(|group| group.id).collect();
        let sql = include_str!("../../../../sql/queries/groups_remove.sql");
        execute(tx, "remove groups that nobody keeps", sql, &[(&ids, Type::INT4_ARRAY)]).await
    }

    /// Works out what `plan` changes in the group tables.
    pub fn project(&mut self, plan: &Plan, snapshot: &Snapshot) {
        let mut changes = Changes::default();
        for universe in plan.universes.iter().filter(|u| self.choice.has(&u.name, u.cache_type)) {
            self.project_universe(plan, universe, &mut changes);
        }
        self.project_feed(plan, snapshot, &mut changes);
        self.changes = changes;
    }

    fn project_universe(&self, plan: &Plan, universe: &PlannedUniverse, changes: &mut Changes) {
        let name = universe.name.as_str();
        let is_released =
            plan.restored.iter().any(|row| row.universe == name && row.becomes == RestoredAs::Released);
        let stored = self.stored.iter().find(|group| group.name == name && group.kind == UNIVERSE);
        if stored.is_some_and(|group| !group.is_ours && !self.adopts) {
            // A sync is refused before it comes so far; a revert leaves alone what somebody else has made since.
            return;
        }
        if is_released || universe.members.is_empty() {
            changes.removed.extend(stored.filter(|group| group.is_ours).map(|group| group.id));
            changes.restored.extend(is_released.then(|| name.to_owned()));
            return;
        }
        let wanted = Wanted {
            description: description(universe),
            cache_type: universe.cache_type.as_str(),
            members: universe.members.iter().map(Symbol::as_str).collect(),
        };
        if let Some(written) = wanted.beyond(name, stored, plan) {
            changes.taken_over.extend(stored.filter(|group| !group.is_ours).map(|group| group.id));
            changes.written.push(written);
        }
    }

    /// The feed's group is made where there is none, and loses symbols that trade no longer.
    fn project_feed(&self, plan: &Plan, snapshot: &Snapshot, changes: &mut Changes) {
        // A revert sees no market.
        if snapshot.securities.is_empty() {
            return;
        }
        let mut standing = self.stored.iter().filter(|group| group.name == FEED_GROUP);
        let ours = standing.clone().find(|group| group.is_ours && group.kind == UNIVERSE);
        if standing.any(|group| !group.is_ours) {
            return;
        }
        let kept = ours.map(|group| still_trading(&group.members, snapshot)).unwrap_or_default();
        let complete = plan.universes.iter().find(|universe| universe.name.as_str() == ALL_STOCKS);
        let complete =
            complete.filter(|universe| plan.recalculates(universe) && !universe.members.is_empty());
        let fresh: Vec<Symbol>;
        let members = match complete {
            Some(complete) if kept.is_empty() => {
                fresh = feed_symbols(plan, snapshot, complete);
                fresh.iter().map(Symbol::as_str).collect()
            }
            _ => kept,
        };
        if members.is_empty() {
            return;
        }
        let description = Some("Stocks and funds that the live feed starts with".to_owned());
        let wanted = Wanted { description, cache_type: "feed", members };
        changes.written.extend(wanted.beyond(FEED_GROUP, ours, plan));
    }
}

/// The members whose security is not known to trade no longer.
fn still_trading<'a>(members: &'a [String], snapshot: &Snapshot) -> Vec<&'a str> {
    let activity: HashMap<&str, Option<bool>> =
        snapshot.securities.iter().map(|security| (security.symbol.as_str(), security.active)).collect();
    let trades = |symbol: &&str| activity.get(*symbol).is_none_or(|active| *active == Some(true));
    members.iter().map(String::as_str).filter(trades).collect()
}

/// What a group should be.
struct Wanted<'a> {
    /// `None` keeps what is stored.
    description: Option<String>,
    cache_type: &'static str,
    members: Vec<&'a str>,
}

impl Wanted<'_> {
    /// What is to be written so that the group is this; `None` where it is already.
    fn beyond(&self, name: &str, stored: Option<&StoredGroup>, plan: &Plan) -> Option<GroupToWrite> {
        let wanted: HashSet<&str> = self.members.iter().copied().collect();
        let is: HashSet<&str> = stored.iter().flat_map(|group| &group.members).map(String::as_str).collect();
        let joins: Vec<String> =
            self.members.iter().filter(|symbol| !is.contains(*symbol)).map(|s| (*s).to_owned()).collect();
        let leaves: Vec<(i32, String)> = stored
            .iter()
            .flat_map(|group| group.members.iter().map(|symbol| (group.id, symbol.clone())))
            .filter(|(_, symbol)| !wanted.contains(symbol.as_str()))
            .collect();
        let metadata = self.metadata();
        let description =
            self.description.clone().or_else(|| stored.and_then(|group| group.description.clone()));
        let is_same = stored.is_some_and(|group| {
            joins.is_empty()
                && leaves.is_empty()
                && group.description == description
                && !group.lacks_times
                && group.says(&metadata)
        });
        (!is_same).then(|| {
            let mut metadata = metadata;
            metadata["as_of"] = json!(plan.as_of);
            GroupToWrite { name: name.to_owned(), description, metadata, joins, leaves }
        })
    }

    /// All but the date of the last change, which is no news by itself.
    fn metadata(&self) -> Value {
        json!({"owner": MARK, "cache_type": self.cache_type, "total_symbols": self.members.len()})
    }
}

impl StoredGroup {
    fn from_row(row: &Row) -> Self {
        Self {
            id: row.get("id"),
            name: row.get("name"),
            kind: row.get("type"),
            description: row.get("description"),
            metadata: row.get("metadata"),
            is_ours: row.get("is_ours"),
            lacks_times: row.get("lacks_times"),
            members: row.get("members"),
        }
    }

    /// Whether its metadata are these, but for the date.
    fn says(&self, metadata: &Value) -> bool {
        let stored = self.metadata.as_deref().and_then(|json| serde_json::from_str::<Value>(json).ok());
        let Some(Value::Object(mut fields)) = stored else { return false };
        fields.remove("as_of").is_some_and(|date| date.is_string()) && Value::Object(fields) == *metadata
    }
}

/// What people call a universe; `None` where the plan does not say, as that of a revert.
fn description(universe: &PlannedUniverse) -> Option<String> {
    let name = universe.name.as_str();
    let words = |text: &str| text.split('_').map(capitalised).collect::<Vec<_>>().join(" ");
    Some(match universe.cache_type {
        CacheType::MarketCap => format!("{} stocks", words(name)),
        CacheType::MarketLeader => format!("{} stocks by market cap", words(name)),
        CacheType::SectorLeader => {
            let sector = name.strip_prefix("top_10_").unwrap_or(name);
            format!("Top 10 {} stocks by market cap", words(sector))
        }
        CacheType::Theme => universe.metadata["name"].as_str()?.to_owned(),
        CacheType::Ipo => {
            format!("Stocks listed within {} days", universe.metadata["window_days"].as_u64()?)
        }
        CacheType::Etf => fund_title(name).to_owned(),
        CacheType::Complete => "All stocks".to_owned(),
    })
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
