//! A job as the status hash shows it: flat texts under the names of the contract.
//!
//! Whether the hash in Redis or the row in Postgres told the story, it arrives as a [`StatusHash`]; screens and `--json`
//! read its fields from a [`Picture`], so that both name and show the same things.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::domain::job::JobStatus;
use crate::wire::status::StatusHash;

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
    /// Of this status.
    pub fn of(status: &StatusHash) -> Self {
        Self::of_fields(status.to_fields().into_iter().map(|(name, text)| (name.to_owned(), text)))
    }

    /// Of the fields of a status hash.
    pub fn of_fields(fields: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(fields.into_iter().collect())
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
