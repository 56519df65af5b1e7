//! What happens to one delivery, from the stream to the acknowledgement.

use std::time::Duration;

use chrono::Utc;
use tracing::{debug, info, warn};

use super::Worker;
use super::announce::Announcer;
use super::attempt::{self, attempt};
use super::backoff::delay_after;
use super::disposition::{Circumstances, Disposition, dispose};
use super::heartbeat::{Heartbeat, Held};
use crate::domain::job::{JobRequest, JobStatus};
use crate::domain::task::Mode;
use crate::failure::{Failure, redis as redis_failure};
use crate::plan::given::date;
use crate::plan::given::notice::Warning;
use crate::redis::consumer::{self, Delivery, Entry};
use crate::redis::dead;
use crate::store::jobs::{self, Claim, ClaimTerms, Ended, Ending, JobResult, JobRow, Lost, Postponement};
use crate::wire::dead_letter::{DeadLetter, DeadReason, Original};
use crate::wire::entry::{self, ParsedRequest, Rejection};
use crate::wire::seq::Numbers;

/// How often a worker asks again for a job that another one holds.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Works on one delivery until it is acknowledged, or left to another worker.
///
/// An error means that something could not be written down; the entry stays pending and is found again.
pub async fn process(worker: &Worker, delivery: Delivery) -> Result<(), Failure> {
    let entry = match delivery {
        Delivery::Entry(entry) => entry,
        Delivery::Deleted(entry_id) => return report_deleted(worker, &entry_id).await,
    };
    let ParsedRequest { request, mut warnings } = match entry::parse(&entry.id, &entry.fields) {
        Ok(parsed) => parsed,
        Err(rejection) => return reject(worker, &entry, &rejection).await,
    };
    // Before the claim: an attempt that has no connection is none.
    attempt::connect(worker).await?;
    match claim(worker, &request, &entry).await? {
        Some(Claim::Claimed(row)) => {
            warnings.extend(other_wishes(&row, &request));
            work(worker, &entry, *row, &warnings).await
        }
        Some(Claim::Exhausted(row)) => give_up(worker, &entry, *row).await,
        Some(Claim::Ended(row)) => {
            if let Some(warning) = other_wishes(&row, &request) {
                warn!(job.id = %row.id(), entry.id = %entry.id, "job {}: {warning}", row.id());
            }
            publish_again(worker, &entry, &row).await
        }
        Some(Claim::NotDue) => acknowledge(worker, &entry.id).await,
        Some(Claim::Forbidden { .. }) => {
            reject(worker, &entry, &Rejection::of_bare_revert(request.job_id)).await
        }
        // The worker stops; the entry is set free when it leaves the group.
        Some(Claim::Held { .. }) | None => Ok(()),
    }
}

/// What `request` asks for that the job of its id does not: the first request counts.
fn other_wishes(row: &JobRow, request: &JobRequest) -> Option<String> {
    let first = &row.request;
    let fields = [
        ("mode", first.mode != request.mode),
        ("force", first.force != request.force),
        ("accept_churn", first.accept_churn != request.accept_churn),
        ("triggered_by", first.triggered_by != request.triggered_by),
        ("as_of", first.as_of != request.as_of),
        ("run_id", first.run_id != request.run_id),
        ("revert_of", first.revert_of != request.revert_of),
    ];
    let others: Vec<&str> = fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    (!others.is_empty()).then(|| {
        format!(
            "id_known: the id was asked for again with another {}; the first request counts",
            others.join(", ")
        )
    })
}

/// Claims the job, waiting while another worker holds it; `None` where this worker stops meanwhile.
async fn claim(worker: &Worker, request: &JobRequest, entry: &Entry) -> Result<Option<Claim>, Failure> {
    let knows_dead = |name: &str| worker.identity.knows_dead(name);
    let has_begun = |lease_number: i64| worker.begun.is(&request.job_id, lease_number);
    let terms = ClaimTerms {
        worker: worker.identity.name(),
        lease: worker.options.lease,
        max_attempts: worker.options.max_attempts,
        policy_fingerprint: &worker.fingerprint,
        knows_dead: &knows_dead,
        has_begun: &has_begun,
    };
    let mut is_logged = false;
    loop {
        let now = Utc::now();
        let announcer = Announcer { names: &worker.names, at: now };
        let announce = |row: &JobRow, lost: Option<&Lost>| {
            if let Some(lost) = lost {
                warn!(job.id = %row.id(), "job {} is taken over: {lost}", row.id());
            }
            if row.status.is_final() { announcer.ended(row) } else { announcer.started(row, lost) }
        };
        let mut client = worker.database.client().await?;
        match jobs::claim(&mut client, request, &entry.id, &terms, now, announce).await? {
            Claim::Held { by } => {
                if !is_logged {
                    info!(job.id = %request.job_id, "job {} is held by worker {by}; waiting", request.job_id);
                    is_logged = true;
                }
            }
            claim => return Ok(Some(claim)),
        }
        drop(client);
        tokio::select! {
            () = tokio::time::sleep(ASK_AGAIN) => {}
            () = worker.shutdown.asked.cancelled() => return Ok(None),
        }
    }
}

/// An attempt, and what becomes of the job after it.
async fn work(worker: &Worker, entry: &Entry, row: JobRow, warnings: &[String]) -> Result<(), Failure> {
    if row.attempt > 1 {
        // That it would be was said when the one before failed.
        debug!(job.id = %row.id(), attempt = row.attempt, "job {}: attempt {}", row.id(), row.attempt);
    } else {
        info!(
            job.id = %row.id(), mode = %row.request.mode, attempt = row.attempt,
            "job {}: mode {}, asked for by {}", row.id(), row.request.mode, row.request.triggered_by
        );
    }
    let held = Held {
        id: row.id().clone(),
        lease_number: row.lease_number,
        entry_id: entry.id.clone(),
        stream: worker.names.job_stream(),
        consumer: worker.identity.name().to_owned(),
        lease: worker.options.lease,
        every: worker.options.heartbeat,
    };
    let heartbeat =
        Heartbeat::start(worker.database.clone(), worker.kept_pulse.clone(), worker.redis.clone(), held);
    // Boxed, for it is most of what a worker's future would take along through every caller.
    let outcome = Box::pin(attempt(worker, &row, warnings, &heartbeat)).await;
    let row = JobRow { last_step: Some(heartbeat.last_step().to_owned()), ..row };
    let disposition = dispose(outcome, &circumstances(worker, &row, heartbeat.last_step()));
    worker.failure_streak.note(&disposition);
    // The heartbeat goes on until the outcome is written down, or a successor would begin meanwhile.
    let recorded = record(worker, &row, warnings, disposition).await?;
    drop(heartbeat);
    match recorded {
        Some(row) if row.status.is_final() => {
            // The world waits for the news, nobody for the ownership of a job that has ended.
            relay(worker, &row).await;
            release(worker, &row).await;
            remove_entry(worker, entry, &row).await
        }
        // Its row says when it goes on; the sweeper puts it on the stream again then.
        Some(row) => {
            relay(worker, &row).await;
            acknowledge(worker, &entry.id).await
        }
        None => {
            warn!(job.id = %row.id(), "job {} was lost to another worker; nothing of this attempt counts", row.id());
            Ok(())
        }
    }
}

fn circumstances(worker: &Worker, row: &JobRow, step: &'static str) -> Circumstances {
    let waited = row.waiting_since.map_or(0, |since| (Utc::now() - since).num_milliseconds());
    Circumstances {
        attempt: u32::try_from(row.attempt).unwrap_or(u32::MAX),
        max_attempts: u32::try_from(worker.options.max_attempts).unwrap_or(u32::MAX),
        waited: Duration::from_millis(u64::try_from(waited).unwrap_or(0)),
        longest_wait: worker.options.eod_wait,
        recheck: worker.options.eod_recheck,
        timeout: worker.options.timeout,
        hung_after: worker.options.hung_after,
        step,
        has_begun: worker.begun.is(row.id(), row.lease_number),
    }
}

/// Writes down what becomes of the job, and returns its row as it is then: ended or postponed. `None` where it has been
/// claimed anew, so that nothing is written. A commit whose answer got lost may turn out to have succeeded.
async fn record(
    worker: &Worker,
    row: &JobRow,
    warnings: &[String],
    disposition: Disposition,
) -> Result<Option<JobRow>, Failure> {
    let ended = match disposition {
        Disposition::Done(row) => return Ok(Some(*row)),
        // Nothing to write; the row is read again below.
        Disposition::Abandon => Ended::Lost,
        Disposition::Skip(why) => skip(worker, row, warnings, &why).await?,
        Disposition::End { status, error, is_dead_letter } => {
            let verdict = Verdict { status, error: &error, is_dead_letter };
            end(worker, row, warnings, verdict).await?
        }
        Disposition::Retry { error } => {
            let delay = delay_after(u32::try_from(row.attempt).unwrap_or(1));
            warn!(job.id = %row.id(), "job {}: attempt {} failed, next in {:.1} s: {error}", row.id(), row.attempt, delay.as_secs_f64());
            postpone(worker, row, JobStatus::Retrying, Some(delay), Some(&error), Free::No).await?
        }
        Disposition::Later { error } => {
            let delay = delay_after(1);
            info!(job.id = %row.id(), "job {}: not begun, next try in {:.1} s: {error}", row.id(), delay.as_secs_f64());
            postpone(worker, row, JobStatus::Retrying, Some(delay), Some(&error), Free::NotBegun).await?
        }
        Disposition::Wait { delay, error } => {
            info!(job.id = %row.id(), "job {}: {error}", row.id());
            postpone(worker, row, JobStatus::Retrying, Some(delay), Some(&error), Free::WaitingForImport)
                .await?
        }
        Disposition::HandBack => {
            info!(job.id = %row.id(), "job {} is handed back: this worker stops", row.id());
            postpone(worker, row, JobStatus::Queued, None, None, Free::HandedBack).await?
        }
    };
    match ended {
        // The cancel request arrived after the attempt's last check but before the job was released.
        Ended::Done(row) if !row.status.is_final() && row.cancel_requested_at.is_some() => {
            cancel_postponed(worker, &row).await
        }
        Ended::Done(row) => Ok(Some(*row)),
        Ended::Lost => read_outcome(worker, row).await,
    }
}

/// What Postgres says became of the claim in `row`.
async fn read_outcome(worker: &Worker, row: &JobRow) -> Result<Option<JobRow>, Failure> {
    let mut client = worker.database.client().await?;
    match jobs::load(&mut client, row.id()).await? {
        Some(now) if now.status.is_final() && now.lease_number == row.lease_number => {
            info!(job.id = %row.id(), "job {}: its commit succeeded, although its answer did not come in time", row.id());
            Ok(Some(now))
        }
        Some(_) | None => Ok(None),
    }
}

async fn cancel_postponed(worker: &Worker, row: &JobRow) -> Result<Option<JobRow>, Failure> {
    let now = Utc::now();
    let announcer = Announcer { names: &worker.names, at: now };
    let mut client = worker.database.client().await?;
    jobs::cancel(&mut client, row.id(), now, |ended| announcer.ended(ended)).await?;
    drop(client);
    log_end(row, JobStatus::Cancelled, "");
    read_outcome(worker, row).await
}

fn log_end(row: &JobRow, status: JobStatus, error: &str) {
    if status == JobStatus::Cancelled {
        info!(job.id = %row.id(), "job {} is cancelled", row.id());
    } else {
        tracing::error!(job.id = %row.id(), "job {} failed: {error}", row.id());
    }
}

/// Ends a job for which nothing needs to be done.
async fn skip(worker: &Worker, row: &JobRow, warnings: &[String], why: &Warning) -> Result<Ended, Failure> {
    info!(job.id = %row.id(), "job {}: {why}", row.id());
    let now = Utc::now();
    let announcer = Announcer { names: &worker.names, at: now };
    let ending = Ending {
        status: JobStatus::Completed,
        warnings: warnings.iter().cloned().chain([why.to_string()]).collect(),
        result: JobResult::of_skipped(row.request.mode),
        // The date is still to be synced, by a job that may come with the same key.
        frees_key: why.code == date::DATA_STALE,
        last_seq: Numbers::after_progress(row.last_seq).end(),
        ..Ending::default()
    };
    let mut client = worker.database.client().await?;
    jobs::end(&mut client, row, &ending, now, |ended| announcer.ended(ended)).await
}

/// How a job ends that changed no universe.
#[derive(Clone, Copy)]
struct Verdict<'a> {
    status: JobStatus,
    error: &'a str,
    is_dead_letter: bool,
}

async fn end(
    worker: &Worker,
    row: &JobRow,
    warnings: &[String],
    verdict: Verdict<'_>,
) -> Result<Ended, Failure> {
    let now = Utc::now();
    let announcer = Announcer { names: &worker.names, at: now };
    let result = JobResult { is_dead_letter: verdict.is_dead_letter, ..JobResult::default() };
    let ending = Ending {
        status: verdict.status,
        error: Some(verdict.error.to_owned()),
        warnings: warnings.to_vec(),
        result,
        last_seq: Numbers::after_progress(row.last_seq).end(),
        ..Ending::default()
    };
    let mut client = worker.database.client().await?;
    let ended = jobs::end(&mut client, row, &ending, now, |ended| announcer.ended(ended)).await?;
    // Said once it is so: a commit that nobody waited for any longer may have ended the job as completed.
    if let Ended::Done(_) = &ended {
        log_end(row, verdict.status, verdict.error);
    }
    Ok(ended)
}

/// Why an attempt is not counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Free {
    No,
    NotBegun,
    WaitingForImport,
    HandedBack,
}

async fn postpone(
    worker: &Worker,
    row: &JobRow,
    status: JobStatus,
    delay: Option<Duration>,
    error: Option<&str>,
    free: Free,
) -> Result<Ended, Failure> {
    let now = Utc::now();
    let announcer = Announcer { names: &worker.names, at: now };
    let postponement = Postponement {
        status,
        delay,
        is_attempt_free: free != Free::No,
        is_waiting_for_import: free == Free::WaitingForImport,
        error: error.map(str::to_owned),
        last_seq: Numbers::after_progress(row.last_seq).take(),
    };
    let problem = error.filter(|_| free == Free::No).map(|error| ("retry", error));
    let mut client = worker.database.client().await?;
    jobs::postpone(&mut client, row, &postponement, now, |postponed| announcer.postponed(postponed, problem))
        .await
}

/// A job that has been begun too often: whatever it does to its workers, it does it to no more of them.
async fn give_up(worker: &Worker, entry: &Entry, row: JobRow) -> Result<(), Failure> {
    let last = row.error.as_deref().unwrap_or("its worker ended without saying why");
    let error = format!("gave up after {} attempts: {last}", row.attempt);
    let verdict = Verdict { status: JobStatus::Failed, error: &error, is_dead_letter: true };
    match end(worker, &row, &[], verdict).await? {
        Ended::Done(row) => {
            relay(worker, &row).await;
            remove_entry(worker, entry, &row).await
        }
        Ended::Lost => Ok(()),
    }
}

/// Takes the entry of a job that has ended off the stream; one that was given up goes to the dead letters.
async fn remove_entry(worker: &Worker, entry: &Entry, row: &JobRow) -> Result<(), Failure> {
    if row.result.is_dead_letter {
        bury_exhausted(worker, entry, row).await
    } else {
        acknowledge(worker, &entry.id).await
    }
}

async fn bury_exhausted(worker: &Worker, entry: &Entry, row: &JobRow) -> Result<(), Failure> {
    let letter = DeadLetter {
        entry_id: entry.id.clone(),
        job_id: Some(row.id().clone()),
        reason: DeadReason::AttemptsExhausted,
        error: row.error.clone().unwrap_or_default(),
        attempts: u32::try_from(row.attempt).unwrap_or(0),
        last_step: row.last_step.clone().unwrap_or_default(),
        failed_at: Utc::now(),
        original: Original::of(&entry.fields),
    };
    dead::file(&worker.redis, &worker.names, &letter).await
}

/// An entry that asks for nothing usable: to the dead letters, and where somebody may be waiting for its id, that
/// job is failed.
async fn reject(worker: &Worker, entry: &Entry, rejection: &Rejection) -> Result<(), Failure> {
    warn!(entry.id = %entry.id, "entry {} is rejected: {rejection}", entry.id);
    let now = Utc::now();
    if let Some(job_id) = &rejection.job_id {
        let requested_at = entry::entry_time(&entry.id).unwrap_or(now);
        let request = JobRequest::new(job_id.clone(), Mode::Full, entry::DEFAULT_TRIGGERED_BY, requested_at);
        let announcer = Announcer { names: &worker.names, at: now };
        let announce = |row: &JobRow| announcer.ended(row);
        let mut client = worker.database.client().await?;
        let rejected =
            jobs::reject(&mut client, &request, &entry.id, rejection.to_string(), now, announce).await?;
        drop(client);
        if let Some(row) = rejected {
            relay(worker, &row).await;
        }
    }
    let letter = DeadLetter {
        entry_id: entry.id.clone(),
        job_id: rejection.job_id.clone(),
        reason: rejection.reason.into(),
        error: rejection.to_string(),
        attempts: 0,
        last_step: String::new(),
        failed_at: now,
        original: Original::of(&entry.fields),
    };
    dead::file(&worker.redis, &worker.names, &letter).await
}

/// An entry that was deleted under a worker's hands. A job whose row exists is put on the stream again by the
/// sweeper; of any other only this trace remains.
async fn report_deleted(worker: &Worker, entry_id: &str) -> Result<(), Failure> {
    let mut client = worker.database.client().await?;
    if jobs::is_entry_known(&mut client, entry_id).await? {
        return acknowledge(worker, entry_id).await;
    }
    warn!(entry.id = entry_id, "entry {entry_id} was deleted from the stream before anybody worked on it");
    let letter = DeadLetter {
        entry_id: entry_id.to_owned(),
        job_id: None,
        reason: DeadReason::Deleted,
        error: "the entry was deleted from the stream while it was pending".to_owned(),
        attempts: 0,
        last_step: String::new(),
        failed_at: Utc::now(),
        original: Original::default(),
    };
    dead::file(&worker.redis, &worker.names, &letter).await
}

/// A finished job that is delivered again does no work; whoever missed its end is told.
async fn publish_again(worker: &Worker, entry: &Entry, row: &JobRow) -> Result<(), Failure> {
    if let Err(failure) = worker.relay.publish_again_if_lost(row.id()).await {
        warn!(job.id = %row.id(), "{failure}");
    }
    // The very entry that stood for the job: its worker died before it could put it away. Any other asks for the
    // same job once more, which is no second dead letter.
    if row.entry_id.as_deref() == Some(entry.id.as_str()) {
        remove_entry(worker, entry, row).await
    } else {
        acknowledge(worker, &entry.id).await
    }
}

/// Tells what the job owes, as far as Redis lets us; the relay's own round tells the rest.
async fn relay(worker: &Worker, row: &JobRow) {
    if let Err(failure) = worker.relay.relay(row.id()).await {
        warn!(job.id = %row.id(), "job {} is told later: {failure}", row.id());
    }
}

/// Gives up the ownership; should that fail, it runs out by itself.
async fn release(worker: &Worker, row: &JobRow) {
    let released = match worker.database.client().await {
        Ok(mut client) => jobs::release(&mut client, row).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = released {
        warn!(job.id = %row.id(), "{failure}");
    }
}

/// Comes last: what is acknowledged is written down in Postgres.
async fn acknowledge(worker: &Worker, entry_id: &str) -> Result<(), Failure> {
    consumer::acknowledge(&worker.redis, &worker.names.job_stream(), entry_id)
        .await
        .map_err(redis_failure("acknowledge the entry"))
}
