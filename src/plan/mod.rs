//! Turns a market snapshot into the membership changes it calls for.
//!
//! Planning is pure: it reads a [`Snapshot`], a [`Policy`] and an [`Order`], and touches nothing else. Sub-tasks run
//! in a fixed order over one draft, so each sees what the earlier ones decided. Before them comes the question of
//! [which date](given::date), after them stands a [`Plan`] that needs no further decision.
//!
//! # Why refuse a plan, and why hold a universe
//! An empty import looks exactly like every company delisting at once. The guards tell the two apart: a market that
//! cannot be believed as a whole is a [`Refusal`], and nothing is written; a universe whose change cannot be believed
//! is held as it was, and the others go on.
//!
//! # The words of refusals and warnings
//! | refusal | when |
//! |---|---|
//! | `no_securities` | `symbols` holds no row, or no active one |
//! | `no_closes` | too few bars to tell the date |
//! | `not_a_session` | the named date is no trading day and has no closes |
//! | `date_rejected` | somebody has rejected the date (`cache-sync reject`) |
//! | `older_than_applied` | the date lies before the last applied one |
//! | `date_incomplete` | the import of the date did not become complete |
//! | `foreign_cache_type` | a row of our name has another `cache_type` |
//! | `too_few_stocks` | fewer active stocks than `guards.min_active_stocks`, and no good run is known |
//! | `active_drop` | active stocks fell by more than `guards.max_active_drop_pct` |
//! | `caps_missing` | more than `guards.max_caps_missing_pct` lost their cap |
//! | `foreign_row_name` | in the layout of `AppV2` a row of another name stands where one of ours belongs |
//! | `unknown_job`, `unfinished_job`, `nothing_to_revert`, `run_forgotten`, `other_layout` | see [`revert`] |
//!
//! | warning | when |
//! |---|---|
//! | `date_incomplete` | an older date was taken, since the newest is not complete |
//! | `invalid_cap` | a price, share count or cap that cannot be was passed over |
//! | `active_unknown` | `active` is empty: neither eligible nor delisted |
//! | `duplicate_symbol` | two rows of `symbols` are one symbol |
//! | `unreadable_symbol` | a row of `symbols` has no usable symbol |
//! | `foreign_unknown_symbol` | a foreign row names a symbol that `symbols` does not have |
//! | `foreign_malformed` | a foreign row has no array `content.symbols` |
//! | `long_gap` | a universe was not applied for more than 20 sessions; the widest bound holds |
//! | `curated_list_old` | nobody has gone through the list of a theme for more than a year |
//! | `seed_missing` | a symbol on the list of a theme is missing, inactive or of another type |
//! | `seed_listed_later` | a symbol on the list of a theme was listed after the list was made |
//! | `cache_config` | a row of settings in the layout of `AppV2` can't be used, and is passed over |
//! | `held` | a guard kept a universe as it was |
//! | `hold_ended` | universes that were held are applied again |
//! | `pin_without_effect` | a symbol is pinned to a universe that it can't be in, or that has no seat left |
//! | `volume_missing` | of share classes the most traded is wanted, and no bar has a volume |
//! | `split_unconfirmed` | the shares of a suspected split have not come for more than five sessions |
//! | `quarantined` | the value of a stock is not believed, see [`screening`](market::screening) |
//! | `cap_multiplied` | a stock is worth five times as much as in the last run or more, and that is believed |
//! | `contradiction` | rows that can't be as they say, see [`market::contradictions`] |
//! | `identities_doubted` | too many tickers have another FIGI or CIK at once; all are taken for who they were |
//! | `rename_unclear` | a member that is gone is identified like several new symbols, or several like one |
//! | `later_jobs_undone` | a revert undoes jobs that ran after the one it was asked for |
//! | `foreign_changed` | a revert leaves a foreign row that somebody else has written since |

use chrono::NaiveDate;

use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::task::{Mode, SyncTask, TaskStatus};
use crate::domain::universe::Tier;
use crate::domain::wording::{counted, first_few};

use draft::guard;
use draft::{CAP_MULTIPLIED, Draft};
use given::date;
use given::notice::Refusal;
use given::policy::Policy;
use given::snapshot::{RunState, Snapshot};
use market::Market;
use market::identity::Identities;
use market::run_state::{self, Since};
use market::screening::{QUARANTINED, Quarantined};
use members::overrides::Overrides;
use result::{Plan, Refused, TaskReport, held_by_reason};
use tasks::themes::Proposals;
use tasks::{delisting, etf, ipo, market_cap, themes};

pub mod draft;
pub mod explain;
pub mod given;
pub mod impact;
pub mod market;
pub mod members;
pub mod render;
pub mod replay;
pub mod result;
pub mod revert;
pub mod review;
mod tasks;

pub use given::order::Order;
pub use members::overrides::excludes_each_other;

/// So many times as much is named.
const MULTIPLE: f64 = 5.0;
/// A warning tells of so many pins without effect; the others are counted.
const NAMED_PINS: usize = 5;

/// Decides what should change. Each sub-task's report goes to `observe` as soon as it is done.
///
/// Depends on nothing but its arguments, and not on the order of the rows in `snapshot.securities`. An error means
/// that the whole job is refused.
pub fn plan(
    snapshot: &Snapshot,
    policy: &Policy,
    order: &Order,
    observe: &mut dyn FnMut(&TaskReport),
) -> Result<Plan, Refusal> {
    plan_measured(snapshot, policy, order, observe).map_err(|refused| refused.refusal)
}

/// The same with what the guards measured, also where the job is refused.
pub fn plan_measured(
    snapshot: &Snapshot,
    policy: &Policy,
    order: &Order,
    observe: &mut dyn FnMut(&TaskReport),
) -> Result<Plan, Refused> {
    check_order(snapshot, *order).map_err(|refusal| Refused { refusal, measures: Vec::new() })?;
    let (market, identities) = Market::of(snapshot, policy, *order);
    plan_on(&market, &identities, snapshot, policy, *order, observe)
}

/// The market of a snapshot, with what is known of the symbols that its securities have gone by.
pub fn market_of<'a>(snapshot: &'a Snapshot, as_of: NaiveDate, policy: &Policy) -> Market<'a> {
    Market::of(snapshot, policy, Order { mode: Mode::Full, accept_churn: false, as_of }).0
}

/// Pins of `snapshot` that have no effect on `as_of` as its market stands, a sentence each.
pub fn idle_pins(snapshot: &Snapshot, as_of: NaiveDate, policy: &Policy) -> Vec<String> {
    let market = Market::new(&snapshot.securities, as_of, policy);
    Overrides::new(snapshot, &market, policy).idle
}

/// The same on a market that is known already, that of `snapshot` on the date of `order`.
fn plan_on(
    market: &Market,
    identities: &Identities,
    snapshot: &Snapshot,
    policy: &Policy,
    order: Order,
    observe: &mut dyn FnMut(&TaskReport),
) -> Result<Plan, Refused> {
    let since = snapshot.last_run.as_ref().map(|last| Since::last_run(market, last)).unwrap_or_default();
    let mut draft = Draft::new(snapshot, policy, &order, market, identities);
    draft.cap_doubt = guard::cap_doubt_of_last_run(snapshot, policy, order);
    let believed = guard::check_cache_types(&draft).and_then(|()| guard::check_market(&mut draft, &since));
    if let Err(refusal) = believed {
        return Err(Refused { refusal, measures: draft.measures });
    }
    let sector_doubt = guard::sector_doubt(&mut draft, &since);
    let held_back = sector_doubt.as_deref().filter(|_| !order.accept_churn);

    let (mut tasks, mut proposals) = (Vec::new(), Proposals::default());
    for task in order.mode.tasks() {
        carry_out(*task, &mut draft, &mut proposals, held_back);
        let report = draft.report(*task, TaskStatus::Completed);
        observe(&report);
        tasks.push(report);
    }

    // Doubtful sectors become the yardstick only where somebody accepted them and the leaders follow them.
    let accepted = order.accept_churn && order.mode.runs(SyncTask::MarketCapRecalculation);
    let keep_sectors = sector_doubt.is_some() && !accepted;
    let kept_sectors = if keep_sectors { &since.sectors_changed[..] } else { &[] };
    let last_identities = snapshot.last_run.as_ref().and_then(|last| last.identities.as_deref());
    let run = RunState {
        identities: run_state::identities(
            market,
            order.mode == Mode::Full && !identities.are_doubted,
            last_identities,
        ),
        ..run_state::run_state(market, kept_sectors)
    };
    warn_of_unreadable_symbols(&mut draft);
    warn_of_idle_pins(&mut draft);
    warn_of_quarantine(&mut draft);
    warn_of_multiples(&mut draft);
    warn_of_holds(&mut draft);
    guard::warn_of_ended_holds(&mut draft);
    let Draft { universes, foreign, mut warnings, measures, .. } = draft;
    warnings.extend(identities.warnings.iter().cloned());
    Ok(Plan {
        as_of: order.as_of,
        mode: order.mode,
        universes: universes.into_values().collect(),
        foreign,
        restored: Vec::new(),
        identities: identities.changes.clone(),
        tasks,
        warnings,
        measures,
        run,
        released: market.released().to_vec(),
        counts: market.counts(policy),
        total_symbols: snapshot.securities.len(),
    })
}

fn check_order(snapshot: &Snapshot, order: Order) -> Result<(), Refusal> {
    if snapshot.securities.is_empty() {
        return Err(date::no_securities());
    }
    // The date was chosen before the lease was taken; another job may have gone further since.
    match &snapshot.last_run {
        Some(last) if order.as_of < last.as_of => Err(date::older_than_applied(order.as_of, last.as_of)),
        Some(_) | None => Ok(()),
    }
}

fn carry_out<'a>(
    task: SyncTask,
    draft: &mut Draft<'a>,
    proposals: &mut Proposals<'a>,
    sector_doubt: Option<&str>,
) {
    match task {
        SyncTask::MarketCapRecalculation => market_cap::recalculate(draft, sector_doubt),
        SyncTask::IpoAssignment => ipo::assign(draft, proposals, sector_doubt),
        SyncTask::DelistedCleanup => delisting::clean_up(draft),
        SyncTask::ThemeRebalancing => themes::rebalance(draft, std::mem::take(proposals), sector_doubt),
        SyncTask::EtfUniverseMaintenance => etf::maintain(draft),
    }
}

fn warn_of_unreadable_symbols(draft: &mut Draft) {
    let texts = &draft.snapshot.unreadable_symbols;
    if !texts.is_empty() {
        let mut shown: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
        shown.sort_unstable();
        let text =
            format!("{} of symbols left out: {}", counted(texts.len(), "row"), first_few(shown.iter()));
        draft.warn("unreadable_symbol", text);
    }
}

fn warn_of_idle_pins(draft: &mut Draft) {
    let idle = &draft.overrides.idle;
    if !idle.is_empty() {
        let named: Vec<&str> = idle.iter().take(NAMED_PINS).map(String::as_str).collect();
        let more = idle.len() - named.len();
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let text = format!("{} without effect: {}{more}", counted(idle.len(), "pin"), named.join("; "));
        draft.warn("pin_without_effect", text);
    }
}

fn warn_of_quarantine(draft: &mut Draft) {
    let entries: Vec<&Quarantined> = draft.market.quarantined().collect();
    if entries.is_empty() {
        return;
    }
    let text = format!(
        "{} not believed, `cache-sync quarantine` lists them: {}",
        counted(entries.len(), "value"),
        first_few(entries.iter().map(|entry| entry.in_short()))
    );
    draft.warn(QUARANTINED, text);
    warn_of_overdue_splits(draft);
}

/// Stocks that are worth many times as much as in the last run, though that is believed: a person should look once.
fn warn_of_multiples(draft: &mut Draft) {
    let (market, policy) = (draft.market, draft.policy);
    let Some(last) = &draft.snapshot.last_run else { return };
    let smallest = policy.tier_floors.iter().find(|(tier, _)| *tier == Tier::Small);
    let floor = smallest.map_or(Usd::ZERO, |(_, floor)| Usd::dollars(*floor));
    let mut grown: Vec<(Usd, Usd, &Symbol)> = Vec::new();
    for stock in &last.stocks {
        let index = market.index_of_member(&stock.symbol);
        let index = index.filter(|index| market.quarantined_at(*index).is_none());
        let now = index.and_then(|index| Some((index, market.cap(index)?)));
        let (Some((index, now)), Some(before)) = (now, stock.cap_cents.map(Usd::from_cents)) else {
            continue;
        };
        if now >= floor && now.as_f64() >= before.as_f64() * MULTIPLE {
            grown.push((now, before, &market.security(index).symbol));
        }
    }
    if grown.is_empty() {
        return;
    }
    grown.sort_by(|a, b| (b.0, a.2).cmp(&(a.0, b.2)));
    let named =
        grown.iter().map(|(now, before, symbol)| format!("{symbol} {} -> {}", before.short(), now.short()));
    let text = format!(
        "{} worth at least {MULTIPLE} times as much as on {}, and believed: {}",
        counted(grown.len(), "stock"),
        last.as_of,
        first_few(named)
    );
    draft.warn(CAP_MULTIPLIED, text);
}

/// Splits whose shares don't come: nothing will release them soon, so a person should look, at the largest first.
fn warn_of_overdue_splits(draft: &mut Draft) {
    let as_of = draft.order.as_of;
    let mut overdue: Vec<&Quarantined> =
        draft.market.quarantined().filter(|entry| entry.is_overdue(as_of)).collect();
    if overdue.is_empty() {
        return;
    }
    overdue.sort_by(|a, b| (b.cap(), &a.symbol).cmp(&(a.cap(), &b.symbol)));
    let text = format!(
        "the shares of {} have not come; approve those whose value is right: {}",
        counted(overdue.len(), "suspected split"),
        first_few(overdue.iter().map(|entry| entry.in_short()))
    );
    draft.warn("split_unconfirmed", text);
}

/// One warning per reason: it is the same for all tiers, all rankings, and all that goes by sector.
fn warn_of_holds(draft: &mut Draft) {
    let texts: Vec<String> = held_by_reason(draft.universes.values())
        .into_iter()
        .map(|(reason, names)| format!("{}: {reason}", names.join(", ")))
        .collect();
    for text in texts {
        draft.warn("held", text);
    }
}
