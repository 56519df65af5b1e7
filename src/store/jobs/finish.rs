//! A worker ends a job or lets it go, if it is still the worker's.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

use super::accept::insert;
use super::result::JobResult;
use super::row::JobRow;
use crate::domain::job::{JobRequest, JobStatus};
use crate::failure::{Failure, postgres};
use crate::fault;
use crate::store::outbox::{self, PendingEvent};
use crate::store::{Client, Transaction};

/// How a job ends.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Completed, failed or cancelled.
    pub status: JobStatus,
    /// The date that was synced.
    pub as_of: Option<NaiveDate>,
    /// Why it failed.
    pub error: Option<String>,
    /// What a person should know, beside what the job was accepted with.
    pub warnings: Vec<String>,
    /// What it did.
    pub result: JobResult,
    /// The highest event number given out.
    pub last_seq: i64,
    /// What the rules are told by that it was decided by, where these are not those of its claim.
    pub policy_fingerprint: Option<String>,
    /// Whether its dedupe key is free again, although it completed: what it was for has not been done.
    pub frees_key: bool,
}

impl Default for Ending {
    fn default() -> Self {
        Self {
            status: JobStatus::Failed,
            as_of: None,
            error: None,
            warnings: Vec::new(),
            result: JobResult::default(),
            last_seq: 0,
            policy_fingerprint: None,
            frees_key: false,
        }
    }
}

/// What became of an attempt to end a job or let it go.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// It is done; the row as it is now.
    Done(Box<JobRow>),
    /// Another worker has claimed the job since, or it has ended: nothing was changed.
    Lost,
}

/// Ends a job inside the caller's transaction; `None` where another worker has taken over.
pub async fn end_within(
    transaction: &Transaction<'_>,
    row: &JobRow,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<Option<JobRow>, Failure> {
    let sql = include_str!("../../../sql/queries/job_finish.sql");
    let warnings = Value::from(ending.warnings.clone());
    let params: [(&(dyn ToSql + Sync), Type); 12] = [
        (&row.id().as_str(), Type::TEXT),
        (&row.lease_number, Type::INT8),
        (&ending.status.as_str(), Type::TEXT),
        (&ending.as_of, Type::DATE),
        (&now, Type::TIMESTAMPTZ),
        (&ending.error, Type::TEXT),
        (&warnings, Type::JSONB),
        (&ending.result.to_json(), Type::JSONB),
        (&ending.last_seq.max(row.last_seq), Type::INT8),
        (&row.last_step, Type::TEXT),
        (&ending.policy_fingerprint, Type::TEXT),
        (&ending.frees_key, Type::BOOL),
    ];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres("end the job"))?;
    rows.first().map(JobRow::from_row).transpose()
}

/// Records a job that nobody had to wait for: accepted and ended in the caller's transaction. It was never on the stream.
pub async fn record_ended(
    transaction: &Transaction<'_>,
    request: &JobRequest,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let doing = "record the job";
    let known = || Failure::permanent(doing, format!("there is a job {} already", request.job_id));
    let row = insert(transaction, request, None, now).await?.ok_or_else(known)?;
    let vanished = || Failure::transient(doing, "its row appeared and vanished again");
    end_within(transaction, &row, ending, now).await?.map(drop).ok_or_else(vanished)
}

/// Ends a job that changed no universe: refused, failed or cancelled.
pub async fn end(
    client: &mut Client,
    row: &JobRow,
    ending: &Ending,
    now: DateTime<Utc>,
    announce: impl FnOnce(&JobRow) -> Vec<PendingEvent>,
) -> Result<Ended, Failure> {
    let transaction = client.begin().await?;
    let ended = end_within(&transaction, row, ending, now).await?;
    close(transaction, ended, now, announce).await
}

/// Why and for how long a job is let go.
#[derive(Debug, Clone)]
pub struct Postponement {
    /// Queued or retrying.
    pub status: JobStatus,
    /// When it is due again, from now on.
    pub delay: Option<Duration>,
    /// Whether the attempt is taken back.
    pub is_attempt_free: bool,
    /// Whether it waits for a complete import.
    pub is_waiting_for_import: bool,
    /// What went wrong, or what it waits for.
    pub error: Option<String>,
    /// The highest event number given out.
    pub last_seq: i64,
}

/// Lets a job go that is to be continued later.
pub async fn postpone(
    client: &mut Client,
    row: &JobRow,
    postponement: &Postponement,
    now: DateTime<Utc>,
    announce: impl FnOnce(&JobRow) -> Vec<PendingEvent>,
) -> Result<Ended, Failure> {
    let transaction = client.begin().await?;
    let sql = include_str!("../../../sql/queries/job_postpone.sql");
    let delay = postponement.delay.map(|delay| delay.as_secs_f64());
    let free_attempts = i32::from(postponement.is_attempt_free);
    let params: [(&(dyn ToSql + Sync), Type); 10] = [
        (&row.id().as_str(), Type::TEXT),
        (&row.lease_number, Type::INT8),
        (&postponement.status.as_str(), Type::TEXT),
        (&delay, Type::FLOAT8),
        (&free_attempts, Type::INT4),
        (&now, Type::TIMESTAMPTZ),
        (&postponement.error, Type::TEXT),
        (&postponement.is_waiting_for_import, Type::BOOL),
        (&postponement.last_seq.max(row.last_seq), Type::INT8),
        (&row.last_step, Type::TEXT),
    ];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres("postpone the job"))?;
    let postponed = rows.first().map(JobRow::from_row).transpose()?;
    close(transaction, postponed, now, announce).await
}

/// The common end of both: what is owed, the ownership given up, the commit.
pub(super) async fn close(
    transaction: Transaction<'_>,
    changed: Option<JobRow>,
    now: DateTime<Utc>,
    announce: impl FnOnce(&JobRow) -> Vec<PendingEvent>,
) -> Result<Ended, Failure> {
    let Some(row) = changed else { return Ok(Ended::Lost) };
    outbox::append(&transaction, row.id(), &announce(&row), now).await?;
    release_within(&transaction, &row).await?;
    fault::point("record.before").await?;
    transaction.commit().await.map_err(postgres("write down how the job went"))?;
    fault::point("record.after").await?;
    Ok(Ended::Done(Box::new(row)))
}

async fn release_within(transaction: &Transaction<'_>, row: &JobRow) -> Result<(), Failure> {
    let sql = include_str!("../../../sql/queries/owner_release.sql");
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&row.id().as_str(), Type::TEXT), (&row.lease_number, Type::INT8)];
    transaction.query_typed(sql, &params).await.map_err(postgres("release the job")).map(|_| ())
}

/// Gives up the ownership of a job whose end is committed. Not part of the commit: an owner row that the heartbeat
/// has just touched would make the apply fail as not serializable. One that comes back with a crash runs out by itself.
pub async fn release(client: &mut Client, row: &JobRow) -> Result<(), Failure> {
    let transaction = client.begin_asynchronous_commit().await?;
    release_within(&transaction, row).await?;
    fault::point("release.before").await?;
    transaction.commit().await.map_err(postgres("release the job"))?;
    Ok(fault::point("release.after").await?)
}
