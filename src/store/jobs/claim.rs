//! A worker takes a job: the row, the attempt, the lease number and the owner change together.

use std::time::Duration;

use chrono::{DateTime, Utc};
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
use crate::store::{Client, Transaction, owners};
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
    /// Whether this worker began to work under an earlier claim of its own, given by its lease number.
    pub has_begun: &'a (dyn Fn(i64) -> bool + Sync),
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
/// there is none yet, the attempt, the lease number, the owner, and the events that `announce` makes of it and of how the
/// attempt before it was lost.
pub async fn claim(
    client: &mut Client,
    request: &JobRequest,
    entry_id: &str,
    terms: &ClaimTerms<'_>,
    now: DateTime<Utc>,
    announce: impl FnOnce(&JobRow, Option<&Lost>) -> Vec<PendingEvent>,
) -> Result<Claim, Failure> {
    let transaction = client.begin().await?;
    free_stuck_owner(&transaction, &request.job_id, terms).await?;
    let accepted = accept_within(&transaction, request, Some(entry_id), now).await?;
    let owner = load_owner(&transaction, &request.job_id).await?;
    let (claim, lost) = match decide(accepted, request.mode, owner, terms, now) {
        // Dropped, the transaction rolls back: a row that it inserted is gone again.
        Decision::Leave(claim) => return Ok(claim),
        Decision::EndAsDuplicate { of } => {
            let row = end_as_duplicate(&transaction, request, entry_id, &of, now).await?;
            (Claim::Ended(Box::new(row)), None)
        }
        Decision::Cancel(row) => {
            let row = end_as_cancelled(&transaction, &row, now).await?;
            (Claim::Ended(Box::new(row)), None)
        }
        Decision::Begin { row, before } => {
            let claimed =
                begin(&transaction, &row, &before, i32::from(!before.never_began), terms, now).await?;
            (Claim::Claimed(Box::new(claimed)), before.lost)
        }
        Decision::GiveUp { row, before } => {
            // Claimed to be ended, not to be begun once more.
            let claimed = begin(&transaction, &row, &before, 0, terms, now).await?;
            (Claim::Exhausted(Box::new(claimed)), None)
        }
    };
    if let Claim::Claimed(row) | Claim::Ended(row) = &claim {
        outbox::append(&transaction, row.id(), &announce(row, lost.as_ref()), now).await?;
    }
    fault::point("claim.before").await?;
    transaction.commit().await.map_err(postgres("claim the job"))?;
    fault::point("claim.after").await?;
    Ok(claim)
}

/// What is known of the attempt before a claim.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Before {
    /// How far it came.
    step: Option<String>,
    /// How its worker lost it.
    lost: Option<Lost>,
    /// Whether it was a claim of this worker whose answer was lost: it never began, and the new one counts in its place.
    never_began: bool,
}

/// What a claim does.
#[derive(Debug)]
enum Decision {
    /// Nothing.
    Leave(Claim),
    /// Ends the job at once: another one stands for its dedupe key.
    EndAsDuplicate { of: JobId },
    /// Ends the job at once: somebody asked for its end while nobody owned it.
    Cancel(Box<JobRow>),
    /// Begins an attempt.
    Begin { row: Box<JobRow>, before: Before },
    /// Takes the job to fail it, for its attempts are used up.
    GiveUp { row: Box<JobRow>, before: Before },
}

/// Decides on what was found under the lock of the job's row.
fn decide(
    accepted: Accepted,
    mode: Mode,
    owner: Option<Owner>,
    terms: &ClaimTerms<'_>,
    now: DateTime<Utc>,
) -> Decision {
    let row = match accepted {
        Accepted::Duplicate { of } => return Decision::EndAsDuplicate { of },
        Accepted::New(_) if mode == Mode::Revert => {
            let problem = "mode revert is made by the command only: use `cache-sync revert JOB_ID`";
            return Decision::Leave(Claim::Forbidden { problem });
        }
        Accepted::New(row) | Accepted::Known(row) => row,
    };
    if row.status.is_final() {
        return Decision::Leave(Claim::Ended(row));
    }
    if row.not_before.is_some_and(|due| due > now) {
        return Decision::Leave(Claim::NotDue);
    }
    if let Some(owner) = owner.as_ref().filter(|owner| owner.is_holding(terms)) {
        return Decision::Leave(Claim::Held { by: owner.worker.clone() });
    }
    if row.cancel_requested_at.is_some() {
        return Decision::Cancel(row);
    }
    let before = owner.map_or_else(Before::default, |owner| Before {
        lost: Some(owner.lost(terms)),
        never_began: owner.never_began(terms),
        step: owner.step,
    });
    if row.attempt - i32::from(before.never_began) >= terms.max_attempts {
        Decision::GiveUp { row, before }
    } else {
        Decision::Begin { row, before }
    }
}

/// Ends the transaction of an owner that is gone or stopped, if it is stuck in one: a transaction that has all but ended
/// the job holds the lock of its row, and would until the server gives it up.
async fn free_stuck_owner(
    transaction: &Transaction<'_>,
    id: &JobId,
    terms: &ClaimTerms<'_>,
) -> Result<(), Failure> {
    let owner = load_owner(transaction, id).await?;
    let Some(gone) = owner.filter(|owner| !owner.is_holding(terms)) else { return Ok(()) };
    if let Some(freed) = owners::free_stuck_of(transaction, std::slice::from_ref(&gone.worker)).await? {
        warn!(job.id = %id, worker = %freed.worker, "ended the transaction of worker {}, which is gone", freed.worker);
    }
    Ok(())
}

/// Writes the claim: the attempt with its lease number, and who owns the job now.
async fn begin(
    transaction: &Transaction<'_>,
    row: &JobRow,
    before: &Before,
    attempts: i32,
    terms: &ClaimTerms<'_>,
    now: DateTime<Utc>,
) -> Result<JobRow, Failure> {
    let claimed = begin_attempt(transaction, row, before, attempts, terms, now).await?;
    take_ownership(transaction, &claimed, terms).await?;
    Ok(claimed)
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

#[derive(Debug, Clone)]
pub(super) struct Owner {
    worker: String,
    lease_number: i64,
    step: Option<String>,
    pub(super) is_expired: bool,
}

impl Owner {
    fn is_holding(&self, terms: &ClaimTerms<'_>) -> bool {
        // A worker that meets its own older claim has lost track of it (its connection broke in mid-claim); it can't
        // hold it elsewhere, for it works on one job at a time.
        self.worker != terms.worker && !self.is_expired && !(terms.knows_dead)(&self.worker)
    }

    /// Whether it is the worker that claims now, which knows that it began nothing then.
    fn never_began(&self, terms: &ClaimTerms<'_>) -> bool {
        self.worker == terms.worker && !(terms.has_begun)(self.lease_number)
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
        lease_number: row.get("lease_number"),
        step: row.get("step"),
        is_expired: row.get("is_expired"),
    }))
}

async fn begin_attempt(
    transaction: &Transaction<'_>,
    row: &JobRow,
    before: &Before,
    attempts: i32,
    terms: &ClaimTerms<'_>,
    now: DateTime<Utc>,
) -> Result<JobRow, Failure> {
    let sql = include_str!("../../../sql/queries/job_claim.sql");
    let lost = before.lost.as_ref().map(ToString::to_string);
    let params: [(&(dyn ToSql + Sync), Type); 7] = [
        (&row.id().as_str(), Type::TEXT),
        (&terms.worker, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
        (&terms.policy_fingerprint, Type::TEXT),
        (&before.step, Type::TEXT),
        (&attempts, Type::INT4),
        (&lost, Type::TEXT),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u32) -> DateTime<Utc> {
        DateTime::from_timestamp(1_770_000_000 + i64::from(second), 0).expect("a time")
    }

    fn row() -> JobRow {
        let id = JobId::parse("job").expect("valid");
        JobRow::accepted(JobRequest::new(id, Mode::Full, "a test", at(0)), at(0))
    }

    fn owner(worker: &str, is_expired: bool) -> Option<Owner> {
        Some(Owner { worker: worker.to_owned(), lease_number: 7, step: Some("plan".to_owned()), is_expired })
    }

    /// This worker's own claim, of which it never heard that it had it.
    fn unanswered() -> Option<Owner> {
        owner("me", false).map(|owner| Owner { lease_number: 8, ..owner })
    }

    /// The decision in a word, as a worker called `me` takes it that knows `dead` to be dead and allows two attempts.
    fn decided(accepted: Accepted, mode: Mode, owner: Option<Owner>) -> String {
        let terms = ClaimTerms {
            worker: "me",
            lease: Duration::from_secs(15),
            max_attempts: 2,
            policy_fingerprint: "",
            knows_dead: &|name| name == "dead",
            has_begun: &|lease_number| lease_number == 7,
        };
        let lost = |before: &Before| {
            let lost = before.lost.as_ref().map(ToString::to_string).unwrap_or_default();
            lost.split(':').next().unwrap_or_default().to_owned()
        };
        match decide(accepted, mode, owner, &terms, at(10)) {
            Decision::Leave(Claim::Ended(_)) => "ended".to_owned(),
            Decision::Leave(Claim::NotDue) => "not due".to_owned(),
            Decision::Leave(Claim::Held { by }) => format!("held by {by}"),
            Decision::Leave(Claim::Forbidden { .. }) => "forbidden".to_owned(),
            Decision::Leave(Claim::Claimed(_) | Claim::Exhausted(_)) => panic!("that needs a write"),
            Decision::EndAsDuplicate { of } => format!("duplicate of {of}"),
            Decision::Cancel(_) => "cancel".to_owned(),
            Decision::Begin { before, .. } => format!("begin {}", lost(&before)).trim().to_owned(),
            Decision::GiveUp { before, .. } => format!("give up {}", lost(&before)).trim().to_owned(),
        }
    }

    #[test]
    fn a_claim_is_decided_by_the_row_its_owner_and_the_time() {
        use JobStatus::{Cancelled, Completed, Failed, Retrying, Running};
        let new = || Accepted::New(Box::new(row()));
        let known = |row: JobRow| Accepted::Known(Box::new(row));
        let of = |status| JobRow { status, ..row() };
        let due = |second| JobRow { status: Retrying, not_before: Some(at(second)), attempt: 1, ..row() };
        let running = |attempt| JobRow { status: Running, attempt, ..row() };
        let cancelled = |row| JobRow { cancel_requested_at: Some(at(5)), ..row };
        let other = || Accepted::Duplicate { of: JobId::parse("other").expect("valid") };
        for (accepted, owner, decision) in [
            (new(), None, "begin"),
            (known(row()), None, "begin"),
            (other(), None, "duplicate of other"),
            (known(of(Completed)), None, "ended"),
            (known(of(Failed)), owner("dead", true), "ended"),
            (known(of(Cancelled)), None, "ended"),
            (known(due(11)), None, "not due"),
            (known(due(10)), None, "begin"),
            (known(running(1)), owner("alive", false), "held by alive"),
            (known(cancelled(running(1))), owner("alive", false), "held by alive"),
            (known(running(1)), owner("alive", true), "begin silent"),
            (known(running(1)), owner("dead", false), "begin died"),
            (known(running(1)), owner("me", false), "begin interrupted"),
            (known(running(2)), owner("alive", false), "held by alive"),
            (known(running(2)), owner("dead", false), "give up died"),
            (known(running(2)), None, "give up"),
            (known(running(2)), owner("me", false), "give up interrupted"),
            (known(running(2)), unanswered(), "begin interrupted"),
            (known(cancelled(running(2))), owner("dead", false), "cancel"),
            (known(cancelled(row())), None, "cancel"),
            (known(cancelled(of(Completed))), None, "ended"),
            (known(cancelled(due(11))), None, "not due"),
        ] {
            let shown = format!("{accepted:?}, {owner:?}");
            assert_eq!(decided(accepted, Mode::Full, owner), decision, "{shown}");
        }
    }

    #[test]
    fn only_a_revert_that_has_a_row_already_is_begun() {
        assert_eq!(decided(Accepted::New(Box::new(row())), Mode::Revert, None), "forbidden");
        assert_eq!(decided(Accepted::Known(Box::new(row())), Mode::Revert, None), "begin");
    }
}
