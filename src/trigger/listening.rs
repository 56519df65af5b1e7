//! Hears what is published, and looks for what was published before.
//!
//! ```text
//!   subscribe ─► look at eod:latest_status ─► message after message ─► the subscription is lost
//!       ▲                                                                        │
//!       └────────────────── a moment later, for ever ◄───────────────────────────┘
//! ```
//!
//! In this order, or a signal that comes between looking and listening would be missed.

use ::backoff::backoff::Backoff;
use serde_json::{Map, Value};
use tracing::{debug, info, warn};

use super::signal::{self, Signal, Source, Unreadable, Verdict};
use super::{Errand, LONGEST_PAUSE, Triggers};
use crate::domain::job::JobId;
use crate::failure::{Failure, redis as redis_failure};
use crate::redis::publisher::publish;
use crate::redis::subscription::{Message, Subscription};
use crate::service::Cancellation;
use crate::wire::MAX_MESSAGE_BYTES;
use crate::wire::event::{ErrorReport, Severity, service_error};
use crate::worker::LogOnce;
use crate::worker::backoff::reconnecting;

impl Triggers {
    /// Listens until asked to stop. Only tables that are not there are an error.
    pub(super) async fn listen(&self) -> Result<(), Failure> {
        let mut pause = reconnecting(LONGEST_PAUSE);
        let mut problems = LogOnce::new("listening for signals");
        while !self.shutdown.is_asked() {
            match self.subscribe().await {
                Ok(mut subscription) => {
                    pause.reset();
                    problems.note(Ok(()));
                    self.wait_for_tables().await?;
                    self.hear_all(&mut subscription).await;
                }
                Err(failure) => problems.note(Err(failure)),
            }
            self.wait(&mut pause).await;
        }
        Ok(())
    }

    async fn subscribe(&self) -> Result<Subscription, Failure> {
        let channels: Vec<String> = self.channels().into_iter().map(|(channel, _)| channel).collect();
        let doing = "listen for signals";
        self.service.redis.subscribe(&channels).await.map_err(redis_failure(doing))
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
            // Both ends count: a byte more than may be, by which a value that is too long is known.
            .arg(MAX_MESSAGE_BYTES)
            .query_async(&mut self.service.redis.shared())
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
            service_error(&self.service.names, &report, signal.at.unwrap_or_else(|| self.clock.now()));
        if let Err(error) = publish(&mut self.service.redis.shared(), &channels, &envelope).await {
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

    pub(super) async fn cancel(&self, id: &JobId) -> Result<(), Failure> {
        match self.service.cancel(id, self.clock.now()).await? {
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

fn note_unreadable(place: &str, unreadable: &Unreadable) {
    warn!(signal = place, "what {place} says is not understood and starts nothing: {unreadable}");
}
