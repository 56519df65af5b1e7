//! Reads what the universes were before a job, for its revert.
//!
//! The revert itself and the command that asks for it share it, so that what the command refuses the worker would
//! refuse too. Contents travel as Postgres prints them and back again unread, for a number that went through a parser
//! may come out in another shape.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use crate::domain::change::UniverseStatus;
use crate::domain::job::{JobId, JobStatus};
use crate::domain::universe::{CacheType, UniverseName};
use crate::failure::Failure;
use crate::plan::outcome::EarlierContent;
use crate::plan::revert::{EarlierRow, Owner, Target, Undoing, Unwritten};
use crate::plan::snapshot::StoredUniverse;

use super::history::universes_now;
use super::snapshot::{read_applied, read_universes, run_state, texts_in};
use super::statement::query;

const DOING: &str = "read what stood in the universes before the job";

/// Reads what is known of `job` and, where it can be undone, all that the revert is decided from. To be called in a
/// repeatable-read transaction; one that writes must hold the lease.
pub async fn read(tx: &Transaction<'_>, job: &JobId) -> Result<Target, Failure> {
    let sql = include_str!("../../sql/queries/revert_target.sql");
    let rows = query(tx, DOING, sql, &[(&job.as_str(), Type::TEXT)]).await?;
    let Some(row) = rows.first() else { return Ok(Target::Unknown) };
    let has_ended = JobStatus::from_text(row.get("status")).is_some_and(JobStatus::is_final);
    match row.get::<_, Option<i64>>("run_id") {
        Some(run) if row.get("has_written") => read_undoing(tx, row, run).await,
        None if !has_ended => Ok(Target::Unfinished),
        None if row.get("has_applied") => Ok(Target::Forgotten),
        Some(_) | None => Ok(Target::ChangedNothing),
    }
}

async fn read_undoing(tx: &Transaction<'_>, target: &Row, run: i64) -> Result<Target, Failure> {
    let applied = read_applied(tx).await?;
    let rows =
        query(tx, DOING, include_str!("../../sql/queries/revert_rows.sql"), &[(&run, Type::INT8)]).await?;
    let before =
        query(tx, DOING, include_str!("../../sql/queries/run_before.sql"), &[(&run, Type::INT8)]).await?;
    let mut ours = BTreeMap::new();
    let mut statuses = BTreeMap::new();
    for universe in universes_now(tx).await? {
        statuses.insert(universe.universe.clone(), status(&universe.status));
        ours.insert(universe.universe, universe.cache_type);
    }
    let known =
        rows.iter().filter_map(|row| Some((row.get("universe"), row.get::<_, Option<String>>("kind")?)));
    ours.extend(known);
    let ours: BTreeMap<UniverseName, CacheType> =
        ours.iter().map(|(name, kind)| named(name, kind)).collect::<Result<_, _>>()?;
    let names: Vec<UniverseName> = ours.keys().cloned().collect();
    let mut now = read_universes(tx, &names).await?;
    let rows = rows.iter().map(|row| earlier_row(row, &ours, &mut now)).collect();
    // What is left in `now` belongs to no row that was written.
    let unwritten = now.into_iter().map(|(name, stored)| Unwritten {
        cache_type: ours[&name],
        members: stored.members,
        status: statuses.get(name.as_str()).copied().unwrap_or(UniverseStatus::Ok),
        name,
    });
    let unwritten = unwritten.collect();
    let undone_as_of = target.get("as_of");
    Ok(Target::Kept(Box::new(Undoing {
        as_of: applied.last.unwrap_or(undone_as_of),
        closes: applied.recent_closes.first().copied().unwrap_or(0),
        undone_as_of,
        run_before: before.first().map(run_state),
        later_jobs: target.get("later_jobs"),
        rows,
        unwritten,
    })))
}

fn named(name: &str, kind: &str) -> Result<(UniverseName, CacheType), Failure> {
    let name = UniverseName::parse(name).map_err(|problem| Failure::permanent(DOING, problem))?;
    let cache_type = CacheType::from_text(kind)
        .ok_or_else(|| Failure::permanent(DOING, format!("{name} is of the unknown kind {kind:?}")))?;
    Ok((name, cache_type))
}

/// A word that a later version may have written says no more than that nothing is known to be wrong.
fn status(word: &str) -> UniverseStatus {
    UniverseStatus::from_text(word).unwrap_or(UniverseStatus::Ok)
}

fn earlier_row(
    row: &Row,
    ours: &BTreeMap<UniverseName, CacheType>,
    now: &mut BTreeMap<UniverseName, StoredUniverse>,
) -> EarlierRow {
    let universe: String = row.get("universe");
    let had_row: bool = row.get("had_row");
    let content = row.get::<_, Option<String>>("content").filter(|_| had_row);
    let owner = match ours.get_key_value(universe.as_str()) {
        None => Owner::Foreign {
            symbols_now: texts_in(row.get("foreign_content"), "/symbols").unwrap_or_default(),
            is_as_left: row.get("is_as_left"),
        },
        Some((name, cache_type)) => Owner::Ours {
            name: name.clone(),
            cache_type: *cache_type,
            was: row.get::<_, Option<&str>>("status").filter(|_| had_row).map(status),
            now: now.remove(name),
        },
    };
    let cache_type = row.get("cache_type");
    EarlierRow {
        symbols: texts_in(content.as_deref(), "/symbols").unwrap_or_default(),
        content: content.map(|json| EarlierContent { json, cache_type }),
        stands_again: row.get("stands_again"),
        universe,
        owner,
    }
}
