//! Figures about jobs, for the API's statistics and for monitoring: each from one cheap query.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_postgres::types::Type;

use super::catalog;
use super::statement::{query, query_one};
use crate::domain::job::JobStatus;
use crate::domain::task::Mode;
use crate::failure::Failure;
use crate::store::Transaction;

const DOING: &str = "read figures about jobs";

/// How the jobs of some days went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistics {
    /// Accepted in that time.
    pub total: i64,
    /// Of these, completed.
    pub successful: i64,
    /// Of these, failed or cancelled.
    pub failed: i64,
    /// Seconds from start to end, on average over those that completed; none where none did.
    pub avg_seconds: Option<f64>,
}

/// How the jobs accepted since `since` went.
pub async fn statistics(tx: &Transaction<'_>, since: DateTime<Utc>) -> Result<Statistics, Failure> {
    let sql = include_str!("../../sql/queries/jobs_statistics.sql");
    let row = query_one(tx, DOING, sql, &[(&since, Type::TIMESTAMPTZ)]).await?;
    Ok(Statistics {
        total: row.get("total"),
        successful: row.get("successful"),
        failed: row.get("failed"),
        avg_seconds: row.get("avg_seconds"),
    })
}

/// How many jobs are kept.
pub async fn count(tx: &Transaction<'_>) -> Result<i64, Failure> {
    let row = query_one(tx, DOING, include_str!("../../sql/queries/jobs_count.sql"), &[]).await?;
    Ok(row.get("total"))
}

/// How things stand now. Ages are in seconds, and none where there is nothing whose age it would be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Jobs that nobody has begun.
    pub queued: i64,
    /// Jobs that a worker has.
    pub running: i64,
    /// Jobs that wait for their next attempt or for an import.
    pub retrying: i64,
    /// How long the oldest job has waited whose turn it is and that no worker has.
    pub oldest_waiting_seconds: Option<f64>,
    /// Events that are not told yet.
    pub unsent_events: i64,
    /// The age of the oldest of them.
    pub outbox_lag_seconds: Option<f64>,
    /// Jobs whose owner has given a sign of life within a lease.
    pub held_jobs: i64,
    /// The age of the oldest last sign of life among owners.
    pub oldest_heartbeat_seconds: Option<f64>,
    /// The age of the last sync that was applied.
    pub last_good_sync_seconds: Option<f64>,
}

/// Reads all of it; `lease` is that of the workers.
pub async fn read(tx: &Transaction<'_>, lease: Duration, now: DateTime<Utc>) -> Result<Figures, Failure> {
    let sql = include_str!("../../sql/queries/figures_read.sql");
    let params: [super::statement::Param<'_>; 2] =
        [(&now, Type::TIMESTAMPTZ), (&lease.as_secs_f64(), Type::FLOAT8)];
    let row = query_one(tx, DOING, sql, &params).await?;
    Ok(Figures {
        queued: row.get("queued"),
        running: row.get("running"),
        retrying: row.get("retrying"),
        oldest_waiting_seconds: row.get("oldest_waiting_seconds"),
        unsent_events: row.get("unsent_events"),
        outbox_lag_seconds: row.get("outbox_lag_seconds"),
        held_jobs: row.get("held_jobs"),
        oldest_heartbeat_seconds: row.get("oldest_heartbeat_seconds"),
        last_good_sync_seconds: row.get("last_good_sync_seconds"),
    })
}

/// The stream entries that kept jobs stood on: what Redis must have had, if it kept what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// Milliseconds and number of the newest.
    pub newest: (u64, u64),
    /// When the oldest was written.
    pub oldest_at: DateTime<Utc>,
}

/// Whether there are jobs to have figures of: our tables may not have been made yet.
pub async fn has_jobs(tx: &Transaction<'_>, schema: &str) -> Result<bool, Failure> {
    Ok(!catalog::relations(tx, schema, &["cache_sync_jobs"]).await?.is_empty())
}

/// The stream entries that Postgres remembers; `None` where no job is kept that had one.
pub async fn remembered(tx: &Transaction<'_>) -> Result<Option<Remembered>, Failure> {
    let rows = query(tx, DOING, include_str!("../../sql/queries/entries_known.sql"), &[]).await?;
    Ok(rows.first().and_then(|row| {
        let place = |column: &str| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
        let oldest_at = DateTime::from_timestamp_millis(row.get("oldest_ms"))?;
        Some(Remembered { newest: (place("ms"), place("number")), oldest_at })
    }))
}

/// A job that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedJob {
    /// Its id.
    pub job_id: String,
    /// Its mode.
    pub mode: Mode,
    /// How it ended.
    pub status: JobStatus,
    /// Times a worker began it.
    pub attempts: u64,
    /// When.
    pub end_time: DateTime<Utc>,
    /// From start to end; none where it was never begun.
    pub seconds: Option<f64>,
}

/// The first `limit` jobs that ended after `since`, in the order of their ends.
pub async fn ended_since(
    tx: &Transaction<'_>,
    since: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<EndedJob>, Failure> {
    let sql = include_str!("../../sql/queries/jobs_ended_since.sql");
    let rows = query(tx, DOING, sql, &[(&since, Type::TIMESTAMPTZ), (&limit, Type::INT8)]).await?;
    let ended = rows.iter().filter_map(|row| {
        Some(EndedJob {
            job_id: row.get("job_id"),
            // A newer version may know others; they are not ours to count.
            mode: Mode::from_text(row.get("mode"))?,
            status: JobStatus::from_text(row.get("status"))?,
            attempts: u64::try_from(row.get::<_, i32>("attempt")).unwrap_or(0),
            end_time: row.get("end_time"),
            seconds: row.get("seconds"),
        })
    });
    Ok(ended.collect())
}
