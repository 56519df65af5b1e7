//! What a plan says: the changes, their reasons, and what is held back.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde_json::Value;

use crate::domain::change::{EntryReason, ExitReason, UniverseStatus};
use crate::domain::identity::{Identity, SameBy};
use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::symbol::Symbol;
use crate::domain::task::{Mode, SyncTask};
use crate::domain::universe::{CacheType, UniverseName};

use crate::plan::draft::measure::Measure;
use crate::plan::given::snapshot::RunState;
use crate::plan::market::screening::Released;

/// What should happen, in full; carrying it out needs no further decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The date it is for.
    pub as_of: NaiveDate,
    /// The mode it was made for.
    pub mode: Mode,
    /// Every universe of the mode, by name; also those that stay as they are.
    pub universes: Vec<PlannedUniverse>,
    /// Foreign rows that lose inactive symbols.
    pub foreign: Vec<ForeignCleanup>,
    /// Rows, ours and foreign ones, that come back to the letter. Only a revert has such; its universes are written by
    /// these and nothing else.
    pub restored: Vec<RestoredRow>,
    /// What is to be written down of who goes by which symbol.
    pub identities: Vec<IdentityChange>,
    /// How each sub-task of the mode went, in order.
    pub tasks: Vec<TaskReport>,
    /// What a person should know, `code: text` each.
    pub warnings: Vec<Warning>,
    /// What the guards measured, those that kept something back and those that did not.
    pub measures: Vec<Measure>,
    /// What the next run's guards compare with. Every mode sees the whole market, so every plan has one.
    pub run: RunState,
    /// Stocks whose value is believed again.
    pub released: Vec<Released>,
    /// How the market is made up.
    pub counts: Counts,
    /// How many securities were read.
    pub total_symbols: usize,
}

/// How the market of a plan is made up, in numbers of securities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Active stocks of an eligible type.
    pub eligible: usize,
    /// Those of them with a valid market cap.
    pub ranked: usize,
    /// Those of them whose cap is below the smallest tier.
    pub below_tiers: usize,
    /// Securities whose source does not say whether they trade.
    pub active_unknown: usize,
}

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

/// A new listing that joins `recent_ipos` or a theme.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NewListing<'a> {
    /// The universe.
    pub universe: &'a UniverseName,
    /// Who joins, and why.
    pub joined: &'a Joined,
    /// Its sector, where it is known.
    pub sector: Option<Sector>,
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

/// What is to be written down of who goes by which symbol. The identity is what the source says now; symbols are spelled
/// as they were written down before, but for the new one of a rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityChange {
    /// An instrument goes by another symbol.
    Renamed {
        /// The old symbol.
        from: Symbol,
        /// The new one.
        symbol: Symbol,
        /// Who it is.
        identity: Identity,
    },
    /// A symbol stands for another instrument.
    Reused {
        /// The symbol.
        symbol: Symbol,
        /// Who it is now.
        identity: Identity,
    },
    /// An instrument is the same, but something of what identifies it is not: a company that moved has another CIK.
    Reorganised {
        /// Its symbol.
        symbol: Symbol,
        /// Who it is now.
        identity: Identity,
    },
    /// More is known of an instrument than before.
    Completed {
        /// Its symbol.
        symbol: Symbol,
        /// Who it is.
        identity: Identity,
    },
}

impl IdentityChange {
    /// The symbol that is spoken of; of a rename the new one.
    pub fn symbol(&self) -> &Symbol {
        match self {
            Self::Renamed { symbol, .. }
            | Self::Reused { symbol, .. }
            | Self::Reorganised { symbol, .. }
            | Self::Completed { symbol, .. } => symbol,
        }
    }
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

/// A row of `cache_entries` that comes back as it was, or goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredRow {
    /// The row's name.
    pub universe: String,
    /// What stood there; `None` where there was no row, so that it goes.
    pub content: Option<EarlierContent>,
    /// Whose it is then.
    pub becomes: RestoredAs,
}

/// What stood in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierContent {
    /// `content`, to the letter.
    pub json: String,
    /// `cache_type`.
    pub cache_type: Option<String>,
}

/// Whose row it is that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoredAs {
    /// A universe of ours.
    Ours,
    /// Ours no longer: what we know of it is forgotten, its history ends.
    Released,
    /// A row of ours that goes along with universes and is none.
    Companion,
    /// A foreign row.
    Foreign {
        /// The elements of its `symbols` that come back.
        added: Vec<String>,
        /// Those that go again.
        removed: Vec<String>,
    },
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

crate::domain::words! {
    /// How a sub-task ended.
    TaskStatus {
        /// It was carried out.
        Completed = "completed",
        /// It failed, and the job with it.
        Failed = "failed",
        /// It was not carried out.
        Skipped = "skipped",
    }
}

/// Something a person should know; the job goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// A word to search for.
    pub code: &'static str,
    /// A sentence.
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

/// The whole job is refused: nothing is written, and trying again will not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {text}")]
pub struct Refusal {
    /// A word to search for.
    pub code: &'static str,
    /// What was seen, what was expected, what to do.
    pub text: String,
}

/// A refusal with what the guards had measured by then.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// What was measured up to the one that was too much, that one included.
    pub measures: Vec<Measure>,
}

/// The universes that are held, by why they are: one reason often goes for many.
pub fn held_by_reason<'a>(
    universes: impl IntoIterator<Item = &'a PlannedUniverse>,
) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
    for universe in universes {
        let Some(hold) = &universe.hold else { continue };
        match by_reason.iter_mut().find(|(known, _)| *known == hold.reason) {
            Some((_, names)) => names.push(universe.name.as_str()),
            None => by_reason.push((&hold.reason, vec![universe.name.as_str()])),
        }
    }
    by_reason
}

impl Plan {
    /// Memberships added, removed and renamed, foreign rows included, adopted ones not.
    pub fn total_changes(&self) -> usize {
        self.universes.iter().map(PlannedUniverse::changes).sum::<usize>()
            + self.foreign.iter().map(|row| row.elements.len()).sum::<usize>()
            + self.restored.iter().map(RestoredRow::foreign_changes).sum::<usize>()
    }

    /// The universes whose members change, foreign ones included.
    pub fn updated(&self) -> Vec<String> {
        let ours =
            self.universes.iter().filter(|universe| universe.changes() > 0).map(|u| u.name.to_string());
        let restored = self.restored.iter().filter(|row| row.foreign_changes() > 0);
        ours.chain(self.foreign.iter().map(|row| row.universe.clone()))
            .chain(restored.map(|row| row.universe.clone()))
            .collect()
    }

    /// The universes that are held.
    pub fn held(&self) -> Vec<String> {
        let held = self.universes.iter().filter(|universe| universe.status == UniverseStatus::Held);
        held.map(|universe| universe.name.to_string()).collect()
    }

    /// The new listings that joined `recent_ipos` and themes, universe by universe.
    pub fn new_listings(&self) -> Vec<NewListing<'_>> {
        let kinds = [CacheType::Ipo, CacheType::Theme];
        let universes = self.universes.iter().filter(|universe| kinds.contains(&universe.cache_type));
        let listings: Vec<(&UniverseName, &Joined)> = universes
            .flat_map(|universe| universe.joined.iter().map(|joined| (&universe.name, joined)))
            .filter(|(_, joined)| joined.reason == EntryReason::Listing)
            .collect();
        if listings.is_empty() {
            return Vec::new();
        }
        let sectors: HashMap<&Symbol, Option<Sector>> =
            self.run.stocks.iter().map(|stock| (&stock.symbol, stock.sector)).collect();
        let mut found = Vec::with_capacity(listings.len());
        for (universe, joined) in listings {
            let sector = sectors.get(&joined.symbol).copied().flatten();
            found.push(NewListing { universe, joined, sector });
        }
        found
    }

    /// The symbols that were members by another one before: old and new, each pair once, in order.
    pub fn renamed(&self) -> Vec<(&Symbol, &Symbol)> {
        let renamed = self.universes.iter().flat_map(|universe| &universe.renamed);
        let pairs: std::collections::BTreeSet<_> =
            renamed.map(|renamed| (&renamed.from, &renamed.symbol)).collect();
        pairs.into_iter().collect()
    }

    /// Whether the rules were applied to a universe. If not, it only loses what no longer trades, and stays as held or
    /// not as it was: its status, its held runs and the date it was last applied do not change. A revert puts these
    /// back too, of every universe that it names.
    pub fn recalculates(&self, universe: &PlannedUniverse) -> bool {
        self.mode == Mode::Revert || self.mode.runs(universe.task)
    }

    /// Symbols that left any universe as delisted, each once, in order.
    pub fn delisted(&self) -> Vec<Symbol> {
        let left = self.universes.iter().flat_map(|universe| &universe.left);
        let ours = left.filter(|left| left.reason == ExitReason::Delisted).map(|left| left.symbol.clone());
        let foreign =
            self.foreign.iter().flat_map(|row| row.elements.iter().filter_map(|text| Symbol::parse(text)));
        let all: std::collections::BTreeSet<Symbol> = ours.chain(foreign).collect();
        all.into_iter().collect()
    }
}

impl Plan {
    /// The universes that lost symbols as delisted, foreign ones included.
    pub fn cleaned_up(&self) -> Vec<String> {
        let lost_some = |universe: &&PlannedUniverse| {
            universe.left.iter().any(|left| left.reason == ExitReason::Delisted)
        };
        let ours = self.universes.iter().filter(lost_some).map(|universe| universe.name.to_string());
        ours.chain(self.foreign.iter().map(|row| row.universe.clone())).collect()
    }
}

impl RestoredRow {
    /// Elements that come back to a foreign row or go again; for ours the universes of the plan say it.
    pub fn foreign_changes(&self) -> usize {
        match &self.becomes {
            RestoredAs::Foreign { added, removed } => added.len() + removed.len(),
            RestoredAs::Ours | RestoredAs::Released | RestoredAs::Companion => 0,
        }
    }
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
