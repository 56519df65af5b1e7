//! Reads what a job decides on: the rules, the market, the date, the state of our universes, all in one transaction.
//!
//! The sync and the `plan` command share it, so that what is shown is what would be done.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;

use self::snapshot::{AppliedDates, Completing, Wanted, WantedRows};
use self::source::{SourceMarket, SourceTables, Volumes};
use super::layout::appv2::{Rows, misnamed, slots};
use super::layout::groups::Groups;
use super::layout::groups::tables::{self, GroupTables};
use super::layout::rows::read_config;
use super::layout::{self, Entries, Layout};
use crate::domain::job::JobRequest;
use crate::domain::task::SyncTask;
use crate::domain::universe::UniverseName;
use crate::domain::wording::grouped;
use crate::failure::Failure;
use crate::plan::given::closes::{Repeats, are_corrected, suspected_repeats};
use crate::plan::given::date::{Coverage, DateChoice, closes_text};
use crate::plan::given::notice::{Refusal, Warning};
use crate::plan::given::policy::{Overridden, Policy, ShareClasses};
use crate::plan::given::snapshot::{RunState, Snapshot};
use crate::plan::market::identity::in_question;
use crate::plan::members::universes::Universe;
use crate::settings::{EntriesSettings, SourceSettings};
use crate::store::Transaction;
use crate::store::rejected::{self, RejectedDate};

pub mod bars_index;
mod decode;
pub mod past;
pub mod snapshot;
pub mod source;

/// What a job found to decide on.
#[derive(Debug)]
pub enum Reading {
    /// A snapshot of one date.
    Ready(Box<Ready>),
    /// The import is not complete; what was seen of it.
    Incomplete {
        /// `3,412 of 5,600 closes on 2026-03-02`.
        seen: String,
    },
    /// Nothing needs to be done for an automatic job.
    Needless(Warning),
    /// There is nothing to decide on, and waiting would not help.
    Refused(Refusal),
}

/// All that a plan is made from, and what it will be written to.
#[derive(Debug)]
pub struct Ready {
    /// The date.
    pub as_of: NaiveDate,
    /// That a newer date was passed over, and settings that can't be used, where there were such.
    pub warnings: Vec<Warning>,
    /// The rules in force.
    pub policy: Arc<Policy>,
    /// The snapshot.
    pub snapshot: Snapshot,
    /// What stands in `cache_entries`.
    pub entries: Entries,
    /// What stands in the group tables, where they are written.
    pub groups: Option<Groups>,
}

/// Where a reading looks.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// For the market.
    pub source: &'a SourceSettings,
    /// For what stands in `cache_entries`.
    pub entries: &'a EntriesSettings,
    /// For the rules, as far as no row of the database knows better.
    pub policy: &'a Arc<Policy>,
}

/// The layout that was found, and the rules that are in force with it.
#[derive(Debug)]
pub struct Rules {
    /// The layout.
    pub layout: Layout,
    /// The group tables.
    pub group_tables: GroupTables,
    /// The rules.
    pub policy: Arc<Policy>,
    /// The settings that rows of the database set, as `market_cap_thresholds.mega_cap`.
    pub taken: Vec<String>,
    /// What could not be used of such rows, a sentence each.
    pub problems: Vec<String>,
}

/// Finds the layout of `cache_entries` and the group tables, and the rules: those of `policy`, for readers of `AppV2` its
/// further rankings, and in its layout what operators keep in its rows.
pub async fn read_rules(
    tx: &Transaction<'_>,
    settings: &EntriesSettings,
    policy: &Arc<Policy>,
) -> Result<Rules, Failure> {
    let (layout, group_tables) = tokio::try_join!(layout::resolve(tx, settings), tables::look(tx, settings))?;
    let rows = match &layout {
        Layout::Universe if group_tables != GroupTables::Usable => {
            let policy = Arc::clone(policy);
            return Ok(Rules { layout, group_tables, policy, taken: Vec::new(), problems: Vec::new() });
        }
        Layout::Universe => Vec::new(),
        Layout::AppV2(table) => read_config(tx, table).await?,
    };
    let policy = Policy::clone(policy).with_rankings(&settings.appv2_rankings);
    let Overridden { policy, taken, problems } = policy.overridden_by(&rows);
    Ok(Rules { layout, group_tables, policy: Arc::new(policy), taken, problems })
}

/// What stands in the group tables, where they are written.
pub async fn read_groups(
    tx: &Transaction<'_>,
    settings: &EntriesSettings,
    tables: &GroupTables,
    policy: &Policy,
) -> Result<Option<Groups>, Failure> {
    if !tables.is_written(&settings.schema)? {
        return Ok(None);
    }
    Groups::read(tx, settings, policy).await.map(Some)
}

/// Reads for `request` inside the caller's repeatable-read transaction.
pub async fn read(tx: &Transaction<'_>, from: Sources<'_>, request: &JobRequest) -> Result<Reading, Failure> {
    let volumes = match from.policy.stability.share_classes {
        ShareClasses::Primary => Volumes::Read,
        ShareClasses::All => Volumes::Unread,
    };
    // What does not depend on each other is sent without waiting for answers.
    let (rules, source, rejected) = tokio::try_join!(
        read_rules(tx, from.entries, from.policy),
        SourceTables::discover_with(tx, from.source, volumes),
        rejected::list(tx)
    )?;
    let Rules { layout, group_tables, policy, problems, .. } = rules;
    if let Some(refusal) = request.as_of.and_then(|date| refuse_rejected(date, &rejected)) {
        return Ok(Reading::Refused(refusal));
    }
    let source = source.without(&rejected.iter().map(|date| date.as_of).collect::<Vec<_>>());
    let universes: Vec<UniverseName> = Universe::kinds_by_name(&policy).into_keys().collect();
    let cleans = request.mode.runs(SyncTask::DelistedCleanup);
    let protected: Option<&BTreeSet<String>> = cleans.then_some(&policy.protected_types);
    let ours;
    let rows = match &layout {
        Layout::Universe => WantedRows::Universe { clean_foreign: protected },
        Layout::AppV2(table) => {
            ours = slots(table, &policy);
            WantedRows::AppV2 { table, slots: &ours }
        }
    };
    let unindexed = bars_index::look(tx, from.source, &source).await?;
    if let Some(unindexed) = &unindexed {
        tracing::warn!("{unindexed}; what helps: {}", unindexed.statement);
    }
    // Our own state first: we take it apart while the server reads the market.
    let (applied, state, groups, market) = tokio::try_join!(
        snapshot::read_applied(tx),
        snapshot::read_state(tx, Wanted { universes: &universes, rows }),
        read_groups(tx, from.entries, &group_tables, &policy),
        // In a box: the largest of the four, which every caller of this function would carry along.
        Box::pin(source::read_securities(tx, &source, None)),
    )?;
    let mut market = market;
    let mut coverage = coverage_of(&market, applied, &policy);
    let repeats = find_repeats(tx, &source, &mut market, &mut coverage, state.last_run.as_ref()).await?;
    let (as_of, passed_over) = match coverage.date_for(request) {
        DateChoice::Skip(why) => return Ok(Reading::Needless(why)),
        DateChoice::Wait { have, usual, date, .. } => {
            let repeats = repeats.filter(|repeats| repeats.date == date);
            let repeats = repeats.map(|repeats| repeats_text(&repeats)).unwrap_or_default();
            return Ok(Reading::Incomplete {
                seen: format!("{} on {date}{repeats}", closes_text(have, usual)),
            });
        }
        DateChoice::Refuse(refusal) => return Ok(Reading::Refused(refusal)),
        DateChoice::Sync { as_of, warning } => (as_of, warning),
    };
    let last = state.last_run.as_ref();
    let in_question = in_question(&market.securities, &state.universes, last, &policy, as_of);
    let completing = Completing { universes: &universes, in_question: &in_question, guards: &policy.guards };
    let (snapshot, entries) = snapshot::complete(tx, &source, market, state, completing, as_of).await?;
    let in_the_way = || groups.as_ref().and_then(|groups| groups.refusal(&policy));
    if let Some(refusal) = refuse_misnamed(&entries, &policy).or_else(in_the_way) {
        return Ok(Reading::Refused(refusal));
    }
    let unusable = problems.into_iter().map(|text| Warning { code: "cache_config", text });
    let slow = unindexed.map(|unindexed| Warning {
        code: "slow_source",
        text: format!("{unindexed}; what helps: {}", unindexed.statement),
    });
    let warnings = passed_over.into_iter().chain(unusable).chain(slow).collect();
    Ok(Reading::Ready(Box::new(Ready { as_of, warnings, policy, snapshot, entries, groups })))
}

/// A date that somebody has rejected is not synced, whatever closes it has.
fn refuse_rejected(date: NaiveDate, rejected: &[RejectedDate]) -> Option<Refusal> {
    let RejectedDate { as_of, rejected_by, reason, .. } =
        rejected.iter().find(|rejected| rejected.as_of == date)?;
    Some(Refusal {
        code: "date_rejected",
        text: format!(
            "{as_of} was rejected by {rejected_by}: {reason}; name another date, or take that back: \
             cache-sync reject {as_of} --undo"
        ),
    })
}

/// Why a sync would be refused for what stands in `cache_entries`, as far as it can be told without the market.
pub async fn read_refusal(tx: &Transaction<'_>, rules: &Rules) -> Result<Option<Refusal>, Failure> {
    match &rules.layout {
        Layout::Universe => Ok(None),
        Layout::AppV2(table) => {
            let (_, rows) = snapshot::read_appv2(tx, table, slots(table, &rules.policy)).await?;
            let entries = Entries::AppV2 { table: table.clone(), rows, to_write: Vec::new() };
            Ok(refuse_misnamed(&entries, &rules.policy))
        }
    }
}

/// A row of another name where one of ours belongs is somebody's.
fn refuse_misnamed(entries: &Entries, policy: &Policy) -> Option<Refusal> {
    let rows: &Rows = match entries {
        Entries::AppV2 { rows, .. } if !policy.adopt_existing => rows,
        Entries::AppV2 { .. } | Entries::Universe => return None,
    };
    let found = misnamed(rows);
    let (at, name) = found.first()?;
    let others = found.len() - 1;
    let more = if others == 0 { String::new() } else { format!(", and so on for {others} more") };
    Some(Refusal {
        code: "foreign_row_name",
        text: format!(
            "the row of type {} and key {} in cache_entries has the name {name:?}, ours would have {:?}{more}; rename or \
             remove it, or set database.adopt_existing to take it over",
            at.kind, at.key, at.name
        ),
    })
}

/// Leaves out of account what only repeats the closes of the last run, and notes whether those of its date are corrected.
async fn find_repeats(
    tx: &Transaction<'_>,
    source: &SourceTables,
    market: &mut SourceMarket,
    coverage: &mut Coverage,
    last: Option<&RunState>,
) -> Result<Option<Repeats>, Failure> {
    let (Some(last), Some(newest)) = (last, coverage.newest()) else { return Ok(None) };
    coverage.is_corrected = newest == last.as_of && are_corrected(&market.securities, last);
    let Some(repeats) = suspected_repeats(&market.securities, last, newest) else { return Ok(None) };
    source::read_volumes(tx, source, &mut market.securities, &repeats.sample, newest).await?;
    if !repeats.are_confirmed_by(&market.securities) {
        return Ok(None);
    }
    coverage.discount(&repeats);
    Ok(Some(repeats))
}

fn repeats_text(repeats: &Repeats) -> String {
    let Repeats { stocks, last, .. } = repeats;
    format!("; {} more repeat close and volume of {last} and don't count", grouped(*stocks))
}

/// How far the data reaches, counted from what was read.
pub fn coverage_of(market: &SourceMarket, applied: AppliedDates, policy: &Policy) -> Coverage {
    Coverage {
        last_applied: applied.last,
        last_modes: applied.last_modes,
        applied_closes: applied.recent_closes,
        ..Coverage::of(&market.securities, &policy.eligible_types)
    }
}
