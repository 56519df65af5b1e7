//! Somebody asks for a job's end.

use chrono::{DateTime, Utc};
use tokio_postgres::types::{ToSql, Type};

use super::accept::lock;
use super::claim::load_owner;
use super::finish::{Ending, end_within};
use super::row::JobRow;
use crate::domain::job::{JobId, JobStatus};
use crate::failure::{Failure, postgres};
use crate::store::outbox::{self, PendingEvent};
use crate::store::{Client, Transaction};
use crate::wire::seq::Numbers;

/// What became of a wish that a job may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// No worker held it: it has ended as cancelled.
    Cancelled,
    /// A worker holds it and will let go of it within a second.
    Requested,
    /// It had ended before, like this.
    Ended(JobStatus),
    /// There is no such job.
    Unknown,
}

/// Asks for a job's end. One that no worker holds ends here, with what `announce` owes the world about it; the worker of
/// any other sees the wish at its heartbeat.
///
/// The lock of the job's row makes this and a claim take turns: whoever comes second sees what the first has done.
pub async fn cancel(
    client: &mut Client,
    id: &JobId,
    now: DateTime<Utc>,
    announce: impl FnOnce(&JobRow) -> Vec<PendingEvent>,
) -> Result<Cancellation, Failure> {
    let doing = "ask for the job's end";
    let transaction = client.begin().await?;
    let Some(row) = lock(&transaction, id).await? else { return Ok(Cancellation::Unknown) };
    if row.status.is_final() {
        return Ok(Cancellation::Ended(row.status));
    }
    let owner = load_owner(&transaction, id).await?;
    let cancellation = if owner.is_some_and(|owner| !owner.is_expired) {
        request_cancel(&transaction, &row, now).await?;
        Cancellation::Requested
    } else {
        let row = end_as_cancelled(&transaction, &row, now).await?;
        outbox::append(&transaction, id, &announce(&row), now).await?;
        Cancellation::Cancelled
    };
    transaction.commit().await.map_err(postgres(doing))?;
    Ok(cancellation)
}

async fn request_cancel(
    transaction: &Transaction<'_>,
    row: &JobRow,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    if row.cancel_requested_at.is_some() {
        return Ok(());
    }
    let sql = include_str!("../../../sql/queries/job_cancel.sql");
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&row.id().as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)];
    transaction.query_typed(sql, &params).await.map_err(postgres("ask for the job's end")).map(|_| ())
}

/// Ends a job whose row the caller has locked and that no worker holds.
pub(super) async fn end_as_cancelled(
    transaction: &Transaction<'_>,
    row: &JobRow,
    now: DateTime<Utc>,
) -> Result<JobRow, Failure> {
    let ending = Ending {
        status: JobStatus::Cancelled,
        error: Some("cancelled".to_owned()),
        // A worker that died may have told progress under the last claim.
        last_seq: Numbers::after_progress(row.last_seq).end(),
        ..Ending::default()
    };
    end_within(transaction, row, &ending, now)
        .await?
        .ok_or_else(|| Failure::transient("cancel the job", "its locked row vanished"))
}
