//! Looks at the Redis server: whether it keeps what it was given.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::failure::{Failure, redis};
use crate::redis::connection::{Redis, Shared};
use crate::settings::Settings;
use crate::wire::names::Names;

use super::{Finding, clock, rights};

/// The oldest version whose commands suffice.
const OLDEST: (u32, u32) = (7, 0);
const SUBJECT: &str = "redis";

/// Everything about Redis and what is in it.
pub(super) async fn examine(
    settings: &Settings,
    now: DateTime<Utc>,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let unusable = |problem| Failure::permanent("connect to Redis", problem);
    let server = Redis::by(&settings.redis).map_err(unusable)?;
    let names = settings.redis.names().map_err(unusable)?;
    let mut connection = server.shared();
    let info: ::redis::RedisResult<String> = ::redis::cmd("INFO").query_async(&mut connection).await;
    match info.map_err(redis("ask Redis about itself")) {
        Ok(info) => findings.extend(server_findings(&Info::parse(&info))),
        Err(failure) if failure.is_transient() => return Err(failure),
        // Its settings can't be judged then; everything else can.
        Err(failure) => {
            findings.push(Finding::warn(SUBJECT, failure.to_string(), "ACL SETUSER <user> +info"));
        }
    }
    let time: ::redis::RedisResult<(i64, u32)> = ::redis::cmd("TIME").query_async(&mut connection).await;
    if let Ok((seconds, micros)) = time {
        let at = DateTime::from_timestamp(seconds, micros.saturating_mul(1_000));
        findings.extend(at.and_then(|at| clock(SUBJECT, at, now)));
    }
    rights::of_user(&mut connection, settings, findings).await?;
    findings.extend(streams(&mut connection, &names).await?);
    Ok(())
}

/// What lies on our two streams.
async fn streams(connection: &mut Shared, names: &Names) -> Result<Vec<Finding>, Failure> {
    let mut pipeline = ::redis::pipe();
    pipeline.cmd("XLEN").arg(names.job_stream()).cmd("XLEN").arg(names.dead_stream());
    let (jobs, dead): (u64, u64) =
        pipeline.query_async(connection).await.map_err(redis("look at the job stream"))?;
    let waiting = Finding::ok("jobs", format!("{jobs} entries on {}", names.job_stream()));
    let dead = (dead > 0).then(|| {
        Finding::warn("jobs", format!("{dead} dead letters"), "look at them with: cache-sync dead list")
    });
    Ok(std::iter::once(waiting).chain(dead).collect())
}

/// The answer to `INFO`.
struct Info<'a>(HashMap<&'a str, &'a str>);

impl<'a> Info<'a> {
    fn parse(text: &'a str) -> Self {
        Self(text.lines().filter_map(|line| line.trim().split_once(':')).collect())
    }

    fn get(&self, field: &str) -> &str {
        self.0.get(field).copied().unwrap_or_default()
    }

    /// What the server calls itself. Valkey also tells the version of Redis that it stands in for.
    fn server(&self) -> String {
        match self.get("valkey_version") {
            "" => format!("version {}", self.get("redis_version")),
            valkey => format!("Valkey {valkey}, with the commands of Redis {}", self.get("redis_version")),
        }
    }

    /// Major and minor version; `None` where it can't be read.
    fn version(&self) -> Option<(u32, u32)> {
        let mut parts = self.get("redis_version").split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    }
}

fn server_findings(info: &Info<'_>) -> Vec<Finding> {
    let always = [version(info), eviction(info), persistence(info)];
    [cluster(info), role(info)].into_iter().flatten().chain(always).collect()
}

fn version(info: &Info<'_>) -> Finding {
    let shown = info.server();
    let (major, minor) = OLDEST;
    match info.version() {
        Some(version) if version >= OLDEST => Finding::ok(SUBJECT, shown),
        Some(_) => Finding::error(
            SUBJECT,
            format!("{shown} is older than {major}.{minor}"),
            format!("update the server to {major}.{minor} or newer"),
        ),
        None => Finding::warn(
            SUBJECT,
            "the server does not tell its version",
            format!("make sure that it has the commands of Redis {major}.{minor}"),
        ),
    }
}

fn cluster(info: &Info<'_>) -> Option<Finding> {
    (info.get("redis_mode") == "cluster" || info.get("cluster_enabled") == "1").then(|| {
        Finding::error(
            SUBJECT,
            "the server is part of a cluster, where one script may not touch keys of different slots",
            "use a single server, or one behind Sentinel",
        )
    })
}

fn role(info: &Info<'_>) -> Option<Finding> {
    (info.get("role") == "slave").then(|| {
        Finding::error(
            SUBJECT,
            "the server is a replica and takes no writes",
            "let REDIS_URL lead to the primary",
        )
    })
}

fn eviction(info: &Info<'_>) -> Finding {
    let policy = info.get("maxmemory_policy");
    let unlimited = info.get("maxmemory") == "0";
    match policy {
        "" => Finding::warn(
            SUBJECT,
            "the server does not tell its maxmemory-policy",
            "make sure that it is noeviction, or the job stream may vanish",
        ),
        "noeviction" => Finding::ok(SUBJECT, "maxmemory-policy noeviction"),
        _ if unlimited => Finding::warn(
            SUBJECT,
            format!("maxmemory-policy is {policy}; without maxmemory nothing is evicted yet"),
            "set maxmemory-policy noeviction before a maxmemory",
        ),
        _ => Finding::error(
            SUBJECT,
            format!("maxmemory-policy is {policy}: a full server may evict the job stream"),
            "set maxmemory-policy noeviction",
        ),
    }
}

fn persistence(info: &Info<'_>) -> Finding {
    let appends = info.get("aof_enabled") == "1";
    if appends && info.get("aof_last_write_status") == "err" {
        return Finding::error(
            SUBJECT,
            "the append-only file can't be written",
            "look at the server's log and at the room on its disk",
        );
    }
    if appends {
        Finding::ok(SUBJECT, "the append-only file is on")
    } else {
        Finding::warn(
            SUBJECT,
            "the append-only file is off: jobs put on the stream by a bare XADD are lost when the server restarts",
            "set appendonly yes; jobs from `submit` and the API are kept in Postgres either way",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(info: &str) -> String {
        let findings = server_findings(&Info::parse(info));
        assert!(
            findings
                .iter()
                .all(|finding| finding.remedy.is_empty() == (finding.level == crate::doctor::Level::Ok))
        );
        let lines: Vec<String> =
            findings.iter().map(|finding| format!("{} {}", finding.level, finding.what)).collect();
        lines.join("\n")
    }

    const HEALTHY: &str = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n# Memory\r\nmaxmemory:0\r\n\
        maxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\naof_last_write_status:ok\r\n# Replication\r\n\
        role:master\r\n# Cluster\r\ncluster_enabled:0\r\n";

    #[test]
    fn a_healthy_server_has_nothing_to_mend() {
        insta::assert_snapshot!(lines(HEALTHY), @r"
        ok version 7.0.15
        ok maxmemory-policy noeviction
        ok the append-only file is on
        ");
    }

    #[test]
    fn valkey_is_called_by_its_name() {
        let valkey = HEALTHY.replace(
            "redis_version:7.0.15",
            "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1",
        );
        assert_eq!(lines(&valkey).lines().next(), Some("ok Valkey 8.0.1, with the commands of Redis 7.2.4"));
    }

    #[test]
    fn each_trouble_of_a_server_has_its_finding() {
        let troubled = HEALTHY
            .replace("7.0.15", "6.2.14")
            .replace("cluster_enabled:0", "cluster_enabled:1")
            .replace("role:master", "role:slave")
            .replace("maxmemory:0", "maxmemory:1000000")
            .replace("noeviction", "allkeys-lru")
            .replace("aof_enabled:1", "aof_enabled:0");
        insta::assert_snapshot!(lines(&troubled), @r"
        error the server is part of a cluster, where one script may not touch keys of different slots
        error the server is a replica and takes no writes
        error version 6.2.14 is older than 7.0
        error maxmemory-policy is allkeys-lru: a full server may evict the job stream
        warn the append-only file is off: jobs put on the stream by a bare XADD are lost when the server restarts
        ");
        let full_disk = HEALTHY.replace("status:ok", "status:err").replace("noeviction", "volatile-ttl");
        insta::assert_snapshot!(lines(&full_disk), @r"
        ok version 7.0.15
        warn maxmemory-policy is volatile-ttl; without maxmemory nothing is evicted yet
        error the append-only file can't be written
        ");
    }

    #[test]
    fn a_server_that_tells_nothing_is_doubted_rather_than_believed() {
        insta::assert_snapshot!(lines(""), @r"
        warn the server does not tell its version
        warn the server does not tell its maxmemory-policy
        warn the append-only file is off: jobs put on the stream by a bare XADD are lost when the server restarts
        ");
    }
}
