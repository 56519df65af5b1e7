//! In which shape `cache_entries` stands in the database.
//!
//! The table may have been there long before this program, made by another one. It is never altered, so before
//! anything is written the catalogue is asked whether it can be written as it is.
//!
//! Two shapes are known: our own, a row per universe, and that of `TickStockAppV2`, whose readers want their rows by
//! type, name and key. Memberships, history and audit are the same in both, for they live in our tables; only what the
//! readers see differs. [`appv2`] says what stands where in the second one, [`rows`] reads it, [`projection`] works out
//! what is to be written.

use chrono::{DateTime, Utc};
use tokio_postgres::types::Type;

use crate::failure::Failure;
use crate::plan::given::snapshot::Snapshot;
use crate::plan::result::Plan;
use crate::settings::{self, EntriesSettings};
use crate::store::Transaction;

use super::catalog::{self, Column, Relation};

pub mod appv2;
pub mod groups;
pub mod projection;
pub mod rows;

use appv2::{RowToWrite, Rows, Table, Unique};

const DOING: &str = "use the table cache_entries";
const TABLE: &str = "cache_entries";
/// Columns that only the table of `TickStockAppV2` has together.
const APPV2_COLUMNS: [&str; 5] = ["type", "name", "key", "value", "environment"];
/// What we write in the universe layout; every other column must do without us.
const OUR_COLUMNS: [&str; 4] = ["universe", "content", "cache_type", "updated_at"];
/// What we write in the table of `TickStockAppV2` where it is there.
const APPV2_TIMES: [&str; 2] = ["created_at", "updated_at"];

/// A shape of `cache_entries` that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// One row per universe: `universe`, `content`, `cache_type`.
    Universe,
    /// The table of `TickStockAppV2`: `type`, `name`, `key`, `value`, `environment`.
    AppV2(Table),
}

/// What the catalogue says of `cache_entries`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There is no such table; migrating makes it.
    Missing,
    /// It can be written in one of the layouts.
    Known(Layout),
    /// It is something else; the sentence says what.
    Unusable(String),
}

/// Looks at `cache_entries`, whatever layout the settings name.
pub async fn find(tx: &Transaction<'_>, settings: &EntriesSettings) -> Result<Found, Failure> {
    let relations = catalog::relations(tx, &settings.schema, &[TABLE]).await?;
    let Some(table) = relations.get(TABLE) else { return Ok(Found::Missing) };
    let unique_keys = catalog::unique_keys(tx, &settings.schema, TABLE).await?;
    Ok(judge(settings, table, &unique_keys))
}

/// The layout that is to be written, or `None` where there is no table yet.
///
/// A table that can't be written, or of another layout than the settings name, is [`Failure::Permanent`].
pub async fn check(tx: &Transaction<'_>, settings: &EntriesSettings) -> Result<Option<Layout>, Failure> {
    let found = find(tx, settings).await?;
    match contradiction(settings, &found) {
        Some(problem) => Err(Failure::permanent(DOING, problem)),
        None => Ok(match found {
            Found::Known(layout) => Some(layout),
            Found::Missing | Found::Unusable(_) => None,
        }),
    }
}

/// The layout that is to be written; here a table that is missing is [`Failure::Permanent`] too.
pub async fn resolve(tx: &Transaction<'_>, settings: &EntriesSettings) -> Result<Layout, Failure> {
    let missing = || format!("there is no table {}.{TABLE}; run `cache-sync migrate`", settings.schema);
    check(tx, settings).await?.ok_or_else(|| Failure::permanent(DOING, missing()))
}

/// Why nothing can be written, and what to do about it; `None` where something can, now or after migrating.
pub fn contradiction(settings: &EntriesSettings, found: &Found) -> Option<String> {
    let (wanted, schema) = (settings.layout, &settings.schema);
    let other = |is: &str| {
        format!(
            "{schema}.{TABLE} has {is} layout, but database.layout is \"{wanted}\"; set it to \"auto\", or \
             database.schema to another schema"
        )
    };
    match (found, wanted) {
        (Found::Unusable(problem), _) => Some(format!(
            "{problem}; it is never altered, so rename it or set database.schema to another schema"
        )),
        (Found::Known(Layout::Universe), settings::Layout::AppV2) => Some(other("the universe")),
        (Found::Known(Layout::AppV2(_)), settings::Layout::Universe) => Some(other("the appv2")),
        (Found::Missing | Found::Known(_), _) => None,
    }
}

fn judge(settings: &EntriesSettings, table: &Relation, unique_keys: &[Vec<String>]) -> Found {
    let has = |name: &&str| table.column(name).is_some();
    let judged = if !OUR_COLUMNS[..2].iter().any(has) && APPV2_COLUMNS.iter().all(has) {
        appv2_table(settings, table, unique_keys).map(Layout::AppV2)
    } else {
        universe_flaw(table, unique_keys).map_or(Ok(Layout::Universe), Err)
    };
    match judged {
        Ok(layout) => Found::Known(layout),
        Err(flaw) => Found::Unusable(format!("{}.{TABLE} {flaw}", settings.schema)),
    }
}

/// What keeps a table from being written as [`Layout::Universe`].
fn universe_flaw(table: &Relation, unique_keys: &[Vec<String>]) -> Option<String> {
    let wanted = [
        ("universe", Column::is_text as fn(&Column) -> bool, "a text"),
        ("content", is_jsonb, "jsonb"),
        ("cache_type", Column::is_text, "a text"),
        ("updated_at", is_time, "a timestamp"),
    ];
    not_a_table(table)
        .or_else(|| wrong_column(table, &wanted))
        .or_else(|| {
            let unique = unique_keys.iter().any(|columns| columns == &["universe"]);
            (!unique).then(|| "has no unique constraint on the column universe alone".to_owned())
        })
        .or_else(|| unknown_column(table, &OUR_COLUMNS))
}

/// The table of `AppV2` as it is found, or what keeps it from being written.
fn appv2_table(
    settings: &EntriesSettings,
    table: &Relation,
    unique_keys: &[Vec<String>],
) -> Result<Table, String> {
    let wanted = [
        ("type", Column::is_text as fn(&Column) -> bool, "a text"),
        ("name", Column::is_text, "a text"),
        ("key", Column::is_text, "a text"),
        ("value", is_jsonb, "jsonb"),
        ("environment", Column::is_text, "a text"),
    ];
    let times: Vec<&str> =
        APPV2_TIMES.iter().copied().filter(|name| table.column(name).is_some_and(is_time)).collect();
    let written: Vec<&str> = APPV2_COLUMNS.iter().copied().chain(times.iter().copied()).collect();
    let flaw = not_a_table(table)
        .or_else(|| wrong_column(table, &wanted))
        .or_else(|| unknown_column(table, &written));
    match flaw {
        Some(flaw) => Err(flaw),
        None => Ok(Table {
            environment: settings.environment.clone(),
            unique: appv2_key(unique_keys).ok_or(
                "has a unique constraint neither on type, name, key and environment nor on type, key and environment",
            )?,
            has_created_at: times.contains(&"created_at"),
            has_updated_at: times.contains(&"updated_at"),
            bare_etf_lists: settings.bare_etf_lists,
            etf_lists: settings.etf_lists.clone().filter(|_| !settings.bare_etf_lists),
        }),
    }
}

/// What is unique in the table of `AppV2`. Where both keys are, the shorter one decides which rows there can be.
fn appv2_key(unique_keys: &[Vec<String>]) -> Option<Unique> {
    let has = |wanted: &[&str]| {
        unique_keys.iter().any(|columns| {
            columns.len() == wanted.len() && wanted.iter().all(|name| columns.iter().any(|own| own == name))
        })
    };
    if has(&["type", "key", "environment"]) {
        Some(Unique::WithoutName)
    } else {
        has(&["type", "name", "key", "environment"]).then_some(Unique::WithName)
    }
}

fn not_a_table(table: &Relation) -> Option<String> {
    (!table.is_table).then(|| "is not a table".to_owned())
}

type Wanted = (&'static str, fn(&Column) -> bool, &'static str);

fn wrong_column(table: &Relation, wanted: &[Wanted]) -> Option<String> {
    wanted.iter().find_map(|(name, fits, kind)| match table.column(name) {
        None => Some(format!("has no column {name}")),
        Some(column) if !fits(column) => {
            Some(format!("has a column {name} that is {}, not {kind}", column.type_name))
        }
        Some(_) => None,
    })
}

fn unknown_column(table: &Relation, written: &[&str]) -> Option<String> {
    let stranger = |column: &&Column| !written.contains(&column.name.as_str()) && !column.may_be_left_out;
    let column = table.columns.iter().find(stranger)?;
    Some(format!("wants a value for the column {} and has no default for it", column.name))
}

fn is_jsonb(column: &Column) -> bool {
    column.kind == Some(Type::JSONB)
}

fn is_time(column: &Column) -> bool {
    matches!(column.kind, Some(Type::TIMESTAMPTZ | Type::TIMESTAMP))
}

/// What stands in `cache_entries`, as far as writing it has to know.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Entries {
    /// One row per universe. A plan says by itself which of them are to be written.
    #[default]
    Universe,
    /// The table of `TickStockAppV2`.
    AppV2 {
        /// The table.
        table: Table,
        /// What stands in our slots of it.
        rows: Rows,
        /// The rows that a plan calls for; none until it is [projected](Entries::project).
        to_write: Vec<RowToWrite>,
    },
}

impl Entries {
    /// Works out which rows show what `plan` decided, and marks in it the universes whose rows have to be written.
    pub fn project(&mut self, plan: &mut Plan, snapshot: &Snapshot, now: DateTime<Utc>) {
        match self {
            Self::Universe => {}
            Self::AppV2 { table, rows, to_write } => {
                *to_write = projection::project(table, rows, plan, snapshot, now);
            }
        }
    }
}
