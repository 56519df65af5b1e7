//! Looks at how the syncs go: who works, what waits, what failed, what is held, and which date was synced last.

use chrono::{DateTime, NaiveDate, Utc};

use super::Finding;
use crate::domain::calendar::{last_closed_session, sessions_between};
use crate::domain::job::JobStatus;
use crate::domain::wording::{counted, first_few};
use crate::failure::Failure;
use crate::redis::connection::Redis;
use crate::redis::stream_state::{self, StreamState};
use crate::settings::Settings;
use crate::store::history::{self, UniverseNow};
use crate::store::jobs::{self, JobRow};
use crate::store::quarantine::{self, QuarantineNow};
use crate::store::{Database, Limits, figures};

const SUBJECT: &str = "syncs";
/// The recent jobs that are looked at.
const RECENT_JOBS: i64 = 20;

/// How the syncs go. Both servers answer, or did just now.
pub(super) async fn examine(
    settings: &Settings,
    now: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let unusable = |problem| Failure::permanent("look how the syncs go", problem);
    let names = settings.redis.names().map_err(unusable)?;
    let redis = Redis::by(&settings.redis).map_err(unusable)?;
    let database = Database::new(&settings.database).map_err(unusable)?;
    let mut client = database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    if !figures::has_jobs(&transaction, database.schema()).await? {
        return Ok(());
    }
    let universes = history::universes_now(&transaction).await?;
    let doubted = quarantine::read(&transaction).await?;
    drop(transaction);
    let recent = jobs::recent(&mut client, RECENT_JOBS, 0).await?;
    let stream = stream_state::look(&redis, &names).await?;
    let open: Vec<&JobRow> = recent.iter().filter(|job| !job.status.is_final()).collect();
    findings.push(workers(&stream, open.len()));
    findings.extend(open.iter().filter(|job| job.status == JobStatus::Retrying).map(|job| waiting(job)));
    findings.extend(last_failure(&recent));
    findings.push(last_synced(doubted.as_of, last_closed_session(now)));
    findings.extend(held(&universes));
    findings.extend(in_quarantine(&doubted));
    Ok(())
}

/// Whether somebody would take a job.
fn workers(stream: &StreamState, open_jobs: usize) -> Finding {
    let remedy = "start one: cache-sync worker";
    let names: Vec<&str> = stream.living_readers().map(|reader| reader.name.as_str()).collect();
    match (names.len(), open_jobs) {
        (0, 0) => Finding::warn(SUBJECT, "no worker reads the job stream", remedy),
        (0, jobs) => {
            let what = format!("no worker reads the job stream, and {} for one", waits(jobs));
            Finding::error(SUBJECT, what, remedy)
        }
        (workers, _) => {
            let names = first_few(names.iter());
            Finding::ok(SUBJECT, format!("{} on the job stream: {names}", counted(workers, "worker")))
        }
    }
}

fn waits(jobs: usize) -> String {
    if jobs == 1 { "1 job waits".to_owned() } else { format!("{jobs} jobs wait") }
}

fn waiting(job: &JobRow) -> Finding {
    let id = job.id();
    let what = format!("job {id} waits: {}", job.error.as_deref().unwrap_or("for its next attempt"));
    Finding::warn(SUBJECT, what, format!("follow it: cache-sync status {id} --watch"))
}

/// The newest job that has ended, where it failed.
fn last_failure(recent: &[JobRow]) -> Option<Finding> {
    let last = recent.iter().filter(|job| job.status.is_final()).max_by_key(|job| job.end_time)?;
    (last.status == JobStatus::Failed).then(|| {
        let id = last.id();
        let error = last.error.as_deref().unwrap_or("for no reason that was written down");
        Finding::warn(
            SUBJECT,
            format!("the last job failed: {error}"),
            format!("see: cache-sync jobs show {id}"),
        )
    })
}

/// How far the universes are behind the exchange, whatever the data holds.
fn last_synced(as_of: Option<NaiveDate>, expected: NaiveDate) -> Finding {
    let Some(as_of) = as_of else {
        return Finding::warn(SUBJECT, "nothing has been synced yet", "ask for it: cache-sync submit --wait");
    };
    let what = format!("the universes are those of {as_of}; the last closed session is {expected}");
    match sessions_between(as_of, expected) {
        0 => Finding::ok(SUBJECT, what),
        behind => {
            let what = format!("{what}, {} later", counted(behind as usize, "session"));
            let remedy = format!("see whether its import is complete: cache-sync plan --as-of {expected}");
            Finding::warn(SUBJECT, what, remedy)
        }
    }
}

fn held(universes: &[UniverseNow]) -> Option<Finding> {
    let held: Vec<&str> = universes
        .iter()
        .filter(|universe| universe.status == "held")
        .map(|universe| universe.universe.as_str())
        .collect();
    (!held.is_empty()).then(|| {
        let what = format!("{} held as before: {}", counted(held.len(), "universe"), first_few(held.iter()));
        let remedy =
            "see why: cache-sync plan; if the change is real: cache-sync submit --accept-churn --wait";
        Finding::warn(SUBJECT, what, remedy)
    })
}

fn in_quarantine(doubted: &QuarantineNow) -> Option<Finding> {
    let symbols = &doubted.symbols;
    (!symbols.is_empty()).then(|| {
        let names = first_few(symbols.iter().map(|entry| &entry.symbol));
        let what =
            format!("{} not believed: {names}; see: cache-sync quarantine", counted(symbols.len(), "value"));
        Finding::ok(SUBJECT, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    #[test]
    fn the_date_synced_last_is_judged_by_the_exchange_and_not_by_the_data() {
        let line = |as_of: Option<&str>| {
            let found = last_synced(as_of.map(date), date("2026-01-12"));
            format!("{} {}", found.level, found.what)
        };
        assert_eq!(line(None), "warn nothing has been synced yet");
        assert_eq!(
            line(Some("2026-01-12")),
            "ok the universes are those of 2026-01-12; the last closed session is 2026-01-12"
        );
        assert_eq!(
            line(Some("2026-01-08")),
            "warn the universes are those of 2026-01-08; the last closed session is 2026-01-12, 2 sessions later"
        );
    }
}
