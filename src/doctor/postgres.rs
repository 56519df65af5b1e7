//! Looks at the Postgres server, at our schema and at the source tables.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::failure::{Failure, postgres};
use crate::plan::given::policy::Policy;
use crate::settings::{DatabaseSettings, EntriesSettings, Settings, SourceSettings};
use crate::store::Transaction;
use crate::store::figures;
use crate::store::history::overlapping;
use crate::store::layout::{self, Found, Layout};
use crate::store::read::bars_index;
use crate::store::read::snapshot::{AppliedDates, read_applied};
use crate::store::read::source::{SourceTables, read_securities};
use crate::store::read::{Rules, coverage_of, read_refusal, read_rules};
use crate::store::{Database, Limits};
use crate::store::{leftovers, migrations};

use super::{Finding, Level, clock, coverage, groups, rights};

/// The oldest major version that is tested.
const OLDEST_MAJOR: i32 = 15;
/// Overlapping memberships that are named.
const SHOWN_OVERLAPS: i64 = 5;
const SUBJECT: &str = "postgres";

/// Everything about Postgres and what is in it.
pub(super) async fn examine(
    settings: &Settings,
    now: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let doing = "connect to Postgres";
    let database = Database::new(&settings.database).map_err(|problem| Failure::permanent(doing, problem))?;
    let mut client = database.client().await?;
    let limits = Limits { statement: settings.sync.timeout, ..Limits::default() };
    let transaction = client.begin_read_only(limits).await?;
    findings.extend(server(&transaction, now).await?);
    findings.extend(figures::waiting_commits(&transaction).await?.map(|commits| {
        let remedy = "see that the synchronous standbys run (pg_stat_replication), and that the disk answers";
        Finding::error(SUBJECT, commits.to_string(), remedy)
    }));
    rights::of_connections(&transaction, settings, findings).await?;
    let tables = look_at_tables(&transaction, settings).await?;
    findings.extend(table_findings(&tables, &settings.database, &settings.source));
    let known = findings.len();
    rights::of_role(&transaction, settings, findings).await?;
    // What may not be read would only end the look at everything else.
    let may_read = findings[known..].iter().all(|finding| finding.level != Level::Error);
    if tables.has_jobs {
        let schema = &settings.database.schema;
        let missing = migrations::missing(&transaction, schema).await?;
        findings.extend((!missing.is_empty()).then(|| {
            let text = format!("the tables in schema {schema} lack {}, so workers wait", missing.join(", "));
            Finding::error("schema", text, "run: cache-sync migrate")
        }));
    }
    let policy =
        entries(&transaction, &settings.entries, Arc::new(settings.policy()), &tables, findings).await?;
    if tables.has_jobs && may_read {
        findings.extend(history_findings(&overlapping(&transaction, SHOWN_OVERLAPS).await?));
    }
    if tables.can_read_source() && may_read {
        data(&transaction, settings, &policy, &tables, now, findings).await?;
    }
    Ok(())
}

/// Whether `cache_entries` can be written as it is, and the rules that are in force with it.
async fn entries(
    transaction: &Transaction<'_>,
    settings: &EntriesSettings,
    policy: Arc<Policy>,
    tables: &Tables,
    findings: &mut Vec<Finding>,
) -> Result<Arc<Policy>, Failure> {
    let found = layout::find(transaction, settings).await?;
    if let Some(problem) = layout::contradiction(settings, &found) {
        findings.push(Finding::error(
            "schema",
            problem,
            "see layout and schema in [database] of the configuration",
        ));
        return Ok(policy);
    }
    let Found::Known(layout) = found else { return Ok(policy) };
    findings.push(Finding::ok("schema", layout_text(&settings.schema, &layout)));
    let rules = read_rules(transaction, settings, &policy).await?;
    findings.extend(rule_findings(&rules));
    findings.extend(groups::examine(transaction, settings, &rules).await?);
    if tables.has_jobs {
        findings.extend(left_behind(transaction, settings, &rules).await?);
        let remedy =
            "rename or remove that row, or set database.adopt_existing; until then every sync is refused";
        let refusal = read_refusal(transaction, &rules).await?;
        findings.extend(refusal.map(|refusal| Finding::error("schema", refusal.text, remedy)));
    }
    Ok(rules.policy)
}

/// Rows that nobody keeps, with the statement that removes them.
async fn left_behind(
    transaction: &Transaction<'_>,
    settings: &EntriesSettings,
    rules: &Rules,
) -> Result<Option<Finding>, Failure> {
    let Layout::AppV2(table) = &rules.layout else { return Ok(None) };
    let rows = leftovers::read(transaction, table, &rules.policy).await?;
    let breaking = rows.iter().find(|row| row.breaks.is_some());
    let worst = breaking.and_then(|row| Some(format!("; {} / {}: {}", row.name, row.key, row.breaks?)));
    Ok((!rows.is_empty()).then(|| {
        let what = format!("{} rows look like universes and are kept by nobody", rows.len());
        let statement = leftovers::statement(&settings.schema, &settings.environment, &rows);
        let remedy = format!("run: cache-sync adopt --apply, which can be undone; or: {statement}");
        Finding::warn("schema", what + &worst.unwrap_or_default(), remedy)
    }))
}

/// There is one writer, so overlaps come from another hand; no constraint forbids them, since one would make every write
/// many times as slow.
fn history_findings(overlaps: &[String]) -> Option<Finding> {
    (!overlaps.is_empty()).then(|| {
        Finding::error(
            "history",
            format!("memberships of one symbol overlap: {}", overlaps.join("; ")),
            "somebody else has written universe_membership; correct or remove those rows by hand",
        )
    })
}

fn layout_text(schema: &str, layout: &Layout) -> String {
    match layout {
        Layout::Universe => format!("{schema}.cache_entries has the universe layout, one row a universe"),
        Layout::AppV2(table) => format!(
            "{schema}.cache_entries has the appv2 layout, unique by {}; our rows are those of environment {}",
            table.unique.columns(),
            table.environment
        ),
    }
}

/// What rows of the table do to the rules.
fn rule_findings(rules: &Rules) -> Vec<Finding> {
    let taken = (!rules.taken.is_empty()).then(|| {
        let text = format!("cache_config rows win over the file for {}", rules.taken.join(", "));
        Finding::ok("settings", format!("{text}; rules {}", rules.policy.fingerprint()))
    });
    let problems = rules.problems.iter().map(|problem| {
        Finding::warn(
            "settings",
            format!("a cache_config row can't be used: {problem}"),
            "correct or remove it; until then what the file says is in force",
        )
    });
    taken.into_iter().chain(problems).collect()
}

/// The source as a sync would read it.
async fn data(
    transaction: &Transaction<'_>,
    settings: &Settings,
    policy: &Policy,
    tables: &Tables,
    now: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let source = match SourceTables::discover(transaction, &settings.source).await {
        Ok(source) => source,
        Err(Failure::Permanent { source: problem, .. }) => {
            findings.push(Finding::error("source", problem.to_string(), "see [source] of the configuration"));
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    if let Some(unindexed) = bars_index::look(transaction, &settings.source, &source).await? {
        // Nor is the market looked at: that would take as long.
        findings.push(Finding::error("source", unindexed.to_string(), unindexed.statement));
        return Ok(());
    }
    let market = Box::pin(read_securities(transaction, &source, None)).await?;
    // The tables that tell what is usual may not have been made yet.
    let applied = if tables.has_jobs { read_applied(transaction).await? } else { AppliedDates::default() };
    let coverage = coverage_of(&market, applied, policy);
    findings.extend(coverage::examine(&market.securities, &coverage, policy, now));
    Ok(())
}

async fn server(transaction: &Transaction<'_>, now: DateTime<Utc>) -> Result<Vec<Finding>, Failure> {
    let sql = include_str!("../../sql/queries/server_read.sql");
    let rows = transaction.query_typed(sql, &[]).await.map_err(postgres("ask Postgres about itself"))?;
    Ok(rows.first().map(|row| server_findings(&Server::from_row(row), now)).unwrap_or_default())
}

/// What the server says of itself.
#[derive(Debug, Clone)]
struct Server {
    version_number: i32,
    version: String,
    encoding: String,
    time_zone: String,
    is_replica: bool,
    is_read_only: bool,
    fsync: bool,
    synchronous_commit: String,
    at: DateTime<Utc>,
}

impl Server {
    fn from_row(row: &Row) -> Self {
        Self {
            version_number: row.get("version_number"),
            version: row.get("version"),
            encoding: row.get("encoding"),
            time_zone: row.get("time_zone"),
            is_replica: row.get("is_replica"),
            is_read_only: row.get("is_read_only"),
            fsync: row.get("fsync"),
            synchronous_commit: row.get("synchronous_commit"),
            at: row.get("at"),
        }
    }
}

fn server_findings(server: &Server, now: DateTime<Utc>) -> Vec<Finding> {
    let Server { version, encoding, time_zone, .. } = server;
    let mut findings = vec![if server.version_number / 10_000 < OLDEST_MAJOR {
        Finding::error(
            SUBJECT,
            format!("version {version} is older than {OLDEST_MAJOR}"),
            format!("update the server to {OLDEST_MAJOR} or newer"),
        )
    } else {
        Finding::ok(SUBJECT, format!("version {version}, encoding {encoding}, time zone {time_zone}"))
    }];
    if encoding != "UTF8" {
        findings.push(Finding::error(
            SUBJECT,
            format!("the database's encoding is {encoding}, so that company names can't all be written"),
            "make the database with encoding UTF8",
        ));
    }
    if server.is_replica {
        findings.push(Finding::error(
            SUBJECT,
            "the server is a replica",
            "let DATABASE_URL lead to the primary",
        ));
    } else if server.is_read_only {
        // A default, and not a right: every transaction of ours says whether it writes.
        findings.push(Finding::ok(SUBJECT, "transactions are read-only by default; those that write say so"));
    }
    if !server.fsync {
        findings.push(Finding::warn(SUBJECT, "fsync is off: a power cut ruins the database", "set fsync on"));
    }
    if server.synchronous_commit == "off" {
        findings.push(Finding::warn(
            SUBJECT,
            "synchronous_commit is off: a crash of the server forgets the last commits, told to the world or not",
            "set synchronous_commit on for this role",
        ));
    }
    findings.extend(clock(SUBJECT, server.at, now));
    findings
}

async fn look_at_tables(transaction: &Transaction<'_>, settings: &Settings) -> Result<Tables, Failure> {
    let (database, source) = (&settings.database, &settings.source);
    let sql = include_str!("../../sql/queries/tables_look.sql");
    let doing = "look for the tables";
    let rows = transaction
        .query_typed(
            sql,
            &[
                (&database.schema, Type::TEXT),
                (&source.schema, Type::TEXT),
                (&source.symbols_table, Type::TEXT),
                (&source.bars_table, Type::TEXT),
            ],
        )
        .await
        .map_err(postgres(doing))?;
    let row = rows.first().ok_or_else(|| Failure::permanent(doing, "the catalogue gave no answer"))?;
    Ok(Tables::from_row(row))
}

/// What the catalogue says of the tables we need; `None` where there is no such thing.
#[derive(Debug, Clone)]
struct Tables {
    may_create: Option<bool>,
    has_jobs: bool,
    may_read_symbols: Option<bool>,
    may_read_bars: Option<bool>,
}

impl Tables {
    fn from_row(row: &Row) -> Self {
        Self {
            may_create: row.get("may_create"),
            has_jobs: row.get("has_jobs"),
            may_read_symbols: row.get("may_read_symbols"),
            may_read_bars: row.get("may_read_bars"),
        }
    }

    fn can_read_source(&self) -> bool {
        self.may_read_symbols == Some(true) && self.may_read_bars == Some(true)
    }
}

fn table_findings(tables: &Tables, database: &DatabaseSettings, source: &SourceSettings) -> Vec<Finding> {
    let schema = &database.schema;
    let ours = if tables.has_jobs {
        Finding::ok("schema", format!("the tables of cache-sync are in schema {schema}"))
    } else if tables.may_create == Some(false) {
        Finding::error(
            "schema",
            format!("the tables are missing from schema {schema}, and this role may not create any"),
            format!("grant create on schema {schema} to it, then run: cache-sync migrate"),
        )
    } else {
        Finding::error(
            "schema",
            format!("the tables are missing from schema {schema}"),
            "run: cache-sync migrate",
        )
    };
    let sources = [
        (&source.symbols_table, tables.may_read_symbols, "source.symbols_table"),
        (&source.bars_table, tables.may_read_bars, "source.bars_table"),
    ];
    let sources = sources.map(|(table, may_read, key)| {
        let table = format!("{}.{table}", source.schema);
        match may_read {
            Some(true) => Finding::ok("source", format!("{table} can be read")),
            Some(false) => Finding::error(
                "source",
                format!("{table} may not be read by this role"),
                format!("grant select on {table} to it"),
            ),
            None => Finding::error(
                "source",
                format!("there is no table or view {table}"),
                format!("let source.schema and {key} name where it is"),
            ),
        }
    });
    std::iter::once(ours).chain(sources).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    fn healthy() -> Server {
        Server {
            version_number: 160_002,
            version: "16.2".to_owned(),
            encoding: "UTF8".to_owned(),
            time_zone: "America/New_York".to_owned(),
            is_replica: false,
            is_read_only: false,
            fsync: true,
            synchronous_commit: "on".to_owned(),
            at: DateTime::UNIX_EPOCH,
        }
    }

    fn lines(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(|finding| format!("{} {}", finding.level, finding.what)).collect()
    }

    #[test]
    fn overlapping_memberships_are_an_error_and_history_in_order_is_no_news() {
        assert_eq!(history_findings(&[]), None);
        let overlaps = ["A in top_100 from 2026-03-02 beyond 2026-03-03".to_owned()];
        let found = history_findings(&overlaps).expect("a finding");
        assert_eq!(found.level, Level::Error);
        assert_eq!(
            found.what,
            "memberships of one symbol overlap: A in top_100 from 2026-03-02 beyond 2026-03-03"
        );
    }

    #[test]
    fn a_healthy_server_is_one_line_whatever_its_time_zone() {
        let findings = server_findings(&healthy(), DateTime::UNIX_EPOCH);
        assert_eq!(lines(&findings), ["ok version 16.2, encoding UTF8, time zone America/New_York"]);
    }

    #[test]
    fn each_trouble_of_a_server_has_its_finding_and_its_remedy() {
        let server = Server {
            version_number: 140_011,
            version: "14.11".to_owned(),
            encoding: "LATIN1".to_owned(),
            is_replica: true,
            fsync: false,
            synchronous_commit: "off".to_owned(),
            ..healthy()
        };
        let findings = server_findings(&server, DateTime::UNIX_EPOCH);
        assert!(findings.iter().all(|finding| !finding.remedy.is_empty()));
        insta::assert_snapshot!(lines(&findings).join("\n"), @r"
        error version 14.11 is older than 15
        error the database's encoding is LATIN1, so that company names can't all be written
        error the server is a replica
        warn fsync is off: a power cut ruins the database
        warn synchronous_commit is off: a crash of the server forgets the last commits, told to the world or not
        ");
        let read_only = server_findings(&Server { is_read_only: true, ..healthy() }, DateTime::UNIX_EPOCH);
        assert_eq!(read_only[1].level, Level::Ok);
    }

    #[test]
    fn missing_tables_are_told_from_forbidden_ones() {
        let database =
            DatabaseSettings { url: Secret::new(""), schema: "app".to_owned(), max_connections: 6 };
        let source = SourceSettings {
            schema: "market".to_owned(),
            symbols_table: "symbols".to_owned(),
            bars_table: "bars".to_owned(),
            columns: std::collections::BTreeMap::new(),
        };
        let all = |may_create, has_jobs, may_read_symbols, may_read_bars| {
            let tables = Tables { may_create, has_jobs, may_read_symbols, may_read_bars };
            lines(&table_findings(&tables, &database, &source)).join("\n")
        };
        insta::assert_snapshot!(all(Some(true), true, Some(true), Some(true)), @r"
        ok the tables of cache-sync are in schema app
        ok market.symbols can be read
        ok market.bars can be read
        ");
        insta::assert_snapshot!(all(Some(false), false, Some(false), None), @r"
        error the tables are missing from schema app, and this role may not create any
        error market.symbols may not be read by this role
        error there is no table or view market.bars
        ");
        insta::assert_snapshot!(all(None, false, None, None), @r"
        error the tables are missing from schema app
        error there is no table or view market.symbols
        error there is no table or view market.bars
        ");
    }
}
