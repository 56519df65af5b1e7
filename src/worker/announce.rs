//! The events and status of a job at each step, built from its row and its plan.
//!
//! Nothing is sent here. The result goes to the outbox, in the transaction that makes it true.

use chrono::{DateTime, Utc};
use serde_json::{Map, json};

use crate::domain::job::JobStatus;
use crate::domain::task::{Mode, SyncTask};
use crate::plan::result::{Plan, PlannedUniverse};
use crate::store::jobs::{JobRow, Lost};
use crate::store::outbox::PendingEvent;
use crate::wire::event::{self, Ending, ErrorReport, Event, Occasion, Severity};
use crate::wire::iso;
use crate::wire::names::Names;
use crate::wire::seq::{self, Numbers};
use crate::wire::status::StatusHash;

/// What stands between the reason for a retry and its time in the error of a job.
pub const NEXT_ATTEMPT: &str = "; next attempt at ";

/// Runs in a row after which a held universe is no longer a nuisance but an emergency.
const CRITICAL_AFTER_RUNS: u32 = 3;

/// Speaks for the jobs of one installation.
#[derive(Debug, Clone, Copy)]
pub struct Announcer<'a> {
    /// The names of the channels.
    pub names: &'a Names,
    /// The time of the events.
    pub at: DateTime<Utc>,
}

impl Announcer<'_> {
    /// A worker began; and how the attempt before it was lost, where it was.
    pub fn started(&self, row: &JobRow, lost: Option<&Lost>) -> Vec<PendingEvent> {
        let mut numbers = Numbers::after(row.last_seq);
        let seq = numbers.take();
        let started = event::Started {
            run_id: row.request.run_id.as_deref(),
            total_items: row.request.mode.tasks().len() as u32,
        };
        let started = pending(self.occasion(row, seq).started(started), Some(&status_of(row, seq, self.at)));
        let lost = lost.map(|lost| {
            let message = lost.to_string();
            let report = report(Severity::Warning, "takeover", &message, row);
            pending(self.occasion(row, numbers.take()).error(&report), None)
        });
        std::iter::once(started).chain(lost).collect()
    }

    /// A sub-task was decided; the status as it is then.
    pub fn progressed(&self, row: &JobRow, seq: i64, progress: &Progress) -> (Event, StatusHash) {
        let event = self.occasion(row, seq).progress(event::Progress {
            run_id: row.request.run_id.as_deref(),
            current_task: progress.task,
            completed: progress.completed,
            total_items: row.request.mode.tasks().len() as u32,
            total_symbols: Some(progress.total_symbols),
        });
        let status = StatusHash {
            current_task: Some(progress.task),
            completed: progress.completed,
            ..status_of(row, seq, self.at)
        };
        (event, status)
    }

    /// The job goes on later: a warning about why, where something went wrong, and the status. Its number is the
    /// row's last.
    pub fn postponed(&self, row: &JobRow, problem: Option<(&str, &str)>) -> Vec<PendingEvent> {
        let seq = row.last_seq;
        let status = status_of(row, seq, self.at);
        match problem {
            Some((category, message)) => {
                let report = report(Severity::Warning, category, message, row);
                vec![pending(self.occasion(row, seq).error(&report), Some(&status))]
            }
            None => {
                vec![PendingEvent {
                    seq,
                    channels: Vec::new(),
                    envelope: None,
                    status_hash: Some(status.to_json()),
                    total_symbols: None,
                }]
            }
        }
    }

    /// The job ended: what went wrong, where something did, and the end, whose number is the row's last.
    pub fn ended(&self, row: &JobRow) -> Vec<PendingEvent> {
        let mut events = Vec::new();
        if let (JobStatus::Failed, Some(error)) = (row.status, &row.error) {
            let report = report(Severity::Error, "job", error, row);
            events
                .push(pending(self.occasion(row, seq::error_before_end(row.last_seq)).error(&report), None));
        }
        events.push(self.completed(row, row.last_seq));
        events
    }

    fn completed(&self, row: &JobRow, seq: i64) -> PendingEvent {
        let result = &row.result;
        let error = row.error.as_deref().unwrap_or("");
        let completed = event::Completed {
            ending: match row.status {
                JobStatus::Cancelled => Ending::Cancelled,
                JobStatus::Failed => Ending::Failed(error),
                JobStatus::Completed | JobStatus::Queued | JobStatus::Running | JobStatus::Retrying => {
                    Ending::Completed
                }
            },
            total_changes: result.total_changes,
            universes_updated: &result.universes_updated,
            held_universes: &result.held_universes,
            duration_ms: duration_ms(row, self.at),
            task_results: &result.task_results,
            warnings: &row.warnings,
            run_id: row.request.run_id.as_deref(),
            digest: &result.digest,
            policy_fingerprint: row.policy_fingerprint.as_deref().unwrap_or(""),
        };
        let total_symbols = i64::try_from(result.total_symbols).ok().filter(|total| *total > 0);
        let status = status_of(row, seq, self.at);
        PendingEvent { total_symbols, ..pending(self.occasion(row, seq).completed(completed), Some(&status)) }
    }

    /// What a plan changes; comes before the end of the job.
    pub fn changes(&self, row: &JobRow, plan: &Plan, numbers: &mut Numbers) -> Vec<PendingEvent> {
        let changed = plan.universes.iter().filter(|universe| universe.changes() > 0);
        let mut events: Vec<PendingEvent> = changed
            .map(|universe| pending(self.universe_updated(row, universe, numbers.take()), None))
            .collect();
        events.extend(self.ipo_assignments(row, plan, numbers));
        events.extend(self.delisting_cleanup(row, plan, numbers));
        for universe in &plan.universes {
            events.extend(self.held(row, universe, numbers));
        }
        events
    }

    fn universe_updated(&self, row: &JobRow, universe: &PlannedUniverse, seq: i64) -> Event {
        let (added, removed) = universe.symbols_changed();
        // The sub-task that all changes are counted for, where it is one; else the one that owns the universe.
        let tasks: std::collections::BTreeSet<SyncTask> =
            universe.joiners().map(|j| j.task).chain(universe.left.iter().map(|left| left.task)).collect();
        let task =
            if tasks.len() == 1 { tasks.first().copied().unwrap_or(universe.task) } else { universe.task };
        self.occasion(row, seq).universe_updated(event::UniverseUpdated {
            universe: &universe.name,
            cache_type: universe.cache_type,
            added: &added,
            removed: &removed,
            count: universe.members.len(),
            cause: match row.request.mode {
                Mode::Revert => event::Cause::Revert,
                _ => event::Cause::Task(task),
            },
        })
    }

    fn ipo_assignments(&self, row: &JobRow, plan: &Plan, numbers: &mut Numbers) -> Vec<PendingEvent> {
        let listings = plan.new_listings();
        let assignments: Vec<event::IpoAssignment> = listings
            .iter()
            .map(|listing| event::IpoAssignment {
                symbol: &listing.joined.symbol,
                universe: listing.universe,
                reason: &listing.joined.why,
                market_cap: listing.joined.cap,
                sector: listing.sector,
            })
            .collect();
        // The events number themselves, from the one that is given on.
        let events = self.occasion(row, numbers.clone().take()).ipo_assignments(&assignments);
        numbers.take_many(events.len());
        events.into_iter().map(|event| pending(event, None)).collect()
    }

    fn delisting_cleanup(&self, row: &JobRow, plan: &Plan, numbers: &mut Numbers) -> Option<PendingEvent> {
        let symbols = plan.delisted();
        if symbols.is_empty() {
            return None;
        }
        let universes = plan.cleaned_up();
        let cleanup = event::DelistingCleanup { symbols: &symbols, universes: &universes };
        Some(pending(self.occasion(row, numbers.take()).delisting_cleanup(cleanup), None))
    }

    fn held(&self, row: &JobRow, universe: &PlannedUniverse, numbers: &mut Numbers) -> Option<PendingEvent> {
        let hold = universe.hold.as_ref()?;
        let severity = if hold.runs >= CRITICAL_AFTER_RUNS { Severity::Critical } else { Severity::Warning };
        let message = format!("{} is held: {}", universe.name, hold.reason);
        let mut report = report(severity, "guard", &message, row);
        report.context.insert("universe".to_owned(), json!(universe.name));
        report.context.insert("held_runs".to_owned(), json!(hold.runs));
        report.context.insert("would_add".to_owned(), json!(hold.would_join.len()));
        report.context.insert("would_remove".to_owned(), json!(hold.would_leave.len()));
        Some(pending(self.occasion(row, numbers.take()).error(&report), None))
    }

    fn occasion<'a>(&'a self, row: &'a JobRow, seq: i64) -> Occasion<'a> {
        Occasion { names: self.names, job_id: row.id(), mode: row.request.mode, seq, at: self.at }
    }
}

/// How far the planning of a job is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// The sub-task that is done.
    pub task: SyncTask,
    /// Sub-tasks done.
    pub completed: u32,
    /// Securities read.
    pub total_symbols: u64,
}

/// The status hash of a job as its row has it.
pub fn status_of(row: &JobRow, seq: i64, at: DateTime<Utc>) -> StatusHash {
    let result = &row.result;
    StatusHash {
        mode: Some(row.request.mode),
        completed: result.completed,
        total_items: row.request.mode.tasks().len() as u32,
        attempt: u32::try_from(row.attempt).unwrap_or(0),
        worker: row.worker.clone(),
        triggered_by: row.request.triggered_by.clone(),
        run_id: row.request.run_id.clone(),
        as_of: row.as_of,
        // When it was asked for: that is what its first status says, and where it stands among the recent jobs.
        created_at: Some(row.request.requested_at),
        start_time: row.start_time,
        end_time: row.end_time,
        updated_at: Some(at),
        duration_ms: row.end_time.map(|_| duration_ms(row, at)),
        total_changes: result.total_changes,
        universes_updated: result.universes_updated.clone(),
        held_universes: result.held_universes.clone(),
        task_results: result.task_results.clone(),
        warnings: row.warnings.clone(),
        error: error_of(row),
        replay_of: row.request.replay_of.clone(),
        ..StatusHash::new(row.id().clone(), row.status, seq)
    }
}

/// What went wrong last; of a job that is to be tried again, with when.
fn error_of(row: &JobRow) -> String {
    let error = row.error.clone().unwrap_or_default();
    match row.not_before {
        Some(due) if row.status == JobStatus::Retrying && !error.is_empty() => {
            format!("{error}{NEXT_ATTEMPT}{}", iso(due))
        }
        Some(_) | None => error,
    }
}

fn duration_ms(row: &JobRow, now: DateTime<Utc>) -> u64 {
    (row.duration_seconds(now) * 1000.0).round() as u64
}

fn report<'a>(severity: Severity, category: &'a str, message: &'a str, row: &JobRow) -> ErrorReport<'a> {
    let mut context = Map::new();
    context.insert("attempt".to_owned(), json!(row.attempt));
    if let Some(step) = &row.last_step {
        context.insert("last_step".to_owned(), json!(step));
    }
    ErrorReport { severity, message, category, component: "worker", context }
}

fn pending(event: Event, status: Option<&StatusHash>) -> PendingEvent {
    PendingEvent {
        seq: event.seq,
        channels: event.channels,
        envelope: Some(event.envelope),
        status_hash: status.map(StatusHash::to_json),
        total_symbols: None,
    }
}
