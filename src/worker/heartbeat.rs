//! The heartbeat: keeps a job this worker's while it works on it, and notices when it no longer is.
//!
//! It has a connection to Postgres of its own, so that no slow statement delays it. Postgres decides: if the owner
//! row names another claim, the job is lost. The touch in Redis only keeps the entry from being looked at for
//! nothing; Redis being away loses no job. It follows a confirmation, and only that: the entry of a worker that Postgres
//! does not hear is untouched, and after a lease another worker's.
//!
//! Between two confirmations it looks whether somebody asked for the job's end. That is a read by primary key twice a
//! second: simpler than a notification, and it works through a pooler in transaction mode, where `LISTEN` does not.
//! The same read tells whether the transaction that writes for the job still lives: where its connection is dead and
//! neither end was told, the server ends it after ten idle seconds, and the worker would wait for its answer for ever.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::LogOnce;
use crate::domain::job::JobId;
use crate::failure::Failure;
use crate::redis::connection::Redis;
use crate::redis::consumer;
use crate::store::owners::{self, Backend, Beat, Look};
use crate::store::{Client, Database, KeptConnection};

/// Where a job is when its heartbeat begins.
const FIRST_STEP: &str = "claim";
/// Pause between two looks whether somebody asked for the job's end: a person should see it end within a second.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Looks in a row without the transaction that writes for the job, after which it counts as gone.
const MISSED_AT_MOST: u32 = 3;
/// The step at which the job's COMMIT is sent.
const COMMIT_STEP: &str = "commit";
/// A COMMIT that takes so long is spoken of.
const LONG_COMMIT: Duration = Duration::from_secs(5);
/// How often it is spoken of again.
const SPEAK_EVERY: Duration = Duration::from_secs(15);

/// Why work on a job has to stop before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// Another worker has claimed it.
    Lost,
    /// Postgres could not be asked for nearly a lease, so another worker may claim it at any moment.
    Unconfirmed,
    /// Somebody asked for its end.
    Cancelled,
    /// This worker stops.
    Stopping,
    /// The transaction that writes for it is gone from the server, and its connection did not tell.
    Disconnected,
    /// It takes longer than a job may.
    TimedOut,
    /// It shows no progress, although this worker lives and holds it.
    Hung,
}

/// What is held, and for how long at a time.
#[derive(Clone)]
pub struct Held {
    /// The job.
    pub id: JobId,
    /// Under which claim.
    pub lease_number: i64,
    /// Its stream entry.
    pub entry_id: String,
    /// The stream.
    pub stream: String,
    /// The consumer that holds the entry.
    pub consumer: String,
    /// How long a confirmation lasts.
    pub lease: Duration,
    /// How often it is confirmed.
    pub every: Duration,
}

/// A running heartbeat; it ends when dropped.
pub struct Heartbeat {
    steps: tokio::sync::mpsc::UnboundedSender<(&'static str, Option<Backend>)>,
    interrupted: CancellationToken,
    reason: Arc<OnceLock<Interruption>>,
    last_step: Mutex<&'static str>,
    progress: Progress,
    task: JoinHandle<()>,
}

/// When a job last got on; noted from any thread. That its worker confirms the lease says nothing about it: that goes on
/// while a statement waits for a lock, or a rule for nothing at all.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    fn begin() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// It got on just now.
    pub fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heartbeat {
    /// Starts confirming.
    pub fn start(database: Database, kept: KeptConnection, redis: Redis, held: Held) -> Self {
        let interrupted = CancellationToken::new();
        let reason = Arc::new(OnceLock::new());
        let (steps, inbox) = tokio::sync::mpsc::unbounded_channel();
        let pulse = Pulse {
            database,
            redis,
            held,
            interrupted: interrupted.clone(),
            reason: Arc::clone(&reason),
            kept,
            client: None,
            backend: None,
            missed: 0,
            committing: None,
        };
        let task = tokio::spawn(pulse.run(inbox));
        let last_step = Mutex::new(FIRST_STEP);
        Self { steps, interrupted, reason, last_step, progress: Progress::begin(), task }
    }

    /// Notes the step the job is at, for whoever has to say later how far it came; the backend once it has the lease.
    pub fn step(&self, step: &'static str, backend: Option<Backend>) {
        *self.last_step.lock().unwrap_or_else(PoisonError::into_inner) = step;
        self.progress.note();
        // The receiver goes away only with the job.
        let _ = self.steps.send((step, backend));
    }

    /// The step that the job has come to.
    pub fn last_step(&self) -> &'static str {
        *self.last_step.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where progress within a step is noted.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Waits until the job has shown no progress for `bound`.
    pub async fn hung(&self, bound: Duration) {
        loop {
            let remaining = bound.saturating_sub(self.progress.at().elapsed());
            if remaining.is_zero() {
                return;
            }
            tokio::time::sleep(remaining).await;
        }
    }

    /// Waits until the job has to be let go, and says why.
    pub async fn interrupted(&self) -> Interruption {
        self.interrupted.cancelled().await;
        self.reason.get().copied().unwrap_or(Interruption::Unconfirmed)
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Pulse {
    database: Database,
    redis: Redis,
    held: Held,
    interrupted: CancellationToken,
    reason: Arc<OnceLock<Interruption>>,
    kept: KeptConnection,
    client: Option<Client>,
    /// What writes for the job, once it has the lease.
    backend: Option<Backend>,
    /// Looks in a row that did not find it.
    missed: u32,
    /// Since when COMMIT is waited for, and after which time it is spoken of next.
    committing: Option<(Instant, Duration)>,
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            self.kept.keep(client);
        }
    }
}

impl Pulse {
    async fn run(mut self, mut steps: tokio::sync::mpsc::UnboundedReceiver<(&'static str, Option<Backend>)>) {
        let mut confirmed = Instant::now();
        let mut next = tokio::time::interval(self.held.every);
        let mut look = tokio::time::interval(LOOK_EVERY);
        // A look that took long is not made up for.
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut problems = LogOnce::new(format!("heartbeat of job {}", self.held.id));
        loop {
            let result = tokio::select! {
                step = steps.recv() => match step {
                    Some((step, backend)) => self.note(step, backend).await,
                    None => return,
                },
                _ = next.tick() => match self.beat().await {
                    Ok(Beat::Confirmed) => { confirmed = Instant::now(); Ok(()) }
                    Ok(Beat::CancelRequested) => { confirmed = Instant::now(); self.interrupt(Interruption::Cancelled); Ok(()) }
                    Ok(Beat::Lost) => { self.interrupt(Interruption::Lost); return; }
                    Err(failure) => Err(failure),
                },
                _ = look.tick(), if !self.interrupted.is_cancelled() => match self.look().await {
                    Ok(look) => { self.heed(&look); Ok(()) }
                    Err(failure) => Err(failure),
                },
            };
            if result.is_err() {
                self.client = None;
            }
            problems.note(result);
            // One heartbeat before the lease runs out, for the work needs a moment to stop.
            if confirmed.elapsed() + self.held.every >= self.held.lease {
                self.interrupt(Interruption::Unconfirmed);
            }
        }
    }

    fn interrupt(&self, why: Interruption) {
        // The first reason counts.
        let _ = self.reason.set(why);
        self.interrupted.cancel();
    }

    async fn client(&mut self) -> Result<&mut Client, Failure> {
        if self.client.is_none() {
            self.client = Some(self.kept.take(&self.database).await?);
        }
        Ok(self.client.as_mut().expect("it was just made"))
    }

    async fn beat(&mut self) -> Result<Beat, Failure> {
        let held = self.held.clone();
        let beat =
            async { owners::beat(self.client().await?, &held.id, held.lease_number, held.lease).await };
        let beat = within(held.every, "confirm the lease", beat).await?;
        if beat != Beat::Lost {
            let redis = self.redis.clone();
            // Apart: the absence of Redis must not delay the answers that count.
            tokio::spawn(async move {
                // A touch that fails costs nothing: the job's owner row still says whose it is.
                let _ = consumer::touch(&redis, &held.stream, &held.consumer, &held.entry_id).await;
            });
        }
        Ok(beat)
    }

    async fn look(&mut self) -> Result<Look, Failure> {
        let (id, bound, backend) = (self.held.id.clone(), self.held.every, self.backend);
        let look = async { owners::look(self.client().await?, &id, backend).await };
        within(bound, "look after the job", look).await
    }

    fn heed(&mut self, look: &Look) {
        if look.is_cancel_requested {
            self.interrupt(Interruption::Cancelled);
        }
        self.missed = if look.has_backend { 0 } else { self.missed + 1 };
        // The answer to its COMMIT may be on its way.
        if self.missed >= MISSED_AT_MOST {
            self.interrupt(Interruption::Disconnected);
        }
        self.speak_of_long_commit(look);
    }

    /// Says that COMMIT does not return: first after five seconds, then now and then.
    fn speak_of_long_commit(&mut self, look: &Look) {
        let Some((since, due)) = self.committing else { return };
        if since.elapsed() < due {
            return;
        }
        self.committing = Some((since, due + SPEAK_EVERY));
        let event = look.wait_event.as_deref().unwrap_or("nothing that it names");
        let hint = if event == "SyncRep" { ", a synchronous standby that does not answer" } else { "" };
        warn!(
            job.id = %self.held.id,
            "job {}: COMMIT has not returned for {} s; the server waits for {event}{hint}",
            self.held.id, since.elapsed().as_secs()
        );
    }

    async fn note(&mut self, step: &str, backend: Option<Backend>) -> Result<(), Failure> {
        self.backend = backend.or(self.backend);
        self.committing = (step == COMMIT_STEP).then(|| (Instant::now(), LONG_COMMIT));
        let held = self.held.clone();
        let note = async {
            owners::note_step(self.client().await?, &held.id, held.lease_number, step, backend).await
        };
        within(held.every, "note the step", note).await
    }
}

/// An answer that comes late is as good as none, the time to connect included: nothing may keep the heartbeat from
/// noticing that the lease runs out.
async fn within<T>(
    bound: Duration,
    doing: &'static str,
    answer: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(bound, answer).await.unwrap_or_else(|_| {
        Err(Failure::transient(doing, format!("no answer within {} s", bound.as_secs_f64())))
    })
}
