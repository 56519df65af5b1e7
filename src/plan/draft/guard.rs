//! What is not believed: bad input never becomes a bad universe.
//!
//! An empty import looks exactly like every company delisting at once, and a share count that is wrong by a factor of
//! a hundred looks like a new mega cap. A guard compares with the last good run and either refuses the job or holds
//! the universe as it was. Somebody who knows that the change is real opens all of them with `accept_churn`. Whatever
//! comes of it, what was counted stays in the draft as a [`Measure`].
//!
//! Every bound is for one session. It is multiplied by the sessions since the last run, or since the universe was last
//! applied, up to five. A session in which the universe was held does not count: the bad list of one night is no better
//! for standing a second one. After a long gap the widest bound holds still, and only `accept_churn` opens it.
//!
//! # What is held together
//! Tiers are disjoint and rankings nested only as long as all come from the same night, so all of them are held or none.
//! Caps that are not believed for tiers or rankings are not believed for anything else that ranks by them, either:
//! sector leaders, and the themes whose seats go by cap.
//!
//! # What is no churn
//! The first fill, adoption, new listings, ends of their windows, returns, renames and delistings, and what people have
//! pinned or banned. A seat that a delisted or banned member leaves is filled by the next in rank: that addition is part of
//! the delisting. Whoever gives way to a pin is part of the pin.

use chrono::NaiveDate;

use crate::domain::calendar;
use crate::domain::change::{EntryReason, ExitReason, UniverseStatus};
use crate::domain::sector::Sector;
use crate::domain::task::SyncTask;

use super::measure::{Guard, Measure};
use super::{Change, Draft};
use crate::domain::wording::{counted, first_few, grouped, percent};
use crate::plan::Order;
use crate::plan::draft::planned::Before;
use crate::plan::given::notice::Refusal;
use crate::plan::given::policy::{Guards, Method, Policy};
use crate::plan::given::snapshot::{RunState, Snapshot, StoredUniverse, UniverseState};
use crate::plan::market::run_state::Since;
use crate::plan::members::universes::{Rule, Universe, theme};

/// A bound grows with the sessions since the last run, up to so many.
const MAX_SCALE_SESSIONS: u32 = 5;
/// A universe that was not applied for longer than this is warned about.
const MAX_GAP_SESSIONS: u32 = 20;
/// Fewer changed members than this are never too many, except in `top_100`.
const MIN_CHURN: usize = 5;
/// The ranking that is guarded by its own bound.
const TOP_100: usize = 100;
/// What opens a guard.
const REMEDY: &str = "check the import; if it is right, submit --accept-churn";

/// Refuses a market that cannot be believed as a whole.
pub(crate) fn check_market(draft: &mut Draft, since: &Since) -> Result<(), Refusal> {
    let (guards, snapshot) = (&draft.policy.guards, draft.snapshot);
    // A revert of the first run leaves one behind that saw nothing.
    let Some(last) = snapshot.last_run.as_ref().filter(|last| last.active_stocks > 0) else {
        return enough_stocks(draft, guards.min_active_stocks);
    };
    let sessions = scale(calendar::sessions_between(last.as_of, draft.order.as_of));
    active_drop(draft, last, guards, sessions)?;
    caps_missing(draft, last, since, guards, sessions)
}

/// Refuses to take over rows of our names that somebody else filled with something else.
pub(crate) fn check_cache_types(draft: &Draft) -> Result<(), Refusal> {
    if draft.policy.adopt_existing {
        return Ok(());
    }
    for universe in Universe::all(draft.policy) {
        let seats_listings = matches!(universe.rule, Rule::Theme(_)) && runs(draft, SyncTask::IpoAssignment);
        if !runs(draft, universe.task()) && !runs(draft, SyncTask::DelistedCleanup) && !seats_listings {
            continue;
        }
        let stored = draft.snapshot.universes.get(&universe.name).filter(|stored| stored.content.is_some());
        let found = stored.map(|stored| stored.cache_type.as_deref());
        match found {
            Some(found) if found != Some(universe.cache_type().as_str()) => {
                return Err(foreign_cache_type(&universe, found));
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// Why sector leaders and what else goes by sector are not believed; `None` where they are.
pub(crate) fn sector_doubt(draft: &mut Draft, since: &Since) -> Option<String> {
    let last = draft.snapshot.last_run.as_ref()?;
    let sessions = sessions_of_sectors(draft, last);
    let measure = Measure {
        counted: since.sectors_changed.len(),
        of: since.sectors_before,
        allowed_pct: Guards::MAX_SECTORS_CHANGED_PCT * f64::from(scale(sessions)),
        sessions: scale(sessions),
        ..of_market(Guard::SectorsChanged)
    };
    let symbols = since.sectors_changed.iter().map(|(index, _)| &draft.market.security(*index).symbol);
    let doubt = measure.is_exceeded().then(|| {
        format!(
            "the sector of {} of {} is blank or another than in the last run believed ({}: {}), \
             at most {} is expected",
            grouped(measure.counted),
            counted(measure.of, "stock"),
            percent(measure.seen_pct()),
            first_few(symbols),
            percent(measure.allowed_pct),
        )
    });
    draft.measures.push(measure);
    doubt
}

/// Why the change of one universe is not believed; `None` where it is.
pub(crate) fn doubt(draft: &mut Draft, change: &Change) -> Option<String> {
    if is_first(change) {
        return None;
    }
    let measure = would_be_empty(draft, change).or_else(|| churn(draft, change))?;
    let is_doubted = measure.is_exceeded() && !draft.order.accept_churn;
    let doubt = is_doubted.then(|| too_much(change, &measure));
    draft.measures.push(measure);
    doubt
}

/// As [`doubt`], of a universe that is held or not by itself: what goes by sector is doubted with the sectors.
pub(crate) fn doubt_alone(draft: &mut Draft, change: &Change, sector_doubt: Option<&str>) -> Option<String> {
    let (by_sector, by_cap) = match change.universe.rule {
        Rule::SectorLeader(_) => (true, true),
        Rule::Theme(place) => match theme(draft.policy, place).method {
            Method::SectorLeaders(_) | Method::EsgScore(_) => (true, true),
            Method::Evidence(_) => (false, true),
            Method::DividendGrowth { .. } => (false, false),
        },
        Rule::Tier(_)
        | Rule::Ranking(_)
        | Rule::AllStocks
        | Rule::NewListing
        | Rule::FundCategory(_)
        | Rule::AllFunds => (false, false),
    };
    let sector_doubt = sector_doubt.filter(|_| by_sector).map(ToOwned::to_owned);
    let cap_doubt = draft.cap_doubt.clone().filter(|_| by_cap && !is_first(change));
    sector_doubt.or(cap_doubt).or_else(|| doubt(draft, change))
}

/// Why the market caps are not believed, where tiers or rankings are held: what ranks by caps is held with them. Before
/// the sub-task that decides about tiers, and without it, they are doubted where they were held last.
pub(super) fn cap_doubt_of_last_run(snapshot: &Snapshot, policy: &Policy, order: Order) -> Option<String> {
    if order.accept_churn || order.mode.runs(SyncTask::MarketCapRecalculation) {
        return None;
    }
    let is_held = |universe: &Universe| {
        let state = snapshot.universes.get(&universe.name).and_then(|stored| stored.state.as_ref());
        state.is_some_and(|state| state.held_runs > 0)
    };
    let by_cap = |universe: &Universe| matches!(universe.rule, Rule::Tier(_) | Rule::Ranking(_));
    let mut universes = Universe::of_task(policy, SyncTask::MarketCapRecalculation).into_iter();
    let held = universes.find(|universe| by_cap(universe) && is_held(universe))?;
    Some(doubt_of_caps(&held))
}

/// Tells the draft that the guard of a tier or ranking has just doubted its caps.
pub(crate) fn doubt_caps(draft: &mut Draft, change: &Change) {
    // A universe that would be empty says little about the caps of a market.
    let is_of_caps = draft.measures.last().is_some_and(|measure| measure.guard != Guard::WouldBeEmpty);
    if is_of_caps && draft.cap_doubt.is_none() {
        draft.cap_doubt = Some(doubt_of_caps(&change.universe));
    }
}

fn doubt_of_caps(universe: &Universe) -> String {
    format!("it ranks by market caps, which are not believed while {} is held", universe.name)
}

/// Names the universes that are held no longer.
pub(crate) fn warn_of_ended_holds(draft: &mut Draft) {
    let ended = draft.universes.values().filter_map(|planned| {
        let state = draft.snapshot.universes.get(&planned.name)?.state.as_ref()?;
        (state.held_runs > 0 && planned.hold.is_none() && planned.status == UniverseStatus::Ok).then(|| {
            format!(
                "{} ({}, since {})",
                planned.name,
                counted(state.held_runs as usize, "run"),
                state.last_as_of
            )
        })
    });
    let ended: Vec<String> = ended.collect();
    if !ended.is_empty() {
        draft.warn("hold_ended", format!("no longer held: {}", ended.join(", ")));
    }
}

/// A universe that is filled for the first time, or taken over.
fn is_first(change: &Change) -> bool {
    change.prior.before != Before::Managed || change.prior.members.is_empty()
}

/// The reason to hold a universe, from the doubts about it and those that are held with it.
pub(crate) fn reason_to_hold(doubts: &[String]) -> String {
    format!("{}; {REMEDY}", doubts.join("; "))
}

/// Names universes that were not applied for so long that much may have changed for good.
pub(crate) fn warn_of_long_gaps<'c, 'd: 'c>(
    draft: &mut Draft<'d>,
    changes: impl Iterator<Item = &'c Change<'d>>,
) {
    let as_of = draft.order.as_of;
    let has_gap = |change: &&Change| {
        !change.prior.members.is_empty()
            && last_applied(change.prior.stored)
                .is_some_and(|applied| calendar::sessions_between(applied, as_of) > MAX_GAP_SESSIONS)
    };
    let names: Vec<&str> = changes.filter(has_gap).map(|change| change.universe.name.as_str()).collect();
    if !names.is_empty() {
        let text = format!(
            "{} not applied for more than {MAX_GAP_SESSIONS} sessions, compared with the widest bound: {}",
            counted(names.len(), "universe"),
            first_few(names.iter())
        );
        draft.warn("long_gap", text);
    }
}

fn runs(draft: &Draft, task: SyncTask) -> bool {
    draft.order.mode.runs(task)
}

fn enough_stocks(draft: &mut Draft, wanted: usize) -> Result<(), Refusal> {
    let active = draft.market.eligible();
    let measure = Measure {
        counted: wanted.saturating_sub(active),
        of: wanted,
        allowed_pct: 0.0,
        ..of_market(Guard::TooFewStocks)
    };
    let is_exceeded = measure.is_exceeded();
    draft.measures.push(measure);
    if !is_exceeded {
        return Ok(());
    }
    let types: Vec<&str> = draft.policy.eligible_types.iter().map(String::as_str).collect();
    Err(Refusal {
        code: "too_few_stocks",
        text: format!(
            "{} of type {} and no good run to compare with, at least {} are expected; \
             load symbols in full, or lower guards.min_active_stocks",
            counted(active, "active stock"),
            types.join(" or "),
            grouped(wanted)
        ),
    })
}

fn active_drop(draft: &mut Draft, last: &RunState, guards: &Guards, sessions: u32) -> Result<(), Refusal> {
    let active = draft.market.eligible();
    let measure = Measure {
        counted: last.active_stocks.saturating_sub(active),
        of: last.active_stocks,
        allowed_pct: guards.max_active_drop_pct * f64::from(sessions),
        sessions,
        ..of_market(Guard::ActiveDrop)
    };
    refuse_if_exceeded(draft, measure, |measure| Refusal {
        code: "active_drop",
        text: format!(
            "{}, {} on {}: down by {}, at most {} is expected; {REMEDY}",
            counted(active, "active stock"),
            grouped(last.active_stocks),
            last.as_of,
            percent(measure.seen_pct()),
            percent(measure.allowed_pct)
        ),
    })
}

fn caps_missing(
    draft: &mut Draft,
    last: &RunState,
    since: &Since,
    guards: &Guards,
    sessions: u32,
) -> Result<(), Refusal> {
    let measure = Measure {
        counted: since.caps_lost.len(),
        of: since.caps_before,
        allowed_pct: guards.max_caps_missing_pct * f64::from(sessions),
        sessions,
        ..of_market(Guard::CapsMissing)
    };
    let market = draft.market;
    let symbols = since.caps_lost.iter().map(|index| &market.security(*index).symbol);
    refuse_if_exceeded(draft, measure, |measure| Refusal {
        code: "caps_missing",
        text: format!(
            "{} of {} lost their market cap since {} ({}: {}), at most {} is expected; {REMEDY}",
            grouped(measure.counted),
            counted(measure.of, "stock"),
            last.as_of,
            percent(measure.seen_pct()),
            first_few(symbols),
            percent(measure.allowed_pct)
        ),
    })
}

/// Keeps what was measured, and refuses where it is too much and nobody accepted it.
fn refuse_if_exceeded(
    draft: &mut Draft,
    measure: Measure,
    refusal: impl FnOnce(&Measure) -> Refusal,
) -> Result<(), Refusal> {
    let is_refused = measure.is_exceeded() && !draft.order.accept_churn;
    let refused = is_refused.then(|| refusal(&measure));
    draft.measures.push(measure);
    refused.map_or(Ok(()), Err)
}

/// A measure of the market as a whole, of nothing yet.
fn of_market(guard: Guard) -> Measure {
    Measure { guard, universe: None, counted: 0, of: 0, at_least: 1, allowed_pct: 0.0, sessions: 1 }
}

fn foreign_cache_type(universe: &Universe, found: Option<&str>) -> Refusal {
    let found = found.map_or_else(|| "none".to_owned(), |found| format!("{found:?}"));
    Refusal {
        code: "foreign_cache_type",
        text: format!(
            "the row {} has cache_type {found}, {:?} is expected; rename or delete it if it is somebody else's, \
             or set database.adopt_existing = true to take it over",
            universe.name,
            universe.cache_type().as_str()
        ),
    }
}

/// The sessions for which sector leaders could have been applied since they were, else those since the last run.
fn sessions_of_sectors(draft: &Draft, last: &RunState) -> u32 {
    let stored = Sector::ALL.iter().filter_map(|sector| draft.snapshot.universes.get(&sector.universe()));
    let newest = stored.filter_map(|stored| stored.state.as_ref()).max_by_key(|state| state.last_as_of);
    newest.map_or_else(
        || calendar::sessions_between(last.as_of, draft.order.as_of),
        |state| sessions_open(state, draft.order.as_of),
    )
}

/// The sessions since a universe was last applied for which it could have been: in the others it was held.
fn sessions_open(state: &UniverseState, as_of: NaiveDate) -> u32 {
    calendar::sessions_between(state.last_as_of, as_of).saturating_sub(state.held_runs)
}

fn last_applied(stored: Option<&StoredUniverse>) -> Option<NaiveDate> {
    stored?.state.as_ref().map(|state| state.last_as_of)
}

fn scale(sessions: u32) -> u32 {
    sessions.clamp(1, MAX_SCALE_SESSIONS)
}

/// Measured only where nobody would be left.
fn would_be_empty(draft: &Draft, change: &Change) -> Option<Measure> {
    let lost = removed(draft, change);
    let is_emptied = change.members.is_empty() && lost > 0;
    is_emptied.then(|| Measure {
        universe: Some(change.universe.name.clone()),
        counted: lost,
        of: change.prior.members.len(),
        ..of_market(Guard::WouldBeEmpty)
    })
}

/// What changes of a universe, against its bound; `None` where it has none.
fn churn(draft: &Draft, change: &Change) -> Option<Measure> {
    let sessions = sessions_open(change.prior.stored?.state.as_ref()?, draft.order.as_of);
    let guards = &draft.policy.guards;
    let (added, removed) = (added(change), removed(draft, change));
    // A pin or a ban in a universe with so many seats moves another one, too.
    let (pinned, banned) = (pinned(change), banned(change));
    let members = change.prior.members.len();
    let (guard, counted, of, pct) = match change.universe.rule {
        Rule::Theme(_) => {
            let counted = added.saturating_sub(banned) + removed.saturating_sub(pinned);
            (Guard::TierChurn, counted, members, guards.tier_churn_pct)
        }
        Rule::Tier(_) | Rule::FundCategory(_) | Rule::AllFunds => {
            (Guard::TierChurn, added + removed, members, guards.tier_churn_pct)
        }
        Rule::Ranking(limit) => {
            let (guard, pct) = if limit == TOP_100 {
                (Guard::Top100Added, guards.top_100_added_pct)
            } else {
                (Guard::RankingAdded, guards.ranking_added_pct)
            };
            (guard, added.saturating_sub(delisted(change) + banned), limit, pct)
        }
        Rule::SectorLeader(_) | Rule::AllStocks | Rule::NewListing => return None,
    };
    Some(Measure {
        guard,
        universe: Some(change.universe.name.clone()),
        counted,
        of,
        at_least: if guard == Guard::Top100Added { 1 } else { MIN_CHURN },
        allowed_pct: pct * f64::from(scale(sessions)),
        sessions: scale(sessions),
    })
}

/// The sentence of a universe's measure that is too much.
fn too_much(change: &Change, measure: &Measure) -> String {
    let name = &change.universe.name;
    let (of_what, do_what) = match measure.guard {
        Guard::Top100Added | Guard::RankingAdded => ("places", "go to others"),
        Guard::WouldBeEmpty => {
            return format!("{name} would be empty, {} would leave", counted(measure.counted, "member"));
        }
        Guard::TierChurn
        | Guard::TooFewStocks
        | Guard::ActiveDrop
        | Guard::CapsMissing
        | Guard::SectorsChanged => ("members", "join or leave"),
    };
    let since =
        last_applied(change.prior.stored).map(|applied| format!(" since {applied}")).unwrap_or_default();
    format!(
        "{} of {} {of_what} of {name} would {do_what}{since} ({}), at most {} is expected in {}",
        grouped(measure.counted),
        grouped(measure.of),
        percent(measure.seen_pct()),
        percent(measure.allowed_pct),
        counted(measure.sessions as usize, "session"),
    )
}

fn added(change: &Change) -> usize {
    change.joined.iter().filter(|(_, reason)| *reason == EntryReason::Rule).count()
}

fn removed(draft: &Draft, change: &Change) -> usize {
    let is_churn = |reason: ExitReason| {
        !matches!(reason, ExitReason::Delisted | ExitReason::WindowEnd | ExitReason::Ban)
    };
    let is_moved_by_hand = |place: usize| {
        let index = change.prior.members[place].index;
        index.is_some_and(|index| draft.hands.pin_elsewhere(&change.universe, index).is_some())
    };
    change.left.iter().filter(|(place, reason)| is_churn(*reason) && !is_moved_by_hand(*place)).count()
}

fn pinned(change: &Change) -> usize {
    change.joined.iter().filter(|(_, reason)| *reason == EntryReason::Pin).count()
}

fn banned(change: &Change) -> usize {
    change.left.iter().filter(|(_, reason)| *reason == ExitReason::Ban).count()
}

fn delisted(change: &Change) -> usize {
    change.left.iter().filter(|(_, reason)| *reason == ExitReason::Delisted).count()
}
