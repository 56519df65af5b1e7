//! A row of `cache_sync_jobs`.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use tokio_postgres::Row;

use super::result::JobResult;
use crate::domain::job::{JobId, JobRequest, JobStatus};
use crate::domain::task::Mode;
use crate::failure::Failure;

/// A row of `cache_sync_jobs`.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// What was asked for.
    pub request: JobRequest,
    /// Where it stands.
    pub status: JobStatus,
    /// The date that was synced, or is wanted.
    pub as_of: Option<NaiveDate>,
    /// Times a worker began it.
    pub attempt: i32,
    /// Raised at every claim.
    pub lease_number: i64,
    /// When a retry is due.
    pub not_before: Option<DateTime<Utc>>,
    /// Since when it waits for a complete import.
    pub waiting_since: Option<DateTime<Utc>>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When it was first begun.
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
    /// When somebody asked for its end.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// The stream entry that stands for it.
    pub entry_id: Option<String>,
    /// The worker that claimed it last.
    pub worker: Option<String>,
    /// How far the last attempt came that did not complete.
    pub last_step: Option<String>,
    /// The highest event number given out.
    pub last_seq: i64,
    /// Why it failed, or why the last attempt did.
    pub error: Option<String>,
    /// What a person should know, `code: text` each.
    pub warnings: Vec<String>,
    /// What it did.
    pub result: JobResult,
    /// The rules it was decided by.
    pub policy_fingerprint: Option<String>,
}

impl JobRow {
    pub(super) fn from_row(row: &Row) -> Result<Self, Failure> {
        let text = |column: &str| row.get::<_, Option<String>>(column);
        let job_id = row.get::<_, String>("job_id");
        let corrupt = |column: &str| {
            Failure::permanent(
                format!("read job {job_id}"),
                format!("column {column} holds an unknown value"),
            )
        };
        let request = JobRequest {
            job_id: JobId::parse(&job_id).ok_or_else(|| corrupt("job_id"))?,
            mode: Mode::from_text(row.get("mode")).ok_or_else(|| corrupt("mode"))?,
            force: row.get("force"),
            accept_churn: row.get("accept_churn"),
            triggered_by: row.get("triggered_by"),
            requested_at: row.get("requested_at"),
            run_id: text("run_id"),
            dedupe_key: text("dedupe_key"),
            as_of: row.get("requested_as_of"),
            revert_of: text("revert_of").and_then(|id| JobId::parse(&id)),
            replay_of: text("replay_of"),
        };
        let warnings: Value = row.get("warnings");
        Ok(Self {
            request,
            status: JobStatus::from_text(row.get("status")).ok_or_else(|| corrupt("status"))?,
            as_of: row.get("as_of"),
            attempt: row.get("attempt"),
            lease_number: row.get("lease_number"),
            not_before: row.get("not_before"),
            waiting_since: row.get("waiting_since"),
            created_at: row.get("created_at"),
            start_time: row.get("start_time"),
            end_time: row.get("end_time"),
            updated_at: row.get("updated_at"),
            cancel_requested_at: row.get("cancel_requested_at"),
            entry_id: text("entry_id"),
            worker: text("worker"),
            last_step: text("last_step"),
            last_seq: row.get("last_seq"),
            error: text("error"),
            warnings: serde_json::from_value(warnings).map_err(|_| corrupt("warnings"))?,
            result: JobResult::from_json(row.get("result")).map_err(|_| corrupt("result"))?,
            policy_fingerprint: text("policy_fingerprint"),
        })
    }

    /// The row of a job that was just accepted: queued, and nothing done yet.
    #[cfg(test)]
    pub(crate) fn accepted(request: JobRequest, now: DateTime<Utc>) -> Self {
        Self {
            as_of: request.as_of,
            request,
            status: JobStatus::Queued,
            attempt: 0,
            lease_number: 0,
            not_before: None,
            waiting_since: None,
            created_at: now,
            start_time: None,
            end_time: None,
            updated_at: now,
            cancel_requested_at: None,
            entry_id: None,
            worker: None,
            last_step: None,
            last_seq: 0,
            error: None,
            warnings: Vec::new(),
            result: JobResult::default(),
            policy_fingerprint: None,
        }
    }

    /// The job's id.
    pub fn id(&self) -> &JobId {
        &self.request.job_id
    }

    /// Seconds from its start to its end, or to `now` while it runs.
    pub fn duration_seconds(&self, now: DateTime<Utc>) -> f64 {
        let Some(start) = self.start_time else { return 0.0 };
        let took = self.end_time.unwrap_or(now) - start;
        took.num_milliseconds().max(0) as f64 / 1000.0
    }
}
