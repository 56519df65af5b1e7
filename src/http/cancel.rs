//! `DELETE .../{job_id}`: asks for a job's end.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::Utc;
use serde_json::{Value, json};

use super::problem::Problem;
use super::{Api, jobs};
use crate::service::Cancellation;

/// 202 for a job that has not ended: one that no worker holds has ended by then, any other is rolled back shortly.
pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let id = jobs::job_id(path)?;
    let message = match api.service.cancel(&id, Utc::now()).await? {
        Cancellation::Cancelled => "The job is cancelled",
        Cancellation::Requested => "The worker of the job lets go of it and rolls back",
        Cancellation::Ended(status) => {
            return Err(Problem::job_finished(format!("the job has ended already: it is {status}")));
        }
        Cancellation::Unknown => return Err(Problem::unknown_job()),
    };
    Ok((StatusCode::ACCEPTED, Json(json!({"success": true, "job_id": id, "message": message}))))
}
