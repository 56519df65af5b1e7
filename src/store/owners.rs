//! Who holds a job: the heartbeat's side of the lease.
//!
//! None of it waits for the disk: a crash of the server ends every job that is being worked on, and after it an owner
//! row that is a second old runs out a second earlier.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_postgres::types::{ToSql, Type};

use super::{Client, Transaction};
use crate::domain::job::JobId;
use crate::failure::{Failure, postgres};
use crate::fault;

/// What a heartbeat learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// The job is still this worker's, for another lease.
    Confirmed,
    /// It is, and somebody asks for its end.
    CancelRequested,
    /// Another worker has taken over.
    Lost,
}

/// Confirms that a worker holds a job.
pub async fn beat(
    client: &mut Client,
    id: &JobId,
    lease_number: i64,
    lease: Duration,
) -> Result<Beat, Failure> {
    let doing = "confirm the lease";
    let sql = include_str!("../../sql/queries/owner_beat.sql");
    let transaction = client.begin_asynchronous_commit().await?;
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&id.as_str(), Type::TEXT), (&lease_number, Type::INT8), (&lease.as_secs_f64(), Type::FLOAT8)];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres(doing))?;
    fault::point("heartbeat.before").await?;
    transaction.commit().await.map_err(postgres(doing))?;
    fault::point("heartbeat.after").await?;
    Ok(match rows.first().map(|row| row.get::<_, bool>("is_cancel_requested")) {
        Some(false) => Beat::Confirmed,
        Some(true) => Beat::CancelRequested,
        None => Beat::Lost,
    })
}

/// What a heartbeat sees between two confirmations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Somebody asks for the job's end.
    pub is_cancel_requested: bool,
    /// The transaction that writes for the job is still there, or none is known yet.
    pub has_backend: bool,
    /// What its backend waits for, as the server calls it.
    pub wait_event: Option<String>,
}

/// Looks whether somebody asked for the end of a job, and after its backend: it costs no write.
pub async fn look(client: &mut Client, id: &JobId, backend: Option<Backend>) -> Result<Look, Failure> {
    let doing = "look after the job";
    let sql = include_str!("../../sql/queries/job_look.sql");
    let transaction = client.begin_look().await?;
    let pid = backend.map(|backend| backend.pid);
    let start = backend.map(|backend| backend.transaction_start);
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(&id.as_str(), Type::TEXT), (&pid, Type::INT4), (&start, Type::TIMESTAMPTZ)];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres(doing))?;
    Ok(rows.first().map_or(Look { is_cancel_requested: false, has_backend: true, wait_event: None }, |row| {
        Look {
            is_cancel_requested: row.get("is_cancel_requested"),
            has_backend: row.get("has_backend"),
            wait_event: row.get("wait_event"),
        }
    }))
}

/// The backend that writes for a job, so that a successor can end it should it get stuck.
#[derive(Debug, Clone, Copy)]
pub struct Backend {
    /// Its process id.
    pub pid: i32,
    /// When its transaction began; tells it from a later use of the same backend.
    pub transaction_start: DateTime<Utc>,
}

/// Notes the step a job is at.
pub async fn note_step(
    client: &mut Client,
    id: &JobId,
    lease_number: i64,
    step: &str,
    backend: Option<Backend>,
) -> Result<(), Failure> {
    let doing = "note the step";
    let sql = include_str!("../../sql/queries/owner_step.sql");
    let pid = backend.map(|backend| backend.pid);
    let start = backend.map(|backend| backend.transaction_start);
    let transaction = client.begin_asynchronous_commit().await?;
    let params: [(&(dyn ToSql + Sync), Type); 5] = [
        (&id.as_str(), Type::TEXT),
        (&lease_number, Type::INT8),
        (&step, Type::TEXT),
        (&pid, Type::INT4),
        (&start, Type::TIMESTAMPTZ),
    ];
    transaction.query_typed(sql, &params).await.map_err(postgres(doing))?;
    fault::point("note_step.before").await?;
    transaction.commit().await.map_err(postgres(doing))?;
    Ok(fault::point("note_step.after").await?)
}

/// A stuck transaction that was ended.
#[derive(Debug, Clone)]
pub struct Freed {
    /// The worker it belonged to.
    pub worker: String,
    /// The job it was for.
    pub job_id: String,
}

/// Ends the transaction that still holds the lease for an owner whose time has run out or who is known dead.
/// Its connection may hang in a write that no timeout reaches.
pub async fn free_stuck(
    client: &mut Client,
    knows_dead: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Option<Freed>, Failure> {
    let doing = "free a stuck lease";
    let transaction = client.begin().await?;
    let list = include_str!("../../sql/queries/owners_list.sql");
    let rows = transaction.query_typed(list, &[]).await.map_err(postgres(doing))?;
    let owners = rows.iter().map(|row| row.get::<_, String>("worker"));
    let dead: Vec<String> = owners.filter(|worker| knows_dead(worker)).collect();
    let freed = free_stuck_of(&transaction, &dead).await?;
    transaction.commit().await.map_err(postgres(doing))?;
    Ok(freed)
}

/// The same inside the caller's transaction, for owners whose time has run out and for those in `gone`. Whoever takes
/// a job over must do this first: its own owner row replaces the one that names the stuck backend.
pub async fn free_stuck_of(transaction: &Transaction<'_>, gone: &[String]) -> Result<Option<Freed>, Failure> {
    let sql = include_str!("../../sql/queries/lease_stuck.sql");
    let rows = transaction
        .query_typed(sql, &[(&gone, Type::TEXT_ARRAY)])
        .await
        .map_err(postgres("free a stuck lease"))?;
    Ok(rows.first().map(|row| Freed { worker: row.get("worker"), job_id: row.get("job_id") }))
}
