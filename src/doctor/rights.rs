//! Looks at what the role of Postgres and the user of Redis may do, and how many connections they may have.

use tokio_postgres::types::Type;

use super::Finding;
use crate::domain::job::JobId;
use crate::failure::{Failure, postgres, redis};
use crate::redis::connection::Shared;
use crate::redis::rights::{self, Right};
use crate::settings::Settings;
use crate::store::{Transaction, migrations};

/// The least that a worker gets on with: a sync, its heartbeat, and one for bookkeeping.
const FEWEST_CONNECTIONS: i64 = 3;

/// What the role lacks, or that it lacks nothing.
pub(super) async fn of_role(
    transaction: &Transaction<'_>,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let (ours, source) = (migrations::relations(), &settings.source);
    let tables = [source.symbols_table.as_str(), source.bars_table.as_str()];
    let rows = transaction
        .query_typed(
            include_str!("../../sql/queries/rights_missing.sql"),
            &[
                (&settings.database.schema, Type::TEXT),
                (&ours, Type::TEXT_ARRAY),
                (&source.schema, Type::TEXT),
                (&tables.as_slice(), Type::TEXT_ARRAY),
            ],
        )
        .await
        .map_err(postgres("ask for the rights of this role"))?;
    if rows.is_empty() {
        findings.push(Finding::ok("rights", "this role of Postgres has every right that a sync needs"));
    }
    findings.extend(rows.iter().map(|row| {
        let (what, remedy): (String, String) = (row.get("what"), row.get("remedy"));
        Finding::error("rights", format!("this role of Postgres lacks a right: {what}"), remedy)
    }));
    Ok(())
}

/// Whether there is room for the connections of a worker.
pub(super) async fn of_connections(
    transaction: &Transaction<'_>,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let sql = include_str!("../../sql/queries/connections_read.sql");
    let rows = transaction.query_typed(sql, &[]).await.map_err(postgres("count the connections"))?;
    let wanted = i64::try_from(settings.database.max_connections).unwrap_or(i64::MAX);
    findings.extend(rows.iter().filter_map(|row| {
        let limit = Limit {
            whose: row.get("whose"),
            name: row.get("name"),
            most: row.get("most"),
            open: row.get("open"),
        };
        limit.finding(wanted)
    }));
    Ok(())
}

/// A limit of connections.
struct Limit<'a> {
    whose: &'a str,
    name: &'a str,
    most: i64,
    open: i64,
}

impl Limit<'_> {
    fn finding(&self, wanted: i64) -> Option<Finding> {
        let Self { whose, name, most, open } = self;
        let more = match *whose {
            "server" => "raise max_connections, or put a pooler in between".to_owned(),
            _ => format!("alter {name} connection limit ..."),
        };
        let remedy =
            format!("{more}; or set database.max_connections, of which a worker needs {FEWEST_CONNECTIONS}");
        if *most < FEWEST_CONNECTIONS {
            let what = format!("{name} may have {most} connections, and a worker needs {FEWEST_CONNECTIONS}");
            return Some(Finding::error("postgres", what, remedy));
        }
        let free = most - open;
        (free < wanted).then(|| {
            let what = format!(
                "{free} of the {most} connections that {name} may have are free, and a worker takes up to {wanted}"
            );
            Finding::warn("postgres", what, remedy)
        })
    }
}

/// What the user of Redis lacks, or that it lacks nothing.
pub(super) async fn of_user(
    connection: &mut Shared,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let doing = "ask for the rights of this user";
    let names = settings.redis.names().map_err(|problem| Failure::permanent(doing, problem))?;
    let needed = rights::of_jobs(&names, &JobId::fresh(), settings.redis.job_monitor_keys);
    let missing = rights::missing(connection, &needed).await.map_err(redis(doing))?;
    if missing.is_empty() {
        findings.push(Finding::ok("rights", "this user of Redis has every right that workers need"));
    }
    findings.extend(missing.into_iter().map(|right| {
        Finding::error("rights", format!("this user of Redis may not run {}", right.what()), remedy(right))
    }));
    let for_triggers = rights::of_triggers(&settings.redis.signals());
    let missing = rights::missing(connection, &for_triggers).await.map_err(redis(doing))?;
    findings.extend(missing.into_iter().map(|right| {
        let what = format!("this user of Redis may not run {}, which the triggers need", right.what());
        Finding::warn("rights", what, remedy(right))
    }));
    Ok(())
}

fn remedy(right: &Right) -> String {
    format!("ACL SETUSER <user> {}, with a pattern that fits all jobs", right.rule())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn finding(most: i64, open: i64) -> Option<(Level, String)> {
        let limit = Limit { whose: "role", name: "role app", most, open };
        limit.finding(6).map(|finding| (finding.level, finding.what))
    }

    #[test]
    fn a_limit_is_an_error_below_what_a_worker_needs_and_a_warning_where_it_is_nearly_reached() {
        assert_eq!(finding(20, 14), None);
        let (level, what) = finding(20, 15).expect("a finding");
        assert_eq!(level, Level::Warn);
        assert_eq!(
            what,
            "5 of the 20 connections that role app may have are free, and a worker takes up to 6"
        );
        assert_eq!(finding(2, 0).map(|(level, _)| level), Some(Level::Error));
    }
}
