//! Dead letters: entries that will not be worked on, kept where people find them.

use chrono::{DateTime, Utc};
use redis::{Script, Value};

use super::connection::Redis;
use super::consumer::{COUNTER, Entry, GROUP};
use crate::domain::job::{JobId, JobRequest};
use crate::failure::{Failure, redis as redis_failure};
use crate::fault;
use crate::wire::dead_letter::DeadLetter;
use crate::wire::entry;
use crate::wire::names::Names;

/// Dead letters that are kept, roughly; the oldest go. At one a minute that is a week, and somebody has been told.
pub const KEPT: usize = 10_000;
/// The newest letters, among which one about the same entry is looked for.
const LOOKED_AT: usize = 100;

/// A letter and its id in the stream of dead letters.
#[derive(Debug, Clone)]
pub struct Filed {
    /// The id of the letter itself.
    pub id: String,
    /// What it says, or why it can't be read.
    pub letter: Result<DeadLetter, String>,
}

/// Files a letter, and acknowledges and deletes the entry it is about, all or nothing. A second letter about the same
/// entry is not filed.
pub async fn file(redis: &Redis, names: &Names, letter: &DeadLetter) -> Result<(), Failure> {
    let script = Script::new(concat!(
        include_str!("scripts/acknowledge_and_delete.lua"),
        include_str!("scripts/dead_letter.lua")
    ));
    let mut call = script.key(names.dead_stream());
    call.key(names.job_stream());
    call.arg(GROUP).arg(COUNTER).arg(&letter.entry_id).arg(KEPT).arg(LOOKED_AT);
    for (name, value) in letter.to_fields() {
        call.arg(name).arg(value);
    }
    fault::point("dead_letter.before").await?;
    let () = call.invoke_async(&mut redis.shared()).await.map_err(redis_failure("file a dead letter"))?;
    Ok(fault::point("dead_letter.after").await?)
}

/// The newest dead letters, newest first.
pub async fn list(redis: &Redis, names: &Names, limit: usize) -> Result<Vec<Filed>, Failure> {
    let mut command = redis::cmd("XREVRANGE");
    command.arg(names.dead_stream()).arg("+").arg("-").arg("COUNT").arg(limit);
    let answer: Value =
        command.query_async(&mut redis.shared()).await.map_err(redis_failure("read the dead letters"))?;
    let entries = Entry::list(&answer).map_err(redis_failure("read the dead letters"))?;
    Ok(entries
        .into_iter()
        .map(|entry| Filed { letter: DeadLetter::from_fields(&entry.fields), id: entry.id })
        .collect())
}

/// The dead letters about one entry or job: `id` is the letter's own, its entry's or its job's.
pub async fn find(redis: &Redis, names: &Names, id: &str) -> Result<Vec<Filed>, Failure> {
    let all = list(redis, names, KEPT).await?;
    let is_meant = |filed: &Filed| {
        filed.id == id
            || filed.letter.as_ref().is_ok_and(|letter| {
                letter.entry_id == id || letter.job_id.as_ref().is_some_and(|job| job.as_str() == id)
            })
    };
    Ok(all.into_iter().filter(is_meant).collect())
}

/// The request that a letter's entry made, as a new job asked for now; or why there is none.
pub fn replayed(letter: &DeadLetter, now: DateTime<Utc>) -> Result<JobRequest, String> {
    if !letter.original.is_complete() {
        return Err("the entry was too large, and only its beginning was kept".to_owned());
    }
    let parsed =
        entry::parse(&letter.entry_id, &letter.original.fields).map_err(|rejection| rejection.to_string())?;
    let replay_of = letter.job_id.as_ref().map_or_else(|| letter.entry_id.clone(), ToString::to_string);
    // Without the key: the job that failed may still stand for it.
    Ok(JobRequest {
        job_id: JobId::fresh(),
        requested_at: now,
        dedupe_key: None,
        replay_of: Some(replay_of),
        ..parsed.request
    })
}

/// Takes one letter away.
pub async fn remove(redis: &Redis, names: &Names, id: &str) -> Result<(), Failure> {
    let mut command = redis::cmd("XDEL");
    let deleted = command.arg(names.dead_stream()).arg(id).exec_async(&mut redis.shared()).await;
    deleted.map_err(redis_failure("take a dead letter away"))
}

/// Throws all letters away; how many there were.
pub async fn purge(redis: &Redis, names: &Names) -> Result<usize, Failure> {
    let mut command = redis::cmd("XTRIM");
    let trimmed =
        command.arg(names.dead_stream()).arg("MAXLEN").arg(0).query_async(&mut redis.shared()).await;
    trimmed.map_err(redis_failure("throw the dead letters away"))
}
