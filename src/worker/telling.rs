//! What the world is told of a job at each turn, built from its row and its plan.
//!
//! Nothing is sent here: the result is what the outbox owes, written in the transaction that makes it true.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::domain::job::JobStatus;
use crate::domain::task::{Mode, SyncTask};
use crate::plan::digest::digest;
use crate::plan::measure::Reading;
use crate::plan::outcome::{Plan, PlannedUniverse, TaskStatus};
use crate::plan::tally;
use crate::store::jobs::{JobRow, Lost, PROGRESS_NUMBERS, STARTING_NUMBERS};
use crate::store::outbox::Owed;
use crate::wire::event::{self, Ending, ErrorReport, Event, Occasion, Severity};
use crate::wire::names::Names;
use crate::wire::status::{StatusHash, TaskResult};

/// Runs in a row after which a held universe is no longer a nuisance but an emergency.
const CRITICAL_AFTER_RUNS: u32 = 3;

/// What a job did, as `cache_sync_jobs.result` keeps it: the status hash can be made again from the row alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobResult {
    /// Memberships added and removed.
    pub total_changes: u64,
    /// Universes whose members changed.
    pub universes_updated: Vec<String>,
    /// Universes that a guard held back.
    pub held_universes: Vec<String>,
    /// How each sub-task went.
    pub task_results: BTreeMap<SyncTask, TaskResult>,
    /// Sub-tasks finished.
    pub completed: u32,
    /// Securities read.
    pub total_symbols: u64,
    /// The result in a few words.
    pub digest: String,
    /// Whether the job was given up and belongs to the dead letters.
    pub is_dead_letter: bool,
    /// What the guards measured: of each the measure nearest to its bound.
    pub guards: Vec<Reading>,
}

impl JobResult {
    /// What carrying out `plan` did; `durations` as measured.
    pub fn of_plan(plan: &Plan, durations: &BTreeMap<SyncTask, u64>) -> Self {
        let task_results = plan.tasks.iter().map(|report| {
            let duration_ms = durations.get(&report.task).copied().unwrap_or(0);
            let result = TaskResult { status: report.status, changes: report.changes as u64, duration_ms };
            (report.task, result)
        });
        Self {
            total_changes: plan.total_changes() as u64,
            universes_updated: plan.updated(),
            held_universes: plan.held(),
            task_results: task_results.collect(),
            completed: plan.tasks.len() as u32,
            total_symbols: plan.total_symbols as u64,
            digest: digest(plan),
            is_dead_letter: false,
            guards: tally::nearest(&plan.measures).into_values().map(Reading::of).collect(),
        }
    }

    /// A job of `mode` for which nothing needed to be done.
    pub fn of_skipped(mode: Mode) -> Self {
        let skipped = TaskResult { status: TaskStatus::Skipped, changes: 0, duration_ms: 0 };
        Self { task_results: mode.tasks().iter().map(|task| (*task, skipped)).collect(), ..Self::default() }
    }

    /// The result that a row keeps; an empty one where it has none yet.
    pub fn of_row(row: &JobRow) -> Self {
        serde_json::from_value(row.result.clone()).unwrap_or_default()
    }

    /// As the row keeps it.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a result is plain data")
    }
}

/// The numbers of what is told under one lease, in order.
#[derive(Debug, Clone)]
pub struct Numbers {
    last: i64,
}

impl Numbers {
    /// Goes on after what the row has given out.
    pub fn after(row: &JobRow) -> Self {
        Self { last: row.last_seq }
    }

    /// Goes on after everything that may have been told of the start of this claim.
    pub fn after_start(row: &JobRow) -> Self {
        Self { last: row.last_seq + STARTING_NUMBERS }
    }

    /// Goes on after everything that may have been told of progress under this claim.
    pub fn after_progress(row: &JobRow) -> Self {
        Self { last: row.last_seq + PROGRESS_NUMBERS }
    }

    /// The next number.
    pub fn take(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// The last number given out.
    pub fn last(&self) -> i64 {
        self.last
    }
}

/// Speaks for the jobs of one installation.
#[derive(Debug, Clone, Copy)]
pub struct Teller<'a> {
    /// The names of the channels.
    pub names: &'a Names,
    /// The time of what is told.
    pub at: DateTime<Utc>,
}

impl Teller<'_> {
    /// A worker began; and how the attempt before it was lost, where it was.
    pub fn started(&self, row: &JobRow, lost: Option<&Lost>) -> Vec<Owed> {
        let mut numbers = Numbers::after(row);
        let seq = numbers.take();
        let started = event::Started {
            run_id: row.request.run_id.as_deref(),
            total_items: row.request.mode.tasks().len() as u32,
        };
        let started = owed(self.occasion(row, seq).started(started), Some(&status_of(row, seq, self.at)));
        let lost = lost.map(|lost| {
            let message = lost.to_string();
            let report = report(Severity::Warning, "takeover", &message, row);
            owed(self.occasion(row, numbers.take()).error(&report), None)
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
    pub fn postponed(&self, row: &JobRow, problem: Option<(&str, &str)>) -> Vec<Owed> {
        let seq = row.last_seq;
        let status = status_of(row, seq, self.at);
        match problem {
            Some((category, message)) => {
                let report = report(Severity::Warning, category, message, row);
                vec![owed(self.occasion(row, seq).error(&report), Some(&status))]
            }
            None => {
                vec![Owed {
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
    pub fn ended(&self, row: &JobRow) -> Vec<Owed> {
        let mut owing = Vec::new();
        if let (JobStatus::Failed, Some(error)) = (row.status, &row.error) {
            let report = report(Severity::Error, "job", error, row);
            owing.push(owed(self.occasion(row, row.last_seq - 1).error(&report), None));
        }
        owing.push(self.completed(row, row.last_seq));
        owing
    }

    fn completed(&self, row: &JobRow, seq: i64) -> Owed {
        let result = JobResult::of_row(row);
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
        Owed { total_symbols, ..owed(self.occasion(row, seq).completed(completed), Some(&status)) }
    }

    /// What a plan changes, before the end of the job is told.
    pub fn changes(&self, row: &JobRow, plan: &Plan, numbers: &mut Numbers) -> Vec<Owed> {
        let changed = plan.universes.iter().filter(|universe| universe.changes() > 0);
        let mut owing: Vec<Owed> = changed
            .map(|universe| owed(self.universe_updated(row, universe, numbers.take()), None))
            .collect();
        owing.extend(self.ipo_assignments(row, plan, numbers));
        owing.extend(self.delisting_cleanup(row, plan, numbers));
        for universe in &plan.universes {
            owing.extend(self.held(row, universe, numbers));
        }
        owing
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

    fn ipo_assignments(&self, row: &JobRow, plan: &Plan, numbers: &mut Numbers) -> Vec<Owed> {
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
        let events = self.occasion(row, numbers.last() + 1).ipo_assignments(&assignments);
        // The events number themselves; the count goes on behind them.
        numbers.last += events.len() as i64;
        events.into_iter().map(|event| owed(event, None)).collect()
    }

    fn delisting_cleanup(&self, row: &JobRow, plan: &Plan, numbers: &mut Numbers) -> Option<Owed> {
        let symbols = plan.delisted();
        if symbols.is_empty() {
            return None;
        }
        let universes = plan.cleaned_up();
        let cleanup = event::DelistingCleanup { symbols: &symbols, universes: &universes };
        Some(owed(self.occasion(row, numbers.take()).delisting_cleanup(cleanup), None))
    }

    fn held(&self, row: &JobRow, universe: &PlannedUniverse, numbers: &mut Numbers) -> Option<Owed> {
        let hold = universe.hold.as_ref()?;
        let severity = if hold.runs >= CRITICAL_AFTER_RUNS { Severity::Critical } else { Severity::Warning };
        let message = format!("{} is held: {}", universe.name, hold.reason);
        let mut report = report(severity, "guard", &message, row);
        report.context.insert("universe".to_owned(), json!(universe.name));
        report.context.insert("held_runs".to_owned(), json!(hold.runs));
        report.context.insert("would_add".to_owned(), json!(hold.would_join.len()));
        report.context.insert("would_remove".to_owned(), json!(hold.would_leave.len()));
        Some(owed(self.occasion(row, numbers.take()).error(&report), None))
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
    let result = JobResult::of_row(row);
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
        universes_updated: result.universes_updated,
        held_universes: result.held_universes,
        task_results: result.task_results,
        warnings: row.warnings.clone(),
        error: row.error.clone().unwrap_or_default(),
        replay_of: row.request.replay_of.clone(),
        ..StatusHash::new(row.id().clone(), row.status, seq)
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

fn owed(event: Event, status: Option<&StatusHash>) -> Owed {
    Owed {
        seq: event.seq,
        channels: event.channels,
        envelope: Some(event.envelope),
        status_hash: status.map(StatusHash::to_json),
        total_symbols: None,
    }
}
