//! Looks whether Redis has lost entries of the job stream: what a bare XADD asked for stands nowhere else.
//!
//! Three marks, each of which the others miss: entries that are gone and that no worker took off (trimmed, deleted); a
//! newest entry older than one that Postgres remembers (a flush, a failover); and a stream that was made after the entries
//! that Postgres remembers, which goes on showing once new jobs have come.

use chrono::SecondsFormat;

use super::Finding;
use crate::failure::{Failure, redis as redis_failure};
use crate::redis::connection::Redis;
use crate::redis::consumer;
use crate::redis::stream_state::{self, StreamState};
use crate::settings::Settings;
use crate::store::figures::{self, Remembered};
use crate::store::{Database, Limits};
use crate::wire::names::{COUNTER, Names, OWNER};

const SUBJECT: &str = "jobs";

/// What is lost, if anything. Both servers answer, or did just now.
pub(super) async fn examine(settings: &Settings, findings: &mut Vec<Finding>) -> Result<(), Failure> {
    let unusable = |problem| Failure::permanent("look for lost jobs", problem);
    let names = settings.redis.names().map_err(unusable)?;
    let redis = Redis::by(&settings.redis).map_err(unusable)?;
    let database = Database::new(&settings.database).map_err(unusable)?;
    // Postgres first: what it remembers then, Redis must have had.
    let remembered = remembered(&database).await?;
    findings.extend(owner(&database, &redis, &names).await?);
    let stream = stream_state::look(&redis, &names).await?;
    findings.extend(judge(&stream, remembered.as_ref(), &names.job_stream()));
    Ok(())
}

async fn remembered(database: &Database) -> Result<Option<Remembered>, Failure> {
    let mut client = database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    if figures::has_jobs(&transaction, database.schema()).await? {
        figures::remembered(&transaction).await
    } else {
        Ok(None)
    }
}

/// Whether the jobs there are another database's.
async fn owner(database: &Database, redis: &Redis, names: &Names) -> Result<Option<Finding>, Failure> {
    let stream = names.job_stream();
    let owner = consumer::owner(redis, &stream).await.map_err(redis_failure("look whose jobs these are"))?;
    let own = database.identity().await?;
    let other = owner.filter(|owner| owner != own);
    Ok(other.map(|other| {
        Finding::error(
            SUBJECT,
            format!("the jobs on {stream} belong to database {other}, and this one is {own}: no worker of it reads them"),
            format!(
                "give one of them another redis.prefix; or, where this one has taken the place of that one: \
                 redis-cli XGROUP DESTROY {stream} {OWNER}{other}"
            ),
        )
    }))
}

fn judge(stream: &StreamState, remembered: Option<&Remembered>, name: &str) -> Vec<Finding> {
    let gone = stream.lost.map(|lost| match lost {
        0 => Finding::ok(SUBJECT, "no entry of the job stream was lost"),
        lost => Finding::warn(
            SUBJECT,
            format!("{lost} entries of the job stream are gone that no worker took off: trimmed or deleted"),
            format!(
                "let nobody use MAXLEN, XTRIM or XDEL on {name}, whose workers delete what is done; submit again what is \
                 missing; to count from now on: redis-cli XGROUP DESTROY {name} {COUNTER}"
            ),
        ),
    });
    let again = "accepted jobs come back by themselves; submit again what bare XADDs asked for meanwhile";
    let set_back = remembered.filter(|known| stream.is_set_back(known.newest)).map(|known| {
        let (ms, number) = known.newest;
        let newest = stream.newest.map_or("none".to_owned(), |(ms, number)| format!("{ms}-{number}"));
        let seen =
            format!("Postgres remembers entry {ms}-{number}, and the newest that Redis ever had is {newest}");
        Finding::warn(SUBJECT, format!("Redis has lost data: {seen}"), again)
    });
    let made_anew = remembered.and_then(|known| stream.made_anew_at(known.oldest_at)).map(|at| {
        let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let remedy = format!("{again}; to hear no more of it: redis-cli XGROUP DESTROY {name} {COUNTER}");
        Finding::warn(SUBJECT, format!("Redis has lost the job stream, which was made anew at {at}"), remedy)
    });
    gone.into_iter().chain(set_back.or(made_anew)).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::redis::consumer::Backlog;

    fn stream(lost: u64, since_ms: i64, newest_ms: u64) -> StreamState {
        StreamState {
            has_group: true,
            backlog: Backlog { undelivered: 0, pending: 0 },
            oldest_undelivered_at: None,
            readers: Vec::new(),
            dead_letters: 0,
            lost: Some(lost),
            counted_since: DateTime::from_timestamp_millis(since_ms),
            newest: Some((newest_ms, 0)),
        }
    }

    fn judged(stream: &StreamState) -> String {
        let oldest_at = DateTime::from_timestamp_millis(2_000).expect("a time");
        let remembered = Remembered { newest: (9_000, 1), oldest_at };
        let findings = judge(stream, Some(&remembered), "jobs");
        let lines: Vec<String> =
            findings.iter().map(|found| format!("{} {}", found.level, found.what)).collect();
        lines.join("\n")
    }

    #[test]
    fn each_kind_of_loss_shows_and_no_loss_shows_as_none() {
        insta::assert_snapshot!(judged(&stream(0, 1_000, 9_001)), @"ok no entry of the job stream was lost");
        insta::assert_snapshot!(
            judged(&stream(3, 1_000, 9_001)),
            @"warn 3 entries of the job stream are gone that no worker took off: trimmed or deleted"
        );
        insta::assert_snapshot!(judged(&stream(0, 1_000, 9_000)), @r"
        ok no entry of the job stream was lost
        warn Redis has lost data: Postgres remembers entry 9000-1, and the newest that Redis ever had is 9000-0
        ");
        insta::assert_snapshot!(judged(&stream(0, 5_000, 9_001)), @r"
        ok no entry of the job stream was lost
        warn Redis has lost the job stream, which was made anew at 1970-01-01T00:00:05Z
        ");
    }
}
