//! Decides past days again, in one transaction that can't write and takes no lease; and, where somebody says so, writes
//! them as reconstructed history.
//!
//! # Why days are decided first and written later
//! Deciding a year takes a minute, writing it a second. Only the writing holds the lease, so no sync waits for long.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::calendar;
use crate::domain::job::{JobId, JobRequest, JobStatus};
use crate::domain::security::Security;
use crate::domain::task::Mode;
use crate::domain::wording::counted;
use crate::failure::Failure;
use crate::plan::given::policy::Policy;
use crate::plan::replay::history::Chronicle;
use crate::plan::replay::{Decided, Replay};
use crate::settings::Settings;
use crate::store::apply::{self, BackfillContext};
use crate::store::jobs::{self, Ending, JobResult};
use crate::store::lease::Lease;
use crate::store::read::Sources;
use crate::store::read::past::{self, Known, Past};
use crate::store::{Database, Limits};

/// Bounds of one statement of a replay: somebody waits for it at a screen, but for more than one day.
const LIMITS: Limits = Limits { statement: Duration::from_secs(300), lock: Duration::from_secs(60) };
/// Who asked for a job that wrote reconstructed history.
const TRIGGERED_BY: &str = "backfill";

/// Which days to decide again, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayOrder {
    /// The first day.
    pub from: NaiveDate,
    /// The last one.
    pub to: NaiveDate,
    /// Which sub-tasks.
    pub mode: Mode,
    /// Whether the size guards are open.
    pub accept_churn: bool,
}

impl ReplayOrder {
    /// Whether there is a session in the span at all.
    pub fn has_session(&self) -> bool {
        self.first_session() <= self.to
    }

    /// The sessions of the span, in order, as far as there are closes.
    fn sessions(&self, newest_close: Option<NaiveDate>) -> Vec<NaiveDate> {
        let last = newest_close.map(|newest| newest.min(self.to));
        let sessions =
            std::iter::successors(Some(self.first_session()), |date| Some(calendar::next_session(*date)));
        sessions.take_while(|date| last.is_some_and(|last| *date <= last)).collect()
    }

    fn first_session(&self) -> NaiveDate {
        if calendar::is_session(self.from) { self.from } else { calendar::next_session(self.from) }
    }
}

/// How a replay goes on, told as it does.
#[derive(Debug)]
pub enum Turn<'a> {
    /// It begins.
    Begins {
        /// The rules in force.
        policy: &'a Policy,
        /// What is known of the past.
        known: &'a Known,
        /// How many days there are.
        days: usize,
    },
    /// A day is decided.
    Day {
        /// The day.
        date: NaiveDate,
        /// What became of it.
        decided: &'a Decided,
    },
}

/// Decides every session of a span again, each on what the one before left behind, for as long as `watch` wants it.
/// Returns the securities as they are today.
pub async fn replay(
    database: &Database,
    settings: &Settings,
    order: &ReplayOrder,
    mut watch: impl FnMut(Turn<'_>) -> bool,
) -> Result<Vec<Security>, Failure> {
    let mut client = database.dedicated().await?;
    let transaction = client.begin_read_only(LIMITS).await?;
    let policy = Arc::new(settings.policy());
    let from = Sources { source: &settings.source, entries: &settings.entries, policy: &policy };
    let (mut past, beginning) = Past::read(&transaction, from, order.from).await?;
    let policy = Arc::clone(&past.policy);
    let sessions = order.sessions(past.known.newest_close);
    let mut goes_on = watch(Turn::Begins { policy: &policy, known: &past.known, days: sessions.len() });
    let mut replay = Replay::new(&policy, order.mode, order.accept_churn, beginning);
    for date in sessions {
        if !goes_on {
            break;
        }
        let securities = past.securities(&transaction, date).await?;
        let decided = replay.day(date, securities);
        goes_on = watch(Turn::Day { date, decided: &decided });
    }
    Ok(past.into_today())
}

/// What was written of replayed days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfilled {
    /// The job that stands for it.
    pub job_id: JobId,
    /// Memberships.
    pub memberships: usize,
    /// Lines of the audit.
    pub changes: usize,
    /// The first date that was recorded, up to which they lead.
    pub recorded_from: NaiveDate,
}

/// Why days can't be written as history; `Ok` is the first date that history tells of, and all of them lie before it.
pub fn check_backfill(order: &ReplayOrder, history_begins: Option<NaiveDate>) -> Result<NaiveDate, String> {
    let Some(begins) = history_begins else {
        return Err(
            "nothing is recorded yet that reconstructed history could lead up to; let a first sync fill the \
                    universes, then backfill what lies before it"
                .to_owned(),
        );
    };
    if order.mode != Mode::Full {
        return Err("only whole days are written as history; leave --mode out".to_owned());
    }
    if order.to >= begins {
        let before = calendar::previous_session(begins);
        return Err(format!(
            "history tells of {begins} and later already, and what it tells is never changed; backfill what lies before \
             it: --to {before} at the latest"
        ));
    }
    Ok(begins)
}

/// The first date that history tells of.
pub async fn history_begins(database: &Database) -> Result<Option<NaiveDate>, Failure> {
    let mut client = database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    past::history_begins(&transaction).await
}

/// Writes decided days as history, reconstructed, in one transaction under the lease, as a job that has ended. Syncs
/// wait for it as for each other. An inner error says why nothing was written.
pub async fn backfill(
    database: &Database,
    order: &ReplayOrder,
    chronicle: Chronicle,
    securities: &[Security],
    fingerprint: &str,
    now: DateTime<Utc>,
) -> Result<Result<Backfilled, String>, Failure> {
    let mut client = database.dedicated().await?;
    let lease = Lease::acquire(&mut client, LIMITS).await?;
    // Asked again: a sync or another backfill may have been faster.
    let begins = past::history_begins(lease.transaction()).await?;
    let recorded_from = match check_backfill(order, begins) {
        Ok(begins) => begins,
        Err(why) => return Ok(Err(why)),
    };
    let history = chronicle.lead_up_to(recorded_from);
    let Some((first, last)) = history.span else {
        return Ok(Err("none of these days can be decided, so nothing was written".to_owned()));
    };
    let request = JobRequest {
        as_of: Some(last),
        accept_churn: order.accept_churn,
        ..JobRequest::new(JobId::fresh(), order.mode, TRIGGERED_BY, now)
    };
    let context = BackfillContext { job_id: &request.job_id, now };
    apply::backfill(&lease, &history, securities, context).await?;
    let changes = history.changes.iter().filter(|change| change.symbol.is_some()).count();
    let result = JobResult {
        total_changes: changes as u64,
        total_symbols: securities.len() as u64,
        digest: format!(
            "reconstructed {} from {first} to {last}: {} up to {recorded_from}",
            counted(history.days, "day"),
            counted(history.episodes.len(), "membership")
        ),
        ..JobResult::default()
    };
    let ending = Ending {
        status: JobStatus::Completed,
        as_of: Some(last),
        result,
        policy_fingerprint: Some(fingerprint.to_owned()),
        ..Ending::default()
    };
    jobs::record_ended(lease.transaction(), &request, &ending, now).await?;
    lease.commit().await?;
    Ok(Ok(Backfilled {
        job_id: request.job_id,
        memberships: history.episodes.len(),
        changes: history.changes.len(),
        recorded_from,
    }))
}
