//! What a plan says: the changes, their reasons, and what is held back.

use std::collections::HashMap;

use chrono::NaiveDate;

use crate::domain::change::{EntryReason, ExitReason, UniverseStatus};
use crate::domain::sector::Sector;
use crate::domain::symbol::Symbol;
use crate::domain::task::Mode;
use crate::domain::universe::{CacheType, UniverseName};

use crate::plan::draft::measure::Measure;
pub use crate::plan::draft::planned::{
    Before, ForeignCleanup, Hold, Joined, Left, PlannedUniverse, Renamed, TaskReport,
};
use crate::plan::given::notice::{Refusal, Warning};
use crate::plan::given::snapshot::RunState;
use crate::plan::market::Counts;
use crate::plan::market::identity::IdentityChange;
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
