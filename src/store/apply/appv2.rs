//! Writes the table of `TickStockAppV2`, and keeps what stood there.
//!
//! What is to stand where is worked out already; here it is one statement for whatever number of rows. Nothing is
//! deleted to be written again, so a reader sees a row as it was or as it is.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::json;
use tokio_postgres::types::Type;

use crate::failure::Failure;
use crate::plan::result::{Before, Plan, PlannedUniverse};
use crate::store::Transaction;
use crate::store::layout::appv2::{FEED, Location, RowToWrite, Rows, StoredRow, Table, Unique};
use crate::store::statement::{Param, execute};

use super::DOING;

/// Writes what a plan calls for, in place.
pub(super) async fn write_rows(
    tx: &Transaction<'_>,
    table: &Table,
    rows: &[RowToWrite],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let values: Vec<String> = rows.iter().map(|row| row.value.to_string()).collect();
    let rows: Vec<RowText<'_>> =
        rows.iter().map(|row| &row.at).zip(values.iter().map(String::as_str)).collect();
    upsert_rows(tx, table, &rows, now).await
}

/// A row, and what is to stand there.
type RowText<'a> = (&'a Location, &'a str);

/// Writes rows in place, all of them at once.
async fn upsert_rows(
    tx: &Transaction<'_>,
    table: &Table,
    rows: &[RowText<'_>],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [("created_at", table.has_created_at), ("updated_at", table.has_updated_at)];
    let times = columns.iter().filter(|(_, is_there)| *is_there);
    let times: Vec<&str> = times.map(|(name, _)| *name).collect();
    let listed = |items: &[&str]| items.iter().flat_map(|item| [", ", item]).collect::<String>();
    let sql = include_str!("../../../sql/queries/appv2_rows_upsert.sql")
        .replace("{unique}", table.unique.columns())
        .replace("{columns}", &listed(&times))
        .replace("{values}", &listed(&vec!["$6"; times.len()]))
        .replace("{updated}", if table.has_updated_at { ", updated_at = excluded.updated_at" } else { "" });
    let (types, names, keys) = columns_of(rows.iter().map(|(at, _)| *at));
    let environments: Vec<&str> = rows.iter().map(|(at, _)| table.environment_of(Some(at))).collect();
    let values: Vec<&str> = rows.iter().map(|(_, value)| *value).collect();
    let params: [Param<'_>; 6] = [
        (&types, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&keys, Type::TEXT_ARRAY),
        (&values, Type::TEXT_ARRAY),
        (&environments, Type::TEXT_ARRAY),
        (&now, Type::TIMESTAMPTZ),
    ];
    execute(tx, DOING, &sql, &params).await
}

/// Types, names and keys of rows, side by side.
fn columns_of<'a>(at: impl Iterator<Item = &'a Location>) -> (Vec<&'a str>, Vec<&'a str>, Vec<&'a str>) {
    let (mut types, mut names, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for Location { kind, name, key, .. } in at {
        types.push(kind.as_str());
        names.push(name.as_str());
        keys.push(key.as_str());
    }
    (types, names, keys)
}

/// What stands in the rows that are about to be written, and the members of universes that have no row, as a run keeps
/// it: JSON.
pub(super) fn kept_rows(plan: &Plan, rows: &Rows, to_write: &[RowToWrite]) -> String {
    let has_no_row = |universe: &&PlannedUniverse| {
        rows.get(universe.name.as_str()).is_some_and(|row| row.at.is_none())
            && (universe.before != Before::Managed || universe.changes() > 0)
    };
    // The feed's row is never written again, so it has no earlier state to go back to.
    let written = to_write.iter().map(|row| row.slot.as_str()).filter(|slot| *slot != FEED);
    let rowless = plan.universes.iter().filter(has_no_row).map(|universe| universe.name.as_str());
    let restored = plan.restored.iter().map(|row| row.universe.as_str());
    let slots: BTreeSet<&str> = written.chain(rowless).chain(restored).collect();
    let kept = slots.iter().filter_map(|slot| Some(kept_row(slot, rows.get(*slot)?)));
    format!("{{{}}}", kept.collect::<Vec<_>>().join(","))
}

/// A row as a run keeps it. Its content goes through no parser, which might spell a number otherwise.
fn kept_row(slot: &str, row: &StoredRow) -> String {
    let at = row.at.as_ref().map(|at| {
        let place = [&at.kind, row.found_name.as_ref().unwrap_or(&at.name), &at.key];
        place.into_iter().chain(&at.environment).collect::<Vec<_>>()
    });
    // What was never ours in a universe without a row is known to nobody.
    let content = row.value.as_ref().filter(|_| row.at.is_some() || row.status.is_some());
    let content = content.map_or(String::new(), |json| format!(",\"content\":{json}"));
    format!(
        "{}:{{\"at\":{},\"cache_type\":{},\"status\":{}{content}}}",
        json!(slot),
        json!(at),
        json!(row.cache_type),
        json!(row.status)
    )
}

/// Writes the rows that a revert puts back, and takes away those that were not there.
pub(super) async fn restore_rows(
    tx: &Transaction<'_>,
    plan: &Plan,
    table: &Table,
    rows: &Rows,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let mut back = Vec::new();
    let mut gone = Vec::new();
    for restored in &plan.restored {
        let row = rows.get(restored.universe.as_str());
        match (row.and_then(|row| row.at.as_ref()), &restored.content) {
            (Some(at), Some(content)) => back.push((at, content.json.as_str())),
            (Some(at), None) => gone.push(at),
            // A universe without a row.
            (None, _) => {}
        }
    }
    upsert_rows(tx, table, &back, now).await?;
    if gone.is_empty() {
        return Ok(());
    }
    let environments: Vec<&str> = gone.iter().map(|at| table.environment_of(Some(at))).collect();
    let (types, names, keys) = columns_of(gone.into_iter());
    let params: [Param<'_>; 5] = [
        (&types, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&keys, Type::TEXT_ARRAY),
        (&environments, Type::TEXT_ARRAY),
        (&(table.unique == Unique::WithName), Type::BOOL),
    ];
    execute(tx, DOING, include_str!("../../../sql/queries/appv2_rows_remove.sql"), &params).await
}
