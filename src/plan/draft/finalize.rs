//! Settles a universe: from indices and differences to what the plan says of it.
//!
//! A universe is settled in one of three ways:
//!
//! - [`Draft::accept`]: as proposed;
//! - [`Draft::hold`]: as it was, without those that no longer trade, because a guard does not believe the proposal;
//! - [`Draft::keep`]: as it was, without those that no longer trade, because nothing else was asked for; or
//!   [`Draft::keep_without_source`], because nothing else can be said.
//!
//! "As it was" speaks of companies: one that changed its symbol stays under the new one, and one whose ticker is
//! another's now is gone.
//!
//! [`Draft::seat`] puts new listings into a theme before the sub-task that owns it has its turn.

use serde_json::Value;

use crate::domain::change::{EntryReason, ExitReason, UniverseStatus};
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::task::SyncTask;

use super::guard;
use super::reason;
use super::{Change, Draft, Prior, PriorMember};
use crate::plan::draft::planned::{Before, Hold, Joined, Left, PlannedUniverse, Renamed};
use crate::plan::given::snapshot::StoredContent;
use crate::plan::members::overrides::told;
use crate::plan::members::universes::{Rule, Universe};

/// Why an adopted member is one.
const STOOD_IN_THE_ROW: &str = "stood in the row already";

impl<'a> Draft<'a> {
    /// Settles a universe as proposed.
    pub(crate) fn accept(&mut self, change: Change<'a>) {
        let Change { universe, prior, members, joined, left } = change;
        let renamed = self.renamed(&universe, &prior, &members);
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
            Settled {
                members: symbols,
                metadata,
                joined,
                left,
                renamed,
                status: UniverseStatus::Ok,
                hold: None,
            },
            &members,
        );
    }

    /// Settles a universe as it was, but for those that no longer trade, because of `reason`.
    pub(crate) fn hold(&mut self, change: Change<'a>, reason: String) {
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
            .filter(|(place, _)| self.departure(&prior.members[*place]).is_none())
            .map(|(place, _)| prior.members[place].symbol.clone())
            .collect();
        let hold = Hold { reason, runs: held_runs + 1, would_join, would_leave };
        self.retain(&universe, &prior, UniverseStatus::Held, Some(hold));
    }

    /// Holds a universe that is judged by itself where there is a doubt about it, else accepts it.
    pub(crate) fn settle_alone(&mut self, change: Change<'a>, doubt: Option<String>) {
        match doubt {
            Some(doubt) => self.hold(change, guard::reason_to_hold(&[doubt])),
            None => self.accept(change),
        }
    }

    /// Settles a universe as it was, but for those that no longer trade.
    pub(crate) fn keep(&mut self, universe: &Universe, prior: &Prior<'a>) {
        self.retain(universe, prior, UniverseStatus::Ok, None);
    }

    /// Settles a universe as it was, but for those that no longer trade, since what its rule goes by does not exist.
    pub(crate) fn keep_without_source(&mut self, universe: &Universe, prior: &Prior<'a>) {
        self.retain(universe, prior, UniverseStatus::NoSourceData, None);
    }

    /// Gives new listings seats beside the members that a universe has. Nobody leaves, but those that no longer trade
    /// where the mode cleans them up.
    pub(crate) fn seat(&mut self, universe: &Universe, joiners: &[u32]) {
        let prior = self.prior(&universe.name);
        let cleans_up = self.order.mode.runs(SyncTask::DelistedCleanup);
        let (stayers, left) =
            self.part(universe, &prior, |reason| cleans_up || reason == ExitReason::Missing);
        let stayers = stayers.iter().map(|member| (self.symbol_now(member), member.index));
        let newcomers = joiners.iter().map(|index| (&self.market.security(*index).symbol, Some(*index)));
        let mut seats: Vec<(&Symbol, Option<u32>)> = stayers.chain(newcomers).collect();
        // Stable: those without a rank stay behind the others, in their order.
        seats.sort_by_key(|(_, index)| index.and_then(|index| self.market.rank(index)).unwrap_or(usize::MAX));

        self.seated.extend(joiners.iter().map(|index| (universe.name.clone(), *index)));
        let is_joiner = |index: &u32| joiners.contains(index);
        let joined = seats.iter().enumerate().filter_map(|(place, (_, index))| {
            let index = index.filter(is_joiner)?;
            Some(self.joined(universe, index, place + 1, EntryReason::Listing))
        });
        let indices: Vec<u32> = seats.iter().filter_map(|(_, index)| *index).collect();
        let settled = Settled {
            joined: joined.collect(),
            left,
            renamed: self.renamed(universe, &prior, &indices),
            metadata: universe.metadata(self.policy, seats.len()),
            members: seats.iter().map(|(symbol, _)| (*symbol).clone()).collect(),
            status: UniverseStatus::Ok,
            hold: None,
        };
        self.settle(universe, &prior, settled, &indices);
    }

    /// The members who stay, and those who leave whatever the rules say for a reason that counts here.
    fn part<'p>(
        &self,
        universe: &Universe,
        prior: &'p Prior<'a>,
        counts: impl Fn(ExitReason) -> bool,
    ) -> (Vec<&'p PriorMember<'a>>, Vec<Left>) {
        let (mut stayers, mut left) = (Vec::with_capacity(prior.members.len()), Vec::new());
        for member in &prior.members {
            match self.departure(member).filter(|reason| counts(*reason)) {
                Some(reason) => left.push(self.left(universe, member, reason)),
                None => stayers.push(member),
            }
        }
        (stayers, left)
    }

    /// The symbol that a member goes on by.
    fn symbol_now<'m>(&self, member: &PriorMember<'m>) -> &'m Symbol
    where
        'a: 'm,
    {
        match member.index {
            Some(index) if member.renamed_by.is_some() => &self.market.security(index).symbol,
            Some(_) | None => member.symbol,
        }
    }

    /// Who of the members goes on in the universe, which has these securities then, under another symbol.
    fn renamed(&self, universe: &Universe, prior: &Prior<'a>, indices: &[u32]) -> Vec<Renamed> {
        let renamed = prior.members.iter().filter_map(|member| {
            let (by, index) = (member.renamed_by?, member.index?);
            let place = indices.iter().position(|other| *other == index)?;
            let symbol = self.market.security(index).symbol.clone();
            let why = reason::renamed(member.symbol, by, &self.why_joined(universe, index, place + 1));
            Some(Renamed {
                from: member.symbol.clone(),
                symbol,
                by,
                rank: place + 1,
                cap: self.market.cap(index),
                why: why.into(),
            })
        });
        renamed.collect()
    }

    fn joined(&self, universe: &Universe, index: u32, rank: usize, reason: EntryReason) -> Joined {
        let why = match reason {
            EntryReason::Adopted => STOOD_IN_THE_ROW.to_owned(),
            EntryReason::Pin => self
                .hands
                .pin(&universe.name, index)
                .map_or_else(String::new, |pin| told(pin, &universe.name)),
            _ => self.why_joined(universe, index, rank),
        };
        let is_seated =
            matches!(universe.rule, Rule::Theme(_)) && self.seated.contains(&(universe.name.clone(), index));
        Joined {
            symbol: self.market.security(index).symbol.clone(),
            reason,
            task: if is_seated { SyncTask::IpoAssignment } else { universe.task() },
            rank,
            cap: self.market.cap(index),
            why: why.into(),
        }
    }

    /// Why the rule has it as a member, at `rank` from 1.
    fn why_joined(&self, universe: &Universe, index: u32, rank: usize) -> String {
        let seats = self.seats.as_ref();
        let own = seats.and_then(|seats| seats.rank(universe.rule, index)).unwrap_or(rank);
        reason::joined(self.market, self.policy, universe, index, own, rank)
    }

    fn left(&self, universe: &Universe, member: &PriorMember, reason: ExitReason) -> Left {
        let task = if reason == ExitReason::Delisted { SyncTask::DelistedCleanup } else { universe.task() };
        Left {
            symbol: member.symbol.clone(),
            reason,
            task,
            cap: member.index.and_then(|index| self.market.cap(index)),
            why: if member.has_lost_ticker {
                "its ticker is another company's now".into()
            } else {
                self.why_left(universe, member.index, reason).into()
            },
        }
    }

    fn why_left(&self, universe: &Universe, index: Option<u32>, reason: ExitReason) -> String {
        let by_rule = || reason::left(self.market, self.policy, universe, index, reason);
        let Some(index) = index else { return by_rule() };
        match reason {
            ExitReason::Ban => {
                let ban = self.hands.ban(&universe.name, index);
                ban.map_or_else(by_rule, |ban| told(ban, &universe.name))
            }
            ExitReason::Rule => self.why_left_by_rule(universe, index).unwrap_or_else(by_rule),
            _ => by_rule(),
        }
    }

    /// Why a stock gave way, where that does not lie in its own figures.
    fn why_left_by_rule(&self, universe: &Universe, index: u32) -> Option<String> {
        if let Some(pin) = self.hands.pin_elsewhere(universe, index) {
            return Some(told(pin, &universe.name));
        }
        let seats = self.seats.as_ref()?;
        let goes_by_lines = matches!(universe.rule, Rule::Tier(_) | Rule::Ranking(_) | Rule::SectorLeader(_));
        let line = seats.line_instead(index).filter(|_| goes_by_lines);
        if let Some(line) = line {
            let line = &self.market.security(line).symbol;
            return Some(format!("{line} stands for its company, one line each"));
        }
        reason::out_of_seats(self.market, self.policy, universe, seats, &self.hands, index)
    }

    fn retain(&mut self, universe: &Universe, prior: &Prior<'a>, status: UniverseStatus, hold: Option<Hold>) {
        let (stayers, left) = self.part(universe, prior, |_| true);
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
        let members = stayers.iter().map(|member| self.symbol_now(member).clone()).collect();
        let renamed = self.renamed(universe, prior, &indices);
        let settled = Settled { members, metadata, joined, left, renamed, status, hold };
        self.settle(universe, prior, settled, &indices);
    }

    /// A member that is kept in its own spelling, with a row in `symbols` or without.
    fn adopted(&self, universe: &Universe, member: &PriorMember, rank: usize) -> Joined {
        Joined {
            symbol: member.symbol.clone(),
            reason: EntryReason::Adopted,
            task: universe.task(),
            rank,
            cap: member.index.and_then(|index| self.market.cap(index)),
            why: STOOD_IN_THE_ROW.into(),
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
        let Settled { members, metadata, joined, left, renamed, status, hold } = settled;
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
            renamed,
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
    renamed: Vec<Renamed>,
    status: UniverseStatus,
    hold: Option<Hold>,
}

fn needs_rewrite(universe: &Universe, prior: &Prior, members: &[Symbol], metadata: &Value) -> bool {
    let Some(stored) = prior.stored else { return true };
    let holds = stored.content.as_ref().is_some_and(|content| content.holds(members, metadata));
    !holds || stored.cache_type.as_deref() != Some(universe.cache_type().as_str())
}
