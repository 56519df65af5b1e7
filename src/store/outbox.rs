//! The outbox: what is owed to the world, written in the transaction that makes it true.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

use super::{Client, Transaction};
use crate::domain::job::JobId;
use crate::failure::{Failure, postgres};

/// Events read and told at once. A first fill owes about 30, a night of new listings some hundreds.
const BATCH: i64 = 500;

/// Something to tell.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingEvent {
    /// Its place in the job's order.
    pub seq: i64,
    /// Where it is published.
    pub channels: Vec<String>,
    /// The event; `None` where only the status hash changes.
    pub envelope: Option<Value>,
    /// The status hash after it; `None` where it stays.
    pub status_hash: Option<Value>,
    /// Securities the job read, once it is known.
    pub total_symbols: Option<i64>,
}

/// Adds pending events, inside the caller's transaction.
pub async fn append(
    transaction: &Transaction<'_>,
    id: &JobId,
    events: &[PendingEvent],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    if events.is_empty() {
        return Ok(());
    }
    let sql = include_str!("../../sql/queries/outbox_insert.sql");
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    let channels: Vec<String> = events.iter().map(|event| event.channels.join(",")).collect();
    let envelopes: Vec<&Option<Value>> = events.iter().map(|event| &event.envelope).collect();
    let hashes: Vec<&Option<Value>> = events.iter().map(|event| &event.status_hash).collect();
    let total_symbols: Vec<Option<i64>> = events.iter().map(|event| event.total_symbols).collect();
    let params: [(&(dyn ToSql + Sync), Type); 7] = [
        (&id.as_str(), Type::TEXT),
        (&seqs, Type::INT8_ARRAY),
        (&channels, Type::TEXT_ARRAY),
        (&envelopes, Type::JSONB_ARRAY),
        (&hashes, Type::JSONB_ARRAY),
        (&now, Type::TIMESTAMPTZ),
        (&total_symbols, Type::INT8_ARRAY),
    ];
    transaction.query_typed(sql, &params).await.map_err(postgres("write the pending events")).map(|_| ())
}

/// Takes the relay lock of a job for this transaction; `false` where another relay has it.
pub async fn lock(transaction: &Transaction<'_>, id: &JobId) -> Result<bool, Failure> {
    let sql = include_str!("../../sql/queries/outbox_lock.sql");
    let rows = transaction
        .query_typed(sql, &[(&id.as_str(), Type::TEXT)])
        .await
        .map_err(postgres("take the relay lock"))?;
    Ok(rows.first().is_some_and(|row| row.get("is_mine")))
}

/// The first unsent events of a job, in order.
pub async fn unsent(transaction: &Transaction<'_>, id: &JobId) -> Result<Vec<PendingEvent>, Failure> {
    let sql = include_str!("../../sql/queries/outbox_unsent.sql");
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&id.as_str(), Type::TEXT), (&BATCH, Type::INT8)];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres("read the pending events"))?;
    Ok(rows
        .iter()
        .map(|row| PendingEvent {
            seq: row.get("seq"),
            channels: row.get("channels"),
            envelope: row.get("envelope"),
            status_hash: row.get("status_hash"),
            total_symbols: row.get("total_symbols"),
        })
        .collect())
}

/// Notes events as told.
pub async fn mark_sent(transaction: &Transaction<'_>, id: &JobId, seqs: &[i64]) -> Result<(), Failure> {
    let sql = include_str!("../../sql/queries/outbox_mark_sent.sql");
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&id.as_str(), Type::TEXT), (&seqs, Type::INT8_ARRAY)];
    transaction.query_typed(sql, &params).await.map_err(postgres("mark events as sent")).map(|_| ())
}

/// Owes again everything a job has told: Redis lost it.
pub async fn mark_unsent(client: &mut Client, id: &JobId) -> Result<(), Failure> {
    let doing = "mark events as unsent";
    let sql = include_str!("../../sql/queries/outbox_mark_unsent.sql");
    let transaction = client.begin().await?;
    transaction.query_typed(sql, &[(&id.as_str(), Type::TEXT)]).await.map_err(postgres(doing))?;
    transaction.commit().await.map_err(postgres(doing))
}

/// Jobs that owe events, those that owe longest first.
pub async fn jobs_with_unsent(client: &mut Client, limit: i64) -> Result<Vec<JobId>, Failure> {
    let sql = include_str!("../../sql/queries/outbox_unsent_jobs.sql");
    let transaction = client.begin_look().await?;
    let rows = transaction
        .query_typed(sql, &[(&limit, Type::INT8)])
        .await
        .map_err(postgres("look for pending events"))?;
    Ok(rows.iter().filter_map(|row| JobId::parse(row.get("job_id"))).collect())
}
