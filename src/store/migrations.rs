//! Makes and updates our tables.
//!
//! Forward only: the files of `sql/migrations` in order, each in one transaction together with its line in
//! `cache_sync_migrations`. Several processes may do it at once: each transaction waits for the others' first. What
//! is not ours is never altered: the source is only looked for, a `cache_entries` that exists stays as it is, and a
//! table that has one of our names without being in our migrations table is refused.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::failure::{Failure, PostgresError, postgres};
use crate::settings::{EntriesSettings, SourceSettings};

use super::read::source::SourceTables;
use super::statement::{Param, execute, query, query_one};
use super::{Database, Limits, Transaction, catalog, layout, quoted};

const DOING: &str = "migrate the database";
/// The table of what was applied.
const MIGRATIONS_TABLE: &str = "cache_sync_migrations";
const CREATE_BOOKS: &str = "create table if not exists cache_sync_migrations (
    version integer constraint cache_sync_migrations_pkey primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now()
)";
/// Bounds of a migration: it may build an index over years of history, and wait for whoever is at the same.
const LIMITS: Limits = Limits { statement: Duration::from_secs(600), lock: Duration::from_secs(5) };
/// Longest wait for other processes that migrate.
const WAIT_FOR_OTHERS: &str = "set local lock_timeout = '60s'";
/// How often another program may make a table of the same name at the same moment before we give up.
const MAX_RACES: usize = 3;

struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "tables", sql: include_str!("../../sql/migrations/0001_tables.sql") },
    Migration {
        version: 2,
        name: "quarantine",
        sql: include_str!("../../sql/migrations/0002_quarantine.sql"),
    },
    Migration { version: 3, name: "pins", sql: include_str!("../../sql/migrations/0003_pins.sql") },
    Migration {
        version: 4,
        name: "identity_and_history",
        sql: include_str!("../../sql/migrations/0004_identity_and_history.sql"),
    },
    Migration {
        version: 5,
        name: "reconstructed",
        sql: include_str!("../../sql/migrations/0005_reconstructed.sql"),
    },
    Migration {
        version: 6,
        name: "plain_arrays",
        sql: include_str!("../../sql/migrations/0006_plain_arrays.sql"),
    },
    Migration {
        version: 7,
        name: "group_tables",
        sql: include_str!("../../sql/migrations/0007_group_tables.sql"),
    },
    Migration { version: 8, name: "by_hand", sql: include_str!("../../sql/migrations/0008_by_hand.sql") },
    Migration { version: 9, name: "leftovers", sql: include_str!("../../sql/migrations/0009_leftovers.sql") },
];

/// What migrating did. Migrations are named as their files are: `0001_tables`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Migrated {
    /// Applied now.
    pub applied: Vec<String>,
    /// Applied before.
    pub already: Vec<String>,
    /// In the database, but unknown to this version: a newer one has migrated it.
    pub newer: Vec<String>,
    /// The layout in which `cache_entries` was made now, where there was none.
    pub made_layout: Option<&'static str>,
}

/// Brings our tables to the shape this version wants. Twice is harmless, and so are several at once.
///
/// Refused, with nothing changed, as [`Failure::Permanent`]: without the source tables or the columns we need of
/// them, over a `cache_entries` we can't write, over a foreign table of one of our names, and over a migration that
/// was applied in another wording.
pub async fn migrate(
    db: &Database,
    source: &SourceSettings,
    entries: &EntriesSettings,
) -> Result<Migrated, Failure> {
    let mut applied = Vec::new();
    let mut made_layout = None;
    let mut races = 0;
    loop {
        match step(db, source, entries).await {
            Ok(Step::Applied { name, made }) => {
                applied.push(name);
                made_layout = made_layout.or(made);
            }
            Ok(Step::Finished(mut migrated)) => {
                migrated.already.retain(|name| !applied.contains(name));
                migrated.applied = applied;
                migrated.made_layout = made_layout.or(migrated.made_layout);
                return Ok(migrated);
            }
            Err(Failure::Conflict { .. }) if races < MAX_RACES => races += 1,
            Err(failure) => return Err(failure),
        }
    }
}

/// Whether our tables are there, in the shape this version wants; [`Failure::Permanent`] says what to do if not.
pub async fn check(db: &Database, entries: &EntriesSettings) -> Result<(), Failure> {
    let doing = "use the tables of this program";
    let mut client = db.client().await?;
    let tx = client.begin_look().await?;
    let recorded =
        match catalog::relations(&tx, db.schema(), &[MIGRATIONS_TABLE]).await?.get(MIGRATIONS_TABLE) {
            Some(_) => read_books(&tx).await?,
            None => Vec::new(),
        };
    let done = sum_up(&recorded)?.already.len();
    if done < MIGRATIONS.len() {
        let problem = format!("they are missing or old in schema {}; run `cache-sync migrate`", db.schema());
        return Err(Failure::permanent(doing, problem));
    }
    layout::check(&tx, entries).await.map(drop)
}

/// The migrations that this version wants and the database lacks, in order.
pub async fn missing(tx: &Transaction<'_>, schema: &str) -> Result<Vec<String>, Failure> {
    let recorded = match catalog::relations(tx, schema, &[MIGRATIONS_TABLE]).await?.get(MIGRATIONS_TABLE) {
        Some(_) => read_books(tx).await?,
        None => Vec::new(),
    };
    let is_missing = |known: &&Migration| recorded.iter().all(|line| line.version != known.version);
    Ok(MIGRATIONS.iter().filter(is_missing).map(Migration::file_name).collect())
}

/// The tables and views that this version works with, `cache_entries` and the table of migrations included.
pub fn relations() -> Vec<&'static str> {
    let made = MIGRATIONS.iter().flat_map(Migration::tables);
    made.chain(["cache_entries", MIGRATIONS_TABLE]).collect()
}

enum Step {
    Applied { name: String, made: Option<&'static str> },
    Finished(Migrated),
}

/// Applies the first migration that is missing.
async fn step(db: &Database, source: &SourceSettings, entries: &EntriesSettings) -> Result<Step, Failure> {
    let mut client = db.client().await?;
    let tx = client.begin_within(LIMITS).await?;
    wait_for_others(&tx, db.schema()).await?;
    SourceTables::discover(&tx, source).await?;
    let is_missing = layout::check(&tx, entries).await?.is_none();
    make_books(&tx, db.schema()).await?;
    let recorded = read_books(&tx).await?;
    let made = make_entries(&tx, entries, is_missing, recorded.is_empty()).await?;
    let Some(next) = MIGRATIONS.iter().find(|known| recorded.iter().all(|r| r.version != known.version))
    else {
        tx.commit().await.map_err(postgres(DOING))?;
        return Ok(Step::Finished(Migrated { made_layout: made, ..sum_up(&recorded)? }));
    };
    sum_up(&recorded)?;
    refuse_foreign(&tx, db.schema(), next).await?;
    tx.batch_execute(next.sql).await.map_err(racing)?;
    record(&tx, next).await?;
    tx.commit().await.map_err(postgres(DOING))?;
    Ok(Step::Applied { name: next.file_name(), made })
}

/// Makes `cache_entries` in the layout of `AppV2` where it is missing and wanted like that; which layout it has then, where
/// it was or will be made now. In the other one the first migration makes it.
async fn make_entries(
    tx: &Transaction<'_>,
    entries: &EntriesSettings,
    is_missing: bool,
    is_first: bool,
) -> Result<Option<&'static str>, Failure> {
    if is_missing && entries.layout == crate::settings::Layout::AppV2 {
        tx.batch_execute(include_str!("../../sql/queries/appv2_entries_create.sql")).await.map_err(racing)?;
        return Ok(Some("appv2"));
    }
    Ok((is_missing && is_first).then_some("universe"))
}

async fn wait_for_others(tx: &Transaction<'_>, schema: &str) -> Result<(), Failure> {
    tx.batch_execute(WAIT_FOR_OTHERS).await.map_err(postgres(DOING))?;
    let lock = "select pg_advisory_xact_lock(hashtextextended('cache_sync_migrations:' || $1, 0))";
    execute(tx, DOING, lock, &[(&schema, Type::TEXT)]).await
}

async fn make_books(tx: &Transaction<'_>, schema: &str) -> Result<(), Failure> {
    // Asked first: `if not exists` wants the right to create even where there is nothing to create.
    let exists = "select exists (select from pg_namespace where nspname = $1)";
    let row = query_one(tx, DOING, exists, &[(&schema, Type::TEXT)]).await?;
    if !row.get::<_, bool>(0) {
        tx.batch_execute(&format!("create schema {}", quoted(schema))).await.map_err(racing)?;
    }
    match catalog::relations(tx, schema, &[MIGRATIONS_TABLE]).await?.get(MIGRATIONS_TABLE) {
        None => tx.batch_execute(CREATE_BOOKS).await.map_err(racing),
        Some(table) if ["version", "name", "checksum"].iter().all(|name| table.column(name).is_some()) => {
            Ok(())
        }
        Some(_) => Err(foreign(schema, MIGRATIONS_TABLE)),
    }
}

struct Recorded {
    version: i32,
    name: String,
    checksum: String,
}

async fn read_books(tx: &Transaction<'_>) -> Result<Vec<Recorded>, Failure> {
    let sql = "select version, name, checksum from cache_sync_migrations order by version";
    let rows = query(tx, DOING, sql, &[]).await?;
    Ok(rows
        .iter()
        .map(|row| Recorded { version: row.get(0), name: row.get(1), checksum: row.get(2) })
        .collect())
}

/// Compares the migrations table with what this version knows.
fn sum_up(recorded: &[Recorded]) -> Result<Migrated, Failure> {
    let mut migrated = Migrated::default();
    for line in recorded {
        let file_name = file_name(line.version, &line.name);
        match MIGRATIONS.iter().find(|known| known.version == line.version) {
            None => migrated.newer.push(file_name),
            Some(known) if known.checksum() == line.checksum => migrated.already.push(file_name),
            Some(known) => {
                let problem = format!(
                    "migration {file_name} was applied in another wording than {} has here; install the version \
                     that applied it, or a released one",
                    known.file_name()
                );
                return Err(Failure::permanent(DOING, problem));
            }
        }
    }
    Ok(migrated)
}

async fn refuse_foreign(tx: &Transaction<'_>, schema: &str, next: &Migration) -> Result<(), Failure> {
    match catalog::relations(tx, schema, &next.tables()).await?.keys().next() {
        None => Ok(()),
        Some(name) => Err(foreign(schema, name)),
    }
}

fn foreign(schema: &str, name: &str) -> Failure {
    let problem = format!(
        "{schema}.{name} exists and was not made by cache-sync; rename it, or set database.schema to a schema of \
         our own"
    );
    Failure::permanent(DOING, problem)
}

async fn record(tx: &Transaction<'_>, applied: &Migration) -> Result<(), Failure> {
    let sql = "insert into cache_sync_migrations (version, name, checksum) values ($1, $2, $3)";
    let checksum = applied.checksum();
    let params: [Param<'_>; 3] =
        [(&applied.version, Type::INT4), (&applied.name, Type::TEXT), (&checksum, Type::TEXT)];
    execute(tx, DOING, sql, &params).await
}

/// Another program that makes a table, schema or type of the same name at the same moment: the next try will see it.
fn racing(error: PostgresError) -> Failure {
    let raced = [
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_OBJECT,
    ];
    if error.code().is_some_and(|code| raced.contains(code)) {
        Failure::Conflict { doing: DOING.to_owned(), source: error.into() }
    } else {
        postgres(DOING)(error)
    }
}

impl Migration {
    fn file_name(&self) -> String {
        file_name(self.version, self.name)
    }

    /// SHA-256 of the file, whatever its line ends.
    fn checksum(&self) -> String {
        crate::domain::hex(&Sha256::digest(self.sql.replace("\r\n", "\n")))
    }

    /// The tables and views that it makes, but for those it only makes where they are missing.
    fn tables(&self) -> Vec<&'static str> {
        let made = |line: &'static str| {
            line.strip_prefix("create table ").or_else(|| line.strip_prefix("create view "))
        };
        let made = self.sql.lines().filter_map(made);
        let names = made.filter_map(|rest| rest.split([' ', '(']).next());
        names.filter(|name| *name != "if").collect()
    }
}

fn file_name(version: i32, name: &str) -> String {
    format!("{version:04}_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_sql_migrations_is_known_and_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder exists")
            .map(|file| file.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let known: Vec<String> = MIGRATIONS.iter().map(|m| format!("{}.sql", m.file_name())).collect();
        assert_eq!(files, known);
        assert!(MIGRATIONS.windows(2).all(|pair| pair[0].version < pair[1].version));
    }

    #[test]
    fn a_migration_names_the_tables_it_makes_but_not_cache_entries() {
        let tables = MIGRATIONS[0].tables();
        assert!(tables.contains(&"cache_sync_lease") && tables.contains(&"universe_membership"));
        assert!(!tables.contains(&"cache_entries") && !tables.contains(&"if"));
        let all: Vec<&str> = MIGRATIONS.iter().flat_map(Migration::tables).collect();
        assert!(all.contains(&"cache_sync_retractions") && all.contains(&"universe_sessions"));
    }
}
