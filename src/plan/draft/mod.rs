//! The plan in the making: what the sub-tasks have decided so far.
//!
//! A sub-task proposes members for its universes (`Draft::compare`), lets the guards judge the
//! difference, and finalizes each universe. Members are indices into the snapshot until then; two
//! spellings of a symbol are one member.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::domain::change::{EntryReason, ExitReason};
use crate::domain::identity::SameBy;
use crate::domain::symbol::Symbol;
use crate::domain::task::SyncTask;
use crate::domain::universe::UniverseName;

use crate::domain::task::TaskStatus;
use crate::domain::universe::LISTING_DAYS;
use crate::plan::draft::planned::{Before, ForeignCleanup, PlannedUniverse, TaskReport};
use crate::plan::given::notice::Warning;
use crate::plan::given::order::Order;
use crate::plan::given::policy::Policy;
use crate::plan::given::snapshot::{Snapshot, StoredUniverse};
use crate::plan::market::identity::{Identities, Successor};
use crate::plan::market::{Market, Standing};
use crate::plan::members::allocation::Allocation;
use crate::plan::members::eligibility::is_of_funds;
use crate::plan::members::overrides::Overrides;
use crate::plan::members::universes::{Rule, Universe, theme};
use measure::Measure;

pub(crate) mod finalize;
pub(crate) mod guard;
pub mod measure;
pub mod planned;
pub(crate) mod reason;

/// The code of the warning that names stocks which are worth many times as much as in the last run.
pub(crate) const CAP_MULTIPLIED: &str = "cap_multiplied";

/// What the sub-tasks have decided so far, and what they decide from.
pub(crate) struct Draft<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) policy: &'a Policy,
    pub(crate) order: &'a Order,
    pub(crate) market: &'a Market<'a>,
    /// What people have decided.
    pub(crate) overrides: Overrides<'a>,
    /// The seats by rank and size, from the sub-task that gives them out on.
    pub(crate) allocation: Option<Allocation<'a>>,
    pub(crate) identities: &'a Identities,
    pub(crate) universes: BTreeMap<UniverseName, PlannedUniverse>,
    pub(crate) foreign: Vec<ForeignCleanup>,
    pub(crate) warnings: Vec<Warning>,
    /// What the guards measured so far.
    pub(crate) measures: Vec<Measure>,
    /// Why the market caps are not believed, where they are not.
    pub(crate) cap_doubt: Option<String>,
    /// New listings that have their seats in themes already.
    pub(crate) seated: HashSet<(UniverseName, u32)>,
    /// By universe, those who went away a few sessions ago.
    recent_exits: HashMap<&'a UniverseName, HashSet<u32>>,
    /// One mark per security, for comparing two lists in one pass over each.
    marks: Vec<u32>,
    last_mark: u32,
}

/// A universe as it stands before the plan.
pub(crate) struct Prior<'a> {
    pub(crate) before: Before,
    pub(crate) stored: Option<&'a StoredUniverse>,
    /// In the order of the row, each symbol once.
    pub(crate) members: Vec<PriorMember<'a>>,
}

/// A member before the plan.
pub(crate) struct PriorMember<'a> {
    pub(crate) symbol: &'a Symbol,
    /// Its row in `symbols`, where there is one; after a rename that of the new symbol.
    pub(crate) index: Option<u32>,
    /// What says that the row of another symbol is this one's, where it is.
    pub(crate) renamed_by: Option<SameBy>,
    /// Whether its symbol is another company's now.
    pub(crate) has_lost_ticker: bool,
}

/// The difference between a universe and what a rule wants it to be.
pub(crate) struct Change<'a> {
    pub(crate) universe: Universe,
    pub(crate) prior: Prior<'a>,
    /// Who the rule wants, in order.
    pub(crate) members: Vec<u32>,
    /// Places in `members` of those who join or are adopted.
    pub(crate) joined: Vec<(usize, EntryReason)>,
    /// Places in `prior.members` of those who leave.
    pub(crate) left: Vec<(usize, ExitReason)>,
}

impl<'a> Draft<'a> {
    /// A draft in which nothing is decided.
    pub(crate) fn new(
        snapshot: &'a Snapshot,
        policy: &'a Policy,
        order: &'a Order,
        market: &'a Market<'a>,
        identities: &'a Identities,
    ) -> Self {
        let mut recent_exits: HashMap<_, HashSet<u32>> = HashMap::new();
        for exit in &snapshot.recent_exits {
            if let Some(index) = market.index_of(&exit.symbol) {
                recent_exits.entry(&exit.universe).or_default().insert(index);
            }
        }
        Self {
            snapshot,
            policy,
            order,
            market,
            overrides: Overrides::new(snapshot, market, policy),
            allocation: None,
            identities,
            universes: BTreeMap::new(),
            foreign: Vec::new(),
            warnings: market.warnings(),
            measures: Vec::new(),
            cap_doubt: None,
            seated: HashSet::new(),
            recent_exits,
            marks: vec![0; market.len()],
            last_mark: 0,
        }
    }

    /// Notes something a person should know.
    pub(crate) fn warn(&mut self, code: &'static str, text: String) {
        self.warnings.push(Warning { code, text });
    }

    /// The universe of this name as it stands.
    pub(crate) fn prior(&mut self, name: &UniverseName) -> Prior<'a> {
        let stored = self.snapshot.universes.get(name);
        let before = match stored {
            Some(StoredUniverse { state: Some(_), .. }) => Before::Managed,
            Some(StoredUniverse { content: Some(_), .. }) => Before::Unmanaged,
            Some(_) | None => Before::Nothing,
        };
        let mut unknown = HashSet::new();
        let mark = self.next_mark();
        let mut members = Vec::with_capacity(stored.map_or(0, |stored| stored.members.len()));
        for symbol in stored.map_or(&[][..], |stored| &stored.members) {
            let (index, renamed_by, has_lost_ticker) = self.owner(symbol, stored, before);
            let is_new = match index {
                Some(index) => std::mem::replace(&mut self.marks[index as usize], mark) != mark,
                None => unknown.insert(symbol.key()),
            };
            if is_new {
                members.push(PriorMember { symbol, index, renamed_by, has_lost_ticker });
            }
        }
        Prior { before, stored, members }
    }

    /// The row in `symbols` of a member, what says so where it has another symbol now, and whether its symbol is another
    /// company's. A row that was never ours says nothing about who its symbols were.
    fn owner(
        &self,
        symbol: &Symbol,
        stored: Option<&StoredUniverse>,
        before: Before,
    ) -> (Option<u32>, Option<SameBy>, bool) {
        let index = self.market.index_of(symbol);
        if before != Before::Managed {
            return (index, None, false);
        }
        if let Some(Successor { index, by }) = self.identities.successor(symbol) {
            let successor = &self.market.security(index).symbol;
            let is_member_too = !self.identities.is_reused(index)
                && stored
                    .is_some_and(|stored| stored.members.iter().any(|other| other.is_spelling_of(successor)));
            if !is_member_too {
                return (Some(index), Some(by), false);
            }
        }
        match index {
            Some(index) if self.identities.is_reused(index) => (None, None, true),
            index => (index, None, false),
        }
    }

    /// What would change if the universe had exactly `members`, in this order.
    pub(crate) fn compare(&mut self, universe: Universe, members: Vec<u32>) -> Change<'a> {
        let prior = self.prior(&universe.name);
        let (was_member, stays) = (self.next_mark(), self.next_mark());
        for index in prior.members.iter().filter_map(|member| member.index) {
            self.marks[index as usize] = was_member;
        }
        let mut joined = Vec::new();
        for (place, index) in members.iter().enumerate() {
            let mark = &mut self.marks[*index as usize];
            if *mark == was_member {
                *mark = stays;
                if prior.before == Before::Unmanaged {
                    joined.push((place, EntryReason::Adopted));
                }
            } else {
                joined.push((place, self.entry_reason(&universe, &prior, *index)));
            }
        }
        let mut left = Vec::new();
        for (place, member) in prior.members.iter().enumerate() {
            if member.index.is_none_or(|index| self.marks[index as usize] != stays) {
                left.push((place, self.exit_reason(&universe, member.index)));
            }
        }
        Change { universe, prior, members, joined, left }
    }

    /// How a sub-task went, from what is finalized so far.
    pub(crate) fn report(&self, task: SyncTask, status: TaskStatus) -> TaskReport {
        // A mode that does not run the clean-up counts delistings where they were found, so that the changes of a
        // job's sub-tasks always add up to those of the job.
        let cleans_up = self.order.mode.runs(SyncTask::DelistedCleanup);
        let counts_for = |owner, counted| {
            task == if counted == SyncTask::DelistedCleanup && !cleans_up { owner } else { counted }
        };
        let mut changes = 0;
        for universe in self.universes.values() {
            changes += universe.joiners().filter(|joined| counts_for(universe.task, joined.task)).count();
            changes += universe.left.iter().filter(|left| counts_for(universe.task, left.task)).count();
            // A mode that does not run the universe's own sub-task has one only.
            let runs_owner = self.order.mode.runs(universe.task);
            let renames_count = if runs_owner { universe.task == task } else { true };
            changes += if renames_count { universe.renamed.len() } else { 0 };
        }
        if task == SyncTask::DelistedCleanup {
            changes += self.foreign.iter().map(|row| row.elements.len()).sum::<usize>();
        }
        TaskReport { task, status, changes }
    }

    /// How many more members a theme can take as it stands.
    pub(crate) fn free_seats(&self, change: &Change) -> usize {
        match change.universe.rule {
            Rule::Theme(place) => {
                theme(self.policy, place).max_members.saturating_sub(change.prior.members.len())
            }
            _ => usize::MAX,
        }
    }

    /// Why a member leaves whatever the rules say, if it does: it no longer trades, or its ticker is another's.
    pub(crate) fn departure(&self, member: &PriorMember) -> Option<ExitReason> {
        if member.has_lost_ticker {
            Some(ExitReason::Missing)
        } else {
            self.is_delisted(member.index).then_some(ExitReason::Delisted)
        }
    }

    /// Whether the security at `index` no longer trades.
    pub(crate) fn is_delisted(&self, index: Option<u32>) -> bool {
        index.is_some_and(|index| self.market.standing(index) == Standing::Delisted)
    }

    fn next_mark(&mut self) -> u32 {
        self.last_mark += 1;
        self.last_mark
    }

    fn entry_reason(&self, universe: &Universe, prior: &Prior, index: u32) -> EntryReason {
        let has_filled = match prior.before {
            // Whoever is new in `recent_ipos` is a new listing, the first time as well.
            _ if universe.rule == Rule::NewListing => true,
            Before::Nothing => false,
            Before::Unmanaged => !prior.members.is_empty(),
            Before::Managed => true,
        };
        let is_pinned = self.overrides.pin(&universe.name, index).is_some();
        let is_told_as_listing = universe.rule == Rule::NewListing && self.market.is_new_listing(index);
        if is_pinned && !is_told_as_listing {
            EntryReason::Pin
        } else if !has_filled {
            EntryReason::FirstFill
        } else if self.recent_exits.get(&universe.name).is_some_and(|exits| exits.contains(&index)) {
            EntryReason::Return
        } else if self.market.is_new_listing(index) {
            EntryReason::Listing
        } else {
            EntryReason::Rule
        }
    }

    fn exit_reason(&self, universe: &Universe, index: Option<u32>) -> ExitReason {
        let Some(index) = index else { return ExitReason::Missing };
        let is_of_funds = is_of_funds(universe.rule);
        let is_banned = self.overrides.ban(&universe.name, index).is_some();
        match self.market.standing(index) {
            Standing::Delisted => ExitReason::Delisted,
            Standing::Fund if is_of_funds && is_banned => ExitReason::Ban,
            Standing::Fund if is_of_funds => ExitReason::Rule,
            Standing::Eligible if !is_of_funds && is_banned => ExitReason::Ban,
            Standing::Eligible if !is_of_funds => self.exit_of_eligible(universe.rule, index),
            _ => ExitReason::Ineligible,
        }
    }

    fn exit_of_eligible(&self, rule: Rule, index: u32) -> ExitReason {
        match rule {
            Rule::AllStocks => ExitReason::Rule,
            Rule::NewListing => {
                let listed = self.market.security(index).list_date;
                let is_over =
                    listed.is_some_and(|listed| (self.order.as_of - listed).num_days() > LISTING_DAYS);
                if is_over { ExitReason::WindowEnd } else { ExitReason::Rule }
            }
            _ if self.market.cap(index).is_none() => ExitReason::NoCap,
            _ => ExitReason::Rule,
        }
    }
}
