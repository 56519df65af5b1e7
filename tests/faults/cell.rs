//! One cell of the matrix: a world, a process that comes to a step, a fault there, and what must be so afterwards.

use std::time::{Duration, Instant};

use super::checks;
use super::monitor::Monitor;
use super::network::{self, Network};
use super::scenario::{JOB, Row, Scenario};
use super::shape::{Reader, Shape};
use super::socket::{Order, Points};
use crate::world::{Process, Template, World, background, until};

/// A fault: a column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    DieBefore,
    DieAfter,
    LoseAnswer,
    StallBefore,
    StallAfter,
    DeliverTwice,
    FlushRedis,
    CutPostgres,
    PostgresSilent,
    RedisSilent,
    RedisReplica,
    PostgresStandby,
    OwnerCutOff,
}

pub(crate) const FAULTS: [Fault; 13] = [
    Fault::DieBefore,
    Fault::DieAfter,
    Fault::LoseAnswer,
    Fault::StallBefore,
    Fault::StallAfter,
    Fault::DeliverTwice,
    Fault::FlushRedis,
    Fault::CutPostgres,
    Fault::PostgresSilent,
    Fault::RedisSilent,
    Fault::RedisReplica,
    Fault::PostgresStandby,
    Fault::OwnerCutOff,
];

/// The longest time from the fault, or from the end of the stall, to a job that is done, told and acknowledged.
/// A few seconds are usual, ten where a stopped worker holds the lease and nobody knows its backend; a machine that does
/// much else needs several times as long.
const RECOVERY_AT_MOST: Duration = Duration::from_secs(60);

/// How long a producer is stopped.
pub(crate) const LONGER_THAN_A_LEASE: Duration = Duration::from_secs(4);

impl Fault {
    /// As the matrix shows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DieBefore => "dies before it",
            Self::DieAfter => "dies after it, before the answer",
            Self::LoseAnswer => "answer lost, tried again",
            Self::StallBefore => "stopped before it for longer than a lease",
            Self::StallAfter => "stopped after it for longer than a lease",
            Self::DeliverTwice => "entry delivered twice",
            Self::FlushRedis => "Redis flushed",
            Self::CutPostgres => "Postgres connections cut",
            Self::PostgresSilent => "Postgres silent for longer than a lease",
            Self::RedisSilent => "Redis silent for longer than a lease",
            Self::RedisReplica => "Redis now a replica",
            Self::PostgresStandby => "Postgres a standby for longer than a lease",
            Self::OwnerCutOff => "owner cut off from Postgres, another is not",
        }
    }

    /// Whether it strikes the network: then the job has to be done within a lease and two seconds of the network's
    /// return, and where another worker is not struck, of the strike.
    pub(crate) fn is_of_network(self) -> bool {
        matches!(
            self,
            Self::PostgresSilent
                | Self::RedisSilent
                | Self::RedisReplica
                | Self::PostgresStandby
                | Self::OwnerCutOff
        )
    }

    /// The longest time to the end of the job, on a machine that does nothing else.
    pub(crate) fn bound(self) -> Option<Duration> {
        self.is_of_network().then_some(network::LEASE + Duration::from_secs(2))
    }

    /// On which side of the step it strikes, and what happens to the process there.
    pub(crate) fn strikes(self) -> (&'static str, Order) {
        match self {
            Self::DieBefore | Self::StallBefore | Self::DeliverTwice | Self::CutPostgres => {
                ("before", Order::Hold)
            }
            Self::PostgresSilent
            | Self::RedisSilent
            | Self::RedisReplica
            | Self::PostgresStandby
            | Self::OwnerCutOff => ("before", Order::Hold),
            Self::DieAfter | Self::StallAfter | Self::FlushRedis => ("after", Order::Hold),
            Self::LoseAnswer => ("after", Order::Lose),
        }
    }

    /// Whether it takes somebody else to go on.
    fn needs_another(self) -> bool {
        !matches!(
            self,
            Self::LoseAnswer
                | Self::FlushRedis
                | Self::CutPostgres
                | Self::PostgresSilent
                | Self::RedisSilent
                | Self::RedisReplica
                | Self::PostgresStandby
        )
    }
}

/// Why a cell can't be: `None` where it can.
pub(crate) fn why_not(row: &Row, fault: Fault) -> Option<&'static str> {
    match (row.step, row.scenario, fault) {
        (_, Scenario::Deleted, Fault::DeliverTwice) => Some("there is no entry any more"),
        ("take_over", _, Fault::FlushRedis) => Some("nobody had accepted the job: only Redis knew of it"),
        ("leave_group", _, Fault::LoseAnswer) => Some("the process ends either way"),
        ("dead_letter", _, Fault::FlushRedis) => Some("the letter was Redis's to keep"),
        _ => None,
    }
}

/// A world in which a day is to be synced, and somebody takes notes.
pub(crate) async fn world_for(
    scenario: Scenario,
    template: &Template,
    faults: &[Fault],
) -> (World, Network, Monitor) {
    let is_of_network = faults.iter().any(|fault| fault.is_of_network());
    let mut world = World::copy_of(template, &scenario.settings(is_of_network)).await;
    checks::watch(&world).await;
    let network = Network::around(&mut world, faults).await;
    let monitor = Monitor::start(network.redis_port(&world)).await;
    (world, network, monitor)
}

/// The market of all cells: filled, and a day on.
pub(crate) async fn template(shape: Shape) -> Template {
    let world = World::new().await;
    shape.make(&world).await;
    world.sync("first").await;
    world.delist(&background(40)).await;
    world.list(crate::world::stock("NEWT").cap("12.4B").listed_days_ago(3)).await;
    world.close_next_day(&[(&background(13), 1.1), (&background(12), 0.9)]).await;
    world.into_template()
}

/// What a job does where nothing goes wrong, and the points it passes.
pub(crate) async fn clean_run(scenario: Scenario, template: &Template) -> (Vec<String>, Vec<String>) {
    let (world, _network, _monitor) = world_for(scenario, template, &[]).await;
    scenario.prepare(&world).await;
    let points = Points::listen(scenario.way());
    let mut process = world.spawn_in(scenario.command(), vec![points.variable()]);
    points.reached().await;
    let another = if scenario.ends_by_itself() {
        process.end().await;
        Some(world.spawn_worker())
    } else {
        None
    };
    until("the end of the job", async || scenario.is_done(&world).await).await;
    drop(another);
    (checks::effects(&world).await, points.trace())
}

/// Plays one cell; panics where something is not as it must be. The time it took to recover.
pub(crate) async fn play(row: Row, fault: Fault, template: &Template, expected: &[String]) -> Duration {
    let scenario = row.scenario;
    let (world, network, monitor) = world_for(scenario, template, &[fault]).await;
    let listener = world.listen_at(network.redis_port(&world)).await;
    let reader = Reader::start(&world).await;
    scenario.prepare(&world).await;
    let (side, order) = fault.strikes();
    let points = Points::listen(row.route(side, order));
    let mut variables = if fault.is_of_network() { network.variables(&world) } else { Vec::new() };
    variables.push(points.variable());
    let process = world.spawn_in(scenario.command(), variables);
    points.reached().await;
    let struck = strike(&world, fault, scenario, process, &points, &network).await;
    let recovered = settled(&world, struck.at, fault, row).await;
    network.heal(&world);

    reader.assert_saw_all_or_nothing(&world).await;
    let seen = monitor.seen(&world).await;
    world.all_heard(&listener).await;
    checks::assert_same_effects(&checks::effects(&world).await, expected);
    if scenario == Scenario::Deleted {
        // Whoever was stopped there is done with it when it has done something else.
        let _worker = struck.process.or(struck.another);
        world.xadd(&[("job_id", "next"), ("triggered_by", "admin")]).await;
        assert_eq!(world.ended("next").await["status"], "completed");
        assert_eq!(world.dead_letters().await.len(), scenario.letters(), "dead letters");
        return recovered;
    }
    checks::assert_ended_once(&world, JOB, scenario.ending(), &seen).await;
    checks::assert_status_never_fell(&world, JOB, &seen);
    world.assert_history_is_consistent().await;
    assert_eq!(world.dead_letters().await.len(), scenario.letters(), "dead letters");
    assert_told_once(&world, fault, &listener, &seen).await;
    ask_again(&world, scenario, fault, struck, &points).await;
    checks::assert_same_effects(&checks::effects(&world).await, expected);
    checks::assert_ended_once(&world, JOB, scenario.ending(), &monitor.seen(&world).await).await;
    assert_eq!(world.status(JOB).await["status"], scenario.ending());
    recovered
}

/// Who is left after the fault, and when it struck.
struct Struck {
    at: Instant,
    process: Option<Process>,
    another: Option<Process>,
}

async fn strike(
    world: &World,
    fault: Fault,
    scenario: Scenario,
    process: Process,
    points: &Points,
    network: &Network,
) -> Struck {
    let needs_another = fault.needs_another() || scenario.ends_by_itself();
    let mut at = Instant::now();
    let mut left = None;
    let mut another = None;
    match fault {
        Fault::DieBefore | Fault::DieAfter => process.kill(),
        Fault::StallBefore | Fault::StallAfter => {
            process.signal("STOP");
            another = Some(world.spawn_worker());
            if scenario == Scenario::Submit {
                // Nobody can know what it was about to do.
                tokio::time::sleep(LONGER_THAN_A_LEASE).await;
                at = Instant::now();
            } else {
                until("the end of the job, by another worker", async || scenario.is_done(world).await).await;
            }
            let took = at.elapsed();
            assert!(took < RECOVERY_AT_MOST, "nobody went on within {took:?}");
            process.signal("CONT");
            points.open();
            left = Some(process);
        }
        Fault::DeliverTwice => {
            deliver_again(world, scenario).await;
            another = Some(world.spawn_worker());
            left = Some(process);
            if scenario != Scenario::Submit {
                until("another worker", async || world.consumers().await.len() > 1).await;
            }
            points.open();
        }
        Fault::FlushRedis => {
            let _: () = world.ask_redis(&redis::cmd("FLUSHALL")).await;
            points.open();
            left = Some(process);
        }
        Fault::CutPostgres => {
            world
                .sql(
                    "select pg_terminate_backend(pid) from pg_stat_activity
                     where datname = current_database() and pid <> pg_backend_pid()",
                )
                .await;
            points.open();
            left = Some(process);
        }
        Fault::LoseAnswer => left = Some(process),
        Fault::OwnerCutOff => {
            let before = world.consumers().await.len();
            another = Some(world.spawn_worker());
            until("another worker", async || world.consumers().await.len() > before).await;
            at = Instant::now();
            network.strike(world, fault).await;
            points.open();
            left = Some(process);
        }
        Fault::PostgresSilent | Fault::RedisSilent | Fault::RedisReplica | Fault::PostgresStandby => {
            let lasts = network.strike(world, fault).await;
            points.open();
            tokio::time::sleep(lasts).await;
            network.heal(world);
            at = Instant::now();
            left = Some(process);
        }
    }
    if scenario == Scenario::Submit {
        // Somebody who got no answer asks once more.
        if let Some(process) = &mut left {
            process.end().await;
        }
        world.spawn(scenario.command()).end().await;
    }
    if needs_another && another.is_none() {
        another = Some(world.spawn_worker());
    }
    if scenario == Scenario::Submit && fault.is_of_network() {
        // The job is somebody's to do from now on.
        at = Instant::now();
    }
    Struck { at, process: left, another }
}

/// The entry goes to another worker while this one has it; where it has none, the same request comes again.
pub(crate) async fn deliver_again(world: &World, scenario: Scenario) {
    let stream = world.names.job_stream();
    let mut claimed = Vec::new();
    for entry in world.entries().await {
        let mut claim = redis::cmd("XCLAIM");
        claim.arg(&stream).arg("cache-sync-workers").arg("handed-back").arg(0).arg(entry).arg("JUSTID");
        let answer: redis::RedisResult<Vec<String>> = claim.query_async(&mut world.connection()).await;
        claimed.extend(answer.unwrap_or_default());
    }
    if claimed.is_empty() {
        match scenario {
            Scenario::Submit => {
                world.xadd(&[("job_id", JOB), ("triggered_by", "cli")]).await;
            }
            _ => {
                world.xadd(&scenario.fields()).await;
            }
        }
    }
}

/// Waits until the job is done, told and acknowledged.
async fn settled(world: &World, since: Instant, fault: Fault, row: Row) -> Duration {
    until(&format!("the end of the job: {} {}", row.name(), fault.name()), async || {
        row.scenario.is_done(world).await
    })
    .await;
    let took = since.elapsed();
    assert!(took < RECOVERY_AT_MOST, "took {took:?} to recover");
    took
}

async fn assert_told_once(
    world: &World,
    fault: Fault,
    listener: &crate::world::Listener,
    seen: &[super::monitor::Command],
) {
    let told = checks::count_ends_told(world, JOB, seen);
    let heard: Vec<String> = listener
        .heard_of(JOB)
        .iter()
        .filter(|heard| heard.channel == "tickstock:cache:completed")
        .map(|heard| heard.message["payload"]["seq"].to_string())
        .collect();
    if fault == Fault::FlushRedis {
        // What was told before Redis lost it is told again only when somebody asks, with the same number.
        assert!((1..=2).contains(&told), "told {told} times");
        assert!(heard.iter().all(|seq| *seq == heard[0]), "heard {heard:?}");
    } else {
        assert_eq!(told, 1, "ends in the event stream");
        assert_eq!(heard.len(), 1, "heard {heard:?}");
        let ends = world.event_names(JOB).await;
        assert_eq!(ends.iter().filter(|name| *name == "cache_sync_completed").count(), 1, "{ends:?}");
    }
}

/// The same request once more changes nothing, and whoever missed the end finds it: also where Redis had lost it. What
/// is left of the process at the points does it, so it is well.
async fn ask_again(world: &World, scenario: Scenario, fault: Fault, struck: Struck, points: &Points) {
    let Struck { process, another, .. } = struck;
    points.open();
    let worker = match (process, another) {
        (Some(process), another) if !scenario.ends_by_itself() => {
            drop(another);
            process
        }
        (_, Some(another)) => another,
        (Some(_) | None, None) => world.spawn_worker(),
    };
    world.xadd(&scenario.fields()).await;
    until("an answer to the same request", async || {
        world.entries().await.is_empty() && world.pending().await == 0
    })
    .await;
    if fault != Fault::FlushRedis || scenario == Scenario::Unreadable {
        return;
    }
    until("the end to be told again", async || {
        world.event_names(JOB).await.iter().filter(|name| *name == "cache_sync_completed").count() == 1
    })
    .await;
    drop(worker);
}
