//! Writes the group tables of `TickStockAppV2`: what differs, and nothing else.
//!
//! A group keeps its row and its id, members come and go one by one, and whatever number of groups differs, it is one
//! statement a table. Readers read each universe in one statement, so they see it as it was or as it is.

use crate::store::Transaction;
use chrono::{DateTime, Utc};
use tokio_postgres::types::Type;

use crate::domain::job::JobId;
use crate::failure::Failure;
use crate::store::layout::groups::{Changes, GroupToWrite, Groups};
use crate::store::statement::{Param, execute};

use super::DOING;

/// Writes what a plan changes in the groups. The run must have been recorded before.
pub(super) async fn write_groups(
    tx: &Transaction<'_>,
    groups: &Groups,
    job_id: &JobId,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let Changes { written, removed, taken_over, restored } = &groups.changes;
    if !taken_over.is_empty() {
        let sql = include_str!("../../../sql/queries/groups_keep.sql");
        let params: [Param<'_>; 2] = [(&job_id.as_str(), Type::TEXT), (taken_over, Type::INT4_ARRAY)];
        execute(tx, DOING, sql, &params).await?;
    }
    if !removed.is_empty() {
        let sql = include_str!("../../../sql/queries/groups_remove.sql");
        execute(tx, DOING, sql, &[(removed, Type::INT4_ARRAY)]).await?;
    }
    write(tx, written, &groups.environment, now).await?;
    if let (Some(run), false) = (groups.reverted_run, restored.is_empty()) {
        let sql = include_str!("../../../sql/queries/groups_restore.sql");
        execute(tx, DOING, sql, &[(restored, Type::TEXT_ARRAY), (&run, Type::INT8)]).await?;
    }
    Ok(())
}

async fn write(
    tx: &Transaction<'_>,
    written: &[GroupToWrite],
    environment: &str,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    if written.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = written.iter().map(|group| group.name.as_str()).collect();
    let descriptions: Vec<Option<&str>> = written.iter().map(|group| group.description.as_deref()).collect();
    let metadata: Vec<String> = written.iter().map(|group| group.metadata.to_string()).collect();
    let sql = include_str!("../../../sql/queries/groups_upsert.sql");
    let params: [Param<'_>; 5] = [
        (&names, Type::TEXT_ARRAY),
        (&descriptions, Type::TEXT_ARRAY),
        (&metadata, Type::TEXT_ARRAY),
        (&environment, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    execute(tx, DOING, sql, &params).await?;
    let leaving = written.iter().flat_map(|group| &group.leaves);
    let (ids, symbols): (Vec<i32>, Vec<&str>) = leaving.map(|(id, symbol)| (*id, symbol.as_str())).unzip();
    if !ids.is_empty() {
        let sql = include_str!("../../../sql/queries/groups_members_leave.sql");
        execute(tx, DOING, sql, &[(&ids, Type::INT4_ARRAY), (&symbols, Type::TEXT_ARRAY)]).await?;
    }
    let joining =
        written.iter().flat_map(|group| group.joins.iter().map(|symbol| (group.name.as_str(), symbol)));
    let (names, symbols): (Vec<&str>, Vec<&str>) =
        joining.map(|(name, symbol)| (name, symbol.as_str())).unzip();
    if !names.is_empty() {
        let sql = include_str!("../../../sql/queries/groups_members_join.sql");
        let params: [Param<'_>; 4] = [
            (&names, Type::TEXT_ARRAY),
            (&symbols, Type::TEXT_ARRAY),
            (&environment, Type::TEXT),
            (&now, Type::TIMESTAMPTZ),
        ];
        execute(tx, DOING, sql, &params).await?;
    }
    Ok(())
}
