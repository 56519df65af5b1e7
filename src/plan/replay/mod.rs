//! Plans past days again, each from the state that the day before left behind.
//!
//! ```text
//!   state ─┬─ securities of the day ──> plan ─┬─> state of the next day
//!          └──────── held, refused, incomplete: as a sync would have been
//! ```
//! Nothing here differs from a sync: [`Replay::day`] asks for the date as a sync does and plans as a sync does, and
//! [`next_state`] is what applying a plan and reading it back come to. So days that were synced one by one and are
//! replayed with the same rules give the same universes.
//!
//! # What a source knows of the past
//! Prices have a date, `symbols` is only as it is today. [`as_they_were`] turns it back as far as there is evidence:
//!
//! | field | on a past date |
//! |---|---|
//! | `active` | true before `delisted_date`; without that date, up to the last close of a security that stopped trading |
//! | the row itself | not there before `list_date`; without that date, before the first close |
//! | shares, sector, cap | as the kept run of that date saw them, or the last one before it; else as today |
//! | the cap that the source stores | that of today (or of the kept run), moved with the price |
//! | type, name, industry, codes, assets of funds | as today |
//!
//! Pins and bans count from the day on which they were made; those that were removed since are unknown.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

use crate::domain::calendar;
use crate::domain::figure::Figure;
use crate::domain::pin::Pin;
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;
use crate::domain::task::Mode;
use crate::domain::universe::UniverseName;

use crate::plan::given::date::{Coverage, DateChoice};
use crate::plan::given::order::Order;
use crate::plan::given::policy::Policy;
use crate::plan::given::snapshot::{
    EXIT_REASONS, EXIT_SESSIONS, RecentExit, RunState, Snapshot, StockState, StoredContent, StoredUniverse,
    UniverseState,
};
use crate::plan::members::universes::Universe;
use crate::plan::plan_measured;
use crate::plan::result::{Plan, PlannedUniverse, Refused};

pub mod history;
pub mod stats;

/// Applied dates whose closes tell the usual number.
pub const USUAL_DATES: usize = 20;

/// Past days in order, decided one after another.
#[derive(Debug)]
pub struct Replay<'p> {
    policy: &'p Policy,
    mode: Mode,
    accept_churn: bool,
    /// What the last day left behind; its securities are those of that day.
    state: Snapshot,
    /// Closes of the applied dates, newest first.
    closes: Vec<usize>,
    pins: Vec<PastPin>,
}

/// What a replay begins with.
#[derive(Debug, Clone, Default)]
pub struct Beginning {
    /// The universes, the last run and the recent exits; its securities and pins are not looked at.
    pub state: Snapshot,
    /// Closes of the dates applied before, newest first.
    pub closes: Vec<usize>,
    /// What people have decided and not taken back since.
    pub pins: Vec<PastPin>,
}

/// A pin or ban with the day that it was made on: it counts in that evening's sync and later ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastPin {
    /// What was decided.
    pub pin: Pin,
    /// When, as a date of New York.
    pub made_on: NaiveDate,
}

/// What became of a day.
#[derive(Debug, Clone, PartialEq)]
pub enum Decided {
    /// This.
    Planned(Box<Plan>),
    /// It would have been refused.
    Refused(Refused),
    /// It would have waited for the import: closes that are there, and closes on a usual day.
    Incomplete {
        /// Closes that are there.
        have: usize,
        /// Closes on a usual day.
        usual: usize,
    },
}

impl<'p> Replay<'p> {
    /// Begins on what was there before the first day.
    pub fn new(policy: &'p Policy, mode: Mode, accept_churn: bool, beginning: Beginning) -> Self {
        let Beginning { state, closes, pins } = beginning;
        Self { policy, mode, accept_churn, state, closes, pins }
    }

    /// Decides the next day, whose securities are given with their last close on or before it. A day that a sync would
    /// not have applied leaves everything as it was.
    pub fn day(&mut self, date: NaiveDate, securities: Vec<Security>) -> Decided {
        let coverage = Coverage {
            applied_closes: self.closes.clone(),
            last_applied: self.state.last_run.as_ref().map(|run| run.as_of),
            ..Coverage::of(&securities, &self.policy.eligible_types)
        };
        match coverage.choose_date(Some(date), false) {
            DateChoice::Sync { .. } => {}
            DateChoice::Wait { have, usual, .. } => return Decided::Incomplete { have, usual },
            DateChoice::Refuse(refusal) => {
                return Decided::Refused(Refused { refusal, measures: Vec::new() });
            }
            DateChoice::Skip(_) => unreachable!("only jobs that nobody asked for are skipped"),
        }
        self.state.securities = securities;
        let made = self.pins.iter().filter(|past| past.made_on <= date);
        self.state.pins = made.map(|past| past.pin.clone()).collect();
        let first = calendar::sessions_back(date, EXIT_SESSIONS);
        self.state.recent_exits.retain(|exit| exit.as_of >= first);
        let order = Order { mode: self.mode, accept_churn: self.accept_churn, as_of: date };
        let plan = match plan_measured(&self.state, self.policy, &order, &mut |_| {}) {
            Ok(plan) => plan,
            Err(refused) => return Decided::Refused(refused),
        };
        self.closes.insert(0, plan.run.closes);
        self.closes.truncate(USUAL_DATES);
        self.state = next_state(std::mem::take(&mut self.state), &plan, Vec::new());
        Decided::Planned(Box::new(plan))
    }
}

/// What a plan leaves behind, with `securities` as the market of the next day: what reading it back after it was applied
/// would give.
pub fn next_state(before: Snapshot, plan: &Plan, securities: Vec<Security>) -> Snapshot {
    let mut universes = before.universes;
    for planned in &plan.universes {
        let known = universes.remove(&planned.name);
        universes.insert(planned.name.clone(), stored(planned, known, plan));
    }
    let mut recent_exits = before.recent_exits;
    recent_exits.extend(exits(plan));
    // A person's word on a value counts once.
    let (approved, distrusted) = (Vec::new(), Vec::new());
    let last_run = Some(plan.run.clone());
    Snapshot { securities, universes, last_run, approved, distrusted, recent_exits, ..before }
}

fn stored(planned: &PlannedUniverse, before: Option<StoredUniverse>, plan: &Plan) -> StoredUniverse {
    let (known, kept) = before.map_or((None, None), |stored| (stored.state, stored.content));
    let applied = UniverseState { last_as_of: plan.as_of, held_runs: 0 };
    let state = match (&planned.hold, plan.recalculates(planned)) {
        (Some(hold), _) => UniverseState { held_runs: hold.runs, ..known.unwrap_or(applied) },
        (None, true) => applied,
        (None, false) => known.unwrap_or(applied),
    };
    StoredUniverse {
        cache_type: Some(planned.cache_type.to_string()),
        members: planned.members.clone(),
        content: if planned.rewrite { Some(content(planned)) } else { kept },
        state: Some(state),
    }
}

fn content(planned: &PlannedUniverse) -> StoredContent {
    StoredContent::WellFormed {
        symbols: planned.members.clone(),
        count: planned.members.len() as i64,
        metadata: planned.metadata.clone(),
    }
}

fn exits(plan: &Plan) -> impl Iterator<Item = RecentExit> {
    plan.universes.iter().flat_map(|universe| {
        let gone = universe.left.iter().filter(|left| EXIT_REASONS.contains(&left.reason));
        gone.map(|left| RecentExit {
            universe: universe.name.clone(),
            symbol: left.symbol.clone(),
            as_of: plan.as_of,
            reason: left.reason,
        })
    })
}

/// A job that applied a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedJob {
    /// What it did.
    pub mode: Mode,
    /// For which date.
    pub as_of: NaiveDate,
    /// The universes that it held.
    pub held: Vec<String>,
}

/// How each universe fared that these jobs, newest first, have ever worked on.
pub fn states(policy: &Policy, jobs: &[AppliedJob]) -> BTreeMap<UniverseName, UniverseState> {
    let mut states = BTreeMap::new();
    for universe in Universe::all(policy) {
        let mut held_runs = 0;
        let mut oldest = None;
        for job in jobs.iter().filter(|job| job.mode.runs(universe.task())) {
            oldest = Some(job.as_of);
            if !job.held.iter().any(|held| held == universe.name.as_str()) {
                break;
            }
            held_runs += 1;
        }
        if let Some(last_as_of) = oldest {
            states.insert(universe.name, UniverseState { last_as_of, held_runs });
        }
    }
    states
}

/// What the universes were on the evening before a replay begins.
#[derive(Debug, Clone, Default)]
pub struct EveningBefore {
    /// Members by universe, as history has them.
    pub members: BTreeMap<UniverseName, Vec<Symbol>>,
    /// How each universe that had been filled by then fared.
    pub states: BTreeMap<UniverseName, UniverseState>,
    /// The last run, where it is kept.
    pub last_run: Option<RunState>,
    /// Memberships that ended in the last five sessions because the security went away.
    pub recent_exits: Vec<RecentExit>,
}

impl EveningBefore {
    /// As a sync of the next day would have found it; no row had been touched by others.
    pub fn into_snapshot(self, policy: &Policy) -> Snapshot {
        let Self { mut members, states, last_run, recent_exits } = self;
        let mut universes = BTreeMap::new();
        for (name, cache_type) in Universe::kinds_by_name(policy) {
            let known = members.remove(&name);
            let state = states.get(&name).cloned();
            if known.is_none() && state.is_none() {
                continue;
            }
            let stored = StoredUniverse {
                cache_type: Some(cache_type.to_string()),
                members: known.unwrap_or_default(),
                // What stood around the symbols is not history; a row of another shape is written anew, no more.
                content: Some(StoredContent::Malformed),
                state,
            };
            universes.insert(name, stored);
        }
        Snapshot { universes, last_run, recent_exits, ..Snapshot::default() }
    }
}

/// The securities of a past date, as far as there is evidence.
///
/// `today` is the source as it is, with the last close of each; `then` are the same rows, in the same order, with the
/// last close on or before `date`. `seen` is what the run of that date saw, or the last kept one before it.
pub fn as_they_were(
    today: &[Security],
    then: Vec<Security>,
    seen: Option<&Seen<'_>>,
    date: NaiveDate,
    policy: &Policy,
) -> Vec<Security> {
    debug_assert_eq!(today.len(), then.len());
    let newest = today.iter().filter_map(last_close).max();
    let there = today.iter().zip(then).filter(|(now, then)| was_there(now, then, date));
    let mut securities = Vec::with_capacity(today.len());
    for (now, mut then) in there {
        let state = seen.and_then(|seen| seen.stocks.get(&then.symbol).copied());
        then.active = was_active(now, newest, date);
        then.stored_cap = moved(now.stored_cap, now, &then);
        if let (Some(seen), Some(state)) = (seen, state) {
            put_back(&mut then, seen, state, date, policy);
        }
        securities.push(then);
    }
    securities
}

/// What a kept run saw of the stocks.
#[derive(Debug)]
pub struct Seen<'r> {
    as_of: NaiveDate,
    stocks: HashMap<&'r Symbol, &'r StockState>,
}

impl<'r> Seen<'r> {
    /// What this run saw.
    pub fn by(run: &'r RunState) -> Self {
        let stocks = run.stocks.iter().map(|stock| (&stock.symbol, stock)).collect();
        Self { as_of: run.as_of, stocks }
    }
}

fn last_close(security: &Security) -> Option<NaiveDate> {
    security.close.map(|close| close.date)
}

/// Whoever had traded was there. Without a trade the date of listing says so; without that one, whoever traded later is
/// taken to have come with the first close.
fn was_there(now: &Security, then: &Security, date: NaiveDate) -> bool {
    then.close.is_some()
        || match now.list_date {
            Some(listed) => listed <= date,
            None => now.close.is_none(),
        }
}

fn was_active(now: &Security, newest: Option<NaiveDate>, date: NaiveDate) -> Option<bool> {
    if now.active != Some(false) {
        return now.active;
    }
    Some(match now.delisted_date {
        Some(delisted) => delisted > date,
        // Who still has closes on the newest date is inactive for a reason that prices don't show.
        None => last_close(now).is_some_and(|last| date <= last && Some(last) < newest),
    })
}

/// A cap of one day at the price of another.
fn moved(cap: Figure, from: &Security, to: &Security) -> Figure {
    let (Some(value), Some(before), Some(after)) = (cap.positive(), from.close_price(), to.close_price())
    else {
        return cap;
    };
    rolled(value, before, after).map_or(cap, Figure::Value)
}

fn rolled(cap: Decimal, before: Decimal, after: Decimal) -> Option<Decimal> {
    if before == after { Some(cap) } else { cap.checked_mul(after)?.checked_div(before) }
}

/// Puts what a run saw of a stock in the place of what `symbols` says today.
fn put_back(then: &mut Security, seen: &Seen<'_>, state: &StockState, date: NaiveDate, policy: &Policy) {
    let today = then.shares.positive().and_then(|shares| shares.to_f64());
    if today != state.shares {
        then.shares = state.shares.and_then(Decimal::from_f64).map_or(Figure::Missing, Figure::Value);
    }
    then.stored_cap = seen_cap(then, state, seen.as_of == date).map_or(Figure::Missing, Figure::Value);
    let sector = policy.sectors.sector_of(then).map(|(sector, _)| sector);
    if sector != state.sector {
        then.sector = state.sector.map(|sector| sector.title().into());
        // A stock without a sector had no code that leads to one either.
        then.sic_code = then.sic_code.take().filter(|_| state.sector.is_some());
    }
}

/// The cap that the run saw; that of an earlier day moves with the price.
fn seen_cap(then: &Security, state: &StockState, is_of_the_day: bool) -> Option<Decimal> {
    let cap = Decimal::new(state.cap_cents?, 2);
    let before = state.close_dollars.and_then(Decimal::from_f64).filter(|close| !close.is_zero());
    match (before, then.close_price()) {
        (Some(before), Some(after)) if !is_of_the_day => rolled(cap, before, after),
        _ => Some(cap),
    }
}
