//! What a plan says of one universe: its members afterwards, who joins, leaves or goes by another symbol, and why.

use serde_json::Value;

use crate::domain::change::{EntryReason, ExitReason, UniverseStatus};
use crate::domain::identity::SameBy;
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::task::{SyncTask, TaskStatus};
use crate::domain::universe::{CacheType, UniverseName};

/// One universe after the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedUniverse {
    /// Its name.
    pub name: UniverseName,
    /// Its kind.
    pub cache_type: CacheType,
    /// The sub-task that owns it.
    pub task: SyncTask,
    /// Its members afterwards, in the order of the row.
    pub members: Vec<Symbol>,
    /// The kind's facts for `content.metadata`.
    pub metadata: Value,
    /// Whether the row in `cache_entries` has to be written.
    pub rewrite: bool,
    /// What was known of it before.
    pub before: Before,
    /// Who joins.
    pub joined: Vec<Joined>,
    /// Who leaves.
    pub left: Vec<Left>,
    /// Who goes on under another symbol.
    pub renamed: Vec<Renamed>,
    /// How it fares.
    pub status: UniverseStatus,
    /// What was kept back, if something was.
    pub hold: Option<Hold>,
    /// Market cap of all members together.
    pub total_cap: Usd,
    /// How many members have a cap.
    pub members_with_cap: usize,
}

/// What was known of a universe before the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// No row, no history.
    Nothing,
    /// A row, but no history: its members are adopted.
    Unmanaged,
    /// Row and history are ours.
    Managed,
}

/// A symbol that joins a universe, or is adopted into its history.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// Who.
    pub symbol: Symbol,
    /// By which right. [`EntryReason::Adopted`] ones were members before: history opens, nobody is told.
    pub reason: EntryReason,
    /// The sub-task that the change is counted for.
    pub task: SyncTask,
    /// Its place in the universe, from 1.
    pub rank: usize,
    /// Its market cap.
    pub cap: Option<Usd>,
    /// Why, for a person: `cap 10.21B, large_cap starts at 10B`.
    pub why: Box<str>,
}

/// A symbol that leaves a universe.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    /// Who, as the universe spelled it.
    pub symbol: Symbol,
    /// By which rule.
    pub reason: ExitReason,
    /// The sub-task that the change is counted for.
    pub task: SyncTask,
    /// Its market cap now.
    pub cap: Option<Usd>,
    /// Why, for a person.
    pub why: Box<str>,
}

/// A member that goes on under another symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct Renamed {
    /// The old symbol, as the universe spelled it.
    pub from: Symbol,
    /// The new one.
    pub symbol: Symbol,
    /// What says that both are one instrument.
    pub by: SameBy,
    /// Its place in the universe, from 1.
    pub rank: usize,
    /// Its market cap.
    pub cap: Option<Usd>,
    /// Why, for a person.
    pub why: Box<str>,
}

/// A change that a guard kept back.
#[derive(Debug, Clone, PartialEq)]
pub struct Hold {
    /// What was seen and what was expected.
    pub reason: String,
    /// How many runs in a row it is held now, this one included.
    pub runs: u32,
    /// Who would have joined.
    pub would_join: Vec<Symbol>,
    /// Who would have left.
    pub would_leave: Vec<Symbol>,
}

/// Inactive symbols that leave a foreign row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignCleanup {
    /// The row's name.
    pub universe: String,
    /// The elements that go, exactly as the row spells them.
    pub elements: Vec<String>,
}

/// How a sub-task went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskReport {
    /// Which.
    pub task: SyncTask,
    /// Whether it was carried out.
    pub status: TaskStatus,
    /// Memberships it added and removed.
    pub changes: usize,
}

impl PlannedUniverse {
    /// Those who are new to the row, so not the adopted ones.
    pub fn joiners(&self) -> impl Iterator<Item = &Joined> {
        self.joined.iter().filter(|joined| joined.reason != EntryReason::Adopted)
    }

    /// Memberships added, removed and renamed.
    pub fn changes(&self) -> usize {
        self.joiners().count() + self.left.len() + self.renamed.len()
    }

    /// The symbols that the row has and had not before, and those it had and has no longer. A symbol that has another
    /// owner now stands in both rows and in neither list.
    pub fn symbols_changed(&self) -> (Vec<Symbol>, Vec<Symbol>) {
        let (mut added, mut removed): (Vec<Symbol>, Vec<Symbol>) = (
            self.joiners().map(|joined| joined.symbol.clone()).collect(),
            self.left.iter().map(|left| left.symbol.clone()).collect(),
        );
        added.extend(self.renamed.iter().map(|renamed| renamed.symbol.clone()));
        removed.extend(self.renamed.iter().map(|renamed| renamed.from.clone()));
        let both: std::collections::HashSet<Symbol> = {
            let removed: std::collections::HashSet<&Symbol> = removed.iter().collect();
            added.iter().filter(|symbol| removed.contains(symbol)).cloned().collect()
        };
        added.retain(|symbol| !both.contains(symbol));
        removed.retain(|symbol| !both.contains(symbol));
        (added, removed)
    }
}
