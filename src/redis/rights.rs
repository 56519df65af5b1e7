//! What the user of Redis has to be allowed, and what of it is missing.
//!
//! Redis refuses a command by a sentence that names neither the key nor the channel, and inside a script only once it
//! comes to the command. So a refusal is named here: a script asks about every command that is needed, and runs none.

use redis::aio::ConnectionLike;
use redis::{RedisError, RedisResult, Script};

use super::connection::Redis;
use crate::domain::job::JobId;
use crate::failure::{Failure, redis as redis_failure};
use crate::wire::event::EventName;
use crate::wire::names::{COUNTER, GROUP, Names, SignalNames};

/// A command that has to be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    words: Vec<String>,
    what: String,
    rule: String,
}

impl Right {
    /// A command on a key; `rest` are further words, with which it would be valid.
    fn on_key(command: &str, key: &str, rest: &[&str]) -> Self {
        let (name, mut words) = Self::begin(command);
        words.push(key.to_owned());
        words.extend(rest.iter().map(|&word| word.to_owned()));
        Self { words, what: format!("{command} on key {key}"), rule: format!("+{name} ~{key}") }
    }

    fn on_channel(command: &str, channel: &str, rest: &[&str]) -> Self {
        let (name, mut words) = Self::begin(command);
        words.push(channel.to_owned());
        words.extend(rest.iter().map(|&word| word.to_owned()));
        Self { words, what: format!("{command} on channel {channel}"), rule: format!("+{name} &{channel}") }
    }

    /// The rule's name of a command, and its words: `XGROUP CREATE` is `xgroup|create`.
    fn begin(command: &str) -> (String, Vec<String>) {
        let words = command.split(' ').map(str::to_owned).collect();
        (command.to_lowercase().replace(' ', "|"), words)
    }

    /// What is allowed by it: `PUBLISH on channel tickstock:errors`.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The rules that give it, as `ACL SETUSER` takes them.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

/// What workers, and whoever asks for jobs, need for a job of this id; all jobs have keys that differ in the id only.
pub fn of_jobs(names: &Names, id: &JobId, job_monitor: bool) -> Vec<Right> {
    let (jobs, dead, recent) = (names.job_stream(), names.dead_stream(), names.recent());
    let (status, events) = (names.status(id), names.events(id));
    let on_jobs: [(&str, &[&str]); 13] = [
        ("XADD", &["*", "f", "v"]),
        ("XACK", &[GROUP, "0-1"]),
        ("XDEL", &["0-1"]),
        ("XLEN", &[]),
        ("XRANGE", &["-", "+"]),
        ("XPENDING", &[GROUP]),
        ("XCLAIM", &[GROUP, "c", "0", "0-1"]),
        ("XINFO STREAM", &[]),
        ("XINFO GROUPS", &[]),
        ("XINFO CONSUMERS", &[GROUP]),
        ("XGROUP CREATE", &[GROUP, "0", "MKSTREAM"]),
        ("XGROUP SETID", &[COUNTER, "0"]),
        ("XGROUP DELCONSUMER", &[GROUP, "c"]),
    ];
    let mut rights = vec![reading(&jobs)];
    rights.extend(on_jobs.map(|(command, rest)| Right::on_key(command, &jobs, rest)));
    rights.push(Right::on_key("XADD", &dead, &["*", "f", "v"]));
    rights.push(Right::on_key("XREVRANGE", &dead, &["+", "-"]));
    rights.push(Right::on_key("XLEN", &dead, &[]));
    rights.extend(["HGET", "HGETALL", "PERSIST"].map(|command| Right::on_key(command, &status, &[])));
    rights.push(Right::on_key("HSET", &status, &["f", "v"]));
    rights.push(Right::on_key("EXPIRE", &status, &["1"]));
    rights.push(Right::on_key("XADD", &events, &["1-0", "f", "v"]));
    rights.push(Right::on_key("EXPIRE", &events, &["1"]));
    let on_events = ["EXISTS", "XINFO STREAM", "PERSIST"];
    rights.extend(on_events.map(|command| Right::on_key(command, &events, &[])));
    rights.push(Right::on_key("ZADD", &recent, &["0", "m"]));
    rights.push(Right::on_key("ZCARD", &recent, &[]));
    rights.push(Right::on_key("ZREMRANGEBYRANK", &recent, &["0", "0"]));
    if job_monitor {
        rights.push(Right::on_key("SET", &names.job_monitor(id), &["v"]));
    }
    let channels = EventName::ALL.iter().flat_map(|event| names.channels(*event));
    let mut channels: Vec<String> = channels.collect();
    channels.sort();
    channels.dedup();
    rights.extend(channels.iter().map(|channel| Right::on_channel("PUBLISH", channel, &["m"])));
    rights
}

/// What whoever listens for signals needs besides.
pub fn of_triggers(signals: &SignalNames) -> Vec<Right> {
    let channels =
        [signals.import_completed(), signals.import_status(), signals.eod_completion(), signals.control()];
    let mut rights: Vec<Right> =
        channels.iter().map(|channel| Right::on_channel("SUBSCRIBE", channel, &[])).collect();
    rights.push(Right::on_key("GETRANGE", &signals.latest_status(), &["0", "1"]));
    rights
}

/// The one command whose key does not come first.
fn reading(stream: &str) -> Right {
    let words = ["XREADGROUP", "GROUP", GROUP, "c", "STREAMS", stream, ">"];
    Right {
        words: words.map(str::to_owned).to_vec(),
        what: format!("XREADGROUP on key {stream}"),
        rule: format!("+xreadgroup ~{stream}"),
    }
}

/// Those of `rights` that the user of a connection lacks.
pub async fn missing<'a>(
    connection: &mut impl ConnectionLike,
    rights: &'a [Right],
) -> RedisResult<Vec<&'a Right>> {
    let script = Script::new(include_str!("scripts/rights.lua"));
    let mut call = script.prepare_invoke();
    for right in rights {
        call.arg(right.words.len()).arg(right.words.as_slice());
    }
    let places: Vec<usize> = call.invoke_async(connection).await?;
    Ok(places.into_iter().filter_map(|place| rights.get(place - 1)).collect())
}

/// Sorts an error of Redis as [`redis`](redis_failure) does; one that says no more than that something is not allowed
/// becomes one that names what.
pub async fn named(redis: &Redis, names: &Names, id: &JobId, doing: &str, error: RedisError) -> Failure {
    if !is_nameless(&error) {
        return redis_failure(doing)(error);
    }
    let rights = of_jobs(names, id, true);
    match missing(&mut redis.shared(), &rights).await {
        Ok(missing) if !missing.is_empty() => {
            let what: Vec<&str> = missing.iter().map(|right| right.what()).collect();
            Failure::permanent(doing, format!("the user of Redis may not run {}", what.join(", ")))
        }
        Ok(_) | Err(_) => redis_failure(doing)(error),
    }
}

/// Whether Redis refused something without saying what.
fn is_nameless(error: &RedisError) -> bool {
    let detail = error.detail().unwrap_or_default();
    (error.code() == Some("NOPERM") && !detail.contains(" may not run "))
        || detail.contains("user executing the script")
}
