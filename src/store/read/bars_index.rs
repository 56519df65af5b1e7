//! Looks before the bars are read whether an index leads to the last one of a symbol. Without one every symbol costs a
//! look at all bars: a sync takes minutes, or runs into its time limit without a word why.

use tokio_postgres::types::Type;

use super::source::SourceTables;
use crate::failure::Failure;
use crate::settings::SourceSettings;
use crate::store::statement::{Param, query};
use crate::store::{Transaction, quoted};

/// Bars that are looked at, over all symbols, from which on it is said: some seconds of a server's work.
const MANY_LOOKS: i64 = 50_000_000;
/// Securities, where their table is a view and nobody knows.
const USUAL_SECURITIES: i64 = 10_000;

/// What would be read without an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unindexed {
    /// The table.
    pub table: String,
    /// Its bars that no index leads to, about.
    pub bars: i64,
    /// The symbols that each look at them.
    pub securities: i64,
    /// What helps.
    pub statement: String,
}

impl std::fmt::Display for Unindexed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "no index on {} begins with the symbol and has the date, so each of about {} symbols reads about {} bars, \
             which takes minutes",
            self.table, self.securities, self.bars
        )
    }
}

/// What would be read without an index, where that is much. Views and foreign tables are not looked into.
pub async fn look(
    tx: &Transaction<'_>,
    settings: &SourceSettings,
    source: &SourceTables,
) -> Result<Option<Unindexed>, Failure> {
    let (symbol, date) = source.bar_columns();
    let params: [Param<'_>; 5] = [
        (&settings.schema, Type::TEXT),
        (&settings.bars_table, Type::TEXT),
        (&symbol, Type::TEXT),
        (&date, Type::TEXT),
        (&settings.symbols_table, Type::TEXT),
    ];
    let sql = include_str!("../../../sql/queries/bars_unindexed.sql");
    let rows = query(tx, "look for an index on the bars", sql, &params).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let bars: i64 = row.get("bars");
    let securities = row.get::<_, Option<i64>>("securities").unwrap_or(USUAL_SECURITIES);
    if bars.saturating_mul(securities) < MANY_LOOKS {
        return Ok(None);
    }
    let table = format!("{}.{}", shown(&settings.schema), shown(&settings.bars_table));
    // A partitioned table can't have one made beside its writers in one statement.
    let how = if row.get("is_partitioned") { "" } else { "concurrently " };
    let statement = format!("create index {how}on {table} ({}, {})", shown(symbol), shown(date));
    Ok(Some(Unindexed { table, bars, securities, statement }))
}

/// An identifier as people write it: with quotes only where it needs them.
fn shown(identifier: &str) -> String {
    let is_plain = identifier.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_plain { identifier.to_owned() } else { quoted(identifier) }
}
