//! The plan in the making: what the sub-tasks have decided so far.
//!
//! A sub-task proposes members for its universes ([`Draft::compare`]), lets the [guards](super::guard) judge the
//! difference, and settles each universe in one of three ways:
//!
//! - [`Draft::accept`]: as proposed;
//! - [`Draft::hold`]: as it was, without those that no longer trade, because a guard does not believe the proposal;
//! - [`Draft::keep`]: as it was, without those that no longer trade, because nothing else was asked for.
//!
//! [`Draft::seat`] puts new listings into a theme before the sub-task that owns it has its turn.
//!
//! Members are indices into the snapshot until they are settled. Two spellings of a symbol are one member.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use crate::domain::change::{EntryReason, ExitReason, UniverseStatus};
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::task::SyncTask;
use crate::domain::universe::UniverseName;

use super::Order;
use super::market::{Market, Standing};
use super::outcome::{
    Before, ForeignCleanup, Hold, Joined, Left, PlannedUniverse, TaskReport, TaskStatus, Warning,
};
use super::policy::Policy;
use super::snapshot::{Snapshot, StoredContent, StoredUniverse};
use super::themes::Proposal;
use super::universes::{LISTING_DAYS, Rule, Universe, theme};
use super::{guard, why};

/// What the sub-tasks have decided so far, and what they decide from.
pub(super) struct Draft<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) policy: &'a Policy,
    pub(super) order: &'a Order,
    pub(super) market: &'a Market<'a>,
    pub(super) universes: BTreeMap<UniverseName, PlannedUniverse>,
    pub(super) foreign: Vec<ForeignCleanup>,
    pub(super) warnings: Vec<Warning>,
    /// What the themes call for, from the first sub-task that asks on.
    pub(super) themes: Option<Vec<Proposal<'a>>>,
    /// New listings that have their seats in themes already.
    seated: HashSet<(UniverseName, u32)>,
    /// By universe, those who went away a few sessions ago.
    recent_exits: HashMap<&'a UniverseName, HashSet<u32>>,
    /// One mark per security, for comparing two lists in one pass over each.
    marks: Vec<u32>,
    last_mark: u32,
}

/// A universe as it stands before the plan.
pub(super) struct Prior<'a> {
    pub(super) before: Before,
    pub(super) stored: Option<&'a StoredUniverse>,
    /// In the order of the row, each symbol once.
    pub(super) members: Vec<PriorMember<'a>>,
}

/// A member before the plan.
pub(super) struct PriorMember<'a> {
    pub(super) symbol: &'a Symbol,
    /// Its row in `symbols`, where there is one.
    pub(super) index: Option<u32>,
}

/// The difference between a universe and what a rule wants it to be.
pub(super) struct Change<'a> {
    pub(super) universe: Universe,
    pub(super) prior: Prior<'a>,
    /// Who the rule wants, in order.
    pub(super) members: Vec<u32>,
    /// Places in `members` of those who join or are adopted.
    pub(super) joined: Vec<(usize, EntryReason)>,
    /// Places in `prior.members` of those who leave.
    pub(super) left: Vec<(usize, ExitReason)>,
}

impl<'a> Draft<'a> {
    /// A draft in which nothing is decided.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        policy: &'a Policy,
        order: &'a Order,
        market: &'a Market<'a>,
    ) -> Self {
        let mut recent_exits: HashMap<_, HashSet<u32>> = HashMap::new();
        for exit in &snapshot.recent_exits {
            if let Some(index) = market.find(exit.symbol.as_str()) {
                recent_exits.entry(&exit.universe).or_default().insert(index);
            }
        }
        Self {
            snapshot,
            policy,
            order,
            market,
            universes: BTreeMap::new(),
            foreign: Vec::new(),
            warnings: market.warnings(),
            themes: None,
            seated: HashSet::new(),
            recent_exits,
            marks: vec![0; market.len()],
            last_mark: 0,
        }
    }

    /// Notes something a person should know.
    pub(super) fn warn(&mut self, code: &'static str, text: String) {
        self.warnings.push(Warning { code, text });
    }

    /// The universe of this name as it stands.
    pub(super) fn prior(&mut self, name: &UniverseName) -> Prior<'a> {
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
            let index = self.market.find(symbol.as_str());
            let is_new = match index {
                Some(index) => std::mem::replace(&mut self.marks[index as usize], mark) != mark,
                None => unknown.insert(symbol.key()),
            };
            if is_new {
                members.push(PriorMember { symbol, index });
            }
        }
        Prior { before, stored, members }
    }

    /// What would change if the universe had exactly `members`, in this order.
    pub(super) fn compare(&mut self, universe: Universe, members: Vec<u32>) -> Change<'a> {
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

    /// Settles a universe as proposed.
    pub(super) fn accept(&mut self, change: Change<'a>) {
        let Change { universe, prior, members, joined, left } = change;
        let symbols: Vec<Symbol> =
            members.iter().map(|index| self.market.security(*index).symbol.clone()).collect();
        let metadata = universe.metadata(self.policy, symbols.len());
        let joined = joined
            .into_iter()
            .map(|(place, reason)| self.joined(&universe, members[place], place + 1, reason))
            .collect();
        let left = left
            .into_iter()
            .map(|(place, reason)| self.left(&universe, &prior.members[place], reason))
            .collect();
        self.settle(
            &universe,
            &prior,
            Settled { members: symbols, metadata, joined, left, status: UniverseStatus::Ok, hold: None },
            &members,
        );
    }

    /// Settles a universe as it was, but for those that no longer trade, because of `reason`.
    pub(super) fn hold(&mut self, change: Change<'a>, reason: String) {
        let Change { universe, prior, members, joined, left } = change;
        let held_runs =
            prior.stored.and_then(|stored| stored.state.as_ref()).map_or(0, |state| state.held_runs);
        let would_join = joined
            .into_iter()
            .filter(|(_, reason)| *reason != EntryReason::Adopted)
            .map(|(place, _)| self.market.security(members[place]).symbol.clone())
            .collect();
        let would_leave = left
            .into_iter()
            .filter(|(_, reason)| *reason != ExitReason::Delisted)
            .map(|(place, _)| prior.members[place].symbol.clone())
            .collect();
        let hold = Hold { reason, runs: held_runs + 1, would_join, would_leave };
        self.retain(&universe, &prior, UniverseStatus::Held, Some(hold));
    }

    /// Holds a universe that is judged by itself where there is a doubt about it, else accepts it.
    pub(super) fn settle_alone(&mut self, change: Change<'a>, doubt: Option<String>) {
        match doubt {
            Some(doubt) => self.hold(change, guard::reason_to_hold(&[doubt])),
            None => self.accept(change),
        }
    }

    /// Settles a universe as it was, but for those that no longer trade.
    pub(super) fn keep(&mut self, universe: &Universe, prior: &Prior<'a>) {
        self.retain(universe, prior, UniverseStatus::Ok, None);
    }

    /// Settles a universe as it was, but for those that no longer trade, since what its rule goes by does not exist.
    pub(super) fn keep_without_source(&mut self, universe: &Universe, prior: &Prior<'a>) {
        self.retain(universe, prior, UniverseStatus::NoSourceData, None);
    }

    /// How many more members a theme can take as it stands.
    pub(super) fn free_seats(&self, change: &Change) -> usize {
        match change.universe.rule {
            Rule::Theme(place) => {
                theme(self.policy, place).max_members.saturating_sub(change.prior.members.len())
            }
            _ => usize::MAX,
        }
    }

    /// Gives new listings seats beside the members that a universe has. Nobody leaves, but those that no longer trade
    /// where the mode cleans them up.
    pub(super) fn seat(&mut self, universe: &Universe, joiners: &[u32]) {
        let prior = self.prior(&universe.name);
        let cleans_up = self.order.mode.runs(SyncTask::DelistedCleanup);
        let (leavers, stayers): (Vec<&PriorMember>, Vec<&PriorMember>) =
            prior.members.iter().partition(|member| cleans_up && self.is_delisted(member.index));
        let left = leavers.iter().map(|member| self.left(universe, member, ExitReason::Delisted)).collect();
        let stayers = stayers.into_iter().map(|member| (member.symbol, member.index, false));
        let joiners = joiners.iter().map(|index| (&self.market.security(*index).symbol, Some(*index), true));
        let mut members: Vec<(&Symbol, Option<u32>, bool)> = stayers.chain(joiners).collect();
        let place = |index: Option<u32>| index.and_then(|index| self.market.rank(index));
        members.sort_by_key(|(_, index, _)| (place(*index).is_none(), place(*index)));
        let (symbols, indices): (Vec<Symbol>, Vec<Option<u32>>) =
            members.iter().map(|(symbol, index, _)| ((*symbol).clone(), *index)).unzip();
        let newcomers = members.iter().enumerate().filter(|(_, (_, _, is_new))| *is_new);
        let newcomers: Vec<(usize, u32)> =
            newcomers.filter_map(|(place, (_, index, _))| Some((place, (*index)?))).collect();
        self.seated.extend(newcomers.iter().map(|(_, index)| (universe.name.clone(), *index)));
        let joined = newcomers.into_iter();
        let joined = joined
            .map(|(place, index)| self.joined(universe, index, place + 1, EntryReason::Listing))
            .collect();
        let metadata = universe.metadata(self.policy, symbols.len());
        let indices: Vec<u32> = indices.into_iter().flatten().collect();
        self.settle(
            universe,
            &prior,
            Settled { members: symbols, metadata, joined, left, status: UniverseStatus::Ok, hold: None },
            &indices,
        );
    }

    /// How a sub-task went, from what is settled so far.
    pub(super) fn report(&self, task: SyncTask, status: TaskStatus) -> TaskReport {
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
        }
        if task == SyncTask::DelistedCleanup {
            changes += self.foreign.iter().map(|row| row.elements.len()).sum::<usize>();
        }
        TaskReport { task, status, changes }
    }

    /// Whether the security at `index` no longer trades.
    pub(super) fn is_delisted(&self, index: Option<u32>) -> bool {
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
        if !has_filled {
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
        let is_of_funds = matches!(universe.rule, Rule::FundCategory(_) | Rule::AllFunds);
        match self.market.standing(index) {
            Standing::Delisted => ExitReason::Delisted,
            Standing::Fund if is_of_funds => ExitReason::Rule,
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

    fn joined(&self, universe: &Universe, index: u32, rank: usize, reason: EntryReason) -> Joined {
        let why = match reason {
            EntryReason::Adopted => "stood in the row already".to_owned(),
            _ => why::joined(self.market, self.policy, universe, index, rank),
        };
        let is_seated =
            matches!(universe.rule, Rule::Theme(_)) && self.seated.contains(&(universe.name.clone(), index));
        Joined {
            symbol: self.market.security(index).symbol.clone(),
            reason,
            task: if is_seated { SyncTask::IpoAssignment } else { universe.task() },
            rank,
            cap: self.market.cap(index),
            why,
        }
    }

    fn left(&self, universe: &Universe, member: &PriorMember, reason: ExitReason) -> Left {
        let task = if reason == ExitReason::Delisted { SyncTask::DelistedCleanup } else { universe.task() };
        Left {
            symbol: member.symbol.clone(),
            reason,
            task,
            cap: member.index.and_then(|index| self.market.cap(index)),
            why: why::left(self.market, self.policy, universe, member.index, reason),
        }
    }

    fn retain(&mut self, universe: &Universe, prior: &Prior<'a>, status: UniverseStatus, hold: Option<Hold>) {
        let (leavers, stayers): (Vec<&PriorMember>, Vec<&PriorMember>) =
            prior.members.iter().partition(|member| self.is_delisted(member.index));
        let left: Vec<Left> =
            leavers.iter().map(|member| self.left(universe, member, ExitReason::Delisted)).collect();
        let joined = match prior.before {
            Before::Unmanaged => stayers
                .iter()
                .enumerate()
                .map(|(place, member)| self.adopted(universe, member, place + 1))
                .collect(),
            Before::Managed | Before::Nothing => Vec::new(),
        };
        let metadata = self.retained_metadata(universe, prior, stayers.len());
        let indices: Vec<u32> = stayers.iter().filter_map(|member| member.index).collect();
        let members = stayers.iter().map(|member| member.symbol.clone()).collect();
        self.settle(universe, prior, Settled { members, metadata, joined, left, status, hold }, &indices);
    }

    /// A member that is kept in its own spelling, with a row in `symbols` or without.
    fn adopted(&self, universe: &Universe, member: &PriorMember, rank: usize) -> Joined {
        Joined {
            symbol: member.symbol.clone(),
            reason: EntryReason::Adopted,
            task: universe.task(),
            rank,
            cap: member.index.and_then(|index| self.market.cap(index)),
            why: "stood in the row already".to_owned(),
        }
    }

    /// The facts that stand in the row, since its members were found by them. Only `complete` follows the delistings.
    fn retained_metadata(&self, universe: &Universe, prior: &Prior, members: usize) -> Value {
        let ours = universe.metadata(self.policy, members);
        let Some(StoredContent::WellFormed { metadata, .. }) =
            prior.stored.and_then(|stored| stored.content.as_ref())
        else {
            return ours;
        };
        let mut kept = metadata.clone();
        if members < prior.members.len() {
            if let (Some(complete), Some(now)) = (kept.get_mut("complete"), ours.get("complete")) {
                *complete = now.clone();
            }
        }
        kept
    }

    fn settle(&mut self, universe: &Universe, prior: &Prior, settled: Settled, indices: &[u32]) {
        let caps = || indices.iter().filter_map(|index| self.market.cap(*index));
        let total_cap: Usd = caps().sum();
        let members_with_cap = caps().count();
        let Settled { members, metadata, joined, left, status, hold } = settled;
        let planned = PlannedUniverse {
            name: universe.name.clone(),
            cache_type: universe.cache_type(),
            task: universe.task(),
            rewrite: needs_rewrite(universe, prior, &members, &metadata),
            members,
            metadata,
            before: prior.before,
            joined,
            left,
            status,
            hold,
            total_cap,
            members_with_cap,
        };
        self.universes.insert(universe.name.clone(), planned);
    }
}

/// What was decided of one universe.
struct Settled {
    members: Vec<Symbol>,
    metadata: Value,
    joined: Vec<Joined>,
    left: Vec<Left>,
    status: UniverseStatus,
    hold: Option<Hold>,
}

fn needs_rewrite(universe: &Universe, prior: &Prior, members: &[Symbol], metadata: &Value) -> bool {
    let Some(stored) = prior.stored else { return true };
    let holds = stored.content.as_ref().is_some_and(|content| content.holds(members, metadata));
    !holds || stored.cache_type.as_deref() != Some(universe.cache_type().as_str())
}
