//! One attempt at a job: take the lease, read one snapshot, decide, write everything in one transaction.
//!
//! Whatever interrupts it (the job is lost or cancelled, the worker stops, the time is up) drops the whole attempt:
//! its statement is cancelled, its connection closed, its transaction rolled back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tracing::{info, warn};

use super::Worker;
use super::announce::Announcer;
use super::disposition::Outcome;
use super::heartbeat::{Heartbeat, Interruption, Progress};
use super::progress::ProgressPublisher;
use crate::domain::job::{JobId, JobRequest, JobStatus};
use crate::domain::task::SyncTask;
use crate::failure::{Failure, postgres};
use crate::fault;
use crate::plan::given::notice::Refusal;
use crate::plan::given::policy::Policy;
use crate::plan::given::snapshot::Snapshot;
use crate::plan::result::{Plan, TaskReport};
use crate::plan::{self, Order, plan};
use crate::store;
use crate::store::apply::{self, ApplyContext};
use crate::store::jobs::{self, Ending, JobResult, JobRow};
use crate::store::layout::Entries;
use crate::store::layout::groups::Groups;
use crate::store::lease::Lease;
use crate::store::read::{self, Reading, Ready, Sources};
use crate::store::{Client, Limits, outbox, owners};
use crate::wire::seq::Numbers;

/// Times a job is read, decided and written anew because another transaction won, within one attempt. More would
/// mean that somebody writes to our tables all the time.
const REDOS: u32 = 5;
/// How often a worker that waits for the lease looks whether its holder is stuck, and whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often the job monitor page hears of a job that waits for the lease; it gives one up after ten minutes of silence.
const REFRESH_EVERY: Duration = Duration::from_secs(60);
/// Pause between two signs of life of the transaction while the plan is made; a fifth of what the server allows.
const KEEPALIVE: Duration = Duration::from_secs(2);
/// How much longer than an attempt one of its statements may take: the attempt is to end by its own clock, which fails
/// the job, and not by that of the server, after which it would be tried again.
const BEHIND_TIMEOUT: Duration = Duration::from_secs(10);

/// Above so many securities a connection is not kept: its buffers have grown to the longest message, tens of bytes for
/// each security, and never shrink.
const MANY_SECURITIES: u64 = 100_000;

/// Tries to do the job, and says how it went.
pub async fn attempt(worker: &Worker, row: &JobRow, warnings: &[String], heartbeat: &Heartbeat) -> Outcome {
    let mut client = match worker.kept.take(&worker.database).await {
        Ok(client) => client,
        Err(failure) => return Outcome::Failed(failure),
    };
    let canceller = worker.database.canceller(&client);
    let outcome = tokio::select! {
        outcome = sync(worker, row, warnings, heartbeat, &mut client) => outcome,
        why = heartbeat.interrupted() => Outcome::Interrupted(why),
        () = worker.shutdown.demanded.cancelled() => Outcome::Interrupted(Interruption::Stopping),
        () = tokio::time::sleep(worker.options.timeout) => Outcome::Interrupted(Interruption::TimedOut),
        () = heartbeat.hung(worker.options.hung_after) => Outcome::Interrupted(Interruption::Hung),
    };
    match &outcome {
        Outcome::Interrupted(_) => canceller.cancel().await,
        Outcome::Failed(_) => {}
        Outcome::Applied(row) if row.result.total_symbols > MANY_SECURITIES => {}
        _ => worker.kept.keep(client),
    }
    outcome
}

/// Sees that there is a connection for an attempt, and keeps it for the one that follows.
pub(super) async fn connect(worker: &Worker) -> Result<(), Failure> {
    fault::point("connect.before").await?;
    worker.kept.keep(worker.kept.take(&worker.database).await?);
    Ok(fault::point("connect.after").await?)
}

/// Does the job, again from the start where another transaction won.
async fn sync(
    worker: &Worker,
    row: &JobRow,
    warnings: &[String],
    heartbeat: &Heartbeat,
    client: &mut Client,
) -> Outcome {
    let progress = ProgressPublisher::start(worker.relay.clone(), row.clone());
    let mut redo = 1;
    let outcome = loop {
        match sync_once(worker, row, warnings, heartbeat, client, &progress).await {
            Ok(outcome) => break outcome,
            Err(Failure::Conflict { .. }) if redo < REDOS => {
                info!(job.id = %row.id(), redo, "job {}: another transaction won; doing it again", row.id());
                redo += 1;
            }
            Err(failure) => break Outcome::Failed(failure),
        }
    };
    progress.finish().await;
    outcome
}

async fn sync_once(
    worker: &Worker,
    row: &JobRow,
    warnings: &[String],
    heartbeat: &Heartbeat,
    client: &mut Client,
    progress: &ProgressPublisher,
) -> Result<Outcome, Failure> {
    heartbeat.step("lease", None);
    let lease = tokio::select! {
        lease = Lease::acquire(client, limits(worker)) => lease?,
        why = wait_in_line(worker, row, heartbeat.progress()) => return Ok(Outcome::Interrupted(why)),
    };
    worker.begun.note(row.id(), row.lease_number);
    heartbeat.step("read", Some(lease.backend()));
    let began = Instant::now();
    let decided = match &row.request.revert_of {
        Some(job) => decide_revert(&lease, worker, job).await?,
        None => decide_sync(&lease, worker, &row.request, heartbeat, progress).await?,
    };
    let decision = match decided {
        Decided::Plan(decision) => decision,
        Decided::Otherwise(outcome) => return Ok(outcome),
    };

    heartbeat.step("apply", None);
    let now = Utc::now();
    let Decision { plan, snapshot, entries, groups, .. } = decision.as_ref();
    let batch_size = worker.options.batch_size;
    let context = ApplyContext { job_id: row.id(), now, batch_size, entries, groups: groups.as_ref() };
    fault::point("apply.before").await?;
    apply::apply(&lease, plan, snapshot, context).await?;
    fault::point("apply.after").await?;
    // The end is timed after the work that it ends.
    fault::point("finish.before").await?;
    let ended = match end(worker, row, warnings, &lease, &decision, Utc::now()).await? {
        Ok(ended) => ended,
        Err(why) => return Ok(Outcome::Interrupted(why)),
    };
    fault::point("finish.after").await?;
    heartbeat.step("commit", None);
    lease.commit().await?;
    info!(
        job.id = %row.id(), changes = plan.total_changes(), duration_ms = began.elapsed().as_millis() as u64,
        "job {}: applied the plan for {}: {}", row.id(), plan.as_of, crate::plan::render::digest::digest(plan),
    );
    // Letting go of ten thousand securities takes milliseconds, for which the world need not wait.
    tokio::task::spawn_blocking(move || drop(decision));
    Ok(Outcome::Applied(Box::new(ended)))
}

/// What an attempt came to before anything was written.
enum Decided {
    /// This is to be applied.
    Plan(Box<Decision>),
    /// Nothing is to be applied.
    Otherwise(Outcome),
}

/// What is to be applied.
struct Decision {
    plan: Plan,
    /// What the sub-tasks took, in milliseconds.
    durations: BTreeMap<SyncTask, u64>,
    snapshot: Arc<Snapshot>,
    /// What it is written to.
    entries: Entries,
    /// The groups it is written to, where there are such.
    groups: Option<Groups>,
    /// What the rules it was decided by are told by; `None` for those of the worker.
    fingerprint: Option<String>,
}

async fn decide_sync(
    lease: &Lease<'_>,
    worker: &Worker,
    request: &JobRequest,
    heartbeat: &Heartbeat,
    progress: &ProgressPublisher,
) -> Result<Decided, Failure> {
    let from = Sources { source: &worker.source, entries: &worker.entries, policy: &worker.policy };
    fault::point("snapshot.before").await?;
    let reading = read::read(lease.transaction(), from, request).await?;
    fault::point("snapshot.after").await?;
    let ready = match reading {
        Reading::Ready(ready) => *ready,
        Reading::Incomplete { seen } => return Ok(Decided::Otherwise(Outcome::Waiting { seen })),
        Reading::Needless(why) => return Ok(Decided::Otherwise(Outcome::Needless(why))),
        Reading::Refused(refusal) => return Ok(Decided::Otherwise(Outcome::Refused(refusal))),
    };
    heartbeat.step("plan", None);
    let Ready { as_of, warnings, policy, snapshot, entries, groups } = ready;
    let snapshot = Arc::new(snapshot);
    let order = Order { mode: request.mode, accept_churn: request.accept_churn, as_of };
    let watched = Watched { announcer: progress, progress: heartbeat.progress() };
    let planned = plan_aside(lease, &policy, &snapshot, (entries, groups), order, watched).await?;
    let (mut plan, durations, (entries, groups)) = match planned {
        Ok(planned) => planned,
        Err(refusal) => return Ok(Decided::Otherwise(Outcome::Refused(refusal))),
    };
    plan.warnings.extend(warnings);
    let is_own = Arc::ptr_eq(&policy, &worker.policy);
    let fingerprint = (!is_own).then(|| policy.fingerprint());
    Ok(Decided::Plan(Box::new(Decision { plan, durations, snapshot, entries, groups, fingerprint })))
}

/// A revert looks at no market: what comes back is what stood there.
async fn decide_revert(lease: &Lease<'_>, worker: &Worker, job: &JobId) -> Result<Decided, Failure> {
    let (target, entries, groups) = store::revert::read(lease.transaction(), &worker.entries, job).await?;
    let mut groups = groups.map(|groups| groups.adopting(worker.policy.adopt_existing));
    Ok(match plan::revert::plan(job, &target) {
        Ok(plan) => {
            let snapshot = Arc::default();
            groups.iter_mut().for_each(|groups| groups.project(&plan, &snapshot));
            Decided::Plan(Box::new(Decision {
                plan,
                durations: BTreeMap::new(),
                snapshot,
                entries,
                groups,
                fingerprint: None,
            }))
        }
        Err(refusal) => Decided::Otherwise(Outcome::Refused(refusal)),
    })
}

fn limits(worker: &Worker) -> Limits {
    let bound = worker.options.timeout + BEHIND_TIMEOUT;
    Limits { statement: bound, lock: bound }
}

/// Stands beside a worker that waits for the lease: frees it from a holder that is stuck, and says when to give up.
async fn wait_in_line(worker: &Worker, row: &JobRow, progress: &Progress) -> Interruption {
    let mut is_logged = false;
    let mut refreshed_at = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = worker.shutdown.asked.cancelled() => return Interruption::Stopping,
        }
        // Waiting for one's turn is no standstill: whoever has it is watched itself.
        progress.note();
        if !is_logged {
            info!(job.id = %row.id(), "job {} waits: another job is changing universes", row.id());
            is_logged = true;
        }
        if refreshed_at.elapsed() >= REFRESH_EVERY {
            refreshed_at = Instant::now();
            if let Err(failure) = worker.relay.refresh_monitor(row).await {
                warn!("{failure}");
            }
        }
        match free_stuck(worker).await {
            Ok(Some(freed)) => warn!(
                job.id = %freed.job_id, worker = %freed.worker,
                "freed the lease from worker {}, which was stuck in job {}", freed.worker, freed.job_id
            ),
            Ok(None) => {}
            Err(failure) => warn!("{failure}"),
        }
    }
}

async fn free_stuck(worker: &Worker) -> Result<Option<owners::Freed>, Failure> {
    let mut client = worker.database.client().await?;
    owners::free_stuck(&mut client, &|name| worker.identity.knows_dead(name)).await
}

/// A plan, how long each of its sub-tasks took, in milliseconds, and the rows that show it.
type Planned = (Plan, BTreeMap<SyncTask, u64>, Targets);

/// What a plan is written to: `cache_entries`, and the group tables where they are written.
type Targets = (Entries, Option<Groups>);

/// Who is told of each sub-task: the world, and the watch for standstills.
struct Watched<'a> {
    announcer: &'a ProgressPublisher,
    progress: &'a Progress,
}

/// Plans beside the runtime, so that heartbeats go on, with the transaction kept alive meanwhile.
async fn plan_aside(
    lease: &Lease<'_>,
    policy: &Arc<Policy>,
    snapshot: &Arc<Snapshot>,
    (mut entries, mut groups): Targets,
    order: Order,
    watched: Watched<'_>,
) -> Result<Result<Planned, Refusal>, Failure> {
    let (snapshot, policy) = (Arc::clone(snapshot), Arc::clone(policy));
    let (reporter, progress) = (watched.announcer.reporter(), watched.progress.clone());
    let total_symbols = snapshot.securities.len() as u64;
    let mut planning = tokio::task::spawn_blocking(move || {
        let mut durations = BTreeMap::new();
        let mut began = Instant::now();
        let plan = plan(&snapshot, &policy, &order, &mut |report: &TaskReport| {
            durations.insert(report.task, began.elapsed().as_millis() as u64);
            reporter.finished(report.task, total_symbols);
            progress.note();
            began = Instant::now();
        });
        plan.map(|mut plan| {
            entries.project(&mut plan, &snapshot, Utc::now());
            groups.iter_mut().for_each(|groups| groups.project(&plan, &snapshot));
            (plan, durations, (entries, groups))
        })
    });
    loop {
        tokio::select! {
            planned = &mut planning => {
                // A panic in a rule is a bug, not a passing problems: the job fails with the sentence of the panic.
                return planned.map_err(|error| Failure::permanent("plan", error));
            }
            () = tokio::time::sleep(KEEPALIVE) => {
                lease.transaction().batch_execute("select 1").await.map_err(postgres("keep the transaction alive"))?;
            }
        }
    }
}

/// Writes the job's end and what it owes the world beside its changes, and returns its row as it is then; or says why
/// it must not end like this.
async fn end(
    worker: &Worker,
    row: &JobRow,
    warnings: &[String],
    lease: &Lease<'_>,
    decision: &Decision,
    now: DateTime<Utc>,
) -> Result<Result<JobRow, Interruption>, Failure> {
    let Decision { plan, durations, fingerprint, .. } = decision;
    let announcer = Announcer { names: &worker.names, at: now };
    let mut numbers = Numbers::after_progress(row.last_seq);
    let mut events = announcer.changes(row, plan, &mut numbers);
    let ending = Ending {
        status: JobStatus::Completed,
        as_of: Some(plan.as_of),
        error: None,
        warnings: warnings.iter().cloned().chain(plan.warnings.iter().map(ToString::to_string)).collect(),
        result: JobResult::of_plan(plan, durations),
        last_seq: numbers.end(),
        policy_fingerprint: fingerprint.clone(),
        frees_key: false,
    };
    let Some(ended) = jobs::end_within(lease.transaction(), row, &ending, now).await? else {
        return Ok(Err(Interruption::Lost));
    };
    // A wish for the job's end that came before is in this snapshot, and one that comes later conflicts with this
    // update: whoever was told that the end is asked for never finds the job completed.
    if ended.cancel_requested_at.is_some() {
        return Ok(Err(Interruption::Cancelled));
    }
    events.extend(announcer.ended(&ended));
    outbox::append(lease.transaction(), row.id(), &events, now).await?;
    Ok(Ok(ended))
}
