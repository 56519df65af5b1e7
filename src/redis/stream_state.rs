//! How the job stream stands: what waits on it, and whether somebody reads it. Nothing is changed.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use redis::Script;
use redis::streams::StreamRangeReply;
use redis::{FromRedisValue, Value};

use super::connection::Redis;
use super::consumer::{self, Backlog};
use crate::failure::{Failure, redis as redis_failure};
use crate::wire::entry::entry_time;
use crate::wire::names::{COUNTER, GROUP, Names};

const DOING: &str = "look at the job stream";

/// How long a worker that lives may be silent: it reads every second, and while it works it touches its entry at every
/// heartbeat.
const READER_LIVES_FOR: Duration = Duration::from_secs(15);

/// A consumer of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The worker's name.
    pub name: String,
    /// How long ago it last read or touched an entry. A worker that lives does so at least every few seconds.
    pub silent_for: Duration,
}

/// The place of an entry: milliseconds and number.
pub type Place = (u64, u64);

/// What stands on the job stream and beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    /// Whether the consumer group exists; the first worker makes it.
    pub has_group: bool,
    /// Entries never delivered, and entries not acknowledged.
    pub backlog: Backlog,
    /// When the oldest entry that nobody has read was written.
    pub oldest_undelivered_at: Option<DateTime<Utc>>,
    /// The consumers of the group.
    pub readers: Vec<Reader>,
    /// Dead letters that are kept.
    pub dead_letters: u64,
    /// Entries that are gone and that no worker took off: trimmed or deleted by somebody else. `None` where nobody counts
    /// yet.
    pub lost: Option<u64>,
    /// Since when they are counted, which is when the stream was made; `None` where that is not known.
    pub counted_since: Option<DateTime<Utc>>,
    /// The newest entry that the stream ever had; `None` where there is no stream.
    pub newest: Option<Place>,
}

impl StreamState {
    /// The readers that live.
    pub fn living_readers(&self) -> impl Iterator<Item = &Reader> {
        self.readers.iter().filter(|reader| reader.silent_for <= READER_LIVES_FOR)
    }

    /// Whether Redis has lost the newest entries: it never had the `newest` that Postgres remembers, which was asked before
    /// it. So it is after a flush, or where a replica that lagged behind was promoted, until somebody asks for another job.
    pub fn is_set_back(&self, newest: Place) -> bool {
        self.newest.is_none_or(|known| known < newest)
    }

    /// When the stream was made anew, if Postgres remembers an entry of the one before, written at `oldest`: it was
    /// flushed, deleted, or lost at a restart.
    pub fn made_anew_at(&self, oldest: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.counted_since.filter(|since| oldest < *since)
    }
}

/// Looks at both streams and at the group.
pub async fn look(redis: &Redis, names: &Names) -> Result<StreamState, Failure> {
    let stream = names.job_stream();
    let backlog = consumer::backlog(redis, &stream).await.map_err(redis_failure(DOING))?;
    let mut command = redis::cmd("XLEN");
    let dead_letters = command.arg(names.dead_stream()).query_async(&mut redis.shared()).await;
    let standing = standing(redis, &stream).await?;
    let (oldest, readers) = match &standing.last_delivered {
        Some(last) => (oldest_behind(redis, &stream, last).await?, readers(redis, &stream).await?),
        None => (oldest_behind(redis, &stream, "0-0").await?, Vec::new()),
    };
    Ok(StreamState {
        has_group: standing.last_delivered.is_some(),
        backlog,
        oldest_undelivered_at: oldest,
        readers,
        dead_letters: dead_letters.map_err(redis_failure(DOING))?,
        lost: standing
            .taken_off
            .map(|taken_off| (standing.added - standing.length - taken_off).max(0) as u64),
        counted_since: standing.since.filter(|since| since != "0-0").and_then(|since| entry_time(&since)),
        newest: standing.newest.as_deref().and_then(place),
    })
}

/// The place that an entry's id names.
pub fn place(id: &str) -> Option<Place> {
    let (ms, number) = id.split_once('-')?;
    Some((ms.parse().ok()?, number.parse().ok()?))
}

/// See `stream_state.lua`.
#[derive(Default)]
struct Standing {
    last_delivered: Option<String>,
    added: i64,
    length: i64,
    taken_off: Option<i64>,
    since: Option<String>,
    newest: Option<String>,
}

async fn standing(redis: &Redis, stream: &str) -> Result<Standing, Failure> {
    let script = Script::new(include_str!("scripts/stream_state.lua"));
    let mut call = script.key(stream);
    call.arg(GROUP).arg(COUNTER);
    let answer: Vec<Value> = call.invoke_async(&mut redis.shared()).await.map_err(redis_failure(DOING))?;
    let mut answer = answer.into_iter();
    let mut next = || answer.next().unwrap_or(Value::Nil);
    Ok(Standing {
        last_delivered: read(next())?,
        added: read::<Option<i64>>(next())?.unwrap_or(0),
        length: read::<Option<i64>>(next())?.unwrap_or(0),
        taken_off: read(next())?,
        since: read(next())?,
        newest: read(next())?,
    })
}

fn read<T: FromRedisValue>(value: Value) -> Result<T, Failure> {
    T::from_redis_value(value).map_err(redis::RedisError::from).map_err(redis_failure(DOING))
}

/// When the first entry behind `last` was written.
async fn oldest_behind(redis: &Redis, stream: &str, last: &str) -> Result<Option<DateTime<Utc>>, Failure> {
    let mut command = redis::cmd("XRANGE");
    command.arg(stream).arg(format!("({last}")).arg("+").arg("COUNT").arg(1);
    let range: StreamRangeReply =
        command.query_async(&mut redis.shared()).await.map_err(redis_failure(DOING))?;
    Ok(range.ids.first().and_then(|entry| entry_time(&entry.id)))
}

async fn readers(redis: &Redis, stream: &str) -> Result<Vec<Reader>, Failure> {
    let mut command = redis::cmd("XINFO");
    command.arg("CONSUMERS").arg(stream).arg(GROUP);
    let rows: Vec<HashMap<String, Value>> =
        command.query_async(&mut redis.shared()).await.map_err(redis_failure(DOING))?;
    let reader = |row: &HashMap<String, Value>| {
        let name = row.get("name").cloned().and_then(|value| String::from_redis_value(value).ok())?;
        let idle_ms = row.get("idle").cloned().and_then(|value| u64::from_redis_value(value).ok())?;
        Some(Reader { name, silent_for: Duration::from_millis(idle_ms) })
    };
    // Where stopped workers leave what they did not get to: nobody reads under that name.
    let is_worker = |reader: &Reader| reader.name != consumer::HANDED_BACK;
    Ok(rows.iter().filter_map(reader).filter(is_worker).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::private_redis::PrivateRedis;
    use crate::settings::Secret;

    #[tokio::test]
    async fn a_server_without_our_stream_has_no_group_and_nothing_waits() {
        let server = PrivateRedis::start();
        server.connect().await;
        let redis = Redis::new(&Secret::new(server.url())).expect("a server");
        let state = look(&redis, &Names::default()).await.expect("an answer");
        assert_eq!(
            state,
            StreamState {
                has_group: false,
                backlog: Backlog { undelivered: 0, pending: 0 },
                oldest_undelivered_at: None,
                readers: Vec::new(),
                dead_letters: 0,
                lost: None,
                counted_since: None,
                newest: None,
            }
        );
    }

    #[tokio::test]
    async fn entries_wait_from_the_time_of_the_oldest_that_nobody_has_read() {
        let server = PrivateRedis::start();
        let redis = Redis::new(&Secret::new(server.url())).expect("a server");
        let names = Names::default();
        let stream = names.job_stream();
        let mut connection = server.connect().await;
        for id in ["1000-0", "2000-0", "3000-0"] {
            let mut add = redis::cmd("XADD");
            add.arg(&stream)
                .arg(id)
                .arg("mode")
                .arg("full")
                .exec_async(&mut connection)
                .await
                .expect("added");
        }
        let oldest = async || {
            let state = look(&redis, &names).await.expect("an answer");
            state.oldest_undelivered_at.map(|at| at.timestamp_millis())
        };
        assert_eq!(oldest().await, Some(1_000), "before there is a group");
        let mut make = redis::cmd("XGROUP");
        make.arg("CREATE").arg(&stream).arg(GROUP).arg("0").exec_async(&mut connection).await.expect("made");
        assert_eq!(oldest().await, Some(1_000));
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg("a").arg("COUNT").arg(2).arg("STREAMS").arg(&stream).arg(">");
        read.exec_async(&mut connection).await.expect("read");
        let state = look(&redis, &names).await.expect("an answer");
        assert_eq!(state.oldest_undelivered_at.map(|at| at.timestamp_millis()), Some(3_000));
        assert_eq!(state.backlog, Backlog { undelivered: 1, pending: 2 });
        assert_eq!(state.readers.iter().map(|reader| reader.name.as_str()).collect::<Vec<_>>(), ["a"]);
    }
}
