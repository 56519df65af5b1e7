//! Removes rows that nobody keeps, and puts them back.

use chrono::{DateTime, Utc};
use tokio_postgres::types::Type;

use crate::failure::Failure;
use crate::store::Transaction;
use crate::store::layout::appv2::Table;
use crate::store::leftovers::Leftover;
use crate::store::statement::{Param, execute, query_one};

/// Removes rows, and keeps them to the letter.
pub(super) async fn remove(
    tx: &Transaction<'_>,
    table: &Table,
    leftovers: &[Leftover],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let types: Vec<&str> = leftovers.iter().map(|row| row.kind.as_str()).collect();
    let names: Vec<&str> = leftovers.iter().map(|row| row.name.as_str()).collect();
    let keys: Vec<&str> = leftovers.iter().map(|row| row.key.as_str()).collect();
    let params: [Param<'_>; 5] = [
        (&types, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&keys, Type::TEXT_ARRAY),
        (&table.environment, Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
    ];
    let sql = include_str!("../../../sql/queries/leftovers_remove.sql");
    execute(tx, "remove rows of universes that nobody keeps", sql, &params).await
}

/// Puts back what was removed last; how many rows that were.
pub(super) async fn restore(tx: &Transaction<'_>, now: DateTime<Utc>) -> Result<i64, Failure> {
    let sql = include_str!("../../../sql/queries/leftovers_restore.sql");
    let row = query_one(tx, "put back the rows that were removed", sql, &[(&now, Type::TIMESTAMPTZ)]).await?;
    Ok(row.get(0))
}
