//! `GET .../status/{job_id}` and `GET .../history`: how jobs go, in the words of the admin page.
//!
//! The page knows four states where a job has six: it shows a job that waits for its next attempt as running, and one
//! that was cancelled as failed.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use super::problem::Problem;
use super::{Api, READ_LIMITS};
use crate::domain::job::{JobId, JobStatus};
use crate::domain::task::{Mode, SyncTask};
use crate::store::figures;
use crate::store::jobs::JobRow;
use crate::wire::iso;
use crate::wire::status::StatusHash;
use crate::worker::announce::status_of;

/// Jobs of one page of history, unless told otherwise.
const USUAL_LIMIT: i64 = 50;
/// The most jobs of one page.
const MAX_LIMIT: i64 = 200;

/// One job.
pub(super) async fn status(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    let id = job_id(path)?;
    let status = api.service.status(&id).await?.ok_or_else(Problem::unknown_job)?;
    let mut answer = shown(&status);
    answer["error_details"] = (!status.error.is_empty()).then_some(&status.error).cloned().into();
    answer["progress"] = progress(&status);
    Ok(Json(answer))
}

/// The id in a path. One that can't be an id is that of no job.
pub(super) fn job_id(path: Result<Path<String>, PathRejection>) -> Result<JobId, Problem> {
    path.ok().and_then(|Path(text)| JobId::parse(&text)).ok_or_else(Problem::unknown_job)
}

/// What status and history say of a job alike.
fn shown(status: &StatusHash) -> Value {
    json!({
        "job_id": status.job_id,
        "mode": status.mode.map(Mode::as_str),
        "status": word_for(status.status),
        "created_at": status.created_at.map(iso),
        "start_time": status.start_time.map(iso),
        "end_time": status.end_time.map(iso),
        "duration_seconds": status.duration_ms.map(|ms| ms as f64 / 1000.0),
        "triggered_by": status.triggered_by,
        "total_changes": status.total_changes,
        "held_universes": status.held_universes,
        "warnings": status.warnings,
        "has_warnings": !status.warnings.is_empty(),
    })
}

fn word_for(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "pending",
        JobStatus::Running | JobStatus::Retrying => "running",
        JobStatus::Completed => "completed",
        JobStatus::Failed | JobStatus::Cancelled => "failed",
    }
}

/// How far a running job is; null for any other.
fn progress(status: &StatusHash) -> Value {
    match status.status {
        JobStatus::Running | JobStatus::Retrying => json!({
            "current_task": status.current_task.map(SyncTask::as_str),
            "completed": status.completed,
            "total_items": status.total_items,
            "percentage": status.percentage(),
            "attempt": status.attempt,
            "updated_at": status.updated_at.map(iso),
        }),
        JobStatus::Queued | JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => Value::Null,
    }
}

/// Which part of the history is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
pub(super) struct Page {
    #[serde(default = "usual_limit")]
    limit: i64,
    #[serde(default)]
    offset: i64,
}

fn usual_limit() -> i64 {
    USUAL_LIMIT
}

impl Page {
    fn check(self) -> Result<Self, Problem> {
        if !(1..=MAX_LIMIT).contains(&self.limit) {
            return Err(Problem::invalid(format!("limit is {}, not from 1 to {MAX_LIMIT}", self.limit)));
        }
        if self.offset < 0 {
            return Err(Problem::invalid(format!("offset is {}, below 0", self.offset)));
        }
        Ok(self)
    }
}

/// Jobs, newest first.
pub(super) async fn history(
    State(api): State<Arc<Api>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(page) = page.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let Page { limit, offset } = page.check()?;
    let rows = api.service.recent_jobs(limit, offset).await?;
    let mut client = api.service.database.client().await?;
    let total = figures::count(&client.begin_read_only(READ_LIMITS).await?).await?;
    let jobs: Vec<Value> = rows.iter().map(line).collect();
    Ok(Json(json!({"jobs": jobs, "total": total, "limit": limit, "offset": offset})))
}

fn line(row: &JobRow) -> Value {
    let status = status_of(row, row.last_seq, row.updated_at);
    let mut line = shown(&status);
    line["has_errors"] = (word_for(status.status) == "failed" || !status.error.is_empty()).into();
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_to_its_bounds() {
        for (limit, offset) in [(1, 0), (200, i64::MAX)] {
            assert!(Page { limit, offset }.check().is_ok());
        }
        for (limit, offset) in [(0, 0), (201, 0), (-1, 0), (50, -1)] {
            assert!(Page { limit, offset }.check().is_err(), "{limit} {offset}");
        }
    }

    #[test]
    fn only_a_running_job_shows_progress() {
        let id = || JobId::parse("job-1").expect("valid");
        for (status, word, is_running) in [
            (JobStatus::Queued, "pending", false),
            (JobStatus::Running, "running", true),
            (JobStatus::Retrying, "running", true),
            (JobStatus::Completed, "completed", false),
            (JobStatus::Failed, "failed", false),
            (JobStatus::Cancelled, "failed", false),
        ] {
            let hash = StatusHash::new(id(), status, 1);
            assert_eq!((word_for(status), progress(&hash).is_object()), (word, is_running));
        }
    }
}
