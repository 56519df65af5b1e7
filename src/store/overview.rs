//! What the console shows at a glance: how the last sync went, how universes grew, what moved in one of them.
//!
//! A page costs two queries at most, so each of these reads together what stands together on a page.

use chrono::NaiveDate;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::history::{self, UniverseNow};
use super::jobs::JobRow;
use super::quarantine::QuarantineNow;
use super::read::snapshot;
use super::statement::{Param, query};
use crate::domain::money::Usd;
use crate::failure::Failure;
use crate::plan::draft::measure::Reading;
use crate::store::Transaction;

const DOING: &str = "read what the console shows";
/// The most open jobs that are read.
const MAX_OPEN_JOBS: i64 = 20;
/// The most new listings, and the most delistings, that are read.
const MAX_NEWS: i64 = 200;
/// The most symbols that are read of those that joined or left on one day.
const MAX_SYMBOLS_OF_A_DAY: i32 = 40;

/// The jobs that matter tonight, newest first, and the last run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tonight {
    /// The open ones, the newest of all, and that of the last run.
    pub jobs: Vec<JobRow>,
    /// The last run; none before the first.
    pub run: Option<LastRun>,
}

/// What the last run saw and told.
#[derive(Debug, Clone, PartialEq)]
pub struct LastRun {
    /// Its date.
    pub as_of: NaiveDate,
    /// Its job.
    pub job_id: String,
    /// Closes that it found.
    pub closes: i64,
    /// Closes of a usual day: the median of the last twenty runs.
    pub usual_closes: i64,
    /// What it did not believe, and what was approved since.
    pub quarantine: QuarantineNow,
    /// New listings that it told of.
    pub listed: Vec<String>,
    /// Delistings that it told of.
    pub delisted: Vec<String>,
}

/// Reads what matters tonight.
pub async fn tonight(tx: &Transaction<'_>) -> Result<Tonight, Failure> {
    let sql = include_str!("../../sql/queries/tonight_read.sql");
    let rows = query(tx, DOING, sql, &[(&MAX_OPEN_JOBS, Type::INT8), (&MAX_NEWS, Type::INT8)]).await?;
    let jobs = rows.iter().map(JobRow::from_row).collect::<Result<_, _>>()?;
    let run = rows.first().map(last_run).transpose()?.flatten();
    Ok(Tonight { jobs, run })
}

fn last_run(row: &Row) -> Result<Option<LastRun>, Failure> {
    let Some(as_of) = row.get::<_, Option<NaiveDate>>("run_as_of") else { return Ok(None) };
    Ok(Some(LastRun {
        as_of,
        job_id: row.get("run_job_id"),
        closes: row.get::<_, i32>("run_closes").into(),
        usual_closes: row.get::<_, Option<i32>>("usual_closes").unwrap_or_default().into(),
        quarantine: QuarantineNow {
            as_of: Some(as_of),
            symbols: snapshot::quarantine(row)?.symbols,
            approved: snapshot::approved(row),
        },
        listed: row.get("listed"),
        delisted: row.get("delisted"),
    }))
}

/// By how much a universe grew in a week, or shrank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeekOf {
    /// The universe.
    pub universe: String,
    /// The Monday of the week.
    pub week: NaiveDate,
    /// Joined less left.
    pub net: i64,
}

/// How universes grew since a date, week by week; weeks without a change are left out.
pub async fn weeks(tx: &Transaction<'_>, since: NaiveDate) -> Result<Vec<WeekOf>, Failure> {
    let sql = include_str!("../../sql/queries/sizes_weekly.sql");
    let rows = query(tx, DOING, sql, &[(&since, Type::DATE)]).await?;
    let weeks = rows.iter().map(|row| WeekOf {
        universe: row.get("universe"),
        week: row.get("week"),
        net: row.get("net"),
    });
    Ok(weeks.collect())
}

/// What the guards measured on a night.
#[derive(Debug, Clone, PartialEq)]
pub struct Night {
    /// Its date.
    pub date: NaiveDate,
    /// Of each guard the measure nearest to its bound.
    pub readings: Vec<Reading>,
}

/// The newest nights that were measured, newest first.
pub async fn nights(tx: &Transaction<'_>, at_most: i64) -> Result<Vec<Night>, Failure> {
    let sql = include_str!("../../sql/queries/nights_read.sql");
    let rows = query(tx, DOING, sql, &[(&at_most, Type::INT8)]).await?;
    let night = |row: &Row| {
        // A newer version may measure what this one does not know.
        let readings: Vec<serde_json::Value> = serde_json::from_value(row.get("guards")).unwrap_or_default();
        let known = readings.into_iter().filter_map(|reading| serde_json::from_value(reading).ok());
        Night { date: row.get("as_of"), readings: known.collect() }
    };
    Ok(rows.iter().map(night).collect())
}

/// One universe and what moved in it.
#[derive(Debug, Clone, PartialEq)]
pub struct UniverseDays {
    /// How it stands.
    pub now: UniverseNow,
    /// The date that it was last applied for.
    pub last_as_of: NaiveDate,
    /// The days on which somebody joined or left, newest first.
    pub days: Vec<Day>,
    /// The market caps of the symbols that were asked for, in their order.
    pub caps: Vec<Option<Usd>>,
}

/// What moved in a universe on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The day.
    pub date: NaiveDate,
    /// How many joined.
    pub added: i64,
    /// How many left.
    pub removed: i64,
    /// The first who joined.
    pub who_joined: Vec<String>,
    /// The first who left.
    pub who_left: Vec<String>,
}

/// Reads one universe, what moved in it since a date, and what some symbols were worth to the last run; `None` for one
/// that is not ours.
pub async fn universe(
    tx: &Transaction<'_>,
    universe: &str,
    since: NaiveDate,
    symbols: &[&str],
) -> Result<Option<UniverseDays>, Failure> {
    let sql = include_str!("../../sql/queries/universe_days.sql");
    let params: [Param<'_>; 4] = [
        (&universe, Type::TEXT),
        (&since, Type::DATE),
        (&symbols, Type::TEXT_ARRAY),
        (&MAX_SYMBOLS_OF_A_DAY, Type::INT4),
    ];
    let rows = query(tx, DOING, sql, &params).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let caps: Option<Vec<Option<i64>>> = first.get("caps");
    Ok(Some(UniverseDays {
        now: history::universe_now(first, ["last_added", "last_removed"]),
        last_as_of: first.get("last_as_of"),
        days: rows.iter().filter_map(day).collect(),
        caps: caps.unwrap_or_default().into_iter().map(|cents| cents.map(Usd::from_cents)).collect(),
    }))
}

fn day(row: &Row) -> Option<Day> {
    let symbols = |column: &str| row.get::<_, Option<Vec<String>>>(column).unwrap_or_default();
    Some(Day {
        date: row.get::<_, Option<NaiveDate>>("day")?,
        added: row.get("added"),
        removed: row.get("removed"),
        who_joined: symbols("who_joined"),
        who_left: symbols("who_left"),
    })
}
