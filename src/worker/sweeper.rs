//! The sweeper: puts accepted jobs that have no entry back on the stream.
//!
//! A job's row is what makes it accepted. Its entry can be missing because the producer died between the two,
//! because Redis lost its data, or because the job waits for a retry that is due now. Putting one on the stream
//! twice does no harm: whoever reads the second finds the job held or finished.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tracing::{debug, info};

use super::{LogOnce, ROUND, Worker, jittered};
use crate::domain::job::JobStatus;
use crate::failure::{Failure, redis as redis_failure};
use crate::redis::publisher::Delivery;
use crate::redis::{consumer, producer, rights};
use crate::store::jobs::{self, JobRow};

/// How long a job may have no entry: a producer writes it right after the row.
const GRACE: Duration = Duration::from_secs(1);
/// Jobs looked at in one round; the rest has its turn a second later.
const JOBS_A_ROUND: i64 = 100;

/// How often old rows are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// Sweeps round after round.
pub async fn rounds(worker: Arc<Worker>) {
    let mut problems = LogOnce::new("sweeper");
    let mut forgot_at = Instant::now();
    loop {
        problems.note(sweep(&worker).await.map(|_| ()));
        if forgot_at.elapsed() >= FORGET_EVERY {
            forgot_at = Instant::now();
            problems.note(forget_old(&worker).await);
        }
        tokio::time::sleep(jittered(ROUND)).await;
    }
}

async fn forget_old(worker: &Worker) -> Result<(), Failure> {
    let mut client = worker.database.client().await?;
    jobs::forget_old(&mut client).await
}

/// Puts jobs without an entry on the stream; how many there were.
pub async fn sweep(worker: &Worker) -> Result<usize, Failure> {
    let mut client = worker.database.client().await?;
    let idle = jobs::without_worker(&mut client, JOBS_A_ROUND, GRACE).await?;
    let mut swept = 0;
    for row in idle {
        if !has_entry(worker, &row).await? {
            let entry_id = put_on_stream(worker, &row).await?;
            jobs::note_entry(&mut client, row.id(), &entry_id).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

async fn has_entry(worker: &Worker, row: &JobRow) -> Result<bool, Failure> {
    let Some(entry_id) = &row.entry_id else { return Ok(false) };
    consumer::has_entry(&worker.redis, &worker.names.job_stream(), entry_id)
        .await
        .map_err(redis_failure("look for a job's entry"))
}

async fn put_on_stream(worker: &Worker, row: &JobRow) -> Result<String, Failure> {
    let announcement = announcement(row);
    let doing = "put a job on the stream";
    let (redis, names) = (&worker.redis, &worker.names);
    let enqueued = match producer::enqueue(&mut redis.shared(), names, &row.request, &announcement).await {
        Ok(enqueued) => enqueued,
        Err(error) => return Err(rights::named(redis, names, row.id(), doing, error).await),
    };
    if row.status == JobStatus::Retrying {
        debug!(job.id = %row.id(), "job {} is due again, and was put on the stream", row.id());
    } else {
        info!(job.id = %row.id(), status = %row.status, "job {} had no entry, and was put on the stream", row.id());
    }
    Ok(enqueued.entry_id)
}

/// The status the job has, told again under the number it was told with.
fn announcement(row: &JobRow) -> Delivery {
    let status = super::announce::status_of(row, row.last_seq, Utc::now());
    Delivery::of_status(status).listed_at(row.request.requested_at)
}
