//! The events of a job: what is said on pub/sub and kept in the job's event stream.
//!
//! Every event is one envelope, built by a method of [`Occasion`], which knows job, mode, `seq` and time. Readers are
//! pages and scripts that were written against these exact fields, so: the payload is an object, a number is never
//! null or NaN (an unknown one is left out), a text is empty rather than null, and lists of symbols hold at most
//! [`MAX_SYMBOLS`].

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::names::Names;
use super::status::TaskResult;
use super::{iso, percentage, seconds};
use crate::domain::job::JobId;
use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::symbol::Symbol;
use crate::domain::task::{Mode, SyncTask};
use crate::domain::universe::{CacheType, UniverseName};
use crate::domain::words;

/// The most symbols that one event lists; the count beside them tells of more.
pub const MAX_SYMBOLS: usize = 100;
/// Beyond so many assignments of new listings, one event per universe sums them up: a first fill would otherwise
/// send thousands.
pub const MAX_IPO_EVENTS: usize = 500;
/// The only phase of a job.
pub const PHASE: &str = "cache_sync";

/// The version of the envelopes.
const VERSION: &str = "1.0";

words! {
    /// What an event says; the field `event`.
    EventName {
        /// Somebody asked for a job.
        Triggered = "cache_sync_triggered",
        /// A worker began.
        Started = "cache_sync_started",
        /// A sub-task is done.
        Progress = "cache_sync_progress",
        /// The members of a universe changed.
        UniverseUpdated = "universe_updated",
        /// A new listing joined a universe.
        IpoAssignment = "ipo_assignment",
        /// What no longer trades left its universes.
        DelistingCleanup = "delisting_cleanup",
        /// The job ended, well or not.
        Completed = "cache_sync_completed",
        /// Something went wrong, or wants a look.
        Error = "cache_sync_error",
    }
}

words! {
    /// Who speaks; the field `source`.
    Origin {
        /// The worker, the command line, the triggers.
        Job = "daily_cache_sync_job",
        /// The HTTP API.
        Api = "cache_sync_api",
    }
}

words! {
    /// How much an error matters.
    Severity {
        /// Someone should act at once.
        Critical = "critical",
        /// Something failed.
        Error = "error",
        /// A surprise that was dealt with, or a universe held back.
        Warning = "warning",
        /// Worth knowing.
        Info = "info",
        /// For the curious.
        Debug = "debug",
    }
}

words! {
    /// What happened to a universe as a whole.
    UniverseAction {
        /// Only joiners.
        Added = "added",
        /// Only leavers.
        Removed = "removed",
        /// Both.
        Updated = "updated",
    }
}

/// One event, ready to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its place among what is told of its job.
    pub seq: i64,
    /// What it says.
    pub name: EventName,
    /// Where it is published.
    pub channels: Vec<String>,
    /// The whole message.
    pub envelope: Value,
}

impl Event {
    /// An event as an outbox row keeps it.
    ///
    /// # Errors
    /// A sentence, if the envelope names no event.
    pub fn from_parts(seq: i64, channels: Vec<String>, envelope: Value) -> Result<Self, String> {
        let name = envelope["event"].as_str().and_then(EventName::from_text);
        let name =
            name.ok_or_else(|| format!("the envelope of event {seq} does not say which event it is"))?;
        Ok(Self { seq, name, channels, envelope })
    }
}

/// Which job speaks, when, and the place of what it says.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The names of the channels.
    pub names: &'a Names,
    /// The job.
    pub job_id: &'a JobId,
    /// Its mode.
    pub mode: Mode,
    /// The event's place; see [`mod@super::seq`].
    pub seq: i64,
    /// The time of the envelope.
    pub at: DateTime<Utc>,
}

/// A worker began.
#[derive(Debug, Clone, Copy)]
pub struct Started<'a> {
    /// The caller's own run.
    pub run_id: Option<&'a str>,
    /// Sub-tasks ahead.
    pub total_items: u32,
}

/// A sub-task is done.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The caller's own run.
    pub run_id: Option<&'a str>,
    /// The sub-task that is done.
    pub current_task: SyncTask,
    /// Sub-tasks done.
    pub completed: u32,
    /// Sub-tasks in all.
    pub total_items: u32,
    /// Securities in the snapshot.
    pub total_symbols: Option<u64>,
}

/// Why the members of a universe changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A sub-task decided it.
    Task(SyncTask),
    /// An earlier job was reverted.
    Revert,
}

/// The members of a universe changed.
#[derive(Debug, Clone, Copy)]
pub struct UniverseUpdated<'a> {
    /// The universe.
    pub universe: &'a UniverseName,
    /// Its kind.
    pub cache_type: CacheType,
    /// Who joined.
    pub added: &'a [Symbol],
    /// Who left.
    pub removed: &'a [Symbol],
    /// Members now.
    pub count: usize,
    /// What decided it.
    pub cause: Cause,
}

/// A new listing joined a universe.
#[derive(Debug, Clone, Copy)]
pub struct IpoAssignment<'a> {
    /// The new listing.
    pub symbol: &'a Symbol,
    /// The universe it joined.
    pub universe: &'a UniverseName,
    /// Why it belongs there.
    pub reason: &'a str,
    /// Its market cap, where it has one.
    pub market_cap: Option<Usd>,
    /// Its sector, where it is known.
    pub sector: Option<Sector>,
}

/// What no longer trades left its universes.
#[derive(Debug, Clone, Copy)]
pub struct DelistingCleanup<'a> {
    /// The symbols that left, each once.
    pub symbols: &'a [Symbol],
    /// The universes they left.
    pub universes: &'a [String],
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending<'a> {
    /// It did what was asked.
    Completed,
    /// It was refused or failed for good, with this error.
    Failed(&'a str),
    /// A person stopped it; listeners know no such end and see a failure.
    Cancelled,
}

/// The job ended.
#[derive(Debug, Clone, Copy)]
pub struct Completed<'a> {
    /// How.
    pub ending: Ending<'a>,
    /// Memberships added and removed.
    pub total_changes: u64,
    /// Universes whose members changed.
    pub universes_updated: &'a [String],
    /// Universes that a guard held back.
    pub held_universes: &'a [String],
    /// From the first start to the end, in milliseconds.
    pub duration_ms: u64,
    /// How each sub-task went.
    pub task_results: &'a BTreeMap<SyncTask, TaskResult>,
    /// What was odd.
    pub warnings: &'a [String],
    /// The caller's own run.
    pub run_id: Option<&'a str>,
    /// The result in a few words.
    pub digest: &'a str,
    /// The hash of the rules in force.
    pub policy_fingerprint: &'a str,
}

/// Something went wrong, or wants a look.
#[derive(Debug, Clone)]
pub struct ErrorReport<'a> {
    /// How much it matters.
    pub severity: Severity,
    /// A sentence for a person.
    pub message: &'a str,
    /// What kind of thing it is about, as a word: `guard`, `database`, ...
    pub category: &'a str,
    /// The part of the program that says so: `worker`, `trigger`, ...
    pub component: &'a str,
    /// What else is known; nulls are left out.
    pub context: Map<String, Value>,
}

impl Occasion<'_> {
    /// Somebody asked for the job.
    pub fn triggered(&self, source: Origin, force: bool, triggered_by: &str) -> Event {
        self.event(EventName::Triggered, source, json!({ "force": force, "triggered_by": triggered_by }))
    }

    /// A worker began.
    pub fn started(&self, started: Started<'_>) -> Event {
        self.job_event(
            EventName::Started,
            json!({
                "run_id": text(started.run_id),
                "phase": PHASE,
                "total_items": started.total_items,
            }),
        )
    }

    /// A sub-task is done.
    pub fn progress(&self, progress: Progress<'_>) -> Event {
        self.job_event(
            EventName::Progress,
            json!({
                "run_id": text(progress.run_id),
                "phase": PHASE,
                "current_task": progress.current_task,
                "completed": progress.completed,
                "total_items": progress.total_items,
                "percentage": percentage(progress.completed, progress.total_items),
                "total_symbols": progress.total_symbols,
            }),
        )
    }

    /// The members of a universe changed.
    pub fn universe_updated(&self, update: UniverseUpdated<'_>) -> Event {
        self.job_event(
            EventName::UniverseUpdated,
            json!({
                "universe": update.universe,
                "cache_type": update.cache_type,
                "action": update.action(),
                "added": update.added.len(),
                "removed": update.removed.len(),
                "count": update.count,
                "reason": update.cause.as_str(),
                "added_symbols": first(update.added),
                "removed_symbols": first(update.removed),
            }),
        )
    }

    /// The new listings that joined universes: one event each or, beyond [`MAX_IPO_EVENTS`], one for every universe in
    /// the order in which they first appear. The first has this occasion's `seq`, the others follow on.
    pub fn ipo_assignments(&self, assignments: &[IpoAssignment<'_>]) -> Vec<Event> {
        let payloads: Vec<Value> = if assignments.len() <= MAX_IPO_EVENTS {
            assignments.iter().map(IpoAssignment::payload).collect()
        } else {
            summaries(assignments)
        };
        let numbered = (self.seq..).zip(payloads);
        numbered
            .map(|(seq, payload)| Self { seq, ..*self }.job_event(EventName::IpoAssignment, payload))
            .collect()
    }

    /// What no longer trades left its universes.
    pub fn delisting_cleanup(&self, cleanup: DelistingCleanup<'_>) -> Event {
        self.job_event(
            EventName::DelistingCleanup,
            json!({
                "removed_count": cleanup.symbols.len(),
                "symbols": first(cleanup.symbols),
                "universes": cleanup.universes,
            }),
        )
    }

    /// The job ended.
    pub fn completed(&self, completed: Completed<'_>) -> Event {
        let (status, error) = match completed.ending {
            Ending::Completed => ("completed", ""),
            Ending::Failed(error) => ("failed", error),
            Ending::Cancelled => ("failed", "cancelled"),
        };
        self.job_event(
            EventName::Completed,
            json!({
                "status": status,
                "total_changes": completed.total_changes,
                "universes_updated": completed.universes_updated,
                "held_universes": completed.held_universes,
                "duration_seconds": seconds(completed.duration_ms),
                "task_results": completed.task_results,
                "warnings": completed.warnings,
                "error": error,
                "run_id": text(completed.run_id),
                "phase": PHASE,
                "digest": completed.digest,
                "policy_fingerprint": completed.policy_fingerprint,
            }),
        )
    }

    /// Something went wrong with the job, or wants a look. The error's id follows from job and `seq`, so the same
    /// error told again is the same error.
    pub fn error(&self, report: &ErrorReport<'_>) -> Event {
        let id = stable_id(&format!("{}:{}", self.job_id, self.seq));
        let envelope = error_envelope(report, &id, &self.payload(report.summary(&id)), self.at);
        Event {
            seq: self.seq,
            name: EventName::Error,
            channels: self.names.channels(EventName::Error),
            envelope,
        }
    }

    fn job_event(&self, name: EventName, details: Value) -> Event {
        self.event(name, Origin::Job, details)
    }

    fn event(&self, name: EventName, source: Origin, details: Value) -> Event {
        let envelope = envelope(name, source, &self.payload(details), self.at);
        Event { seq: self.seq, name, channels: self.names.channels(name), envelope }
    }

    /// What every payload begins with, then `details`, but for those that are unknown.
    fn payload(&self, details: Value) -> Value {
        let mut payload = Map::new();
        payload.insert("job_id".to_owned(), json!(self.job_id));
        payload.insert("mode".to_owned(), json!(self.mode));
        payload.insert("seq".to_owned(), json!(self.seq));
        if let Value::Object(details) = details {
            payload.extend(without_nulls(details));
        }
        Value::Object(payload)
    }
}

/// An error that belongs to no job, as channels and message: published, but kept in no stream.
pub fn service_error(names: &Names, report: &ErrorReport<'_>, at: DateTime<Utc>) -> (Vec<String>, Value) {
    let id = stable_id(&format!("{}:{}", iso(at), report.message));
    let mut payload = json!({ "job_id": "", "mode": "" });
    if let (Some(payload), Value::Object(summary)) = (payload.as_object_mut(), report.summary(&id)) {
        payload.extend(summary);
    }
    (names.channels(EventName::Error), error_envelope(report, &id, &payload, at))
}

impl UniverseUpdated<'_> {
    fn action(&self) -> UniverseAction {
        match (self.added.is_empty(), self.removed.is_empty()) {
            (false, true) => UniverseAction::Added,
            (true, false) => UniverseAction::Removed,
            (false, false) | (true, true) => UniverseAction::Updated,
        }
    }
}

impl Cause {
    /// The word that stands in `reason`: the sub-task's name, or `revert`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task(task) => task.as_str(),
            Self::Revert => Mode::Revert.as_str(),
        }
    }
}

impl IpoAssignment<'_> {
    fn payload(&self) -> Value {
        json!({
            "symbol": self.symbol,
            "universe": self.universe,
            "reason": self.reason,
            // In whole cents, which an f64 holds exactly up to 90 trillion dollars.
            "market_cap": self.market_cap.map(|cap| cap.cents() as f64 / 100.0),
            "sector": text(self.sector.map(Sector::as_str)),
        })
    }
}

impl ErrorReport<'_> {
    /// The record for those who read the payload alone.
    fn summary(&self, id: &str) -> Value {
        json!({
            "error_id": id,
            "severity": self.severity,
            "message": self.message,
            "category": self.category,
            "component": self.component,
        })
    }
}

fn summaries(assignments: &[IpoAssignment<'_>]) -> Vec<Value> {
    let mut order = Vec::new();
    let mut joined: HashMap<&UniverseName, Vec<Symbol>> = HashMap::new();
    for assignment in assignments {
        let symbols = joined.entry(assignment.universe).or_default();
        if symbols.is_empty() {
            order.push(assignment.universe);
        }
        symbols.push(assignment.symbol.clone());
    }
    let summary = |universe: &UniverseName| {
        let symbols = &joined[universe];
        json!({ "universe": universe, "count": symbols.len(), "symbols": first(symbols) })
    };
    order.into_iter().map(summary).collect()
}

fn envelope(name: EventName, source: Origin, payload: &Value, at: DateTime<Utc>) -> Value {
    json!({
        "event": name,
        "timestamp": iso(at),
        "source": source,
        "version": VERSION,
        "payload": payload,
    })
}

/// The envelope and, beside it in the same object, the flat record that the error page reads.
fn error_envelope(report: &ErrorReport<'_>, id: &str, payload: &Value, at: DateTime<Utc>) -> Value {
    let mut object = envelope(EventName::Error, Origin::Job, payload, at);
    if let Some(object) = object.as_object_mut() {
        object.insert("error_id".to_owned(), json!(id));
        object.insert("severity".to_owned(), json!(report.severity));
        object.insert("message".to_owned(), json!(report.message));
        object.insert("category".to_owned(), json!(report.category));
        object.insert("component".to_owned(), json!(report.component));
        object.insert("context".to_owned(), Value::Object(without_nulls(report.context.clone())));
    }
    object
}

/// A UUID that follows from `text`. Readers keep error ids in columns of a UUID's length.
fn stable_id(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let bytes: [u8; 16] = std::array::from_fn(|at| digest[at]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn without_nulls(object: Map<String, Value>) -> Map<String, Value> {
    object.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

fn first(symbols: &[Symbol]) -> &[Symbol] {
    &symbols[..symbols.len().min(MAX_SYMBOLS)]
}

fn text(text: Option<&str>) -> &str {
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests;
