//! What the process at the fault points is doing: the ways of a job that together pass every step.

use redis::Value;

use super::checks;
use super::socket::{Order, Route};
use crate::world::{World, request};

/// The job of a cell.
pub(crate) const JOB: &str = "job";

/// A way of a job, begun by something outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Scenario {
    /// Somebody puts an entry on the stream, and the day is synced.
    Sync,
    /// The entry was delivered to a worker that is gone.
    Orphan,
    /// The job's row is there, its entry is not.
    NoEntry,
    /// The first attempt fails, and another is due soon after.
    Retry,
    /// The job is refused.
    Refused,
    /// The entry can't be read.
    Unreadable,
    /// The entry was delivered to a worker that is gone, and then deleted.
    Deleted,
    /// The worker is told to stop and has no time to finish.
    HandBack,
    /// The process is `cache-sync submit`, and another one the worker.
    Submit,
}

/// One row of the matrix: a step, on one way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) step: &'static str,
    pub(crate) scenario: Scenario,
    /// Which passing of the step, where there are several; shown beside its name.
    pub(crate) of: &'static str,
    /// Points that come before.
    behind: &'static [&'static str],
}

const fn row(
    step: &'static str,
    scenario: Scenario,
    of: &'static str,
    behind: &'static [&'static str],
) -> Row {
    Row { step, scenario, of, behind }
}

/// Every step at least once.
pub(crate) const ROWS: [Row; 31] = [
    row("accept", Scenario::Submit, "", &[]),
    row("enqueue", Scenario::Submit, "by the producer", &[]),
    row("note_entry", Scenario::Submit, "by the producer", &[]),
    row("enqueue", Scenario::NoEntry, "by the sweeper", &[]),
    row("note_entry", Scenario::NoEntry, "by the sweeper", &[]),
    row("read", Scenario::Sync, "", &[]),
    row("take_over", Scenario::Orphan, "", &[]),
    row("take_over", Scenario::Deleted, "of a deleted entry", &[]),
    row("claim", Scenario::Sync, "", &[]),
    row("heartbeat", Scenario::Sync, "", &[]),
    row("note_step", Scenario::Sync, "", &[]),
    row("publish", Scenario::Sync, "the start", &[]),
    row("mark_sent", Scenario::Sync, "the start", &["publish.after"]),
    row("connect", Scenario::Sync, "", &[]),
    row("lease", Scenario::Sync, "", &[]),
    row("snapshot", Scenario::Sync, "", &[]),
    row("progress", Scenario::Sync, "", &[]),
    row("apply", Scenario::Sync, "", &[]),
    row("finish", Scenario::Sync, "", &[]),
    row("commit", Scenario::Sync, "", &[]),
    row("record", Scenario::Retry, "a retry", &[]),
    row("record", Scenario::Refused, "a refusal", &[]),
    row("record", Scenario::Unreadable, "an unreadable entry", &[]),
    row("record", Scenario::HandBack, "handed back", &[]),
    row("release", Scenario::Sync, "", &[]),
    row("publish", Scenario::Sync, "the end", &["commit.after"]),
    row("mark_sent", Scenario::Sync, "the end", &["commit.after", "publish.after"]),
    row("dead_letter", Scenario::Unreadable, "", &[]),
    row("dead_letter", Scenario::Deleted, "of a deleted entry", &[]),
    row("ack", Scenario::Sync, "", &[]),
    row("leave_group", Scenario::HandBack, "", &[]),
];

impl Row {
    /// As the matrix shows it.
    pub(crate) fn name(&self) -> String {
        if self.of.is_empty() { format!("`{}`", self.step) } else { format!("`{}`, {}", self.step, self.of) }
    }

    /// The way to one of its points, and what happens there.
    pub(crate) fn route(&self, side: &str, order: Order) -> Route {
        let mut route = self.scenario.way();
        route.extend(self.behind.iter().map(|point| ((*point).to_owned(), Order::Pass)));
        route.push((format!("{}.{side}", self.step), order));
        route
    }
}

impl Scenario {
    /// What has to happen on the way for it to be this scenario.
    pub(crate) fn way(self) -> Route {
        match self {
            Self::Retry => vec![("apply.after".to_owned(), Order::Lose)],
            Self::HandBack => vec![("apply.before".to_owned(), Order::Terminate)],
            _ => Vec::new(),
        }
    }

    /// Settings that belong to it.
    pub(crate) fn settings(self, is_of_network: bool) -> Vec<(&'static str, &'static str)> {
        let drain = if self == Self::HandBack { "0" } else { "25" };
        // Where the network is silent the worker's connections have to be given up before its lease runs out.
        let (lease, heartbeat) = if is_of_network { ("8", "2") } else { ("2", "0.5") };
        vec![
            ("worker.lease_seconds", lease),
            ("worker.heartbeat_seconds", heartbeat),
            ("worker.drain_seconds", drain),
        ]
    }

    /// What the process at the points is started as.
    pub(crate) fn command(self) -> &'static [&'static str] {
        match self {
            Self::Submit => &["submit", "--job-id", JOB],
            _ => &["worker"],
        }
    }

    /// Whether that process ends by itself or on its way.
    pub(crate) fn ends_by_itself(self) -> bool {
        matches!(self, Self::Submit | Self::HandBack)
    }

    /// How the job ends.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Refused | Self::Unreadable => "failed",
            _ => "completed",
        }
    }

    /// Dead letters in the end.
    pub(crate) fn letters(self) -> usize {
        usize::from(matches!(self, Self::Unreadable | Self::Deleted))
    }

    /// What an entry for the job says.
    pub(crate) fn fields(self) -> Vec<(&'static str, &'static str)> {
        let mut fields = vec![("job_id", JOB), ("triggered_by", "admin")];
        match self {
            Self::Refused => fields.push(("as_of", "2026-03-07")),
            Self::Unreadable => fields.push(("mode", "nonsense")),
            _ => {}
        }
        fields
    }

    /// What is there before the process at the points is started.
    pub(crate) async fn prepare(self, world: &World) {
        match self {
            Self::Submit => {}
            Self::NoEntry => world.accept(&request(JOB)).await,
            Self::Orphan => {
                world.xadd(&self.fields()).await;
                deliver_to_nobody(world).await;
            }
            Self::Deleted => {
                let entry = world.xadd(&self.fields()).await;
                deliver_to_nobody(world).await;
                let _: i64 =
                    world.ask_redis(redis::cmd("XDEL").arg(world.names.job_stream()).arg(entry)).await;
            }
            _ => {
                world.xadd(&self.fields()).await;
            }
        }
    }

    /// Whether nothing is left to do.
    pub(crate) async fn is_done(self, world: &World) -> bool {
        let is_settled = match self {
            // No job came of it: the letter is all that tells of it.
            Self::Deleted => world.dead_letters().await.len() == self.letters(),
            _ => checks::is_settled(world, JOB).await,
        };
        is_settled && world.pending().await == 0
    }
}

/// Delivers what is on the stream to a consumer as which nobody reads, and which is never waited for.
async fn deliver_to_nobody(world: &World) {
    let stream = world.names.job_stream();
    let mut group = redis::cmd("XGROUP");
    let _: () = world.ask_redis(group.arg("CREATE").arg(&stream).arg("cache-sync-workers").arg("0")).await;
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg("cache-sync-workers").arg("handed-back").arg("STREAMS").arg(&stream).arg(">");
    let _: Value = world.ask_redis(&read).await;
}
