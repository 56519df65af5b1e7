//! A worker takes a job: the row, the attempt, the lease number and the owner change together.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;
use tokio_postgres::types::{ToSql, Type};
use tracing::warn;

use super::accept::{Accepted, accept_within, insert};
use super::cancel::end_as_cancelled;
use super::finish::{Ending, end_within};
use super::row::JobRow;
use crate::domain::job::{JobId, JobRequest, JobStatus};
use crate::domain::task::Mode;
use crate::failure::{Failure, postgres};
use crate::fault;
use crate::store::outbox::{self, PendingEvent};
use crate::store::{Client, owners};
use crate::wire::seq::Numbers;

/// What a worker that read an entry may do with its job.
#[derive(Debug)]
pub enum Claim {
    /// It is this worker's now.
    Claimed(Box<JobRow>),
    /// It ended earlier, or just now without work: as a duplicate, or cancelled while queued.
    Ended(Box<JobRow>),
    /// It has been begun too often; the row is as the last attempt left it, and has been claimed to be failed.
    Exhausted(Box<JobRow>),
    /// Its retry is not due; the sweeper will put it on the stream again.
    NotDue,
    /// Another worker holds it.
    Held {
        /// Who.
        by: String,
    },
    /// The entry asks for something that only a command may ask for.
    Forbidden {
        /// What.
        problem: &'static str,
    },
}

/// The terms of a claim.
pub struct ClaimTerms<'a> {
    /// The worker that claims.
    pub worker: &'a str,
    /// For how long, until confirmed.
    pub lease: Duration,
    /// Attempts after which a job is given up.
    pub max_attempts: i32,
    /// The rules in force here.
    pub policy_fingerprint: &'a str,
    /// Whether a worker is known to be dead.
    pub knows_dead: &'a (dyn Fn(&str) -> bool + Sync),
}

/// How the attempt before a claim was lost by its worker, in a sentence that begins with a word for it: `died`, `silent`
/// or `interrupted`. An attempt that its own worker wrote an end, a retry or a wait for has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost(String);

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Claims the job that `entry_id` asks for, with everything that belongs to it in one transaction: the row where
/// there is none yet, the attempt, the lease number, the owner, and what `announce` owes the world about it and about how the
/// attempt before it was lost.
pub async fn claim(
    client: &mut Client,
    request: &JobRequest,
    entry_id: &str,
    terms: &ClaimTerms<'_>,
    now: DateTime<Utc>,
    announce: impl FnOnce(&JobRow, Option<&Lost>) -> Vec<PendingEvent>,
) -> Result<Claim, Failure> {
    let doing = "claim the job";
    let transaction = client.begin().await?;
    // Before the row is asked for: a transaction that has all but ended the job holds its lock, and where its worker is
    // stopped or gone it would do so until the server gives it up.
    if let Some(gone) =
        load_owner(&transaction, &request.job_id).await?.filter(|owner| !owner.is_holding(terms))
    {
        if let Some(freed) = owners::free_stuck_of(&transaction, std::slice::from_ref(&gone.worker)).await? {
            warn!(job.id = %request.job_id, worker = %freed.worker, "ended the transaction of worker {}, which is gone", freed.worker);
        }
    }
    let accepted = accept_within(&transaction, request, Some(entry_id), now).await?;
    let row = match accepted {
        Accepted::New(row) | Accepted::Known(row) if row.status.is_final() => {
            return Ok(Claim::Ended(row));
        }
        Accepted::New(_) if request.mode == Mode::Revert => {
            let problem = "mode revert is made by the command only: use `cache-sync revert JOB_ID`";
            return Ok(Claim::Forbidden { problem });
        }
        Accepted::New(row) | Accepted::Known(row) => *row,
        Accepted::Duplicate { of } => {
            let row = end_as_duplicate(&transaction, request, entry_id, &of, now).await?;
            outbox::append(&transaction, row.id(), &announce(&row, None), now).await?;
            transaction.commit().await.map_err(postgres(doing))?;
            return Ok(Claim::Ended(Box::new(row)));
        }
    };
    if row.not_before.is_some_and(|due| due > now) {
        return Ok(Claim::NotDue);
    }
    let owner = load_owner(&transaction, row.id()).await?;
    if let Some(by) = owner.as_ref().filter(|owner| owner.is_holding(terms)) {
        return Ok(Claim::Held { by: by.worker.clone() });
    }
    if row.cancel_requested_at.is_some() {
        let row = end_as_cancelled(&transaction, &row, now).await?;
        outbox::append(&transaction, row.id(), &announce(&row, None), now).await?;
        transaction.commit().await.map_err(postgres(doing))?;
        return Ok(Claim::Ended(Box::new(row)));
    }
    let exhausted = row.attempt >= terms.max_attempts;
    let lost = owner.as_ref().map(|owner| owner.lost(terms));
    let begun = Begun {
        step: owner.and_then(|owner| owner.step),
        lost: lost.as_ref().map(ToString::to_string),
        // One that is given up is claimed to be ended, not to be begun once more.
        attempts: i32::from(!exhausted),
    };
    let claimed = begin_attempt(&transaction, &row, terms, &begun, now).await?;
    take_ownership(&transaction, &claimed, terms).await?;
    if exhausted {
        transaction.commit().await.map_err(postgres(doing))?;
        return Ok(Claim::Exhausted(Box::new(claimed)));
    }
    outbox::append(&transaction, claimed.id(), &announce(&claimed, lost.as_ref()), now).await?;
    fault::point("claim.before").await?;
    transaction.commit().await.map_err(postgres(doing))?;
    fault::point("claim.after").await?;
    Ok(Claim::Claimed(Box::new(claimed)))
}

/// A bare entry whose dedupe key another job stands for: it ends at once, with a warning.
async fn end_as_duplicate(
    transaction: &Transaction<'_>,
    request: &JobRequest,
    entry_id: &str,
    of: &JobId,
    now: DateTime<Utc>,
) -> Result<JobRow, Failure> {
    // Without the key, or the row would itself stand for it.
    let keyless = JobRequest { dedupe_key: None, ..request.clone() };
    let vanished = || Failure::transient("end a duplicate job", "its row appeared and vanished again");
    let row = insert(transaction, &keyless, Some(entry_id), now).await?.ok_or_else(vanished)?;
    let ending = Ending {
        status: JobStatus::Completed,
        warnings: vec![format!("duplicate_of:{of}")],
        last_seq: Numbers::after(row.last_seq).end(),
        ..Ending::default()
    };
    end_within(transaction, &row, &ending, now).await?.ok_or_else(vanished)
}

pub(super) struct Owner {
    worker: String,
    step: Option<String>,
    pub(super) is_expired: bool,
}

impl Owner {
    fn is_holding(&self, terms: &ClaimTerms<'_>) -> bool {
        // A worker that meets its own older claim has lost track of it (its connection broke in mid-claim); it can't
        // hold it elsewhere, for it works on one job at a time.
        self.worker != terms.worker && !self.is_expired && !(terms.knows_dead)(&self.worker)
    }

    /// How it lost the job that `terms` take from it. A worker that sees by itself that it does not get on says so before
    /// anybody takes over, so what is told apart here is what no worker could say of itself.
    fn lost(&self, terms: &ClaimTerms<'_>) -> Lost {
        let (worker, step) = (&self.worker, self.step.as_deref().unwrap_or("unknown"));
        Lost(if self.worker == terms.worker {
            format!("interrupted: worker {worker} lost its connection at step {step}")
        } else if (terms.knows_dead)(worker) {
            format!("died: worker {worker} ended at step {step} without a word")
        } else {
            format!(
                "silent: worker {worker} gave no sign of life for a lease at step {step}; it is stopped, cut off from \
                 Postgres, or gone with its machine"
            )
        })
    }
}

pub(super) async fn load_owner(transaction: &Transaction<'_>, id: &JobId) -> Result<Option<Owner>, Failure> {
    let sql = include_str!("../../../sql/queries/owner_load.sql");
    let rows = transaction
        .query_typed(sql, &[(&id.as_str(), Type::TEXT)])
        .await
        .map_err(postgres("read who holds the job"))?;
    Ok(rows.first().map(|row| Owner {
        worker: row.get("worker"),
        step: row.get("step"),
        is_expired: row.get("is_expired"),
    }))
}

/// What a claim notes about the attempt before it, and whether it counts as another.
struct Begun {
    step: Option<String>,
    lost: Option<String>,
    attempts: i32,
}

async fn begin_attempt(
    transaction: &Transaction<'_>,
    row: &JobRow,
    terms: &ClaimTerms<'_>,
    begun: &Begun,
    now: DateTime<Utc>,
) -> Result<JobRow, Failure> {
    let sql = include_str!("../../../sql/queries/job_claim.sql");
    let params: [(&(dyn ToSql + Sync), Type); 7] = [
        (&row.id().as_str(), Type::TEXT),
        (&terms.worker, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
        (&terms.policy_fingerprint, Type::TEXT),
        (&begun.step, Type::TEXT),
        (&begun.attempts, Type::INT4),
        (&begun.lost, Type::TEXT),
    ];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres("claim the job"))?;
    let claimed =
        rows.first().ok_or_else(|| Failure::transient("claim the job", "its locked row vanished"))?;
    JobRow::from_row(claimed)
}

async fn take_ownership(
    transaction: &Transaction<'_>,
    row: &JobRow,
    terms: &ClaimTerms<'_>,
) -> Result<(), Failure> {
    let sql = include_str!("../../../sql/queries/owner_take.sql");
    let params: [(&(dyn ToSql + Sync), Type); 4] = [
        (&row.id().as_str(), Type::TEXT),
        (&row.lease_number, Type::INT8),
        (&terms.worker, Type::TEXT),
        (&terms.lease.as_secs_f64(), Type::FLOAT8),
    ];
    transaction.query_typed(sql, &params).await.map_err(postgres("take the job")).map(|_| ())
}
