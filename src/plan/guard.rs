//! What is not believed: bad input never becomes a bad universe.
//!
//! An empty import looks exactly like every company delisting at once, and a share count that is wrong by a factor of
//! a hundred looks like a new mega cap. A guard compares with the last good run and either refuses the job or holds
//! the universe as it was. Somebody who knows that the change is real opens all of them with `accept_churn`.
//!
//! Every bound is for one session. It is multiplied by the sessions since the last run, or since the universe was last
//! applied, up to five; a universe not applied for more than twenty counts as filled for the first time.
//!
//! # What is no churn
//! The first fill, adoption, new listings, ends of their windows, returns, renames and delistings. A seat that a delisted member
//! leaves is filled by the next in rank: that addition is part of the delisting.

use chrono::NaiveDate;

use crate::domain::calendar;
use crate::domain::change::{EntryReason, ExitReason};
use crate::domain::sector::Sector;
use crate::domain::task::SyncTask;

use super::draft::{Change, Draft};
use super::outcome::{Before, Refusal};
use super::policy::{Guards, Method};
use super::run_state::Since;
use super::snapshot::{RunState, StoredUniverse};
use super::universes::{Rule, Universe, theme};
use super::wording::{counted, first_few, grouped, percent, share};

/// A bound grows with the sessions since the last run, up to so many.
const MAX_SCALE_SESSIONS: u32 = 5;
/// Nothing that was applied longer ago than this says anything about today.
const MAX_GAP_SESSIONS: u32 = 20;
/// Fewer changed members than this are never too many, except in `top_100`.
const MIN_CHURN: usize = 5;
/// Largest believable share of stocks whose sector is blank or another at once.
const MAX_SECTORS_CHANGED_PCT: f64 = 10.0;
/// The ranking that is guarded by its own bound.
const TOP_100: usize = 100;
/// What opens a guard.
const REMEDY: &str = "check the import; if it is right, submit --accept-churn";

/// Refuses a market that cannot be believed as a whole.
pub(super) fn check_market(draft: &Draft, since: &Since) -> Result<(), Refusal> {
    let guards = &draft.policy.guards;
    // A revert of the first run leaves one behind that saw nothing.
    let Some(last) = draft.snapshot.last_run.as_ref().filter(|last| last.active_stocks > 0) else {
        return enough_stocks(draft, guards.min_active_stocks);
    };
    if draft.order.accept_churn {
        return Ok(());
    }
    let sessions = calendar::sessions_between(last.as_of, draft.order.as_of);
    active_drop(draft, last, guards, scale(sessions))?;
    caps_missing(draft, last, since, guards, scale(sessions))
}

/// Refuses to take over rows of our names that somebody else filled with something else.
pub(super) fn check_cache_types(draft: &Draft) -> Result<(), Refusal> {
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
pub(super) fn sector_doubt(draft: &Draft, since: &Since) -> Option<String> {
    let last = draft.snapshot.last_run.as_ref()?;
    let sessions = calendar::sessions_between(sectors_applied(draft, last), draft.order.as_of);
    let allowed = MAX_SECTORS_CHANGED_PCT * f64::from(scale(sessions));
    let seen = share(since.sectors_changed.len(), since.sectors_before);
    if sessions > MAX_GAP_SESSIONS || seen <= allowed {
        return None;
    }
    let symbols = since.sectors_changed.iter().map(|(index, _)| &draft.market.security(*index).symbol);
    Some(format!(
        "the sector of {} of {} is blank or another than in the last run believed ({}: {}), \
         at most {} is expected",
        grouped(since.sectors_changed.len()),
        counted(since.sectors_before, "stock"),
        percent(seen),
        first_few(symbols),
        percent(allowed),
    ))
}

/// Why the change of one universe is not believed; `None` where it is.
pub(super) fn doubt(draft: &Draft, change: &Change) -> Option<String> {
    let is_first = change.prior.before != Before::Managed || change.prior.members.is_empty();
    if is_first || draft.order.accept_churn {
        return None;
    }
    would_be_empty(change).or_else(|| too_much_churn(draft, change))
}

/// As [`doubt`], of a universe that is held or not by itself: what goes by sector is doubted with the sectors.
pub(super) fn doubt_alone(draft: &Draft, change: &Change, sector_doubt: Option<&str>) -> Option<String> {
    let by_sector = match change.universe.rule {
        Rule::SectorLeader(_) => true,
        Rule::Theme(place) => match theme(draft.policy, place).method {
            Method::SectorLeaders(_) | Method::EsgScore(_) => true,
            Method::Evidence(_) | Method::DividendGrowth { .. } => false,
        },
        Rule::Tier(_)
        | Rule::Ranking(_)
        | Rule::AllStocks
        | Rule::NewListing
        | Rule::FundCategory(_)
        | Rule::AllFunds => false,
    };
    sector_doubt.filter(|_| by_sector).map(ToOwned::to_owned).or_else(|| doubt(draft, change))
}

/// The reason to hold a universe, from the doubts about it and those that are held with it.
pub(super) fn reason_to_hold(doubts: &[String]) -> String {
    format!("{}; {REMEDY}", doubts.join("; "))
}

/// Tells of universes that were not applied for so long that nothing can be compared.
pub(super) fn warn_of_long_gaps<'c, 'd: 'c>(
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
            "{} not applied for more than {MAX_GAP_SESSIONS} sessions, taken as filled for the first time: {}",
            counted(names.len(), "universe"),
            first_few(names.iter())
        );
        draft.warn("long_gap", text);
    }
}

fn runs(draft: &Draft, task: SyncTask) -> bool {
    draft.order.mode.runs(task)
}

fn enough_stocks(draft: &Draft, wanted: usize) -> Result<(), Refusal> {
    let active = draft.market.eligible();
    if active >= wanted {
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

fn active_drop(draft: &Draft, last: &RunState, guards: &Guards, scale: u32) -> Result<(), Refusal> {
    let active = draft.market.eligible();
    let seen = share(last.active_stocks.saturating_sub(active), last.active_stocks);
    let allowed = guards.max_active_drop_pct * f64::from(scale);
    if seen <= allowed {
        return Ok(());
    }
    Err(Refusal {
        code: "active_drop",
        text: format!(
            "{}, {} on {}: down by {}, at most {} is expected; {REMEDY}",
            counted(active, "active stock"),
            grouped(last.active_stocks),
            last.as_of,
            percent(seen),
            percent(allowed)
        ),
    })
}

fn caps_missing(
    draft: &Draft,
    last: &RunState,
    since: &Since,
    guards: &Guards,
    scale: u32,
) -> Result<(), Refusal> {
    let seen = share(since.caps_lost.len(), since.caps_before);
    let allowed = guards.max_caps_missing_pct * f64::from(scale);
    if seen <= allowed {
        return Ok(());
    }
    let symbols = since.caps_lost.iter().map(|index| &draft.market.security(*index).symbol);
    Err(Refusal {
        code: "caps_missing",
        text: format!(
            "{} of {} lost their market cap since {} ({}: {}), at most {} is expected; {REMEDY}",
            grouped(since.caps_lost.len()),
            counted(since.caps_before, "stock"),
            last.as_of,
            percent(seen),
            first_few(symbols),
            percent(allowed)
        ),
    })
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

/// The day for which sector leaders were last applied, else that of the last run.
fn sectors_applied(draft: &Draft, last: &RunState) -> NaiveDate {
    let stored = Sector::ALL.iter().map(|sector| draft.snapshot.universes.get(&sector.universe()));
    stored.filter_map(last_applied).max().unwrap_or(last.as_of)
}

fn last_applied(stored: Option<&StoredUniverse>) -> Option<NaiveDate> {
    stored?.state.as_ref().map(|state| state.last_as_of)
}

fn scale(sessions: u32) -> u32 {
    sessions.clamp(1, MAX_SCALE_SESSIONS)
}

fn would_be_empty(change: &Change) -> Option<String> {
    let stays_filled = !change.members.is_empty();
    let lost = removed(change);
    if stays_filled || lost == 0 {
        return None;
    }
    Some(format!("{} would be empty, {} would leave", change.universe.name, counted(lost, "member")))
}

/// The bound of a universe: what is counted against what, and how much of it is believed.
struct Bound {
    counted: usize,
    of: usize,
    of_what: &'static str,
    do_what: &'static str,
    pct: f64,
    at_least: usize,
}

fn too_much_churn(draft: &Draft, change: &Change) -> Option<String> {
    let applied = last_applied(change.prior.stored)?;
    let sessions = calendar::sessions_between(applied, draft.order.as_of);
    let bound = bound(change, &draft.policy.guards)?;
    let allowed = bound.pct * f64::from(scale(sessions));
    // Compared as a product: 5 of 100 are exactly 5 %.
    let is_too_much = bound.counted as f64 * 100.0 > allowed * bound.of as f64;
    if sessions > MAX_GAP_SESSIONS || bound.counted < bound.at_least || !is_too_much {
        return None;
    }
    Some(format!(
        "{} of {} {} of {} would {} since {applied} ({}), at most {} is expected in {}",
        grouped(bound.counted),
        grouped(bound.of),
        bound.of_what,
        change.universe.name,
        bound.do_what,
        percent(share(bound.counted, bound.of)),
        percent(allowed),
        counted(scale(sessions) as usize, "session"),
    ))
}

fn bound(change: &Change, guards: &Guards) -> Option<Bound> {
    let (added, removed) = (added(change), removed(change));
    match change.universe.rule {
        Rule::Tier(_) | Rule::Theme(_) | Rule::FundCategory(_) | Rule::AllFunds => Some(Bound {
            counted: added + removed,
            of: change.prior.members.len(),
            of_what: "members",
            do_what: "join or leave",
            pct: guards.tier_churn_pct,
            at_least: MIN_CHURN,
        }),
        Rule::Ranking(limit) => Some(Bound {
            counted: added.saturating_sub(delisted(change)),
            of: limit,
            of_what: "places",
            do_what: "go to others",
            pct: if limit == TOP_100 { guards.top_100_added_pct } else { guards.ranking_added_pct },
            at_least: if limit == TOP_100 { 1 } else { MIN_CHURN },
        }),
        Rule::SectorLeader(_) | Rule::AllStocks | Rule::NewListing => None,
    }
}

fn added(change: &Change) -> usize {
    change.joined.iter().filter(|(_, reason)| *reason == EntryReason::Rule).count()
}

fn removed(change: &Change) -> usize {
    let is_churn = |reason: ExitReason| !matches!(reason, ExitReason::Delisted | ExitReason::WindowEnd);
    change.left.iter().filter(|(_, reason)| is_churn(*reason)).count()
}

fn delisted(change: &Change) -> usize {
    change.left.iter().filter(|(_, reason)| *reason == ExitReason::Delisted).count()
}
