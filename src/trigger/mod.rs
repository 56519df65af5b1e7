//! What starts a sync by itself: the ends of imports, and the clock where none is heard.
//!
//! ```text
//!   subscription ─► signal::read ──┐
//!   eod:latest_status ─► the same ─┼─► what is known of the date? ─► decision ─► Service::submit ─► a job as any other
//!   clock ─► schedule ─────────────┘         (Postgres)
//! ```
//!
//! Three parts decide and are pure: [`signal`] reads bytes, [`schedule`] tells times, [`decision`] says whether either
//! starts a job. This module looks at the clock and asks; `listening` hears.
//!
//! Any number of instances may run; none leads. All of them hear every signal and see every firing, and all ask for
//! the same job: its id follows from the date and the message, and its dedupe key from the date, so Postgres makes it
//! one. So nothing is lost with an instance, and nothing has to be handed over.
//!
//! | what if | then |
//! |---|---|
//! | a signal comes while this instance is down | another hears it, or it is found in `eod:latest_status` at the next start |
//! | Redis goes away | the subscription is made again for ever; after each time the key is looked at |
//! | more is published than can be followed | the subscription counts as lost, and the key is looked at |
//! | Postgres is away when a signal comes | it is tried again until it is back; messages wait meanwhile, 256 at most |
//! | Redis is away when the clock fires | the job is accepted in Postgres; the sweeper of a worker puts it on the stream |
//! | it dies after accepting a job | the same |
//! | all were down when the clock fired | it is made up for within six hours, where syncs are usual |
//! | a job of the date failed | a new signal starts another; the same one again, the key and the clock don't |

use std::sync::Arc;
use std::time::Duration;

use ::backoff::ExponentialBackoff;
use ::backoff::backoff::Backoff;
use chrono::{DateTime, NaiveDate, Utc};
use tracing::{error, info, warn};

use crate::domain::job::JobId;
use crate::failure::Failure;
use crate::service::Service;
use crate::settings::Settings;
use crate::store::{Limits, jobs, migrations, read};
use crate::wire::event::Source;
use crate::wire::names::SignalNames;
use crate::worker::LogOnce;
use crate::worker::backoff::reconnecting;
use crate::worker::shutdown::Shutdown;

use decision::{Decision, Earlier, Known, dedupe_key, on_firing, on_signal};
use schedule::{Firing, Schedule};
use signal::Signal;

pub mod decision;
mod listening;
pub mod schedule;
pub mod signal;

/// Longest pause between two tries to reach a server that is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often the clock is looked at. Sleeping until a firing would miss it where the clock is set, or the machine sleeps.
const LOOK_AT_CLOCK: Duration = Duration::from_millis(500);

/// What tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// A clock of the caller's.
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)()
    }
}

impl Default for Clock {
    /// The clock of the machine.
    fn default() -> Self {
        Self::new(Utc::now)
    }
}

/// Listens for signals, looks at the clock, and asks for syncs.
pub struct Triggers {
    service: Service,
    signals: SignalNames,
    follows_imports: bool,
    schedule: Option<Schedule>,
    notify: bool,
    clock: Clock,
    shutdown: Shutdown,
}

impl Triggers {
    /// Triggers by these settings, connected to nothing yet. Must be called inside a runtime.
    pub fn new(settings: &Settings, shutdown: Shutdown) -> Result<Self, String> {
        let own = &settings.triggers;
        let schedule = Schedule::new(own.schedule_time, settings.sync.eod_wait_timeout);
        Ok(Self {
            service: Service::new(settings)?,
            signals: settings.redis.signals(),
            follows_imports: own.signals,
            schedule: own.schedule.then_some(schedule),
            notify: settings.sync.enable_notifications,
            clock: Clock::default(),
            shutdown,
        })
    }

    /// The same by another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Runs until asked to stop. Servers that are away are waited for; only what trying again can't mend is an error.
    pub async fn run(self: Arc<Self>) -> Result<(), Failure> {
        tokio::try_join!(self.listen(), self.watch_clock()).map(|_| ())
    }

    /// Waits for Postgres; tables that are not there are no matter of waiting.
    async fn wait_for_tables(&self) -> Result<(), Failure> {
        let mut pause = reconnecting(LONGEST_PAUSE);
        let mut problems = LogOnce::new("triggers");
        while !self.shutdown.is_asked() {
            match migrations::check(&self.service.database, &self.service.entries).await {
                Err(failure) if failure.is_transient() => problems.note(Err(failure)),
                checked => return checked,
            }
            self.wait(&mut pause).await;
        }
        Ok(())
    }

    /// Waits a moment, unless asked to stop.
    async fn wait(&self, pause: &mut ExponentialBackoff) {
        let delay = pause.next_backoff().unwrap_or(LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = self.shutdown.asked.cancelled() => {}
        }
    }

    /// Runs an errand, again for as long as only a server that is away stands in its way.
    async fn insist(&self, errand: Errand<'_>) {
        let mut pause = reconnecting(LONGEST_PAUSE);
        let mut problems = LogOnce::new("triggers");
        while !self.shutdown.is_asked() {
            match self.run_errand(errand).await {
                Err(failure) if failure.is_transient() => problems.note(Err(failure)),
                Err(failure) => return error!("{failure}"),
                Ok(()) => return problems.note(Ok(())),
            }
            self.wait(&mut pause).await;
        }
    }

    async fn run_errand(&self, errand: Errand<'_>) -> Result<(), Failure> {
        match errand {
            Errand::Signal(signal) => {
                let known = self.known(signal.date).await?;
                let decision = on_signal(signal, &known, self.clock.now());
                self.carry_out(decision, signal.date, signal.source.as_str()).await
            }
            Errand::Firing { firing, is_missed } => {
                let known = self.known(firing.date).await?;
                let decision = on_firing(firing, &known, is_missed, self.clock.now());
                self.carry_out(decision, firing.date, "the schedule").await
            }
            Errand::Cancel(id) => self.cancel(id).await,
        }
    }
}

/// Something to do in Postgres.
#[derive(Clone, Copy)]
enum Errand<'a> {
    /// Follow a signal that an import is complete.
    Signal(&'a Signal),
    /// Follow the clock.
    Firing {
        firing: &'a Firing,
        /// Whether its time was over before this process began.
        is_missed: bool,
    },
    /// Cancel a job.
    Cancel(&'a JobId),
}

/// Looking at the clock.
impl Triggers {
    async fn watch_clock(&self) -> Result<(), Failure> {
        let Some(schedule) = &self.schedule else { return Ok(()) };
        self.wait_for_tables().await?;
        let began = self.clock.now();
        let mut firing = schedule.first(began);
        info!("the schedule waits for a signal for {} until {}", firing.date, firing.due_at);
        while !self.shutdown.is_asked() {
            if firing.is_due(self.clock.now()) {
                let is_missed = firing.due_at < began;
                self.insist(Errand::Firing { firing: &firing, is_missed }).await;
                // After a long sleep of the machine the evenings that are over are not gone through one by one.
                let now = self.clock.now();
                firing =
                    if firing.is_over(now) { schedule.first(now) } else { schedule.next(firing.opens_at) };
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_AT_CLOCK) => {}
                () = self.shutdown.asked.cancelled() => {}
            }
        }
        Ok(())
    }
}

/// Asking.
impl Triggers {
    /// Asks for the sync of a date where that was decided, and says so or why not.
    async fn carry_out(&self, decision: Decision, date: NaiveDate, cause: &str) -> Result<(), Failure> {
        let (request, warnings) = match decision {
            Decision::Start { request, warnings } => (request, warnings),
            Decision::Leave(reason) => {
                info!(date = %date, "{cause}: no sync of {date} is started: {reason}");
                return Ok(());
            }
        };
        let submitted = self.service.submit_with(&request, &warnings, Source::Job, self.clock.now()).await?;
        let id = &submitted.job_id;
        if submitted.is_duplicate {
            info!(job.id = %id, date = %date, "{cause}: the sync of {date} is job {id} already");
            return Ok(());
        }
        match submitted.delayed {
            None => info!(job.id = %id, date = %date, "{cause}: asked for the sync of {date}, job {id}"),
            Some(failure) => warn!(
                job.id = %id, date = %date,
                "{cause}: job {id} for {date} is accepted; a worker will put it on the stream: {failure}"
            ),
        }
        for warning in &warnings {
            warn!(job.id = %id, "job {id}: {warning}");
        }
        Ok(())
    }

    async fn known(&self, date: NaiveDate) -> Result<Known, Failure> {
        let mut client = self.service.database.client().await?;
        let transaction = client.begin_read_only(Limits::default()).await?;
        let last_applied = read::snapshot::read_applied(&transaction).await?.last;
        let jobs = jobs::of_key(&transaction, &dedupe_key(date)).await?;
        let earlier = jobs.into_iter().map(|row| Earlier {
            id: row.request.job_id,
            status: row.status,
            triggered_by: row.request.triggered_by,
        });
        Ok(Known { last_applied, jobs: earlier.collect() })
    }
}
