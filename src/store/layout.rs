//! In which shape `cache_entries` stands in the database.
//!
//! The table may have been there long before this program, made by another one. It is never altered, so before
//! anything is written the catalogue is asked whether it can be written as it is.

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use crate::failure::Failure;

use super::catalog::{self, Column, Relation};

const TABLE: &str = "cache_entries";
/// Columns that only the table of `TickStockAppV2` has together.
const APPV2_COLUMNS: [&str; 5] = ["type", "name", "key", "value", "environment"];
/// What we write; every other column must do without us.
const OUR_COLUMNS: [&str; 4] = ["universe", "content", "cache_type", "updated_at"];

/// A shape of `cache_entries` that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One row per universe: `universe`, `content`, `cache_type`.
    Universe,
    /// The table of `TickStockAppV2`: `type`, `name`, `key`, `value`, `environment`.
    AppV2,
}

/// What the catalogue says of `cache_entries`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is no such table; migrating makes it.
    Missing,
    /// It can be read as one of the layouts.
    Known(Layout),
    /// It is something else; the sentence says what.
    Unusable(String),
}

/// Looks at `cache_entries` in `schema`.
pub async fn find(tx: &Transaction<'_>, schema: &str) -> Result<Found, Failure> {
    let relations = catalog::relations(tx, schema, &[TABLE]).await?;
    let Some(table) = relations.get(TABLE) else { return Ok(Found::Missing) };
    let unique_keys = catalog::unique_keys(tx, schema, TABLE).await?;
    Ok(judge(schema, table, &unique_keys))
}

/// Makes sure that `cache_entries` in `schema` is missing or can be written.
pub async fn check(tx: &Transaction<'_>, schema: &str) -> Result<(), Failure> {
    let doing = "use the table cache_entries";
    match find(tx, schema).await? {
        Found::Missing | Found::Known(Layout::Universe) => Ok(()),
        Found::Known(Layout::AppV2) => Err(Failure::permanent(
            doing,
            format!(
                "{schema}.{TABLE} has the AppV2 layout, which this version does not write yet; set database.schema to another schema"
            ),
        )),
        Found::Unusable(problem) => Err(Failure::permanent(
            doing,
            format!("{problem}; it is never altered, so rename it or set database.schema to another schema"),
        )),
    }
}

fn judge(schema: &str, table: &Relation, unique_keys: &[Vec<String>]) -> Found {
    let has = |name: &&str| table.column(name).is_some();
    if !OUR_COLUMNS[..2].iter().any(has) && APPV2_COLUMNS.iter().all(has) {
        return Found::Known(Layout::AppV2);
    }
    match flaw(table, unique_keys) {
        None => Found::Known(Layout::Universe),
        Some(flaw) => Found::Unusable(format!("{schema}.{TABLE} {flaw}")),
    }
}

/// What keeps a table from being written as [`Layout::Universe`].
fn flaw(table: &Relation, unique_keys: &[Vec<String>]) -> Option<String> {
    if !table.is_table {
        return Some("is not a table".to_owned());
    }
    wrong_column(table)
        .or_else(|| {
            let unique = unique_keys.iter().any(|columns| columns == &["universe"]);
            (!unique).then(|| "has no unique constraint on the column universe alone".to_owned())
        })
        .or_else(|| {
            let stranger =
                |column: &&Column| !OUR_COLUMNS.contains(&column.name.as_str()) && !column.may_be_left_out;
            let column = table.columns.iter().find(stranger)?;
            Some(format!("wants a value for the column {} and has no default for it", column.name))
        })
}

fn wrong_column(table: &Relation) -> Option<String> {
    type Wanted = (&'static str, &'static str, fn(&Column) -> bool);
    let wanted: [Wanted; 4] = [
        ("universe", "a text", Column::is_text),
        ("content", "jsonb", |column| column.kind == Some(Type::JSONB)),
        ("cache_type", "a text", Column::is_text),
        ("updated_at", "a timestamp", |column| {
            matches!(column.kind, Some(Type::TIMESTAMPTZ | Type::TIMESTAMP))
        }),
    ];
    wanted.into_iter().find_map(|(name, kind, fits)| match table.column(name) {
        None => Some(format!("has no column {name}")),
        Some(column) if !fits(column) => {
            Some(format!("has a column {name} that is {}, not {kind}", column.type_name))
        }
        Some(_) => None,
    })
}
