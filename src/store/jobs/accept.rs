//! A job begins with a row: accepted from a request, or written down as rejected.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

use super::finish::{Ended, Ending, close, end_within};
use super::row::JobRow;
use crate::domain::job::{JobId, JobRequest};
use crate::failure::{Failure, postgres};
use crate::fault;
use crate::store::outbox::PendingEvent;
use crate::store::{Client, Transaction};
use crate::wire::seq::Numbers;

/// What became of a request to accept a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It is a job now.
    New(Box<JobRow>),
    /// A job of this id was known already; the first request counts.
    Known(Box<JobRow>),
    /// Another job stands for its dedupe key.
    Duplicate {
        /// That job.
        of: JobId,
    },
}

/// Accepts a job: after this it will be done, whatever happens to Redis. Its result will mention `warnings`, `code:
/// text` each.
pub async fn accept(
    client: &mut Client,
    request: &JobRequest,
    warnings: &[String],
    now: DateTime<Utc>,
) -> Result<Accepted, Failure> {
    let doing = "accept the job";
    let transaction = client.begin().await?;
    let mut accepted = accept_within(&transaction, request, None, now).await?;
    if let Accepted::New(row) = &mut accepted {
        if !warnings.is_empty() {
            **row = warn_of(&transaction, row, warnings).await?;
        }
    }
    fault::point("accept.before").await?;
    transaction.commit().await.map_err(postgres(doing))?;
    fault::point("accept.after").await?;
    Ok(accepted)
}

async fn warn_of(
    transaction: &Transaction<'_>,
    row: &JobRow,
    warnings: &[String],
) -> Result<JobRow, Failure> {
    let doing = "note a warning on the job";
    let sql = include_str!("../../../sql/queries/job_warn.sql");
    let warnings = Value::from(warnings);
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&row.id().as_str(), Type::TEXT), (&warnings, Type::JSONB)];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres(doing))?;
    let vanished = || Failure::transient(doing, "its row vanished");
    JobRow::from_row(rows.first().ok_or_else(vanished)?)
}

pub(super) async fn accept_within(
    transaction: &Transaction<'_>,
    request: &JobRequest,
    entry_id: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Accepted, Failure> {
    if let Some(key) = &request.dedupe_key {
        let sql = include_str!("../../../sql/queries/dedupe_lock.sql");
        transaction
            .query_typed(sql, &[(key, Type::TEXT)])
            .await
            .map_err(postgres("take turns for a dedupe key"))?;
    }
    if let Some(known) = lock(transaction, &request.job_id).await? {
        return Ok(Accepted::Known(Box::new(known)));
    }
    if let Some(of) = dedupe_holder(transaction, request).await? {
        return Ok(Accepted::Duplicate { of });
    }
    match insert(transaction, request, entry_id, now).await? {
        Some(row) => Ok(Accepted::New(Box::new(row))),
        // Somebody else inserted the same id between the lookup and here.
        None => match lock(transaction, &request.job_id).await? {
            Some(known) => Ok(Accepted::Known(Box::new(known))),
            None => Err(Failure::transient("accept the job", "its row appeared and vanished again")),
        },
    }
}

async fn dedupe_holder(
    transaction: &Transaction<'_>,
    request: &JobRequest,
) -> Result<Option<JobId>, Failure> {
    let Some(key) = &request.dedupe_key else { return Ok(None) };
    let sql = include_str!("../../../sql/queries/dedupe_holder.sql");
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(key, Type::TEXT), (&request.job_id.as_str(), Type::TEXT), (&request.as_of, Type::DATE)];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres("look up a dedupe key"))?;
    Ok(rows.first().and_then(|row| JobId::parse(row.get("job_id"))))
}

pub(super) async fn insert(
    transaction: &Transaction<'_>,
    request: &JobRequest,
    entry_id: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<JobRow>, Failure> {
    let sql = include_str!("../../../sql/queries/job_insert.sql");
    let revert_of = request.revert_of.as_ref().map(JobId::as_str);
    let params: [(&(dyn ToSql + Sync), Type); 13] = [
        (&request.job_id.as_str(), Type::TEXT),
        (&request.mode.as_str(), Type::TEXT),
        (&request.dedupe_key, Type::TEXT),
        (&request.run_id, Type::TEXT),
        (&request.triggered_by, Type::TEXT),
        (&request.force, Type::BOOL),
        (&request.accept_churn, Type::BOOL),
        (&request.as_of, Type::DATE),
        (&revert_of, Type::TEXT),
        (&request.replay_of, Type::TEXT),
        (&request.requested_at, Type::TIMESTAMPTZ),
        (&now, Type::TIMESTAMPTZ),
        (&entry_id, Type::TEXT),
    ];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres("write the job's row"))?;
    rows.first().map(JobRow::from_row).transpose()
}

pub(super) async fn lock(transaction: &Transaction<'_>, id: &JobId) -> Result<Option<JobRow>, Failure> {
    let sql = include_str!("../../../sql/queries/job_lock.sql");
    let rows = transaction
        .query_typed(sql, &[(&id.as_str(), Type::TEXT)])
        .await
        .map_err(postgres("read the job's row"))?;
    rows.first().map(JobRow::from_row).transpose()
}

/// Notes the stream entry that a producer or the sweeper wrote for a job.
pub async fn note_entry(client: &mut Client, id: &JobId, entry_id: &str) -> Result<(), Failure> {
    let doing = "note the job's stream entry";
    let transaction = client.begin().await?;
    let sql = include_str!("../../../sql/queries/job_entry_note.sql");
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&id.as_str(), Type::TEXT), (&entry_id, Type::TEXT)];
    transaction.query_typed(sql, &params).await.map_err(postgres(doing))?;
    fault::point("note_entry.before").await?;
    transaction.commit().await.map_err(postgres(doing))?;
    Ok(fault::point("note_entry.after").await?)
}

/// Writes down an entry that asked for nothing usable under an id that nobody knows yet: it ends as failed.
/// `None` where the id is known.
pub async fn reject(
    client: &mut Client,
    request: &JobRequest,
    entry_id: &str,
    error: String,
    now: DateTime<Utc>,
    announce: impl FnOnce(&JobRow) -> Vec<PendingEvent>,
) -> Result<Option<JobRow>, Failure> {
    let transaction = client.begin().await?;
    let Some(row) = insert(&transaction, request, Some(entry_id), now).await? else { return Ok(None) };
    let ending =
        Ending { error: Some(error), last_seq: Numbers::after(row.last_seq).end(), ..Ending::default() };
    let ended = end_within(&transaction, &row, &ending, now).await?;
    match close(transaction, ended, now, announce).await? {
        Ended::Done(row) => Ok(Some(*row)),
        Ended::Lost => Ok(None),
    }
}
