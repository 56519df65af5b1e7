//! Instances that start syncs by themselves, a clock that a test sets, and what imports say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_sync::failure::Failure;
use cache_sync::trigger::{Clock, Triggers};
use cache_sync::worker::shutdown::Shutdown;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{DEADLINE, Listener, World, load, until};

static WORDS: AtomicUsize = AtomicUsize::new(0);

/// A clock that stands until it is set.
pub(crate) struct TestClock {
    now: Arc<Mutex<DateTime<Utc>>>,
    looks: Mutex<Vec<Arc<AtomicUsize>>>,
}

impl TestClock {
    pub(crate) fn at(text: &str) -> Self {
        Self { now: Arc::new(Mutex::new(text.parse().unwrap())), looks: Mutex::default() }
    }

    /// Sets it, and waits until every instance that goes by it has looked and done what it does about it.
    pub(crate) async fn set(&self, text: &str) {
        *self.now.lock().unwrap() = text.parse().unwrap();
        self.seen_by_all().await;
    }

    /// Waits until every instance has looked at it twice: what followed from the first look is done then.
    pub(crate) async fn seen_by_all(&self) {
        let looks = {
            let mut looks = self.looks.lock().unwrap();
            // The other one is the instance's, while there is one.
            looks.retain(|look| Arc::strong_count(look) > 1);
            looks.clone()
        };
        for look in looks {
            let before = look.load(Ordering::Relaxed);
            until("an instance to look at the clock", async || look.load(Ordering::Relaxed) >= before + 3)
                .await;
        }
    }

    /// For one instance.
    fn hand_out(&self) -> Clock {
        let (now, looks) = (Arc::clone(&self.now), Arc::new(AtomicUsize::new(0)));
        self.looks.lock().unwrap().push(Arc::clone(&looks));
        Clock::new(move || {
            looks.fetch_add(1, Ordering::Relaxed);
            *now.lock().unwrap()
        })
    }
}

/// Instances in the background of a test; they end when dropped.
pub(crate) struct Triggering {
    shutdown: Shutdown,
    tasks: Vec<JoinHandle<Result<(), Failure>>>,
}

impl Triggering {
    /// Asks them to stop, and waits.
    pub(crate) async fn stop(mut self) {
        self.shutdown.asked.cancel();
        for task in self.tasks.drain(..) {
            tokio::time::timeout(DEADLINE, task).await.expect("it ends").unwrap().unwrap();
        }
    }
}

impl Drop for Triggering {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl World {
    /// Starts so many instances, and returns when all are listening.
    pub(crate) async fn start_triggers(&self, count: usize, clock: &TestClock) -> Triggering {
        let settings = load(&self.database_url, &self.redis.url(), &self.settings);
        let before = self.subscribers().await;
        let shutdown = Shutdown::default();
        let start = || {
            let triggers = Triggers::new(&settings, shutdown.clone()).unwrap();
            tokio::spawn(Arc::new(triggers.with_clock(clock.hand_out())).run())
        };
        let tasks = (0..count).map(|_| start()).collect();
        // One by one: of those that have stopped Redis may not know it yet.
        until("triggers to listen", async || self.subscribers().await.difference(&before).count() == count)
            .await;
        Triggering { shutdown, tasks }
    }

    /// The connections that listen to channels by name, by their ids.
    async fn subscribers(&self) -> BTreeSet<String> {
        let text: String = self.ask_redis(redis::cmd("CLIENT").arg("LIST")).await;
        let of = |line: &str, name: &str| {
            line.split(' ').find_map(|field| field.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        text.lines().filter(|line| of(line, "sub=") != "0").map(|line| of(line, "id=")).collect()
    }

    /// How many listen to a channel.
    pub(crate) async fn listeners_of(&self, channel: &str) -> usize {
        let counts: Vec<(String, usize)> =
            self.ask_redis(redis::cmd("PUBSUB").arg("NUMSUB").arg(channel)).await;
        counts[0].1
    }

    /// Publishes a message.
    pub(crate) async fn publish(&self, channel: &str, message: &Value) {
        self.publish_bytes(channel, message.to_string().as_bytes()).await;
    }

    /// Publishes any bytes.
    pub(crate) async fn publish_bytes(&self, channel: &str, bytes: &[u8]) {
        let () = self.ask_redis(redis::cmd("PUBLISH").arg(channel).arg(bytes)).await;
    }

    /// Leaves the result of an import where it is found at the next start.
    pub(crate) async fn leave_latest_status(&self, results: &Value) {
        let mut command = redis::cmd("SET");
        let () = self.ask_redis(command.arg("tickstock:eod:latest_status").arg(results.to_string())).await;
    }

    /// Waits until all instances have followed everything that was published and found before: an import that fails
    /// is told by each, and each does one thing after the other.
    pub(crate) async fn all_have_followed(&self, instances: &Triggering, listener: &Listener) {
        self.all_of_have_followed(instances.tasks.len(), listener).await;
    }

    /// The same for so many instances.
    pub(crate) async fn all_of_have_followed(&self, count: usize, listener: &Listener) {
        let word = format!("barrier-{}", WORDS.fetch_add(1, Ordering::Relaxed));
        let results = json!({"status": "ERROR", "target_date": "2026-01-02", "error": word});
        self.publish("tickstock:eod:completion", &json!({"type": "eod_completion", "results": results}))
            .await;
        until("all instances to have heard the last message", async || {
            let told = listener.heard();
            let is_about = |heard: &&super::Heard| {
                heard.message["message"].as_str().is_some_and(|text| text.contains(&word))
            };
            told.iter().filter(is_about).count() == count
        })
        .await;
    }

    /// The jobs that nobody in person asked for: `id status triggered_by as_of dedupe_key`, oldest first.
    pub(crate) async fn automatic_jobs(&self) -> Vec<String> {
        self.ask(
            "select job_id, status, triggered_by, requested_as_of, dedupe_key from cache_sync_jobs
             where triggered_by in ('eod_import', 'scheduler') order by created_at, job_id",
        )
        .await
    }
}

/// What the end-of-day run says at its end.
pub(crate) fn eod_completion(results: &Value) -> Value {
    json!({"type": "eod_completion", "timestamp": "2026-03-03T21:29:00Z", "results": results})
}

/// The result of an end-of-day run that went well.
pub(crate) fn complete(date: &str) -> Value {
    json!({"status": "COMPLETE", "target_date": date, "total_symbols": 130, "completion_rate": 1.0,
           "validation_status": "COMPLETE"})
}
