//! What starts a sync by itself: the ends of imports, and the clock where none is heard.
//!
//! ```text
//!   subscription ─► signal::read ──┐
//!   eod:latest_status ─► the same ─┼─► what is known of the date? ─► decision ─► Desk::submit ─► a job as any other
//!   clock ─► schedule ─────────────┘         (Postgres)
//! ```
//!
//! Three parts decide and are pure: [`signal`] reads bytes, [`schedule`] tells times, [`decision`] says whether either
//! starts a job. This module listens, looks and asks.
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
use serde_json::{Map, Value};
use tracing::{debug, error, info, warn};

use crate::domain::job::JobId;
use crate::failure::{Failure, redis as redis_failure};
use crate::publish::deliver::publish;
use crate::publish::event::{ErrorReport, Severity, Source as EventSource, service_error};
use crate::publish::keys::SignalNames;
use crate::requests::{Cancellation, Desk};
use crate::settings::Settings;
use crate::store::{jobs, migrations, snapshot};
use crate::stream::subscription::{Message, Subscription};
use crate::worker::Trouble;
use crate::worker::backoff::reconnecting;
use crate::worker::shutdown::Shutdown;

use decision::{Decision, Earlier, Known, dedupe_key, on_firing, on_signal};
use schedule::{Firing, Schedule};
use signal::{MAX_MESSAGE_BYTES, Signal, Source, Unreadable, Verdict};

pub mod decision;
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
    desk: Desk,
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
            desk: Desk::new(settings)?,
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
        let mut trouble = Trouble::new("triggers");
        while !self.shutdown.is_asked() {
            match migrations::check(&self.desk.database).await {
                Err(failure) if failure.is_transient() => trouble.note(Err(failure)),
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
        let mut trouble = Trouble::new("triggers");
        while !self.shutdown.is_asked() {
            match self.run_errand(errand).await {
                Err(failure) if failure.is_transient() => trouble.note(Err(failure)),
                Err(failure) => return error!("{failure}"),
                Ok(()) => return trouble.note(Ok(())),
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

/// Listening.
impl Triggers {
    async fn listen(&self) -> Result<(), Failure> {
        let mut pause = reconnecting(LONGEST_PAUSE);
        let mut trouble = Trouble::new("listening for signals");
        while !self.shutdown.is_asked() {
            match self.subscribe().await {
                Ok(mut subscription) => {
                    pause.reset();
                    trouble.note(Ok(()));
                    self.wait_for_tables().await?;
                    self.hear_all(&mut subscription).await;
                }
                Err(failure) => trouble.note(Err(failure)),
            }
            self.wait(&mut pause).await;
        }
        Ok(())
    }

    async fn subscribe(&self) -> Result<Subscription, Failure> {
        let channels: Vec<String> = self.channels().into_iter().map(|(channel, _)| channel).collect();
        let doing = "listen for signals";
        self.desk.redis.subscribe(&channels).await.map_err(redis_failure(doing))
    }

    /// The channels that are listened to, and what each is; the job page's is no import's.
    fn channels(&self) -> Vec<(String, Option<Source>)> {
        let mut channels = vec![(self.signals.control(), None)];
        if self.follows_imports {
            channels.extend([
                (self.signals.import_completed(), Some(Source::ImportCompleted)),
                (self.signals.import_status(), Some(Source::ImportStatus)),
                (self.signals.eod_completion(), Some(Source::EodCompletion)),
            ]);
        }
        channels
    }

    /// Follows what is published until the subscription is lost.
    async fn hear_all(&self, subscription: &mut Subscription) {
        if self.follows_imports {
            // Only now: what is told from here on is heard, so nothing falls between.
            match self.latest_status().await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => self.hear_import(Source::LatestStatus, &found).await,
                Err(failure) if failure.is_transient() => return warn!("{failure}; subscribing again"),
                Err(failure) => warn!("{failure}"),
            }
        }
        let channels = self.channels();
        loop {
            let message = tokio::select! {
                message = subscription.next() => message,
                () = self.shutdown.asked.cancelled() => return,
            };
            let Some(message) = message else {
                return warn!("the subscription to signals is lost; subscribing again");
            };
            match channels.iter().find(|(channel, _)| *channel == message.channel) {
                Some((_, Some(source))) => self.hear_import(*source, &message.payload).await,
                Some((_, None)) => self.hear_control(&message).await,
                None => {}
            }
        }
    }

    /// The result of the last import, told while nobody listened or not; empty where there is none.
    async fn latest_status(&self) -> Result<Vec<u8>, Failure> {
        redis::cmd("GETRANGE")
            .arg(self.signals.latest_status())
            .arg(0)
            .arg(MAX_MESSAGE_BYTES)
            .query_async(&mut self.desk.redis.shared())
            .await
            .map_err(redis_failure("look for the result of the last import"))
    }

    async fn hear_import(&self, source: Source, bytes: &[u8]) {
        match signal::read(source, bytes, self.clock.now()) {
            Ok(None) => {}
            Ok(Some(signal)) => self.follow(&signal).await,
            Err(unreadable) => note_unreadable(source.as_str(), &unreadable),
        }
    }

    async fn follow(&self, signal: &Signal) {
        match &signal.verdict {
            Verdict::Complete => self.insist(Errand::Signal(signal)).await,
            Verdict::Incomplete(why) => self.say(signal, Severity::Warning, "is incomplete", why).await,
            Verdict::Failed(why) => self.say(signal, Severity::Error, "failed", why).await,
        }
    }

    /// Says that a signal starts nothing, and why. Found rather than heard it is no news, and only logged.
    async fn say(&self, signal: &Signal, severity: Severity, how: &str, why: &str) {
        let Signal { source, date, .. } = signal;
        let message = format!("the import of {date} {how}, so no sync was started: {source} says: {why}");
        warn!(signal = %source, date = %date, "{message}");
        if *source == Source::LatestStatus || !self.notify {
            return;
        }
        let context = [("signal", source.to_string()), ("as_of", date.to_string())];
        let context: Map<String, Value> =
            context.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text))).collect();
        let report =
            ErrorReport { severity, message: &message, category: "import", component: "trigger", context };
        // By the time of the signal all instances that say this give the error the same id.
        let (channels, envelope) =
            service_error(&self.desk.names, &report, signal.at.unwrap_or_else(|| self.clock.now()));
        if let Err(error) = publish(&mut self.desk.redis.shared(), &channels, &envelope).await {
            warn!("could not tell of it on pub/sub: {error}");
        }
    }

    async fn hear_control(&self, message: &Message) {
        match signal::read_control(&message.payload) {
            Ok(None) => {}
            Ok(Some(id)) => self.insist(Errand::Cancel(&id)).await,
            Err(unreadable) => note_unreadable(&message.channel, &unreadable),
        }
    }

    async fn cancel(&self, id: &JobId) -> Result<(), Failure> {
        match self.desk.cancel(id, self.clock.now()).await? {
            Cancellation::Cancelled => info!(job.id = %id, "job {id} is cancelled, as the job page asked"),
            Cancellation::Requested => info!(job.id = %id, "job {id} is asked to end, as the job page asked"),
            Cancellation::Ended(status) => {
                debug!(job.id = %id, "job {id} is {status} and can't be cancelled");
            }
            // The page cancels jobs of other programs too.
            Cancellation::Unknown => {}
        }
        Ok(())
    }
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
        let submitted =
            self.desk.submit_with(&request, &warnings, EventSource::Job, self.clock.now()).await?;
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
        let mut client = self.desk.database.client().await?;
        let transaction = client.begin().await?;
        let last_applied = snapshot::read_applied(&transaction).await?.last;
        let jobs = jobs::of_key(&transaction, &dedupe_key(date)).await?;
        let earlier = jobs.into_iter().map(|row| Earlier {
            id: row.request.job_id,
            status: row.status,
            triggered_by: row.request.triggered_by,
        });
        Ok(Known { last_applied, jobs: earlier.collect() })
    }
}

fn note_unreadable(place: &str, unreadable: &Unreadable) {
    warn!(signal = place, "what {place} says is not understood and starts nothing: {unreadable}");
}
