//! Whether the group tables are there, and whether they can be written as they are.
//!
//! They are `AppV2`'s, so they are never altered. What keeps us from writing them is said with the statement that an
//! operator would have to run. The check on `type` is the usual case: the script that makes the tables allows no
//! `UNIVERSE`, and every installation has to widen it by hand.

use crate::store::Transaction;
use serde_json::json;
use tokio_postgres::types::{Json, Type};

use crate::failure::Failure;
use crate::settings::{self, EntriesSettings};
use crate::store::catalog::{self, Column, Relation};
use crate::store::quoted;
use crate::store::statement::{query, query_one};

use super::{DOING, MARK, UNIVERSE};

const GROUPS: &str = "definition_groups";
const MEMBERS: &str = "group_memberships";

/// What the catalogue says of the group tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupTables {
    /// `database.groups` is off, so nobody has looked.
    Off,
    /// There are none.
    Missing,
    /// One of the two is there, and readers need both.
    Half {
        /// The one that is missing.
        missing: &'static str,
    },
    /// They can be written.
    Usable,
    /// They can't be written.
    Unusable(Flaw),
}

/// What keeps the group tables from being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// What it is.
    pub what: String,
    /// What an operator does about it; a statement where one helps.
    pub remedy: String,
}

impl GroupTables {
    /// [`Failure::Permanent`] where there are tables that can't be written: a job must not end well without them.
    pub fn is_written(&self, schema: &str) -> Result<bool, Failure> {
        match self {
            Self::Off | Self::Missing | Self::Half { .. } => Ok(false),
            Self::Usable => Ok(true),
            Self::Unusable(Flaw { what, remedy }) => {
                let problem = format!("{schema}.{what}; {remedy}, or set database.groups to \"off\"");
                Err(Failure::permanent("write the group tables of AppV2", problem))
            }
        }
    }
}

/// Looks at the group tables, unless the settings say that nobody shall.
pub async fn look(tx: &Transaction<'_>, settings: &EntriesSettings) -> Result<GroupTables, Failure> {
    if settings.groups == settings::Groups::Off {
        return Ok(GroupTables::Off);
    }
    let schema = settings.schema.as_str();
    let relations = catalog::relations(tx, schema, &[GROUPS, MEMBERS]).await?;
    let (groups, members) = match (relations.get(GROUPS), relations.get(MEMBERS)) {
        (None, None) => return Ok(GroupTables::Missing),
        (Some(_), None) => return Ok(GroupTables::Half { missing: MEMBERS }),
        (None, Some(_)) => return Ok(GroupTables::Half { missing: GROUPS }),
        (Some(groups), Some(members)) => (groups, members),
    };
    if let Some(what) = wrong_shape(groups, members) {
        return Ok(unusable(what, "it is never altered by us".to_owned()));
    }
    let (unique_groups, unique_members, rights, conditions) = tokio::try_join!(
        catalog::unique_keys(tx, schema, GROUPS),
        catalog::unique_keys(tx, schema, MEMBERS),
        missing_right(tx, schema),
        conditions(tx, schema),
    )?;
    for (table, keys, wanted) in [
        (GROUPS, unique_groups, ["environment", "name", "type"].as_slice()),
        (MEMBERS, unique_members, &["group_id", "symbol"]),
    ] {
        if !keys.iter().any(|key| is_key(key, wanted)) {
            let columns = wanted.join(", ");
            let remedy = format!("run: alter table {schema}.{table} add unique ({columns})");
            return Ok(unusable(format!("{table} has no unique constraint on {columns}"), remedy));
        }
    }
    if let Some(flaw) = rights {
        return Ok(GroupTables::Unusable(flaw));
    }
    let refused = first_refusing(tx, settings, &conditions).await?;
    Ok(refused.map_or(GroupTables::Usable, GroupTables::Unusable))
}

fn unusable(what: String, remedy: String) -> GroupTables {
    GroupTables::Unusable(Flaw { what, remedy })
}

fn is_key(columns: &[String], wanted: &[&str]) -> bool {
    let mut columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    columns.sort_unstable();
    columns == wanted
}

/// What of the columns is not as we write them.
fn wrong_shape(groups: &Relation, members: &Relation) -> Option<String> {
    let is_number = |column: &Column| column.kind == Some(Type::INT4);
    let is_json = |column: &Column| column.kind == Some(Type::JSONB);
    let is_time = |column: &Column| matches!(column.kind, Some(Type::TIMESTAMP | Type::TIMESTAMPTZ));
    let of_groups: [(&str, &dyn Fn(&Column) -> bool); 9] = [
        ("id", &is_number),
        ("name", &Column::is_text),
        ("type", &Column::is_text),
        ("description", &Column::is_text),
        ("metadata", &is_json),
        ("environment", &Column::is_text),
        ("created_at", &is_time),
        ("updated_at", &is_time),
        ("last_update", &is_time),
    ];
    let of_members: [(&str, &dyn Fn(&Column) -> bool); 5] = [
        ("id", &is_number),
        ("group_id", &is_number),
        ("symbol", &Column::is_text),
        ("added_at", &is_time),
        ("updated_at", &is_time),
    ];
    flaw_of(GROUPS, groups, &of_groups).or_else(|| flaw_of(MEMBERS, members, &of_members))
}

fn flaw_of(name: &str, table: &Relation, wanted: &[(&str, &dyn Fn(&Column) -> bool)]) -> Option<String> {
    if !table.is_table {
        return Some(format!("{name} is not a table"));
    }
    let wrong = wanted.iter().find_map(|(column, fits)| match table.column(column) {
        None => Some(format!("{name} has no column {column}")),
        Some(found) if !fits(found) => {
            Some(format!("{name} has a column {column} of type {}", found.type_name))
        }
        Some(_) => None,
    });
    let is_ours = |column: &Column| wanted.iter().any(|(name, _)| *name == column.name && *name != "id");
    wrong.or_else(|| {
        let stranger = table.columns.iter().find(|column| !is_ours(column) && !column.may_be_left_out)?;
        Some(format!("{name} wants a value for the column {} and has no default for it", stranger.name))
    })
}

/// The first right that is missing, with the statement that grants it.
async fn missing_right(tx: &Transaction<'_>, schema: &str) -> Result<Option<Flaw>, Failure> {
    let (groups, members) = (full_name(schema, GROUPS), full_name(schema, MEMBERS));
    let sql = include_str!("../../../../sql/queries/groups_rights_read.sql");
    let row = query_one(tx, DOING, sql, &[(&groups, Type::TEXT), (&members, Type::TEXT)]).await?;
    let may_write = row.get("may_write_groups") && row.get("may_write_members");
    if !may_write {
        let remedy = format!(
            "run: grant select, insert, update, delete on {groups}, {members} to the role of DATABASE_URL"
        );
        let what = format!("{GROUPS} and {MEMBERS} may not be written by this role");
        return Ok(Some(Flaw { what, remedy }));
    }
    let sequences = [("groups_sequence", "may_number_groups"), ("members_sequence", "may_number_members")];
    let missing: Vec<String> = sequences
        .into_iter()
        .filter(|(_, may)| !row.get::<_, bool>(may))
        .filter_map(|(sequence, _)| row.get(sequence))
        .collect();
    Ok((!missing.is_empty()).then(|| Flaw {
        what: format!("{GROUPS} and {MEMBERS} can't be numbered by this role"),
        remedy: format!("run: grant usage on sequence {} to the role of DATABASE_URL", missing.join(", ")),
    }))
}

/// A check constraint.
struct Condition {
    name: String,
    text: String,
}

async fn conditions(tx: &Transaction<'_>, schema: &str) -> Result<Vec<Condition>, Failure> {
    let sql = include_str!("../../../../sql/queries/groups_checks_read.sql");
    let rows = query(tx, DOING, sql, &[(&full_name(schema, GROUPS), Type::TEXT)]).await?;
    Ok(rows.iter().map(|row| Condition { name: row.get("name"), text: row.get("condition") }).collect())
}

/// The first check constraint that a group of ours would not pass.
async fn first_refusing(
    tx: &Transaction<'_>,
    settings: &EntriesSettings,
    conditions: &[Condition],
) -> Result<Option<Flaw>, Failure> {
    if conditions.is_empty() {
        return Ok(None);
    }
    let table = full_name(&settings.schema, GROUPS);
    let columns: Vec<String> = conditions.iter().map(|condition| format!("({})", condition.text)).collect();
    let sql = include_str!("../../../../sql/queries/groups_checks_try.sql")
        .replace("{table}", &table)
        .replace("{conditions}", &columns.join(", "));
    let now = "2026-01-02T00:00:00";
    let group = Json(json!({
        "id": 1, "name": "mega_cap", "type": UNIVERSE, "description": "Mega Cap stocks",
        "metadata": {"owner": MARK}, "environment": settings.environment,
        "created_at": now, "updated_at": now, "last_update": now,
    }));
    let row = query_one(tx, DOING, &sql, &[(&group, Type::JSONB)]).await?;
    // Null passes, as it does for an insert.
    let refused = (0..).zip(conditions).find(|(index, _)| row.get::<_, Option<bool>>(*index) == Some(false));
    Ok(refused.map(|(_, condition)| flaw(settings, &table, condition)))
}

fn flaw(settings: &EntriesSettings, table: &str, Condition { name, text }: &Condition) -> Flaw {
    let constraint = quoted(name);
    if text.contains("environment") {
        return Flaw {
            what: format!("{GROUPS} allows no environment {}: {text}", settings.environment),
            remedy: "set database.environment to one that it allows; AppV2 reads DEFAULT".to_owned(),
        };
    }
    let what = if text.contains("type") {
        format!("{GROUPS} allows no type {UNIVERSE}: {text}")
    } else {
        format!("{GROUPS} would refuse our groups by {name}: {text}")
    };
    let remedy = format!(
        "run as the owner of the table: alter table {table} drop constraint {constraint}, add constraint {constraint} \
         check (({text}) or type = '{UNIVERSE}')"
    );
    Flaw { what, remedy }
}

fn full_name(schema: &str, table: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(table))
}
