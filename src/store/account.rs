//! Everything that is known of one job, for `jobs show`: its row, what it did to each universe, who holds it, and how
//! much of it has been told.
//!
//! All of it is read from one snapshot, so that the parts agree.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::Type;

use super::jobs::{self, JobRow};
use super::statement::{query, query_one};
use super::{Client, Limits, Transaction};
use crate::domain::job::JobId;
use crate::failure::Failure;

const DOING: &str = "read what is known of the job";

/// Everything that is known of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobAccount {
    /// Its row.
    pub row: JobRow,
    /// What it did, by universe; nothing before its end.
    pub changes: Vec<UniverseChanges>,
    /// The worker that holds it now.
    pub holder: Option<Holder>,
    /// How much of it has been told.
    pub outbox: OutboxCount,
}

/// What a job did to one universe. Fields are called as columns and events call them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UniverseChanges {
    /// The universe.
    pub universe: String,
    /// Memberships added.
    pub added: i64,
    /// Memberships removed.
    pub removed: i64,
    /// Memberships that went on under another symbol.
    pub renamed: i64,
    /// Why a guard held it, where one did.
    pub held_reason: Option<String>,
    /// What was kept back: `would_join`, `would_leave` and for how many runs, as the audit has it.
    pub held_proposal: Option<Value>,
}

/// A worker that holds a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Who.
    pub worker: String,
    /// Under which claim.
    pub lease_number: i64,
    /// How far it has come.
    pub step: Option<String>,
    /// Until when, unless it confirms.
    pub expires_at: DateTime<Utc>,
    /// Whether that is over: another worker will take the job.
    pub is_expired: bool,
}

/// How many events of a job are in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OutboxCount {
    /// Not told yet.
    pub unsent: i64,
    /// Told; they are forgotten after a week.
    pub sent: i64,
}

/// The account of a job, or `None` where its id is unknown.
pub async fn of_job(client: &mut Client, id: &JobId) -> Result<Option<JobAccount>, Failure> {
    let transaction = client.begin_read_only(Limits::default()).await?;
    let Some(row) = jobs::load_within(&transaction, id).await? else { return Ok(None) };
    let changes = changes(&transaction, id).await?;
    let holder = holder(&transaction, id).await?;
    let outbox = outbox_count(&transaction, id).await?;
    Ok(Some(JobAccount { row, changes, holder, outbox }))
}

async fn changes(tx: &Transaction<'_>, id: &JobId) -> Result<Vec<UniverseChanges>, Failure> {
    let sql = include_str!("../../sql/queries/job_changes.sql");
    let rows = query(tx, DOING, sql, &[(&id.as_str(), Type::TEXT)]).await?;
    let changes = rows.iter().map(|row| UniverseChanges {
        universe: row.get("universe"),
        added: row.get("added"),
        removed: row.get("removed"),
        renamed: row.get("renamed"),
        held_reason: row.get("held_reason"),
        held_proposal: row.get("held_proposal"),
    });
    Ok(changes.collect())
}

async fn holder(tx: &Transaction<'_>, id: &JobId) -> Result<Option<Holder>, Failure> {
    let sql = include_str!("../../sql/queries/owner_load.sql");
    let rows = query(tx, DOING, sql, &[(&id.as_str(), Type::TEXT)]).await?;
    Ok(rows.first().map(|row| Holder {
        worker: row.get("worker"),
        lease_number: row.get("lease_number"),
        step: row.get("step"),
        expires_at: row.get("expires_at"),
        is_expired: row.get("is_expired"),
    }))
}

async fn outbox_count(tx: &Transaction<'_>, id: &JobId) -> Result<OutboxCount, Failure> {
    let sql = include_str!("../../sql/queries/outbox_count.sql");
    let row = query_one(tx, DOING, sql, &[(&id.as_str(), Type::TEXT)]).await?;
    Ok(OutboxCount { unsent: row.get("unsent"), sent: row.get("sent") })
}
