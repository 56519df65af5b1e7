//! The worker: every loop of the process.
//!
//! ```text
//!   read one delivery ─► process it ─► read the next            the work, one job at a time
//!   relay what is owed          every second                    events whose committer died or met no Redis
//!   sweep                       every second                    accepted jobs that have no entry
//! ```
//!
//! Workers are identical; any number of them may run. What they hold is written in Postgres, so whatever dies,
//! another one goes on.
//!
//! Each step has a fault point before and one behind it ([`crate::fault`]), and `deploy/faults.sh` has a worker die, stall
//! and fail at every one of them.
#![doc = include_str!("steps.md")]
//!
#![doc = include_str!("hazards.md")]

pub mod announce;
pub mod attempt;
pub mod backoff;
pub mod disposition;
pub mod heartbeat;
pub mod process;
pub mod progress;
pub mod relay;
pub mod shutdown;
pub mod sweeper;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::backoff::ExponentialBackoff;
use ::backoff::backoff::Backoff;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use self::backoff::reconnecting;
use self::disposition::Disposition;
use self::process::process;
use self::relay::Relay;
use self::shutdown::Shutdown;
use crate::domain::job::JobId;
use crate::failure::{Failure, redis as redis_failure};
use crate::plan::given::policy::Policy;
use crate::redis::connection::Redis;
use crate::redis::consumer::{self, Consumer};
use crate::redis::identity::Identity;
use crate::redis::rights;
use crate::settings::{EntriesSettings, Settings, SourceSettings};
use crate::store::{Database, KeptConnection, jobs, migrations};
use crate::wire::names::Names;

/// Longest pause between two tries to reach a server that is away; it should be back in use within 5 s.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often a worker says again that a server is away.
const LOG_EVERY: Duration = Duration::from_secs(15);
/// Middle pause between two jobs where one after the other fails; with its spread it stays below four seconds.
const LONGEST_STREAK_PAUSE: Duration = Duration::from_secs(3);
/// Pause between two rounds of relay and sweeper.
const ROUND: Duration = Duration::from_secs(1);
/// How far ahead `--once` looks: a retry that is due later is left to a later run.
const ONCE_HORIZON: Duration = Duration::from_secs(60);

/// Numbers and switches of a worker.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a job stays a worker's without confirmation.
    pub lease: Duration,
    /// How often it is confirmed.
    pub heartbeat: Duration,
    /// Attempts after which a job is given up.
    pub max_attempts: i32,
    /// How long the job at hand has to finish when the worker is asked to stop.
    pub drain: Duration,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// How long it may show no progress.
    pub hung_after: Duration,
    /// How long a job waits for its import.
    pub eod_wait: Duration,
    /// How often it looks.
    pub eod_recheck: Duration,
    /// Rows sent to Postgres at once.
    pub batch_size: usize,
}

/// A worker with all it needs.
pub struct Worker {
    /// Where the universes are.
    pub database: Database,
    /// Where the jobs are.
    pub redis: Redis,
    /// Under which names.
    pub names: Names,
    /// Who it is.
    pub identity: Identity,
    /// Where the market is read from.
    pub source: SourceSettings,
    /// Where `cache_entries` is, and how it should look.
    pub entries: EntriesSettings,
    /// The rules, as far as no row of the database knows better.
    pub policy: Arc<Policy>,
    /// Their fingerprint.
    pub fingerprint: String,
    /// Numbers and switches.
    pub options: Options,
    /// What tells the world.
    pub relay: Relay,
    /// When to stop.
    pub shutdown: Shutdown,
    /// Whether attempts fail one after the other.
    pub failure_streak: FailureStreak,
    /// What attempts are made over.
    pub kept: KeptConnection,
    /// The last claim under which work began.
    pub begun: Begun,
    /// What heartbeats go over.
    pub kept_pulse: KeptConnection,
}

impl Worker {
    /// A worker by these settings, connected to nothing yet. Must be called inside a runtime.
    pub fn new(settings: &Settings, shutdown: Shutdown) -> Result<Self, String> {
        let database = Database::new(&settings.database)?;
        let redis = Redis::by(&settings.redis)?;
        let names = settings.redis.names()?;
        let policy = settings.policy();
        let relay = Relay {
            database: database.clone(),
            redis: redis.clone(),
            names: names.clone(),
            notify: settings.sync.enable_notifications,
            job_monitor: settings.redis.job_monitor_keys,
        };
        Ok(Self {
            database,
            redis,
            names,
            identity: Identity::of_this_process(settings.worker.name.as_deref()),
            source: settings.source.clone(),
            entries: settings.entries.clone(),
            fingerprint: policy.fingerprint(),
            policy: Arc::new(policy),
            options: Options::of(settings),
            relay,
            shutdown,
            failure_streak: FailureStreak::default(),
            kept: KeptConnection::default(),
            begun: Begun::default(),
            kept_pulse: KeptConnection::default(),
        })
    }
}

impl Options {
    fn of(settings: &Settings) -> Self {
        Self {
            lease: settings.worker.lease,
            heartbeat: settings.worker.heartbeat,
            max_attempts: i32::try_from(settings.worker.max_attempts).unwrap_or(i32::MAX),
            drain: settings.worker.drain,
            timeout: settings.sync.timeout,
            hung_after: settings.worker.hung_after,
            eod_wait: settings.sync.eod_wait_timeout,
            eod_recheck: settings.sync.eod_recheck,
            batch_size: settings.sync.batch_size,
        }
    }
}

/// Until when a worker works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// It is asked to stop.
    Stopped,
    /// Or nothing is left to do: no entry undelivered, none pending without a live holder, no retry due within a
    /// minute, nothing to tell.
    Idle,
}

impl Worker {
    /// Works. Servers that are away are waited for; only what trying again can't mend is an error.
    pub async fn run(self: Arc<Self>, until: Until) -> Result<(), Failure> {
        self.wait_for_tables().await?;
        info!(worker = self.identity.name(), policy = %self.fingerprint, "worker {} begins", self.identity.name());
        let mut rounds = JoinSet::new();
        rounds.spawn(relay_rounds(Arc::clone(&self)));
        rounds.spawn(sweeper::rounds(Arc::clone(&self)));
        let mut consumer = Consumer::new(
            self.redis.clone(),
            self.names.job_stream(),
            self.identity.clone(),
            self.options.lease,
        );
        let ended = self.work(&mut consumer, until).await;
        if let Err(error) = consumer.leave_group().await {
            warn!("could not leave the consumer group, others will notice: {error}");
        }
        rounds.shutdown().await;
        info!(worker = self.identity.name(), "worker {} ends", self.identity.name());
        ended
    }

    /// Waits for Postgres; tables that are not there are no matter of waiting.
    async fn wait_for_tables(&self) -> Result<(), Failure> {
        let mut backoff = ReconnectBackoff::new();
        while !self.shutdown.is_asked() {
            match migrations::check(&self.database, &self.entries).await {
                Err(failure) if failure.is_transient() => backoff.wait(&failure, &self.shutdown).await,
                checked => return checked,
            }
        }
        Ok(())
    }

    async fn work(&self, consumer: &mut Consumer, until: Until) -> Result<(), Failure> {
        let mut backoff = ReconnectBackoff::new();
        let mut is_in_doubt = false;
        while !self.shutdown.is_asked() {
            let step = match self.reach_postgres(consumer, is_in_doubt).await {
                Ok(()) => self.step(consumer, until).await,
                Err(failure) => Err(failure),
            };
            is_in_doubt = step.is_err();
            match step {
                Ok(Step::Worked) => {
                    backoff.is_over();
                    self.pause_in_a_streak().await;
                }
                Ok(Step::Idle) => backoff.is_over(),
                Ok(Step::Done) => return Ok(()),
                Err(failure) => backoff.wait(&failure, &self.shutdown).await,
            }
        }
        Ok(())
    }

    /// After a failure no entry is read before Postgres answers, and none is held: another worker may reach it, and who can
    /// claim a job is to have its entry.
    async fn reach_postgres(&self, consumer: &mut Consumer, is_in_doubt: bool) -> Result<(), Failure> {
        if !is_in_doubt {
            return Ok(());
        }
        match self.kept.take(&self.database).await {
            Ok(client) => {
                self.kept.keep(client);
                Ok(())
            }
            Err(failure) => {
                match consumer.hand_back().await {
                    Ok(0) => {}
                    Ok(entries) => info!("handed back {entries} entries: Postgres is out of reach from here"),
                    Err(error) => debug!("could not hand back what this worker holds: {error}"),
                }
                Err(failure)
            }
        }
    }

    /// Where one job after the other fails in passing, waiting spares their attempts: a full disk is no better for the
    /// next job.
    async fn pause_in_a_streak(&self) {
        let pause = self.failure_streak.pause();
        if !pause.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shutdown.asked.cancelled() => {}
            }
        }
    }

    /// Reads one delivery and works on it.
    async fn step(&self, consumer: &mut Consumer, until: Until) -> Result<Step, Failure> {
        let is_patient = until == Until::Stopped;
        let delivery = match consumer.next(is_patient).await {
            Ok(delivery) => delivery,
            Err(error) => {
                let any = JobId::fresh();
                return Err(rights::named(&self.redis, &self.names, &any, "read the job stream", error).await);
            }
        };
        match delivery {
            Some(delivery) => process(self, delivery).await.map(|()| Step::Worked),
            None if until == Until::Idle && self.is_done().await? => Ok(Step::Done),
            None => Ok(Step::Idle),
        }
    }

    /// Whether nothing is left to do for `--once`. Looked at twice, a round apart, for the sweeper may be about to
    /// put a job on the stream.
    async fn is_done(&self) -> Result<bool, Failure> {
        for look in 0..2 {
            let stream = self.names.job_stream();
            let backlog = consumer::backlog(&self.redis, &stream)
                .await
                .map_err(redis_failure("look at the job stream"))?;
            let mut client = self.database.client().await?;
            let due = jobs::next_due(&mut client).await?;
            if backlog.undelivered > 0 || due.is_some_and(|due| due < ONCE_HORIZON) {
                tokio::time::sleep(ROUND / 4).await;
                return Ok(false);
            }
            if look == 0 {
                tokio::time::sleep(ROUND / 4).await;
            }
        }
        match self.relay.sweep().await {
            Err(failure) if failure.is_transient() => Err(failure),
            // Waiting would not help, and the job itself is done.
            Err(failure) => {
                warn!("{failure}");
                Ok(true)
            }
            // Told just now, or by another relay that was at it and may die yet: looked at once more.
            Ok(jobs) => Ok(jobs == 0),
        }
    }
}

/// Waits between two tries to reach a server that is away, and says so when it begins and now and then.
struct ReconnectBackoff {
    schedule: ExponentialBackoff,
    logged_at: Option<Instant>,
}

impl ReconnectBackoff {
    fn new() -> Self {
        Self { schedule: reconnecting(LONGEST_PAUSE), logged_at: None }
    }

    /// Waits a moment, unless asked to stop.
    async fn wait(&mut self, failure: &Failure, shutdown: &Shutdown) {
        let delay = self.schedule.next_backoff().unwrap_or(LONGEST_PAUSE);
        if self.logged_at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            self.logged_at = Some(Instant::now());
            warn!("{failure}; trying again, every {:.0} s at least", LONGEST_PAUSE.as_secs_f64());
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = shutdown.asked.cancelled() => {}
        }
    }

    /// It answers.
    fn is_over(&mut self) {
        self.schedule.reset();
        if self.logged_at.take().is_some() {
            info!("at work again");
        }
    }
}

/// The last claim of this worker under which work began: what a claim came to whose answer was lost is known only here.
#[derive(Debug, Default)]
pub struct Begun(Mutex<Option<(JobId, i64)>>);

impl Begun {
    /// Work begins under this claim.
    pub fn note(&self, id: &JobId, lease_number: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((id.clone(), lease_number));
    }

    /// Whether work began under that claim.
    pub fn is(&self, id: &JobId, lease_number: i64) -> bool {
        let begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        begun.as_ref().is_some_and(|begun| begun.0 == *id && begun.1 == lease_number)
    }
}

/// How many attempts in a row failed for reasons that pass.
#[derive(Debug, Default)]
pub struct FailureStreak(AtomicU32);

impl FailureStreak {
    /// Takes note of what became of an attempt.
    pub fn note(&self, disposition: &Disposition) {
        match disposition {
            Disposition::Retry { .. }
            | Disposition::Later { .. }
            | Disposition::End { is_dead_letter: true, .. } => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            Disposition::Done(_)
            | Disposition::Skip(_)
            | Disposition::End { .. }
            | Disposition::Wait { .. } => {
                self.0.store(0, Ordering::Relaxed);
            }
            // These say nothing about the servers.
            Disposition::Abandon | Disposition::HandBack => {}
        }
    }

    /// How long to wait before the next job: not at all after one failure, then a second and more, up to what lets the
    /// next job end within five seconds of the servers' return.
    fn pause(&self) -> Duration {
        match self.0.load(Ordering::Relaxed) {
            0 | 1 => Duration::ZERO,
            2 => jittered(LONGEST_STREAK_PAUSE / 3),
            _ => LONGEST_STREAK_PAUSE.mul_f64(0.75 + fastrand::f64() / 2.0),
        }
    }
}

/// What one turn of the loop came to.
enum Step {
    Worked,
    Idle,
    Done,
}

/// Tells what is still owed, round after round.
async fn relay_rounds(worker: Arc<Worker>) {
    let mut problems = LogOnce::new("relay");
    loop {
        tokio::time::sleep(jittered(ROUND)).await;
        problems.note(worker.relay.sweep().await.map(|_| ()));
    }
}

/// Half to one and a half times `pause`: the rounds of many workers spread out.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64())
}

/// Says that something goes wrong when it begins and when it ends, not every second in between.
pub struct LogOnce {
    what: String,
    is_logged: bool,
}

impl LogOnce {
    /// No problems yet with `what`.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_logged: false }
    }

    /// Takes note of how a round went.
    pub fn note(&mut self, round: Result<(), Failure>) {
        match round {
            Err(failure) if !self.is_logged => {
                warn!("{}: {failure}; going on trying", self.what);
                self.is_logged = true;
            }
            Ok(()) if self.is_logged => {
                info!("{}: works again", self.what);
                self.is_logged = false;
            }
            Err(_) | Ok(()) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::JobStatus;

    #[test]
    fn a_streak_of_failures_makes_a_worker_wait_and_the_first_success_ends_it() {
        let streak = FailureStreak::default();
        let failed = Disposition::Retry { error: "the disk is full".to_owned() };
        streak.note(&failed);
        assert_eq!(streak.pause(), Duration::ZERO, "one failure is that job's matter");
        for _ in 0..10 {
            streak.note(&failed);
            assert!(streak.pause() > Duration::ZERO && streak.pause() < Duration::from_secs(4));
        }
        streak.note(&Disposition::HandBack);
        assert!(streak.pause() > Duration::from_secs(2));
        let refused =
            Disposition::End { status: JobStatus::Failed, error: String::new(), is_dead_letter: false };
        streak.note(&refused);
        assert_eq!(streak.pause(), Duration::ZERO);
    }
}
