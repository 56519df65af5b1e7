//! Pairs: two faults in one job, any two cells of one way of a job, in any order.
//!
//! The first strikes as in the matrix. The second strikes whichever process comes to its step first: the same one, or
//! whoever went on. Where nobody comes to it any more, the pair is the first fault alone, and is counted as such.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::cell::{
    FAULTS, Fault, LONGER_THAN_A_LEASE, clean_run, deliver_again, template, why_not, world_for,
};
use super::checks;
use super::network::Network;
use super::scenario::{JOB, ROWS, Row, Scenario};
use super::shape::Shape;
use super::socket::Points;
use crate::world::{Process, Template, World};

/// Pairs played at the same time. They mostly wait.
const AT_ONCE: usize = 6;
/// The longest time from the last fault, or from its end, to a job that is done, told and acknowledged.
const RECOVERY_AT_MOST: Duration = Duration::from_secs(90);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) pairs: usize,
    pub(crate) seed: u64,
    /// Ends earlier, with the pairs that it came to.
    pub(crate) seconds: u64,
}

impl Plan {
    /// Reads `--pairs N --seed S --seconds T`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut plan = Self { pairs: 0, seed: 1, seconds: u64::MAX };
        for pair in words.chunks(2) {
            let [name, number] = pair else { return Err(format!("{} wants a number", pair[0])) };
            let number: u64 = number.parse().map_err(|_| format!("{number} is no number"))?;
            match *name {
                "--pairs" => plan.pairs = usize::try_from(number).map_err(|error| error.to_string())?,
                "--seed" => plan.seed = number,
                "--seconds" => plan.seconds = number,
                other => return Err(format!("there is no option {other}")),
            }
        }
        Ok(plan)
    }

    /// A few, for every day.
    pub(crate) fn sample() -> Self {
        Self { pairs: 8, seed: 1, seconds: u64::MAX }
    }
}

type Strike = (Row, Fault);

/// What a pair came to.
enum Played {
    Both,
    FirstAlone,
    Violated,
}

/// Plays pairs; whether all is as it must be.
pub(crate) async fn run(plan: Plan) -> bool {
    let began = Instant::now();
    let template = template(Shape::Universe).await;
    let pairs = choose(plan);
    let scenarios: BTreeSet<Scenario> = pairs.iter().map(|(first, _)| first.0.scenario).collect();
    let mut expected = BTreeMap::new();
    for scenario in scenarios {
        expected.insert(scenario, clean_run(scenario, &template).await.0);
    }
    let pairs = Mutex::new(pairs);
    let deadline = began + Duration::from_secs(plan.seconds.min(1_000_000));
    let played: Vec<Played> = std::thread::scope(|scope| {
        let players: Vec<_> =
            (0..AT_ONCE).map(|_| scope.spawn(|| play_all(&pairs, &template, &expected, deadline))).collect();
        players.into_iter().flat_map(|player| player.join().unwrap()).collect()
    });
    let count = |is: fn(&Played) -> bool| played.iter().filter(|played| is(played)).count();
    let violations = count(|played| matches!(played, Played::Violated));
    println!(
        "{} pairs of faults played (seed {}), in {} of them both struck, {violations} violations, in {} s",
        played.len(),
        plan.seed,
        count(|played| matches!(played, Played::Both)),
        began.elapsed().as_secs()
    );
    violations == 0
}

/// Random pairs of possible cells, each pair of one way of a job.
fn choose(plan: Plan) -> VecDeque<(Strike, Strike)> {
    let mut random = fastrand::Rng::with_seed(plan.seed);
    let mut pairs = VecDeque::new();
    while pairs.len() < plan.pairs {
        let mut any = || (ROWS[random.usize(..ROWS.len())], FAULTS[random.usize(..FAULTS.len())]);
        let (first, second) = (any(), any());
        let is_possible = first.0.scenario == second.0.scenario
            && [first, second].iter().all(|(row, fault)| why_not(row, *fault).is_none())
            && !is_lost_rightly(first, second);
        if is_possible {
            pairs.push_back((first, second));
        }
    }
    pairs
}

/// Where only Redis knows of what is to be done, and may be flushed.
fn is_lost_rightly(first: Strike, second: Strike) -> bool {
    let is_redis_alone =
        matches!(first.0.scenario, Scenario::Orphan | Scenario::Unreadable | Scenario::Deleted);
    is_redis_alone && [first.1, second.1].contains(&Fault::FlushRedis)
}

fn play_all(
    pairs: &Mutex<VecDeque<(Strike, Strike)>>,
    template: &Template,
    expected: &BTreeMap<Scenario, Vec<String>>,
    deadline: Instant,
) -> Vec<Played> {
    let mut played = Vec::new();
    loop {
        let Some((first, second)) = pairs.lock().unwrap().pop_front() else { return played };
        if Instant::now() >= deadline {
            return played;
        }
        let name =
            format!("{} {}, then {} {}", first.0.name(), first.1.name(), second.0.name(), second.1.name());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let expected = &expected[&first.0.scenario];
        let began = Instant::now();
        let outcome =
            catch_unwind(AssertUnwindSafe(|| runtime.block_on(play(first, second, template, expected))));
        eprintln!("{} s: {name}", began.elapsed().as_secs());
        played.push(outcome.unwrap_or_else(|_| {
            eprintln!("VIOLATED {name}");
            Played::Violated
        }));
    }
}

/// The processes of a pair, and those that are to be woken.
struct Stage {
    world: World,
    network: Arc<Network>,
    points: Points,
    scenario: Scenario,
    processes: Vec<Process>,
    /// Stopped ones, and when they wake.
    asleep: Vec<(u32, Instant)>,
    /// When the network is back.
    back_at: Option<Instant>,
    has_failed_over: bool,
    has_flushed: bool,
}

async fn play(first: Strike, second: Strike, template: &Template, expected: &[String]) -> Played {
    let scenario = first.0.scenario;
    let faults = [first.1, second.1];
    let (world, network, monitor) = world_for(scenario, template, &faults).await;
    let listener = world.listen_at(network.redis_port(&world)).await;
    scenario.prepare(&world).await;
    let (side, order) = first.1.strikes();
    let points = Points::listen(first.0.route(side, order));
    let mut stage = Stage {
        world,
        network: Arc::new(network),
        points,
        scenario,
        processes: Vec::new(),
        asleep: Vec::new(),
        back_at: None,
        has_failed_over: false,
        has_flushed: false,
    };
    stage.start(scenario.command());
    stage.points.reached().await;
    let (side, order) = second.1.strikes();
    stage.points.extend(vec![(format!("{}.{side}", second.0.step), order)]);
    stage.strike(first.1).await;
    if scenario.ends_by_itself() {
        stage.start(&["worker"]);
    }
    let has_struck_twice = stage.goes_on(second.1).await;

    let Stage { world, processes, scenario, has_flushed, points, .. } = stage;
    let seen = monitor.seen(&world).await;
    checks::assert_same_effects(&checks::effects(&world).await, expected);
    assert_eq!(world.dead_letters().await.len(), scenario.letters(), "dead letters");
    if scenario != Scenario::Deleted {
        checks::assert_ended_once(&world, JOB, scenario.ending(), &seen).await;
        checks::assert_status_never_fell(&world, JOB, &seen);
        world.assert_history_is_consistent().await;
        let told = checks::count_ends_told(&world, JOB, &seen);
        world.all_heard(&listener).await;
        if has_flushed {
            assert!((1..=3).contains(&told), "told {told} times");
        } else {
            assert_eq!(told, 1, "ends in the event stream");
        }
    }
    drop((processes, points));
    if has_struck_twice { Played::Both } else { Played::FirstAlone }
}

impl Stage {
    /// Starts a process that passes the points, over the network that is struck.
    fn start(&mut self, command: &[&str]) {
        let mut variables = self.network.variables(&self.world);
        variables.push(self.points.variable());
        self.processes.push(self.world.spawn_in(command, variables));
    }

    /// Starts a worker whose network is never struck, and who passes the points.
    fn start_apart(&mut self) {
        self.processes.push(self.world.spawn_in(&["worker"], vec![self.points.variable()]));
    }

    /// Strikes the process at the points, and lets it go on.
    async fn strike(&mut self, fault: Fault) {
        let held = self.points.holds();
        let place = self.processes.iter().position(|process| Some(process.id()) == held);
        match fault {
            Fault::DieBefore | Fault::DieAfter => {
                if let Some(place) = place {
                    self.processes.swap_remove(place).kill();
                }
                self.points.open();
                self.start(&["worker"]);
            }
            Fault::StallBefore | Fault::StallAfter => {
                if let Some(place) = place {
                    self.processes[place].signal("STOP");
                    let wakes = Instant::now() + LONGER_THAN_A_LEASE;
                    self.asleep.push((self.processes[place].id(), wakes));
                }
                self.points.open();
                self.start(&["worker"]);
            }
            Fault::DeliverTwice => {
                deliver_again(&self.world, self.scenario).await;
                self.start(&["worker"]);
                self.points.open();
            }
            Fault::FlushRedis => {
                let _: () = self.world.ask_redis(&redis::cmd("FLUSHALL")).await;
                self.has_flushed = true;
                self.points.open();
            }
            Fault::CutPostgres => {
                self.world
                    .sql(
                        "select pg_terminate_backend(pid) from pg_stat_activity
                         where datname = current_database() and pid <> pg_backend_pid()",
                    )
                    .await;
                self.points.open();
            }
            Fault::LoseAnswer => self.points.open(),
            Fault::RedisReplica if self.has_failed_over => self.points.open(),
            Fault::OwnerCutOff => {
                self.start_apart();
                self.network.strike(&self.world, fault).await;
                self.points.open();
            }
            Fault::PostgresSilent | Fault::RedisSilent | Fault::RedisReplica | Fault::PostgresStandby => {
                self.has_failed_over |= fault == Fault::RedisReplica;
                let lasts = self.network.strike(&self.world, fault).await;
                self.back_at = Some(Instant::now() + lasts);
                self.points.open();
            }
        }
    }

    /// Waits for the end of the job, and strikes once more where somebody comes to the second step; whether that was so.
    async fn goes_on(&mut self, second: Fault) -> bool {
        let mut has_struck = false;
        let mut since = Instant::now();
        loop {
            if !has_struck && self.points.is_at_end() {
                has_struck = true;
                self.strike(second).await;
                since = Instant::now();
            }
            self.wake_and_heal();
            self.see_that_somebody_goes_on().await;
            if self.asleep.is_empty() && self.back_at.is_none() && self.scenario.is_done(&self.world).await {
                // Nobody may stand at a point that was passed meanwhile.
                self.points.open();
                return has_struck;
            }
            let took = since.elapsed();
            assert!(took < RECOVERY_AT_MOST, "took {took:?} to recover");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn wake_and_heal(&mut self) {
        let now = Instant::now();
        let processes = &self.processes;
        self.asleep.retain(|(pid, wakes)| {
            if *wakes > now {
                return true;
            }
            if let Some(process) = processes.iter().find(|process| process.id() == *pid) {
                process.signal("CONT");
            }
            false
        });
        if self.back_at.is_some_and(|at| at <= now) {
            self.back_at = None;
            self.network.heal(&self.world);
        }
    }

    /// A process that ended is followed by another; and who got no answer, or had it taken away again, asks once more.
    async fn see_that_somebody_goes_on(&mut self) {
        self.processes.retain_mut(|process| !process.has_ended());
        if self.processes.is_empty() {
            self.start(&["worker"]);
        }
        let is_unknown = async |world: &World| world.find_job(JOB).await.is_none();
        let asks = self.scenario == Scenario::Submit || self.has_flushed;
        if asks && is_unknown(&self.world).await && self.world.entries().await.is_empty() {
            // Not at once: the first request may still be on its way.
            tokio::time::sleep(Duration::from_millis(500)).await;
            if is_unknown(&self.world).await && self.world.entries().await.is_empty() {
                self.ask_again().await;
            }
        }
    }

    async fn ask_again(&self) {
        if self.scenario == Scenario::Submit {
            let mut submit = self.world.spawn(self.scenario.command());
            submit.end().await;
        } else {
            self.world.xadd(&self.scenario.fields()).await;
        }
    }
}
