//! Jobs looked up: one, the recent ones, those of a key, those that are due.

use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};

use super::row::JobRow;
use crate::domain::job::JobId;
use crate::failure::{Failure, postgres};
use crate::store::{Client, Transaction};

/// One job, or `None` where its id is unknown.
pub async fn load(client: &mut Client, id: &JobId) -> Result<Option<JobRow>, Failure> {
    let transaction = client.begin_look().await?;
    load_within(&transaction, id).await
}

/// The same inside the caller's transaction.
pub async fn load_within(transaction: &Transaction<'_>, id: &JobId) -> Result<Option<JobRow>, Failure> {
    let sql = include_str!("../../../sql/queries/job_load.sql");
    let rows = transaction
        .query_typed(sql, &[(&id.as_str(), Type::TEXT)])
        .await
        .map_err(postgres("read the job"))?;
    rows.first().map(JobRow::from_row).transpose()
}

/// Jobs, newest first.
pub async fn recent(client: &mut Client, limit: i64, offset: i64) -> Result<Vec<JobRow>, Failure> {
    let sql = include_str!("../../../sql/queries/jobs_recent.sql");
    let transaction = client.begin_look().await?;
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&limit, Type::INT8), (&offset, Type::INT8)];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres("read recent jobs"))?;
    rows.iter().map(JobRow::from_row).collect()
}

/// Jobs of one key that are read at most: a person who asks again and again under it is not followed further.
const JOBS_OF_A_KEY: i64 = 100;

/// The jobs that were asked for under a dedupe key, oldest first, whatever became of them.
pub async fn of_key(transaction: &Transaction<'_>, key: &str) -> Result<Vec<JobRow>, Failure> {
    let sql = include_str!("../../../sql/queries/jobs_by_key.sql");
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&key, Type::TEXT), (&JOBS_OF_A_KEY, Type::INT8)];
    let rows =
        transaction.query_typed(sql, &params).await.map_err(postgres("look up the jobs of a dedupe key"))?;
    rows.iter().map(JobRow::from_row).collect()
}

/// Unfinished jobs that are due and that no worker holds.
pub async fn without_worker(
    client: &mut Client,
    limit: i64,
    grace: Duration,
) -> Result<Vec<JobRow>, Failure> {
    let sql = include_str!("../../../sql/queries/jobs_without_worker.sql");
    let transaction = client.begin_look().await?;
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&limit, Type::INT8), (&grace.as_secs_f64(), Type::FLOAT8)];
    let rows =
        transaction.query_typed(sql, &params).await.map_err(postgres("look for jobs without a worker"))?;
    rows.iter().map(JobRow::from_row).collect()
}

/// How long until the next unfinished job is due; `None` where every job has ended.
pub async fn next_due(client: &mut Client) -> Result<Option<Duration>, Failure> {
    let sql = include_str!("../../../sql/queries/jobs_next_due.sql");
    let transaction = client.begin_look().await?;
    let rows =
        transaction.query_typed(sql, &[]).await.map_err(postgres("look for the next job that is due"))?;
    let seconds = rows.first().and_then(|row| row.get::<_, Option<f64>>("seconds"));
    Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}

/// Whether some job's row names this stream entry.
pub async fn is_entry_known(client: &mut Client, entry_id: &str) -> Result<bool, Failure> {
    let sql = include_str!("../../../sql/queries/job_by_entry.sql");
    let transaction = client.begin_look().await?;
    let rows = transaction
        .query_typed(sql, &[(&entry_id, Type::TEXT)])
        .await
        .map_err(postgres("look up a stream entry"))?;
    Ok(!rows.is_empty())
}
