//! A job as the status hash shows it: flat texts under the names of the contract.
//!
//! The hash in Redis and the row in Postgres tell the same story; while a job runs, the hash is ahead by its progress,
//! and after a week only the row is left. Both become a [`Picture`], and the one with the higher `seq` is shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::domain::job::JobStatus;
use crate::store::jobs::JobRow;

use super::screen::iso;

/// The fields of the status hash, in the order they are shown in.
const FIELDS: &[&str] = &[
    "job_id",
    "mode",
    "status",
    "phase",
    "current_task",
    "completed",
    "total_items",
    "percentage",
    "attempt",
    "worker",
    "triggered_by",
    "run_id",
    "as_of",
    "created_at",
    "start_time",
    "end_time",
    "updated_at",
    "duration_seconds",
    "total_changes",
    "universes_updated",
    "held_universes",
    "task_results",
    "warnings",
    "error",
    "replay_of",
    "seq",
];
/// Those that hold JSON.
const JSON: &[&str] = &["universes_updated", "held_universes", "task_results", "warnings"];
/// Those that hold numbers.
const NUMBERS: &[&str] =
    &["completed", "total_items", "percentage", "attempt", "duration_seconds", "total_changes", "seq"];

/// What is known of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture(BTreeMap<String, String>);

impl Picture {
    /// From the status hash.
    pub fn of_hash(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(fields.into_iter().collect())
    }

    /// From the row, as of `now`.
    pub fn of_row(row: &JobRow, now: DateTime<Utc>) -> Self {
        let time = |at: Option<DateTime<Utc>>| at.map(iso).unwrap_or_default();
        let of_result = |field: &str| match row.result.get(field) {
            Some(Value::String(text)) => text.clone(),
            Some(value) if !value.is_null() => value.to_string(),
            _ => String::new(),
        };
        let tasks = row.request.mode.tasks().len();
        let done = if row.status == JobStatus::Completed { tasks } else { 0 };
        let duration = row.start_time.map(|_| format!("{:.3}", row.duration_seconds(now)));
        let fields: [(&str, String); 26] = [
            ("job_id", row.id().to_string()),
            ("mode", row.request.mode.to_string()),
            ("status", row.status.to_string()),
            ("phase", "cache_sync".to_owned()),
            ("current_task", String::new()),
            ("completed", done.to_string()),
            ("total_items", tasks.to_string()),
            ("percentage", (100 * done).checked_div(tasks).unwrap_or(0).to_string()),
            ("attempt", row.attempt.to_string()),
            ("worker", row.worker.clone().unwrap_or_default()),
            ("triggered_by", row.request.triggered_by.clone()),
            ("run_id", row.request.run_id.clone().unwrap_or_default()),
            ("as_of", row.as_of.map(|date| date.to_string()).unwrap_or_default()),
            ("created_at", iso(row.created_at)),
            ("start_time", time(row.start_time)),
            ("end_time", time(row.end_time)),
            ("updated_at", iso(row.updated_at)),
            ("duration_seconds", duration.unwrap_or_default()),
            ("total_changes", of_result("total_changes")),
            ("universes_updated", of_result("universes_updated")),
            ("held_universes", of_result("held_universes")),
            ("task_results", of_result("task_results")),
            ("warnings", Value::from(row.warnings.clone()).to_string()),
            ("error", row.error.clone().unwrap_or_default()),
            ("replay_of", row.request.replay_of.clone().unwrap_or_default()),
            ("seq", row.last_seq.to_string()),
        ];
        Self::of_hash(fields.map(|(name, text)| (name.to_owned(), text)))
    }

    /// The newer of two pictures of one job; of two equally new ones, this one.
    #[must_use]
    pub fn or_newer(self, other: Self) -> Self {
        if other.number("seq") > self.number("seq") { other } else { self }
    }

    /// A field's text, empty where it is unknown.
    pub fn get(&self, field: &str) -> &str {
        self.0.get(field).map_or("", String::as_str)
    }

    /// A field's number, 0 where it is unknown.
    pub fn number(&self, field: &str) -> u64 {
        self.get(field).parse().unwrap_or(0)
    }

    /// A field's time.
    pub fn time(&self, field: &str) -> Option<DateTime<Utc>> {
        self.get(field).parse().ok()
    }

    /// A field's list of texts.
    pub fn list(&self, field: &str) -> Vec<String> {
        serde_json::from_str(self.get(field)).unwrap_or_default()
    }

    /// A field's object.
    pub fn object(&self, field: &str) -> Map<String, Value> {
        serde_json::from_str(self.get(field)).unwrap_or_default()
    }

    /// Where the job stands.
    pub fn status(&self) -> Option<JobStatus> {
        JobStatus::from_text(self.get("status"))
    }

    /// Whether nothing follows.
    pub fn is_final(&self) -> bool {
        self.status().is_some_and(JobStatus::is_final)
    }

    /// The fields under their names; lists, objects and numbers as such, what is unknown as null.
    pub fn to_json(&self) -> Value {
        let value = |field: &str| match self.get(field) {
            "" if field == "task_results" => Value::Object(Map::new()),
            "" if JSON.contains(&field) => Value::Array(Vec::new()),
            "" => Value::Null,
            text if JSON.contains(&field) || NUMBERS.contains(&field) => {
                serde_json::from_str(text).unwrap_or_else(|_| text.into())
            }
            text => text.into(),
        };
        FIELDS.iter().map(|field| ((*field).to_owned(), value(field))).collect::<Map<_, _>>().into()
    }
}
