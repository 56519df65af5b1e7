//! `GET .../stats`: the universes, and how the jobs of the last week went.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::problem::Problem;
use super::{Api, READ_LIMITS};
use crate::store::history::UniverseNow;
use crate::store::{figures, history};
use crate::wire::iso;

/// Days that the statistics look back, as their names say.
const DAYS: i64 = 7;

/// Both, from one snapshot.
pub(super) async fn stats(State(api): State<Arc<Api>>) -> Result<Json<Value>, Problem> {
    let mut client = api.service.database.client().await?;
    let transaction = client.begin_read_only(READ_LIMITS).await?;
    let universes = history::universes_now(&transaction).await?;
    let week = figures::statistics(&transaction, Utc::now() - TimeDelta::days(DAYS)).await?;
    Ok(Json(json!({
        "universes": universes.iter().map(line).collect::<Vec<_>>(),
        "job_statistics": {
            "total_jobs_7d": week.total,
            "successful_jobs_7d": week.successful,
            "failed_jobs_7d": week.failed,
            "avg_duration_seconds": week.avg_seconds.map(|seconds| (seconds * 1000.0).round() / 1000.0),
        },
    })))
}

fn line(universe: &UniverseNow) -> Value {
    json!({
        "universe": universe.universe,
        "type": universe.cache_type,
        "symbol_count": universe.symbol_count,
        "last_updated": iso(universe.last_changed_at),
    })
}
