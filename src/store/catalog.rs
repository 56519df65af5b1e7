//! What tables and columns there are, as the catalogue has them.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use crate::failure::Failure;
use crate::store::Transaction;

use super::statement::query;

const DOING: &str = "read the catalogue";

/// A table or view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relation {
    /// A table, partitioned or not; else a view or a foreign table.
    pub(super) is_table: bool,
    /// Its columns, in order.
    pub(super) columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name, unquoted.
    pub(super) name: String,
    /// Its built-in type, the one under a domain; `None` for types of extensions and users.
    pub(super) kind: Option<Type>,
    /// The type as people write it.
    pub(super) type_name: String,
    /// The collation, quoted for SQL; `None` for types without one.
    pub(super) collation: Option<String>,
    /// Whether an insert may leave it out: it takes nulls, or has a default.
    pub(super) may_be_left_out: bool,
}

impl Relation {
    /// The column of this name.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Column {
    /// Whether it holds texts.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.kind, Some(Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME))
    }
}

/// Those of `names` that exist in `schema`, as tables, views or anything else that has that name.
pub(super) async fn relations(
    tx: &Transaction<'_>,
    schema: &str,
    names: &[&str],
) -> Result<BTreeMap<String, Relation>, Failure> {
    let sql = include_str!("../../sql/queries/columns_read.sql");
    let rows = query(tx, DOING, sql, &[(&schema, Type::TEXT), (&names, Type::TEXT_ARRAY)]).await?;
    let mut relations = BTreeMap::new();
    for row in rows {
        let relation = relations
            .entry(row.get("relation"))
            .or_insert_with(|| Relation { is_table: row.get("is_table"), columns: Vec::new() });
        let Some(name) = row.get("name") else { continue };
        let oid: Option<u32> = row.get("type_oid");
        relation.columns.push(Column {
            name,
            kind: oid.and_then(Type::from_oid),
            type_name: row.get::<_, Option<String>>("type_name").unwrap_or_default(),
            collation: row.get("collation"),
            may_be_left_out: row.get("may_be_left_out"),
        });
    }
    Ok(relations)
}

/// The lists of columns that are unique in a table.
pub(super) async fn unique_keys(
    tx: &Transaction<'_>,
    schema: &str,
    table: &str,
) -> Result<Vec<Vec<String>>, Failure> {
    let sql = include_str!("../../sql/queries/unique_keys_read.sql");
    let rows = query(tx, DOING, sql, &[(&schema, Type::TEXT), (&table, Type::TEXT)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
