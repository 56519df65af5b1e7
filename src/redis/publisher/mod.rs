//! The one door through which events and status go to Redis.
//!
//! A [`Delivery`] is one thing told of a job: an event, a status, or both. A Lua script looks at what was told before and
//! writes all of it or nothing, so it may be delivered again as often as somebody is unsure whether it was:
//!
//! ```text
//! outbox row ──▶ Delivery ──▶ script ─┬─ is seq after the last event?   XADD event stream, PUBLISH
//!                                     └─ is seq after the hash's seq?   HSET, monitor text, expiry
//! ```
//!
//! | what if | then |
//! |---|---|
//! | the relay dies after the script, before it marks the row | the row is delivered again and is [`Delivered::Stale`] |
//! | the events were trimmed from their stream | the stream still knows its last id: stale |
//! | the event stream is gone but not the hash | the hash's `seq` decides |
//! | Redis lost everything | all of it is told again, with the same `seq` |
//! | a worker that lost its job speaks late | its event is told if it is the next one (it was committed), its status is not |
//! | a status without an event got ahead | the events before it are still told, the status stays |
//!
//! # Bounds
//! A job tells at most [`MAX_IPO_EVENTS`](crate::wire::event::MAX_IPO_EVENTS) assignments, two events for each universe and
//! seven for each attempt: about 700. [`MAX_EVENTS`] trims far above that, in case a number above is wrong.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use redis::aio::ConnectionLike;
use redis::{RedisResult, Script, ScriptInvocation};
use serde_json::Value;

use crate::domain::job::JobId;
use crate::wire::event::Event;
use crate::wire::monitor::{self, job_monitor};
use crate::wire::names::Names;
use crate::wire::status::StatusHash;

/// The most entries of a job's event stream, roughly; more than ten times what a job can tell.
pub const MAX_EVENTS: u32 = 10_000;
/// The most recent jobs that are listed.
pub const MAX_RECENT: u32 = 1_000;
/// How long hash and event stream outlive a job's end, in seconds: 7 days.
pub const KEEP_SECONDS: u32 = 7 * 24 * 60 * 60;

/// How many things one script tells. Redis does nothing else meanwhile: less than a millisecond.
const BATCH: usize = 100;

static DELIVER: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(include_str!("../scripts/publish.lua"), include_str!("../scripts/publish_all.lua")))
});

/// One thing to tell of a job. Begin with [`Delivery::of_event`] or [`Delivery::of_status`].
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    job_id: JobId,
    seq: i64,
    event: Option<Event>,
    status: Option<StatusHash>,
    job_monitor: Option<String>,
    requested_at: Option<DateTime<Utc>>,
    notify: bool,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It was news: the event, or the status of a delivery without one.
    Published,
    /// It had been told before, or something later had. A hash that was behind is brought up to date all the same.
    Stale,
}

impl Delivery {
    /// An event, in its job's stream and on its channels.
    pub fn of_event(job_id: JobId, event: Event) -> Self {
        Self {
            job_id,
            seq: event.seq,
            event: Some(event),
            status: None,
            job_monitor: None,
            requested_at: None,
            notify: true,
        }
    }

    /// A status without an event. Its `seq` must be after that of every event written before.
    pub fn of_status(status: StatusHash) -> Self {
        Self {
            job_id: status.job_id.clone(),
            seq: status.seq,
            event: None,
            status: Some(status),
            job_monitor: None,
            requested_at: None,
            notify: true,
        }
    }

    /// With the status of the job as of this event, whose `seq` it takes. After a final status, hash and event stream
    /// expire.
    #[must_use]
    pub fn with_status(mut self, status: StatusHash) -> Self {
        self.status = Some(StatusHash { seq: self.seq, ..status });
        self
    }

    /// Also writes the text for the job monitor page, as of `at`, wherever the status is written. Call it after
    /// [`Delivery::with_status`]: without a status there is nothing to show.
    #[must_use]
    pub fn with_job_monitor(mut self, total_symbols: Option<u64>, at: DateTime<Utc>) -> Self {
        self.job_monitor = self.status.as_ref().map(|status| job_monitor(status, total_symbols, at));
        self
    }

    /// Also puts the job among the recent ones, by the time of its request.
    #[must_use]
    pub fn listed_at(mut self, requested_at: DateTime<Utc>) -> Self {
        self.requested_at = Some(requested_at);
        self
    }

    /// Whether the event is published, besides being kept in the stream; it is, unless told otherwise.
    #[must_use]
    pub fn notify(mut self, notify: bool) -> Self {
        self.notify = notify;
        self
    }

    /// The job it is about.
    pub fn job_id(&self) -> &JobId {
        &self.job_id
    }

    /// Its place among what is told of the job.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    fn is_end(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.status.is_final())
    }

    /// The arguments that `read_delivery()` of `publish.lua` reads, in its order.
    pub(crate) fn write_args(&self, call: &mut ScriptInvocation<'_>) {
        call.arg(self.seq);
        match &self.event {
            Some(event) => call
                .arg(event.name.as_str())
                .arg(event.channels.join(","))
                .arg(event.envelope.to_string())
                .arg(if self.notify { event.channels.len() } else { 0 })
                .arg(if self.notify { event.channels.as_slice() } else { &[] }),
            None => call.arg("").arg("").arg("").arg(0),
        };
        let fields = self.status.as_ref().map(StatusHash::to_fields).unwrap_or_default();
        call.arg(fields.len() * 2);
        for (name, value) in fields {
            call.arg(name).arg(value);
        }
        call.arg(u8::from(self.is_end()))
            .arg(self.job_monitor.as_deref().unwrap_or_default())
            .arg(Names::single_job(&self.job_id))
            .arg(self.requested_at.map(|at| at.timestamp_millis().to_string()).unwrap_or_default())
            .arg(self.job_id.as_str());
    }
}

/// Tells one thing. Safe to repeat.
pub async fn deliver(
    connection: &mut impl ConnectionLike,
    names: &Names,
    delivery: &Delivery,
) -> RedisResult<Delivered> {
    deliver_all(connection, names, std::slice::from_ref(delivery)).await.map(|outcomes| outcomes[0])
}

/// Tells many things in their order, in few round trips, and returns what became of each. Safe to repeat: after an
/// error those before it were told, none after it was.
pub async fn deliver_all(
    connection: &mut impl ConnectionLike,
    names: &Names,
    deliveries: &[Delivery],
) -> RedisResult<Vec<Delivered>> {
    let mut outcomes = Vec::with_capacity(deliveries.len());
    // Not a pipeline of single scripts: the server would go on after one that failed, and what is told out of order
    // leaves the one that failed stale for ever.
    for same_job in deliveries.chunk_by(|one, next| one.job_id == next.job_id) {
        for batch in same_job.chunks(BATCH) {
            outcomes.extend(deliver_batch(connection, names, batch).await?);
        }
    }
    Ok(outcomes)
}

async fn deliver_batch(
    connection: &mut impl ConnectionLike,
    names: &Names,
    batch: &[Delivery],
) -> RedisResult<Vec<Delivered>> {
    let mut call = begin_call(&DELIVER, names, &batch[0].job_id);
    write_bounds(&mut call);
    call.arg(batch.len());
    for delivery in batch {
        delivery.write_args(&mut call);
    }
    // Loads the script and calls again where the server does not know it.
    let told: Vec<i64> = call.invoke_async(connection).await?;
    Ok(told.into_iter().map(Delivered::from_script).collect())
}

impl Delivered {
    pub(crate) fn from_script(told: i64) -> Self {
        if told == 1 { Self::Published } else { Self::Stale }
    }
}

/// Publishes what belongs to no job, and is kept nowhere.
pub async fn publish(
    connection: &mut impl ConnectionLike,
    channels: &[String],
    message: &Value,
) -> RedisResult<()> {
    let text = message.to_string();
    for channel in channels {
        redis::cmd("PUBLISH").arg(channel).arg(&text).exec_async(connection).await?;
    }
    Ok(())
}

/// Writes the text of the job monitor page again with the time `at`, where it is kept: `AppV2` takes a job without news
/// for ten minutes for a dead one, and shows it as cancelled. Only to be used by whoever owns the job.
pub async fn refresh_monitor(
    connection: &mut impl ConnectionLike,
    names: &Names,
    status: &StatusHash,
    at: DateTime<Utc>,
) -> RedisResult<()> {
    let text = job_monitor(status, None, at);
    let set = |key: String| {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(&text).arg("XX").arg("EX").arg(monitor::TTL_SECONDS);
        command
    };
    set(names.job_monitor(&status.job_id)).exec_async(connection).await?;
    // Outside our prefix, so the user may lack the right to it.
    let _ = set(Names::single_job(&status.job_id)).exec_async(connection).await;
    Ok(())
}

/// A call of a script that begins with `publish.lua`, with the keys it expects.
pub(crate) fn begin_call<'a>(script: &'a Script, names: &Names, job_id: &JobId) -> ScriptInvocation<'a> {
    let mut call = script.prepare_invoke();
    call.key(names.status(job_id))
        .key(names.events(job_id))
        .key(names.job_monitor(job_id))
        .key(names.recent());
    call
}

/// The bounds, which are the first arguments of such a script.
pub(crate) fn write_bounds(call: &mut ScriptInvocation<'_>) {
    call.arg(MAX_EVENTS).arg(MAX_RECENT).arg(KEEP_SECONDS).arg(monitor::TTL_SECONDS);
}

#[cfg(test)]
mod tests;
