//! Reads our rows of the table of `TickStockAppV2`, and the settings that operators keep beside them.

use chrono::NaiveDate;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::failure::Failure;
use crate::plan::given::policy::ConfigRow;
use crate::plan::given::snapshot::UniverseState;
use crate::store::Transaction;
use crate::store::statement::{Param, query};

use super::appv2::{Slot, StoredRow, Table, Unique};

const DOING: &str = "read the rows of AppV2's table";
/// The settings among the rows of type `cache_config` that concern a policy.
const SETTINGS: [&str; 4] = ["market_cap_thresholds", "theme_definitions", "themes", "universe_limits"];

/// What stands in a slot, and what is known of its universe.
#[derive(Debug)]
pub(in crate::store) struct SlotRead {
    pub(in crate::store) slot: Slot,
    pub(in crate::store) row: StoredRow,
    /// `None` for what was never ours.
    pub(in crate::store) known: Option<KnownUniverse>,
}

/// What is known of a universe.
#[derive(Debug)]
pub(in crate::store) struct KnownUniverse {
    /// When a plan for it was last applied.
    last_as_of: NaiveDate,
    /// How many runs in a row it has been held.
    held_runs: u32,
    /// What tells its members from others.
    pub(in crate::store) members_digest: String,
}

impl KnownUniverse {
    pub(in crate::store) fn state(&self) -> UniverseState {
        UniverseState { last_as_of: self.last_as_of, held_runs: self.held_runs }
    }
}

/// Reads what stands in `slots`, in their order.
pub(in crate::store) async fn read(
    tx: &Transaction<'_>,
    table: &Table,
    slots: Vec<Slot>,
) -> Result<Vec<SlotRead>, Failure> {
    let names: Vec<&str> = slots.iter().map(|slot| slot.name.as_str()).collect();
    let at = || slots.iter().map(|slot| slot.at.as_ref());
    let types: Vec<Option<&str>> = at().map(|at| Some(at?.kind.as_str())).collect();
    let titles: Vec<Option<&str>> = at().map(|at| Some(at?.name.as_str())).collect();
    let keys: Vec<Option<&str>> = at().map(|at| Some(at?.key.as_str())).collect();
    let environments: Vec<&str> = at().map(|at| table.environment_of(at)).collect();
    let params: [Param<'_>; 6] = [
        (&names, Type::TEXT_ARRAY),
        (&types, Type::TEXT_ARRAY),
        (&titles, Type::TEXT_ARRAY),
        (&keys, Type::TEXT_ARRAY),
        (&environments, Type::TEXT_ARRAY),
        (&(table.unique == Unique::WithName), Type::BOOL),
    ];
    let found = query(tx, DOING, include_str!("../../../sql/queries/appv2_rows_read.sql"), &params).await?;
    let row_of = |slot: &Slot| found.iter().find(|row| row.get::<_, &str>("slot") == slot.name);
    let reads = slots.iter().map(|slot| {
        let row = row_of(slot).expect("the statement answers with one row per slot");
        slot_read(slot.clone(), row)
    });
    Ok(reads.collect())
}

fn slot_read(slot: Slot, row: &Row) -> SlotRead {
    let stored = StoredRow {
        at: slot.at.clone(),
        found_name: row.get("found_name"),
        value: row.get("value"),
        status: row.get("status"),
        cache_type: slot.cache_type,
    };
    let known = row.get::<_, Option<NaiveDate>>("last_as_of").map(|last_as_of| KnownUniverse {
        last_as_of,
        held_runs: row.get::<_, i32>("held_runs") as u32,
        members_digest: row.get("members_digest"),
    });
    SlotRead { slot, row: stored, known }
}

/// Reads the settings that win over the file.
pub async fn read_config(tx: &Transaction<'_>, table: &Table) -> Result<Vec<ConfigRow>, Failure> {
    let written_on = if table.has_updated_at { "c.updated_at::date" } else { "null::date" };
    let sql = include_str!("../../../sql/queries/appv2_config_read.sql").replace("{written_on}", written_on);
    let params: [Param<'_>; 2] = [(&table.environment, Type::TEXT), (&SETTINGS.as_slice(), Type::TEXT_ARRAY)];
    let rows = query(tx, DOING, &sql, &params).await?;
    Ok(rows
        .iter()
        .map(|row| ConfigRow {
            name: row.get("name"),
            key: row.get::<_, Option<String>>("key").unwrap_or_default(),
            value: value_of(row.get("value")),
            written_on: row.get("written_on"),
        })
        .collect())
}

/// A value; a text that holds JSON stands for that, for some pages write it so.
fn value_of(json: Option<&str>) -> serde_json::Value {
    let parsed = |text: &str| serde_json::from_str(text).ok();
    let value: serde_json::Value = json.and_then(parsed).unwrap_or_default();
    match value.as_str().and_then(parsed) {
        Some(inner) => inner,
        None => value,
    }
}
