//! Reads the event stream of a job: from its beginning, or from where a reader was before, on to its end.
//!
//! Reading takes nothing away and needs no consumer group, so a read may be dropped at any moment.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamId, StreamRangeReply, StreamReadReply};

use super::connection::Redis;
use crate::domain::job::JobId;
use crate::failure::{Failure, redis as redis_failure};
use crate::wire::event::EventName;
use crate::wire::names::Names;

/// Events read at once. An event lists a hundred symbols at most, so this is far below a megabyte.
const AT_ONCE: usize = 100;
const DOING: &str = "read the events of a job";

/// The place of an event in its stream: `<seq>-0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EventId(u64, u64);

impl EventId {
    /// `text` as a place, with or without the part behind the dash; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (seq, rest) = text.split_once('-').unwrap_or((text, "0"));
        let number = |text: &str| {
            let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| text.parse().ok()).flatten()
        };
        Some(Self(number(seq)?, number(rest)?))
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// An event as its stream keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEvent {
    /// Its place.
    pub id: EventId,
    /// What it says: `cache_sync_started`.
    pub name: String,
    /// The whole envelope, JSON on one line.
    pub data: String,
}

impl KeptEvent {
    fn of(entry: &StreamId) -> Option<Self> {
        Some(Self { id: EventId::parse(&entry.id)?, name: entry.get("event")?, data: entry.get("data")? })
    }

    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        self.name == EventName::Completed.as_str()
    }
}

/// The newest event of a job; `None` where its stream is empty, gone, or not there yet.
pub async fn newest(redis: &Redis, names: &Names, id: &JobId) -> Result<Option<KeptEvent>, Failure> {
    Ok(newest_of(redis, names, id, 1).await?.pop())
}

/// The newest `at_most` events of a job, in order.
pub async fn newest_of(
    redis: &Redis,
    names: &Names,
    id: &JobId,
    at_most: usize,
) -> Result<Vec<KeptEvent>, Failure> {
    let mut command = redis::cmd("XREVRANGE");
    command.arg(names.events(id)).arg("+").arg("-").arg("COUNT").arg(at_most);
    let range: StreamRangeReply =
        command.query_async(&mut redis.shared()).await.map_err(redis_failure(DOING))?;
    Ok(range.ids.iter().rev().filter_map(KeptEvent::of).collect())
}

/// Reads on from a place, over a connection of its own.
pub struct Follower {
    connection: MultiplexedConnection,
    stream: String,
    after: EventId,
    block: Duration,
}

impl Follower {
    /// A follower of a job's events behind `after`; each read waits up to `block` for news.
    pub async fn new(
        redis: &Redis,
        names: &Names,
        id: &JobId,
        after: EventId,
        block: Duration,
    ) -> Result<Self, Failure> {
        let connection = redis.reader(block).await.map_err(redis_failure(DOING))?;
        Ok(Self { connection, stream: names.events(id), after, block })
    }

    /// The next events, in order; none when nothing came meanwhile.
    pub async fn next(&mut self) -> Result<Vec<KeptEvent>, Failure> {
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(AT_ONCE).arg("BLOCK").arg(self.block.as_millis() as u64);
        command.arg("STREAMS").arg(&self.stream).arg(self.after.to_string());
        let reply: Option<StreamReadReply> =
            command.query_async(&mut self.connection).await.map_err(redis_failure(DOING))?;
        let entries: Vec<StreamId> =
            reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids).collect();
        // Also past what is no event, which would be read again and again else.
        if let Some(last) = entries.last().and_then(|entry| EventId::parse(&entry.id)) {
            self.after = last;
        }
        Ok(entries.iter().filter_map(KeptEvent::of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written_and_nothing_else_is_one() {
        for (text, shown) in [("1-0", "1-0"), ("2000009-0", "2000009-0"), ("7", "7-0")] {
            assert_eq!(EventId::parse(text).map(|id| id.to_string()).as_deref(), Some(shown));
        }
        for text in ["", "-", "1-", "-1", "+1", "a", "1-0-0", "1 ", "99999999999999999999"] {
            assert_eq!(EventId::parse(text), None, "{text:?}");
        }
    }
}
