//! Reads what the universes were before a job, for its revert.
//!
//! The revert itself and the command that asks for it share it, so that what the command refuses the worker would
//! refuse too. Contents travel as Postgres prints them and back again unread, for a number that went through a parser
//! may come out in another shape.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::domain::change::UniverseStatus;
use crate::domain::job::{JobId, JobStatus};
use crate::domain::symbol::Symbol;
use crate::domain::universe::{CacheType, UniverseName};
use crate::failure::Failure;
use crate::plan::given::snapshot::StoredUniverse;
use crate::plan::result::EarlierContent;
use crate::plan::revert::{EarlierRow, Owner, Target, Undoing, Unwritten};
use crate::settings::EntriesSettings;
use crate::store::Transaction;

use super::history::universes_now;
use super::layout::appv2::{Location, Slot, Unique, tickers};
use super::layout::groups::Groups;
use super::layout::groups::tables::{self, GroupTables};
use super::layout::{self, Entries, Layout};
use super::read::snapshot::{read_applied, read_appv2, read_universes, run_state, texts_in};
use super::statement::{Param, query};

const DOING: &str = "read what stood in the universes before the job";

/// Reads what is known of `job` and, where it can be undone, all that the revert is decided from, with what stands in
/// `cache_entries` now. To be called in a repeatable-read transaction; one that writes must hold the lease.
pub async fn read(
    tx: &Transaction<'_>,
    settings: &EntriesSettings,
    job: &JobId,
) -> Result<(Target, Entries, Option<Groups>), Failure> {
    let (layout, group_tables) = tokio::try_join!(layout::resolve(tx, settings), tables::look(tx, settings))?;
    let sql = include_str!("../../sql/queries/revert_target.sql");
    let rows = query(tx, DOING, sql, &[(&job.as_str(), Type::TEXT)]).await?;
    let Some(row) = rows.first() else { return Ok((Target::Unknown, Entries::Universe, None)) };
    let has_ended = JobStatus::from_text(row.get("status")).is_some_and(JobStatus::is_final);
    let target = match row.get::<_, Option<i64>>("run_id") {
        Some(run) if row.get("has_written") => {
            let wrote_other: bool = match layout {
                Layout::Universe => row.get("wrote_appv2"),
                Layout::AppV2(_) => row.get("wrote_universes"),
            };
            if !wrote_other {
                let (target, entries) = read_undoing(tx, &layout, row, run).await?;
                return Ok((target, entries, read_groups(tx, settings, &group_tables, run).await?));
            }
            Target::OtherLayout
        }
        None if !has_ended => Target::Unfinished,
        None if row.get("has_applied") => Target::Forgotten,
        Some(_) | None => Target::ChangedNothing,
    };
    Ok((target, Entries::Universe, None))
}

/// What stands in the group tables now, where they are written. Groups follow the memberships that come back.
async fn read_groups(
    tx: &Transaction<'_>,
    settings: &EntriesSettings,
    group_tables: &GroupTables,
    run: i64,
) -> Result<Option<Groups>, Failure> {
    if !group_tables.is_written(&settings.schema)? {
        return Ok(None);
    }
    let mut groups = Groups::read_all(tx, settings).await?;
    groups.reverted_run = Some(run);
    Ok(Some(groups))
}

async fn read_undoing(
    tx: &Transaction<'_>,
    layout: &Layout,
    target: &Row,
    run: i64,
) -> Result<(Target, Entries), Failure> {
    let applied = read_applied(tx).await?;
    let rows = read_written(tx, layout, run).await?;
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
    let (mut now, entries) = match layout {
        Layout::Universe => {
            let names: Vec<UniverseName> = ours.keys().cloned().collect();
            (read_universes(tx, &names).await?, Entries::Universe)
        }
        Layout::AppV2(table) => {
            let (now, rows) = read_appv2(tx, table, slots_of(&rows, &ours)).await?;
            (now, Entries::AppV2 { table: table.clone(), rows, to_write: Vec::new() })
        }
    };
    let rows = rows.iter().map(|row| match layout {
        Layout::Universe => earlier_row(row, &ours, &mut now),
        Layout::AppV2(_) => earlier_row_of_appv2(row, &ours, &mut now),
    });
    let rows = rows.collect();
    // What is left in `now` belongs to no row that was written.
    let unwritten = now.into_iter().map(|(name, stored)| Unwritten {
        cache_type: ours[&name],
        members: stored.members,
        status: statuses.get(name.as_str()).copied().unwrap_or(UniverseStatus::Ok),
        name,
    });
    let unwritten = unwritten.collect();
    let undone_as_of = target.get("as_of");
    let target = Target::Kept(Box::new(Undoing {
        as_of: applied.last.unwrap_or(undone_as_of),
        closes: applied.recent_closes.first().copied().unwrap_or(0),
        undone_as_of,
        run_before: before.first().map(run_state).transpose()?,
        later_jobs: target.get("later_jobs"),
        rows,
        unwritten,
    }));
    Ok((target, entries))
}

/// Every row that the run or a later one wrote.
async fn read_written(tx: &Transaction<'_>, layout: &Layout, run: i64) -> Result<Vec<Row>, Failure> {
    match layout {
        Layout::Universe => {
            let sql = include_str!("../../sql/queries/revert_rows.sql");
            query(tx, DOING, sql, &[(&run, Type::INT8)]).await
        }
        Layout::AppV2(table) => {
            let sql = include_str!("../../sql/queries/revert_rows_appv2.sql");
            let params: [Param<'_>; 3] = [
                (&run, Type::INT8),
                (&table.environment, Type::TEXT),
                (&(table.unique == Unique::WithName), Type::BOOL),
            ];
            query(tx, DOING, sql, &params).await
        }
    }
}

/// Every universe of ours, and the rows beside them that were written, each where it stood.
fn slots_of(rows: &[Row], ours: &BTreeMap<UniverseName, CacheType>) -> Vec<Slot> {
    let written = rows.iter().map(|row| Slot {
        name: row.get("universe"),
        cache_type: row.get::<_, Option<&str>>("kind").and_then(CacheType::from_text),
        at: location(row),
    });
    let written: Vec<Slot> = written.collect();
    let is_unwritten = |universe: &UniverseName| written.iter().all(|slot| slot.name != universe.as_str());
    let unwritten = ours.iter().filter(|(universe, _)| is_unwritten(universe));
    let unwritten: Vec<Slot> =
        unwritten.map(|(universe, cache_type)| Slot::of_universe(universe, *cache_type)).collect();
    written.into_iter().chain(unwritten).collect()
}

fn location(row: &Row) -> Option<Location> {
    Some(Location {
        kind: row.get::<_, Option<String>>("type")?,
        name: row.get::<_, Option<String>>("name")?,
        key: row.get::<_, Option<String>>("key")?,
        environment: row.get("environment"),
    })
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

/// A slot of `AppV2`'s table before the job.
fn earlier_row_of_appv2(
    row: &Row,
    ours: &BTreeMap<UniverseName, CacheType>,
    now: &mut BTreeMap<UniverseName, StoredUniverse>,
) -> EarlierRow {
    let universe: String = row.get("universe");
    let had_row: bool = row.get("had_row");
    let content = row.get::<_, Option<String>>("content").filter(|_| had_row);
    let symbols = content.as_deref().map(tickers).unwrap_or_default();
    let owner = match ours.get_key_value(universe.as_str()) {
        None => Owner::Companion,
        Some((name, cache_type)) => Owner::Ours {
            name: name.clone(),
            cache_type: *cache_type,
            was: row.get::<_, Option<&str>>("status").filter(|_| had_row).map(status),
            now: now.remove(name),
        },
    };
    let stands_again = match &owner {
        // Without a row there are only members to compare.
        Owner::Ours { now, .. } if location(row).is_none() => {
            let members: BTreeSet<&str> =
                now.iter().flat_map(|now| &now.members).map(Symbol::as_str).collect();
            had_row == now.is_some() && members == symbols.iter().map(String::as_str).collect()
        }
        _ => row.get("stands_again"),
    };
    EarlierRow {
        symbols,
        content: content.map(|json| EarlierContent { json, cache_type: None }),
        stands_again,
        universe,
        owner,
    }
}
