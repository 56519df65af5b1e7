//! Jobs: accepted, claimed, let go, ended.
//!
//! A job's row decides what happened to it. Its states:
//!
//! ```text
//!   accept ─► queued ─► running ─► completed | failed | cancelled
//!                ▲         │
//!                └─────────┤  hand_back: the worker stops (no attempt counted)
//!             retrying ◄───┘  retry after a passing failure, or wait for the import
//! ```
//!
//! A job that no worker holds is [cancelled](cancel) at once; one that a worker holds is asked to end, and its
//! heartbeat sees that.
//!
//! Every change from `running` names the lease number of the claim; where another worker has taken over since,
//! nothing changes and the caller learns [`Lost`](Ended::Lost).

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use tracing::warn;

use super::outbox::{self, Owed};
use super::owners;
use super::{Client, Limits, Transaction};
use crate::domain::job::{JobId, JobRequest, JobStatus};
use crate::domain::task::Mode;
use crate::failure::{Failure, postgres};
use crate::fault;

/// A row of `cache_sync_jobs`.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// What was asked for.
    pub request: JobRequest,
    /// Where it stands.
    pub status: JobStatus,
    /// The date that was synced, or is wanted.
    pub as_of: Option<NaiveDate>,
    /// Times a worker began it.
    pub attempt: i32,
    /// Raised at every claim.
    pub lease_number: i64,
    /// When a retry is due.
    pub not_before: Option<DateTime<Utc>>,
    /// Since when it waits for a complete import.
    pub waiting_since: Option<DateTime<Utc>>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When it was first begun.
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// When the row last changed.
    pub updated_at: DateTime<Utc>,
    /// When somebody asked for its end.
    pub cancel_requested_at: Option<DateTime<Utc>>,
    /// The stream entry that stands for it.
    pub entry_id: Option<String>,
    /// The worker that claimed it last.
    pub worker: Option<String>,
    /// How far the last attempt came that did not complete.
    pub last_step: Option<String>,
    /// The highest event number given out.
    pub last_seq: i64,
    /// Why it failed, or why the last attempt did.
    pub error: Option<String>,
    /// What a person should know, `code: text` each.
    pub warnings: Vec<String>,
    /// What it did.
    pub result: Value,
    /// The rules it was decided by.
    pub policy_fingerprint: Option<String>,
}

impl JobRow {
    /// A row of the table; it may have further columns.
    pub(super) fn from_row(row: &Row) -> Result<Self, Failure> {
        let text = |column: &str| row.get::<_, Option<String>>(column);
        let job_id = row.get::<_, String>("job_id");
        let corrupt = |column: &str| {
            Failure::permanent(
                format!("read job {job_id}"),
                format!("column {column} holds an unknown value"),
            )
        };
        let request = JobRequest {
            job_id: JobId::parse(&job_id).ok_or_else(|| corrupt("job_id"))?,
            mode: Mode::from_text(row.get("mode")).ok_or_else(|| corrupt("mode"))?,
            force: row.get("force"),
            accept_churn: row.get("accept_churn"),
            triggered_by: row.get("triggered_by"),
            requested_at: row.get("requested_at"),
            run_id: text("run_id"),
            dedupe_key: text("dedupe_key"),
            as_of: row.get("requested_as_of"),
            revert_of: text("revert_of").and_then(|id| JobId::parse(&id)),
            replay_of: text("replay_of"),
        };
        let warnings: Value = row.get("warnings");
        Ok(Self {
            request,
            status: JobStatus::from_text(row.get("status")).ok_or_else(|| corrupt("status"))?,
            as_of: row.get("as_of"),
            attempt: row.get("attempt"),
            lease_number: row.get("lease_number"),
            not_before: row.get("not_before"),
            waiting_since: row.get("waiting_since"),
            created_at: row.get("created_at"),
            start_time: row.get("start_time"),
            end_time: row.get("end_time"),
            updated_at: row.get("updated_at"),
            cancel_requested_at: row.get("cancel_requested_at"),
            entry_id: text("entry_id"),
            worker: text("worker"),
            last_step: text("last_step"),
            last_seq: row.get("last_seq"),
            error: text("error"),
            warnings: serde_json::from_value(warnings).map_err(|_| corrupt("warnings"))?,
            result: row.get("result"),
            policy_fingerprint: text("policy_fingerprint"),
        })
    }

    /// The job's id.
    pub fn id(&self) -> &JobId {
        &self.request.job_id
    }

    /// Seconds from its start to its end, or to `now` while it runs.
    pub fn duration_seconds(&self, now: DateTime<Utc>) -> f64 {
        let Some(start) = self.start_time else { return 0.0 };
        let took = self.end_time.unwrap_or(now) - start;
        took.num_milliseconds().max(0) as f64 / 1000.0
    }
}

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
    let sql = include_str!("../../sql/queries/job_warn.sql");
    let warnings = Value::from(warnings);
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&row.id().as_str(), Type::TEXT), (&warnings, Type::JSONB)];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres(doing))?;
    let vanished = || Failure::transient(doing, "its row vanished");
    JobRow::from_row(rows.first().ok_or_else(vanished)?)
}

async fn accept_within(
    transaction: &Transaction<'_>,
    request: &JobRequest,
    entry_id: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Accepted, Failure> {
    if let Some(key) = &request.dedupe_key {
        let sql = include_str!("../../sql/queries/dedupe_lock.sql");
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
    let sql = include_str!("../../sql/queries/dedupe_holder.sql");
    let params: [(&(dyn ToSql + Sync), Type); 3] =
        [(key, Type::TEXT), (&request.job_id.as_str(), Type::TEXT), (&request.as_of, Type::DATE)];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres("look up a dedupe key"))?;
    Ok(rows.first().and_then(|row| JobId::parse(row.get("job_id"))))
}

async fn insert(
    transaction: &Transaction<'_>,
    request: &JobRequest,
    entry_id: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<JobRow>, Failure> {
    let sql = include_str!("../../sql/queries/job_insert.sql");
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

async fn lock(transaction: &Transaction<'_>, id: &JobId) -> Result<Option<JobRow>, Failure> {
    let sql = include_str!("../../sql/queries/job_lock.sql");
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
    let sql = include_str!("../../sql/queries/job_entry_note.sql");
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&id.as_str(), Type::TEXT), (&entry_id, Type::TEXT)];
    transaction.query_typed(sql, &params).await.map_err(postgres(doing))?;
    fault::point("note_entry.before").await?;
    transaction.commit().await.map_err(postgres(doing))?;
    Ok(fault::point("note_entry.after").await?)
}

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
/// there is none yet, the attempt, the lease number, the owner, and what `tell` owes the world about it and about how the
/// attempt before it was lost.
pub async fn claim(
    client: &mut Client,
    request: &JobRequest,
    entry_id: &str,
    terms: &ClaimTerms<'_>,
    now: DateTime<Utc>,
    tell: impl FnOnce(&JobRow, Option<&Lost>) -> Vec<Owed>,
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
            outbox::owe(&transaction, row.id(), &tell(&row, None), now).await?;
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
        outbox::owe(&transaction, row.id(), &tell(&row, None), now).await?;
        transaction.commit().await.map_err(postgres(doing))?;
        return Ok(Claim::Ended(Box::new(row)));
    }
    // A claim of this worker whose answer was lost: it never began, and this one counts in its place.
    let is_in_place = owner.as_ref().is_some_and(|owner| owner.never_began(terms));
    let counted = row.attempt - i32::from(is_in_place);
    let exhausted = counted >= terms.max_attempts;
    let lost = owner.as_ref().map(|owner| owner.lost(terms));
    let begun = Begun {
        step: owner.and_then(|owner| owner.step),
        lost: lost.as_ref().map(ToString::to_string),
        // One that is given up is claimed to be ended, not to be begun once more.
        attempts: i32::from(!exhausted && !is_in_place),
    };
    let claimed = begin_attempt(&transaction, &row, terms, &begun, now).await?;
    take_ownership(&transaction, &claimed, terms).await?;
    if exhausted {
        transaction.commit().await.map_err(postgres(doing))?;
        return Ok(Claim::Exhausted(Box::new(claimed)));
    }
    outbox::owe(&transaction, claimed.id(), &tell(&claimed, lost.as_ref()), now).await?;
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
        last_seq: row.last_seq + ENDING_NUMBERS,
        ..Ending::default()
    };
    end_within(transaction, &row, &ending, now).await?.ok_or_else(vanished)
}

struct Owner {
    worker: String,
    lease_number: i64,
    step: Option<String>,
    is_expired: bool,
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

async fn load_owner(transaction: &Transaction<'_>, id: &JobId) -> Result<Option<Owner>, Failure> {
    let sql = include_str!("../../sql/queries/owner_load.sql");
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
    let sql = include_str!("../../sql/queries/job_claim.sql");
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
    let sql = include_str!("../../sql/queries/owner_take.sql");
    let params: [(&(dyn ToSql + Sync), Type); 4] = [
        (&row.id().as_str(), Type::TEXT),
        (&row.lease_number, Type::INT8),
        (&terms.worker, Type::TEXT),
        (&terms.lease.as_secs_f64(), Type::FLOAT8),
    ];
    transaction.query_typed(sql, &params).await.map_err(postgres("take the job")).map(|_| ())
}

/// Event numbers after a claim that its start takes: one for `cache_sync_started`, one for how the attempt before was lost.
pub const STARTING_NUMBERS: i64 = 2;
/// Event numbers after a claim that its start and the progress of at most five plannings share.
pub const PROGRESS_NUMBERS: i64 = 100;
/// Event numbers that the end of a job takes: one for what went wrong, the last one for the end itself.
pub const ENDING_NUMBERS: i64 = 2;

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
    pub result: Value,
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
            result: Value::Object(serde_json::Map::new()),
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
    let sql = include_str!("../../sql/queries/job_finish.sql");
    let warnings = Value::from(ending.warnings.clone());
    let params: [(&(dyn ToSql + Sync), Type); 12] = [
        (&row.id().as_str(), Type::TEXT),
        (&row.lease_number, Type::INT8),
        (&ending.status.as_str(), Type::TEXT),
        (&ending.as_of, Type::DATE),
        (&now, Type::TIMESTAMPTZ),
        (&ending.error, Type::TEXT),
        (&warnings, Type::JSONB),
        (&ending.result, Type::JSONB),
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
    tell: impl FnOnce(&JobRow) -> Vec<Owed>,
) -> Result<Ended, Failure> {
    let transaction = client.begin().await?;
    let ended = end_within(&transaction, row, ending, now).await?;
    close(transaction, ended, now, tell).await
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
    tell: impl FnOnce(&JobRow) -> Vec<Owed>,
) -> Result<Ended, Failure> {
    let transaction = client.begin().await?;
    let sql = include_str!("../../sql/queries/job_postpone.sql");
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
    close(transaction, postponed, now, tell).await
}

/// The common end of both: what is owed, the ownership given up, the commit.
async fn close(
    transaction: Transaction<'_>,
    changed: Option<JobRow>,
    now: DateTime<Utc>,
    tell: impl FnOnce(&JobRow) -> Vec<Owed>,
) -> Result<Ended, Failure> {
    let Some(row) = changed else { return Ok(Ended::Lost) };
    outbox::owe(&transaction, row.id(), &tell(&row), now).await?;
    release_within(&transaction, &row).await?;
    fault::point("settle.before").await?;
    transaction.commit().await.map_err(postgres("write down how the job went"))?;
    fault::point("settle.after").await?;
    Ok(Ended::Done(Box::new(row)))
}

async fn release_within(transaction: &Transaction<'_>, row: &JobRow) -> Result<(), Failure> {
    let sql = include_str!("../../sql/queries/owner_release.sql");
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&row.id().as_str(), Type::TEXT), (&row.lease_number, Type::INT8)];
    transaction.query_typed(sql, &params).await.map_err(postgres("release the job")).map(|_| ())
}

/// Gives up the ownership of a job whose end is committed. Not part of the commit: an owner row that the heartbeat
/// has just touched would make the apply fail as not serializable. One that comes back with a crash runs out by itself.
pub async fn release(client: &mut Client, row: &JobRow) -> Result<(), Failure> {
    let transaction = client.begin_forgettable().await?;
    release_within(&transaction, row).await?;
    fault::point("release.before").await?;
    transaction.commit().await.map_err(postgres("release the job"))?;
    Ok(fault::point("release.after").await?)
}

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

/// Asks for a job's end. One that no worker holds ends here, with what `tell` owes the world about it; the worker of
/// any other sees the wish at its heartbeat.
///
/// The lock of the job's row makes this and a claim take turns: whoever comes second sees what the first has done.
pub async fn cancel(
    client: &mut Client,
    id: &JobId,
    by: Option<&str>,
    now: DateTime<Utc>,
    tell: impl FnOnce(&JobRow) -> Vec<Owed>,
) -> Result<Cancellation, Failure> {
    let doing = "ask for the job's end";
    let transaction = client.begin().await?;
    let Some(mut row) = lock(&transaction, id).await? else { return Ok(Cancellation::Unknown) };
    if row.status.is_final() {
        return Ok(Cancellation::Ended(row.status));
    }
    if let Some(by) = by.filter(|_| row.cancel_requested_at.is_none()) {
        row = warn_of(&transaction, &row, &[format!("cancelled_by: {by}")]).await?;
    }
    let owner = load_owner(&transaction, id).await?;
    let cancellation = if owner.is_some_and(|owner| !owner.is_expired) {
        request_cancel(&transaction, &row, now).await?;
        Cancellation::Requested
    } else {
        let row = end_as_cancelled(&transaction, &row, now).await?;
        outbox::owe(&transaction, id, &tell(&row), now).await?;
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
    let sql = include_str!("../../sql/queries/job_cancel.sql");
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&row.id().as_str(), Type::TEXT), (&now, Type::TIMESTAMPTZ)];
    transaction.query_typed(sql, &params).await.map_err(postgres("ask for the job's end")).map(|_| ())
}

/// Ends a job whose row the caller has locked and that no worker holds.
async fn end_as_cancelled(
    transaction: &Transaction<'_>,
    row: &JobRow,
    now: DateTime<Utc>,
) -> Result<JobRow, Failure> {
    let ending = Ending {
        status: JobStatus::Cancelled,
        error: Some("cancelled".to_owned()),
        // A worker that died may have told progress under the last claim.
        last_seq: row.last_seq + PROGRESS_NUMBERS + ENDING_NUMBERS,
        ..Ending::default()
    };
    end_within(transaction, row, &ending, now)
        .await?
        .ok_or_else(|| Failure::transient("cancel the job", "its locked row vanished"))
}

/// One job, or `None` where its id is unknown.
pub async fn load(client: &mut Client, id: &JobId) -> Result<Option<JobRow>, Failure> {
    let transaction = client.begin_look().await?;
    load_within(&transaction, id).await
}

/// The same inside the caller's transaction.
pub async fn load_within(transaction: &Transaction<'_>, id: &JobId) -> Result<Option<JobRow>, Failure> {
    let sql = include_str!("../../sql/queries/job_load.sql");
    let rows = transaction
        .query_typed(sql, &[(&id.as_str(), Type::TEXT)])
        .await
        .map_err(postgres("read the job"))?;
    rows.first().map(JobRow::from_row).transpose()
}

/// Jobs, newest first.
pub async fn recent(client: &mut Client, limit: i64, offset: i64) -> Result<Vec<JobRow>, Failure> {
    let sql = include_str!("../../sql/queries/jobs_recent.sql");
    let transaction = client.begin_look().await?;
    let params: [(&(dyn ToSql + Sync), Type); 2] = [(&limit, Type::INT8), (&offset, Type::INT8)];
    let rows = transaction.query_typed(sql, &params).await.map_err(postgres("read recent jobs"))?;
    rows.iter().map(JobRow::from_row).collect()
}

/// Jobs of one key that are read at most: a person who asks again and again under it is not followed further.
const JOBS_OF_A_KEY: i64 = 100;

/// The jobs that were asked for under a dedupe key, oldest first, whatever became of them.
pub async fn of_key(transaction: &Transaction<'_>, key: &str) -> Result<Vec<JobRow>, Failure> {
    let sql = include_str!("../../sql/queries/jobs_by_key.sql");
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
    let sql = include_str!("../../sql/queries/jobs_without_worker.sql");
    let transaction = client.begin_look().await?;
    let params: [(&(dyn ToSql + Sync), Type); 2] =
        [(&limit, Type::INT8), (&grace.as_secs_f64(), Type::FLOAT8)];
    let rows =
        transaction.query_typed(sql, &params).await.map_err(postgres("look for jobs without a worker"))?;
    rows.iter().map(JobRow::from_row).collect()
}

/// How long until the next unfinished job is due; `None` where every job has ended.
pub async fn next_due(client: &mut Client) -> Result<Option<Duration>, Failure> {
    let sql = include_str!("../../sql/queries/jobs_next_due.sql");
    let transaction = client.begin_look().await?;
    let rows =
        transaction.query_typed(sql, &[]).await.map_err(postgres("look for the next job that is due"))?;
    let seconds = rows.first().and_then(|row| row.get::<_, Option<f64>>("seconds"));
    Ok(seconds.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}

/// Whether some job's row names this stream entry.
pub async fn is_entry_known(client: &mut Client, entry_id: &str) -> Result<bool, Failure> {
    let sql = include_str!("../../sql/queries/job_by_entry.sql");
    let transaction = client.begin_look().await?;
    let rows = transaction
        .query_typed(sql, &[(&entry_id, Type::TEXT)])
        .await
        .map_err(postgres("look up a stream entry"))?;
    Ok(!rows.is_empty())
}

/// Writes down an entry that asked for nothing usable under an id that nobody knows yet: it ends as failed.
/// `None` where the id is known.
pub async fn reject(
    client: &mut Client,
    request: &JobRequest,
    entry_id: &str,
    error: String,
    now: DateTime<Utc>,
    tell: impl FnOnce(&JobRow) -> Vec<Owed>,
) -> Result<Option<JobRow>, Failure> {
    let transaction = client.begin().await?;
    let Some(row) = insert(&transaction, request, Some(entry_id), now).await? else { return Ok(None) };
    let ending = Ending { error: Some(error), last_seq: row.last_seq + ENDING_NUMBERS, ..Ending::default() };
    let ended = end_within(&transaction, &row, &ending, now).await?;
    match close(transaction, ended, now, tell).await? {
        Ended::Done(row) => Ok(Some(*row)),
        Ended::Lost => Ok(None),
    }
}

/// Days a job is kept after its end.
const KEEP_JOBS_DAYS: i32 = 400;
/// Days an event is kept after it was told.
const KEEP_EVENTS_DAYS: i32 = 7;
/// Rows forgotten in one go, so that no round holds locks for long; the rest goes in the next.
const FORGET_AT_ONCE: i64 = 10_000;

/// Forgets jobs, events and owners whose time is over. History and audit are kept for ever.
pub async fn forget_old(client: &mut Client) -> Result<(), Failure> {
    let doing = "forget old jobs and events";
    let transaction = client.begin_within(Limits::default()).await?;
    let rounds = [
        (include_str!("../../sql/queries/jobs_prune.sql"), KEEP_JOBS_DAYS),
        (include_str!("../../sql/queries/outbox_prune.sql"), KEEP_EVENTS_DAYS),
    ];
    for (sql, days) in rounds {
        let params: [(&(dyn ToSql + Sync), Type); 2] = [(&days, Type::INT4), (&FORGET_AT_ONCE, Type::INT8)];
        transaction.query_typed(sql, &params).await.map_err(postgres(doing))?;
    }
    let sql = include_str!("../../sql/queries/owners_prune.sql");
    transaction.query_typed(sql, &[]).await.map_err(postgres(doing))?;
    transaction.commit().await.map_err(postgres(doing))
}
