//! The consumer: reads entries of the job stream, one at a time, and takes over what dead workers held.
//!
//! A worker works on one job at a time, so it reads one entry at a time, and whatever else its pending list holds
//! is stranded: delivered to a connection that broke before the answer came. Each call of [`Consumer::next`]
//! looks, in this order, for
//!
//! 1. a stranded entry of this consumer,
//! 2. an entry of a consumer that is known dead, or that nobody has touched for a lease (once a second),
//! 3. a new entry, for which it blocks a moment.
//!
//! A read is never raced against anything: dropping it would strand the next job.

use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult, Script, Value};
use tracing::info;

use super::connection::Redis;
use super::identity::Identity;
use crate::fault;

pub use crate::wire::names::{COUNTER, GROUP};
/// The consumer under which a worker that stops leaves what it did not get to; nobody reads as this one.
pub(super) const HANDED_BACK: &str = "handed-back";
/// How long one read waits for a new entry. Short, because a stopping worker waits it out.
pub const BLOCK: Duration = Duration::from_secs(1);
/// Pause between two looks at what other consumers hold.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A consumer that holds nothing and was silent this long is forgotten; one that lives reads every second.
const FORGET_AFTER: Duration = Duration::from_secs(3_600);
/// Entries of one dead consumer looked at in one go; the rest follows a second later.
const TAKE_AT_MOST: usize = 16;

/// An entry as Redis delivered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id: `<ms>-<n>`.
    pub id: String,
    /// Its fields, in order, as bytes.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// An entry to work on.
    Entry(Entry),
    /// An entry that was delivered once and has been deleted from the stream before it was acknowledged. It is still
    /// pending.
    Deleted(String),
}

/// Reads the job stream as one consumer of the group.
pub struct Consumer {
    redis: Redis,
    stream: String,
    identity: Identity,
    lease: Duration,
    connection: Option<MultiplexedConnection>,
    looked_at: Option<Instant>,
}

impl Consumer {
    /// A consumer of `stream` named after `identity`. Entries that nobody touched for `lease` are taken over.
    pub fn new(redis: Redis, stream: String, identity: Identity, lease: Duration) -> Self {
        Self { redis, stream, identity, lease, connection: None, looked_at: None }
    }

    /// The next delivery, or `None` when nothing came within [`BLOCK`] (not at all with `is_patient` false).
    /// Makes the group where it is missing. After an error the connection is made anew.
    pub async fn next(&mut self, is_patient: bool) -> RedisResult<Option<Delivery>> {
        let found = self.find(is_patient).await;
        match found {
            Err(error) if is_group_missing(&error) => {
                self.make_group().await?;
                Ok(None)
            }
            Err(error) => {
                self.connection = None;
                Err(error)
            }
            found => found,
        }
    }

    async fn find(&mut self, is_patient: bool) -> RedisResult<Option<Delivery>> {
        if let Some(stranded) = self.read("0", None).await? {
            return Ok(Some(stranded));
        }
        if self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            self.looked_at = Some(Instant::now());
            if let Some(taken) = self.take_over().await? {
                // Where there was one there may be more.
                self.looked_at = None;
                return Ok(Some(taken));
            }
        }
        self.read(">", is_patient.then_some(BLOCK)).await
    }

    async fn connection(&mut self) -> RedisResult<&mut MultiplexedConnection> {
        if self.connection.is_none() {
            let mut connection = self.redis.reader(BLOCK).await?;
            make_group(&mut connection, &self.stream).await?;
            self.connection = Some(connection);
        }
        Ok(self.connection.as_mut().expect("it was just made"))
    }

    async fn make_group(&mut self) -> RedisResult<()> {
        let stream = self.stream.clone();
        make_group(self.connection().await?, &stream).await
    }

    /// One XREADGROUP: from `>` a new entry, from `0` the first that is pending for this consumer.
    async fn read(&mut self, from: &str, block: Option<Duration>) -> RedisResult<Option<Delivery>> {
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(self.identity.name()).arg("COUNT").arg(1);
        if let Some(block) = block {
            command.arg("BLOCK").arg(block.as_millis() as u64);
        }
        command.arg("STREAMS").arg(&self.stream).arg(from);
        let is_new = from == ">";
        if is_new {
            fault::point("read.before").await?;
        }
        let answer: Value = command.query_async(self.connection().await?).await?;
        let delivery = first_entry(&answer)?;
        if is_new && delivery.is_some() {
            fault::point("read.after").await?;
        }
        Ok(delivery)
    }

    /// Takes an entry from a consumer that is known dead, or that left it untouched for a lease.
    async fn take_over(&mut self) -> RedisResult<Option<Delivery>> {
        for other in self.other_consumers().await? {
            let is_dead = self.identity.knows_dead(&other.name) || other.name == HANDED_BACK;
            if is_dead && other.pending > 0 {
                if let Some(taken) = self.take_from(&other.name).await? {
                    return Ok(Some(taken));
                }
            }
            let is_forgotten = is_dead || other.idle_ms > FORGET_AFTER.as_millis() as u64;
            if is_forgotten && other.pending == 0 && other.name != HANDED_BACK {
                self.forget(&other.name).await?;
            }
        }
        self.take_untouched().await
    }

    async fn other_consumers(&mut self) -> RedisResult<Vec<OtherConsumer>> {
        let mut command = redis::cmd("XINFO");
        command.arg("CONSUMERS").arg(&self.stream).arg(GROUP);
        let rows: Vec<std::collections::HashMap<String, Value>> =
            command.query_async(self.connection().await?).await?;
        let me = self.identity.name();
        let others = rows.iter().filter_map(OtherConsumer::from_info);
        Ok(others.filter(|other| other.name != me).collect())
    }

    /// The oldest entry pending for `consumer`, if it is still its own: of several workers one gets it.
    async fn take_from(&mut self, consumer: &str) -> RedisResult<Option<Delivery>> {
        self.take("of", consumer, TAKE_AT_MOST).await
    }

    /// The first entry that nobody has touched for a lease.
    async fn take_untouched(&mut self) -> RedisResult<Option<Delivery>> {
        let lease_ms = self.lease.as_millis().to_string();
        self.take("idle", &lease_ms, 1).await
    }

    async fn take(&mut self, which: &str, whose: &str, at_most: usize) -> RedisResult<Option<Delivery>> {
        let script = Script::new(include_str!("scripts/take_over.lua"));
        let mut call = script.key(&self.stream);
        call.arg(GROUP).arg(self.identity.name()).arg(at_most).arg(which).arg(whose);
        fault::point("take_over.before").await?;
        let (taken, deleted): (Vec<String>, Vec<String>) =
            call.invoke_async(self.connection().await?).await?;
        fault::point("take_over.after").await?;
        if let Some(id) = deleted.into_iter().next() {
            return Ok(Some(Delivery::Deleted(id)));
        }
        // What was taken stands in this consumer's pending list now.
        if taken.is_empty() { Ok(None) } else { self.read("0", None).await }
    }

    /// Removes a consumer that holds nothing. Removing one that does would lose what it holds.
    async fn forget(&mut self, consumer: &str) -> RedisResult<()> {
        let script = Script::new(include_str!("scripts/remove_consumer.lua"));
        let mut call = script.key(&self.stream);
        call.arg(GROUP).arg(consumer);
        call.invoke_async(self.connection().await?).await
    }

    /// Hands back what this consumer holds, for the others to take at once; how many entries. Over the connection that it
    /// has: without one nothing is handed back, and what is held counts as untouched after a lease.
    pub async fn hand_back(&mut self) -> RedisResult<usize> {
        let Some(connection) = &mut self.connection else { return Ok(0) };
        let script = Script::new(include_str!("scripts/hand_back.lua"));
        let mut call = script.key(&self.stream);
        call.arg(GROUP).arg(self.identity.name()).arg(HANDED_BACK);
        let handed_back = call.invoke_async(connection).await;
        if handed_back.is_err() {
            self.connection = None;
        }
        handed_back
    }

    /// Leaves the group: what this consumer still holds is set free for the others at once, with its delivery count
    /// as it was, and the consumer is removed.
    pub async fn leave_group(&mut self) -> RedisResult<()> {
        let script = Script::new(include_str!("scripts/leave_group.lua"));
        let mut call = script.key(&self.stream);
        call.arg(GROUP).arg(self.identity.name()).arg(HANDED_BACK);
        fault::point("leave_group.before").await?;
        let () = call.invoke_async(self.connection().await?).await?;
        Ok(fault::point("leave_group.after").await?)
    }
}

/// Acknowledges an entry and deletes it, so that the stream holds what is not done. Nothing else acknowledges.
pub async fn acknowledge(redis: &Redis, stream: &str, entry_id: &str) -> RedisResult<()> {
    let script = Script::new(concat!(
        include_str!("scripts/acknowledge_and_delete.lua"),
        include_str!("scripts/acknowledge.lua")
    ));
    let mut call = script.key(stream);
    call.arg(GROUP).arg(COUNTER).arg(entry_id);
    fault::point("ack.before").await?;
    let () = call.invoke_async(&mut redis.shared()).await?;
    Ok(fault::point("ack.after").await?)
}

/// Keeps an entry from being taken over, if it is still this consumer's.
pub async fn touch(redis: &Redis, stream: &str, consumer: &str, entry_id: &str) -> RedisResult<()> {
    let script = Script::new(include_str!("scripts/touch.lua"));
    script.key(stream).arg(GROUP).arg(consumer).arg(entry_id).invoke_async(&mut redis.shared()).await
}

/// Whether the stream still has an entry, or a consumer holds it still: one that was deleted while it is pending is
/// reported by whoever takes it over.
pub async fn has_entry(redis: &Redis, stream: &str, entry_id: &str) -> RedisResult<bool> {
    let mut range = redis::cmd("XRANGE");
    let found: Vec<Value> =
        range.arg(stream).arg(entry_id).arg(entry_id).query_async(&mut redis.shared()).await?;
    if !found.is_empty() {
        return Ok(true);
    }
    let mut pending = redis::cmd("XPENDING");
    pending.arg(stream).arg(GROUP).arg(entry_id).arg(entry_id).arg(1);
    let held: RedisResult<Vec<Value>> = pending.query_async(&mut redis.shared()).await;
    match held {
        Ok(held) => Ok(!held.is_empty()),
        Err(error) if is_group_missing(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Entries that were never delivered, and entries that are pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Never delivered.
    pub undelivered: u64,
    /// Delivered, not acknowledged.
    pub pending: u64,
}

/// How much work the stream holds; nothing where the group is missing and the stream empty.
pub async fn backlog(redis: &Redis, stream: &str) -> RedisResult<Backlog> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("XLEN").arg(stream);
    pipeline.cmd("XPENDING").arg(stream).arg(GROUP);
    let answer: RedisResult<(u64, Value)> = pipeline.query_async(&mut redis.shared()).await;
    match answer {
        // Entries leave the stream when they are acknowledged, so what is not pending was never delivered.
        Ok((length, Value::Array(summary))) => {
            let pending = summary.first().cloned().map(u64::from_redis_value).transpose()?.unwrap_or(0);
            Ok(Backlog { undelivered: length.saturating_sub(pending), pending })
        }
        Ok((length, _)) => Ok(Backlog { undelivered: length, pending: 0 }),
        Err(error) if is_group_missing(&error) => {
            let length: u64 = redis::cmd("XLEN").arg(stream).query_async(&mut redis.shared()).await?;
            Ok(Backlog { undelivered: length, pending: 0 })
        }
        Err(error) => Err(error),
    }
}

struct OtherConsumer {
    name: String,
    pending: u64,
    idle_ms: u64,
}

impl OtherConsumer {
    fn from_info(info: &std::collections::HashMap<String, Value>) -> Option<Self> {
        let number =
            |field: &str| info.get(field).cloned().and_then(|value| u64::from_redis_value(value).ok());
        let name = info.get("name").cloned().and_then(|value| String::from_redis_value(value).ok())?;
        Some(Self { name, pending: number("pending")?, idle_ms: number("idle")? })
    }
}

async fn make_group(connection: &mut MultiplexedConnection, stream: &str) -> RedisResult<()> {
    let script = Script::new(include_str!("scripts/group.lua"));
    let mut call = script.key(stream);
    call.arg(GROUP).arg(COUNTER);
    let is_new: bool = call.invoke_async(connection).await?;
    if is_new {
        info!("made the consumer group {GROUP} on {stream}");
    }
    Ok(())
}

/// The group or the stream went away, also while a read was blocked on it. The answer of a pipeline holds the errors of
/// its commands one level down.
fn is_group_missing(error: &redis::RedisError) -> bool {
    let is_said = |code: &str| matches!(code, "NOGROUP" | "UNBLOCKED");
    let inner = error.clone().into_server_errors();
    error.code().is_some_and(is_said)
        || inner.is_some_and(|errors| errors.iter().any(|(_, error)| is_said(error.code())))
}

/// The first entry in the answer to XREADGROUP: `[[stream, [[id, fields]]]]`, or nil.
fn first_entry(answer: &Value) -> RedisResult<Option<Delivery>> {
    let Value::Array(streams) = answer else { return Ok(None) };
    let Some(Value::Array(stream)) = streams.first() else { return Ok(None) };
    match stream.get(1) {
        Some(entries) => entry_in_list(entries),
        None => Ok(None),
    }
}

fn entry_in_list(entries: &Value) -> RedisResult<Option<Delivery>> {
    let Value::Array(entries) = entries else { return Ok(None) };
    entries.first().and_then(read_delivery).transpose()
}

/// One `[id, fields]`; fields that are nil belong to an entry that was deleted.
fn read_delivery(entry: &Value) -> Option<RedisResult<Delivery>> {
    let Value::Array(entry) = entry else { return None };
    let (id, fields) = (entry.first()?, entry.get(1)?);
    let read = || -> RedisResult<Delivery> {
        let id = String::from_redis_value(id.clone())?;
        let Value::Array(fields) = fields else { return Ok(Delivery::Deleted(id)) };
        let bytes: Vec<Vec<u8>> = fields
            .iter()
            .map(|field| Vec::<u8>::from_redis_value(field.clone()))
            .collect::<Result<_, _>>()?;
        let fields = bytes.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        Ok(Delivery::Entry(Entry { id, fields }))
    };
    Some(read())
}

impl Entry {
    /// The entries in the answer to XRANGE.
    pub(super) fn list(answer: &Value) -> RedisResult<Vec<Self>> {
        let Value::Array(entries) = answer else { return Ok(Vec::new()) };
        let deliveries: Vec<Delivery> =
            entries.iter().filter_map(read_delivery).collect::<RedisResult<_>>()?;
        Ok(deliveries
            .into_iter()
            .filter_map(|delivery| match delivery {
                Delivery::Entry(entry) => Some(entry),
                Delivery::Deleted(_) => None,
            })
            .collect())
    }
}
