//! The soak: workers die, stop and lose their servers at random moments, while jobs come in and the market goes on.
//!
//! One loop does everything, one thing at a time, by a seeded generator: the same seed gives the same order of jobs, days
//! and faults, if not the same moments. In the end every job must have ended once, with its effect once, told once, and
//! nothing may be left over.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use super::checks;
use crate::world::{
    Direction, Process, Proxy, ProxyFlow as Flow, Which, World, background, restart_postgres, stock, until,
};

/// Jobs that wait at a time, at most; beyond that the workers are left alone for a moment.
const BACKLOG: usize = 20;
/// The longest wait for the last jobs, once nothing dies any more.
const LAST_JOBS: Duration = Duration::from_secs(120);
/// Restarts of each server, spread over the time.
const RESTARTS: usize = 4;

/// What is asked of a soak.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How long; the kills may take longer.
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    /// SIGKILLs; without a number as many as fit into the time, and one worker is spared.
    pub(crate) kills: Option<usize>,
    /// Jobs at most.
    pub(crate) jobs: usize,
    pub(crate) workers: usize,
    /// Silences of the network, spread over the time.
    pub(crate) silences: usize,
}

impl Plan {
    /// A few seconds, for every day.
    pub(crate) fn short() -> Self {
        Self { time: Duration::from_secs(12), seed: 1, kills: None, jobs: 100_000, workers: 4, silences: 1 }
    }

    /// Reads `--seconds N --seed S --kills N --jobs N --workers N`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut plan = Self {
            time: Duration::from_secs(60),
            seed: 1,
            kills: None,
            jobs: 100_000,
            workers: 4,
            silences: 0,
        };
        for pair in words.chunks(2) {
            let [name, number] = pair else { return Err(format!("{} wants a number", pair[0])) };
            let number: u64 = number.parse().map_err(|_| format!("{number} is no number"))?;
            match *name {
                "--seconds" => plan.time = Duration::from_secs(number),
                "--seed" => plan.seed = number,
                "--kills" => plan.kills = Some(number as usize),
                "--jobs" => plan.jobs = number as usize,
                "--workers" => plan.workers = number as usize,
                "--silences" => plan.silences = number as usize,
                other => return Err(format!("there is no option {other}")),
            }
        }
        Ok(plan)
    }
}

/// What happened.
#[derive(Debug, Default)]
struct Tally {
    jobs: usize,
    days: usize,
    kills: usize,
    stops: usize,
    redis_restarts: usize,
    postgres_restarts: usize,
    silences: usize,
    /// Times from the network's return to the next job that ended.
    standstills: Vec<Duration>,
    held: Vec<Held>,
    memory_kb: Vec<u64>,
}

/// A job that a worker held when it was killed.
#[derive(Debug)]
struct Held {
    job: String,
    lease_number: i64,
    at: f64,
}

struct Soak {
    plan: Plan,
    world: World,
    random: fastrand::Rng,
    workers: Vec<Process>,
    postgres: Proxy,
    redis: Proxy,
    /// Stopped ones, and when they wake.
    asleep: HashMap<usize, Instant>,
    tally: Tally,
    listed: usize,
}

/// Runs it, and prints what happened; panics where something is not as it must be.
pub(crate) async fn run(plan: Plan) {
    let settings = [
        ("worker.lease_seconds", "1"),
        ("worker.heartbeat_seconds", "0.3"),
        ("worker.max_attempts", "100"),
        ("guards.min_active_stocks", "1"),
    ];
    let world = World::filled_with(&settings).await;
    checks::watch(&world).await;
    let (postgres, redis) = (Proxy::before_postgres().await, Proxy::before_redis(&world).await);
    let spawn = |_| world.spawn_worker_behind(Some(&postgres), Some(&redis));
    let workers = (0..plan.workers).map(spawn).collect();
    let random = fastrand::Rng::with_seed(plan.seed);
    let mut soak = Soak {
        plan,
        world,
        random,
        workers,
        postgres,
        redis,
        asleep: HashMap::new(),
        tally: Tally::default(),
        listed: 0,
    };
    println!("soak: {plan:?}");
    let began = Instant::now();
    soak.storm().await;
    println!("soak: {} s of faults, now the rest of the jobs", began.elapsed().as_secs());
    soak.calm().await;
    soak.check().await;
    let took = began.elapsed();
    soak.report(took, &soak.takeovers().await);
}

impl Soak {
    async fn storm(&mut self) {
        let began = Instant::now();
        while !self.is_over(began) {
            self.wake_those_whose_time_has_come();
            self.ask_for_jobs(began).await;
            self.do_something(began).await;
            let pause = Duration::from_millis(self.random.u64(5..120));
            tokio::time::sleep(pause).await;
        }
    }

    fn is_over(&self, began: Instant) -> bool {
        match self.plan.kills {
            Some(kills) => self.tally.kills >= kills && self.tally.jobs >= self.plan.jobs.min(kills * 10),
            None => began.elapsed() >= self.plan.time,
        }
    }

    /// How much of it is done, from 0 to 1.
    fn share(&self, began: Instant) -> f64 {
        match self.plan.kills {
            Some(kills) => self.tally.kills as f64 / kills as f64,
            None => began.elapsed().as_secs_f64() / self.plan.time.as_secs_f64(),
        }
    }

    async fn ask_for_jobs(&mut self, began: Instant) {
        let open = "select count(*) from cache_sync_jobs where end_time is null";
        let waiting = self.world.entries().await.len().max(self.world.count(open).await as usize);
        let due = match self.plan.kills {
            // Spread evenly over the kills.
            Some(_) => (self.plan.jobs as f64 * (self.share(began) + 0.01)).ceil() as usize,
            None => self.plan.jobs,
        };
        let room = BACKLOG.saturating_sub(waiting).min(2);
        let wanted = due.min(self.plan.jobs).saturating_sub(self.tally.jobs).min(room);
        for _ in 0..wanted {
            self.ask_for_a_job().await;
        }
        if waiting >= BACKLOG {
            // They get a chance: dying faster than jobs are done proves no more.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    async fn ask_for_a_job(&mut self) {
        self.tally.jobs += 1;
        let id = format!("job-{:05}", self.tally.jobs);
        let modes = ["full", "full", "full", "market_cap", "ipos", "delisted", "themes", "etfs"];
        let mode = modes[self.random.usize(..modes.len())];
        let fields =
            [("job_id", id.as_str()), ("mode", mode), ("accept_churn", "1"), ("triggered_by", "admin")];
        self.world.xadd(&fields).await;
        if self.random.u8(..) < 25 {
            // A producer that is not sure.
            self.world.xadd(&fields).await;
        }
        if self.random.u8(..) < 60 {
            self.next_day().await;
        }
    }

    async fn next_day(&mut self) {
        self.tally.days += 1;
        let moved = self.random.usize(5..120);
        let factor = if self.random.bool() { 1.13 } else { 0.88 };
        if self.random.bool() {
            self.listed += 1;
            let symbol = format!("NEW{:04}", self.listed);
            self.world.list(stock(&symbol).cap("6B").listed_days_ago(2)).await;
        }
        if self.listed > 3 && self.random.u8(..) < 80 {
            let symbol = format!("NEW{:04}", self.random.usize(1..=self.listed));
            self.world.delist(&symbol).await;
        }
        self.world.close_next_day(&[(&background(moved), factor)]).await;
    }

    async fn do_something(&mut self, began: Instant) {
        let share = self.share(began);
        let due = (share * (RESTARTS as f64 + 1.0)) as usize;
        if self.plan.time.as_secs() >= 30 && due > self.tally.redis_restarts && due <= RESTARTS {
            self.tally.redis_restarts += 1;
            self.world.redis.kill_hard().unwrap();
            tokio::time::sleep(Duration::from_millis(self.random.u64(0..1_500))).await;
            self.world.redis.restart().unwrap();
        } else if self.plan.time.as_secs() >= 30 && due > self.tally.postgres_restarts && due <= RESTARTS {
            self.tally.postgres_restarts += 1;
            let pause = Duration::from_millis(self.random.u64(0..1_500));
            restart_postgres(pause).await;
        } else if self.tally.silences < (share * (self.plan.silences as f64 + 1.0)) as usize
            && self.tally.silences < self.plan.silences
        {
            self.be_silent().await;
        } else if self.random.u8(..) < 40 {
            self.stop_one();
        } else {
            self.kill_one().await;
        }
        if self.plan.kills.is_none() {
            self.tally.memory_kb.extend(memory_kb(self.workers[0].id()));
        }
    }

    /// Kills a worker and starts another. Without a number of kills the first is spared, to see what it needs over time.
    async fn kill_one(&mut self) {
        let spared = usize::from(self.plan.kills.is_none());
        let is_quiet = self.plan.kills.is_none() && self.random.bool();
        if is_quiet || self.plan.kills.is_some_and(|kills| self.tally.kills >= kills) {
            return;
        }
        let number = self.random.usize(spared..self.workers.len());
        let new = self.world.spawn_worker_behind(Some(&self.postgres), Some(&self.redis));
        let old = std::mem::replace(&mut self.workers[number], new);
        self.asleep.remove(&number);
        let pid = old.id();
        let at = chrono::Utc::now().timestamp_micros() as f64 / 1e6;
        old.kill();
        self.tally.kills += 1;
        let held = format!(
            "select o.job_id, o.lease_number from cache_sync_owners o
             join cache_sync_jobs j on j.job_id = o.job_id and j.lease_number = o.lease_number
             where o.worker like '%-{pid}-%' and j.end_time is null"
        );
        for line in self.world.ask(&held).await {
            let (job, lease_number) = line.split_once(' ').unwrap();
            let lease_number = lease_number.parse().unwrap();
            self.tally.held.push(Held { job: job.to_owned(), lease_number, at });
        }
    }

    /// The network to one server swallows, holds, delays, or forgets what is open, both ways or one; then it is back, and
    /// measured how long until a job has ended.
    async fn be_silent(&mut self) {
        self.tally.silences += 1;
        let proxy = if self.random.bool() { &self.postgres } else { &self.redis };
        let direction = [Direction::Both, Direction::ToServer, Direction::ToClient][self.random.usize(..3)];
        let flow = [Flow::Swallow, Flow::Swallow, Flow::Hold, Flow::Delay(Duration::from_millis(300))];
        let flow = flow[self.random.usize(..4)];
        let which = if self.random.u8(..) < 64 { Which::Old } else { Which::All };
        proxy.treat(flow, direction, which);
        tokio::time::sleep(Duration::from_millis(self.random.u64(500..6_000))).await;
        match flow {
            // What was swallowed is lost, and the connections with it.
            Flow::Swallow => proxy.heal(),
            Flow::Pass | Flow::Hold | Flow::Delay(_) => proxy.resume(),
        }
        // Nobody else stands in the way of what is measured.
        for number in std::mem::take(&mut self.asleep).into_keys() {
            self.workers[number].signal("CONT");
        }
        let back = Instant::now();
        let since = chrono::Utc::now().timestamp_micros() as f64 / 1e6;
        let id = format!("job-{:05}", self.tally.jobs + 1);
        self.tally.jobs += 1;
        self.world.xadd(&[("job_id", id.as_str()), ("accept_churn", "1"), ("triggered_by", "admin")]).await;
        let ended = format!("select count(*) from cache_sync_jobs where end_time > to_timestamp({since})");
        until("a job that ends after a silence", async || self.world.count(&ended).await > 0).await;
        self.tally.standstills.push(back.elapsed());
    }

    fn stop_one(&mut self) {
        let number = self.random.usize(..self.workers.len());
        let wakes = Instant::now() + Duration::from_millis(self.random.u64(50..3_000));
        if let Entry::Vacant(awake) = self.asleep.entry(number) {
            self.workers[number].signal("STOP");
            awake.insert(wakes);
            self.tally.stops += 1;
        }
    }

    fn wake_those_whose_time_has_come(&mut self) {
        let now = Instant::now();
        let due: Vec<usize> =
            self.asleep.iter().filter(|(_, wakes)| **wakes <= now).map(|(number, _)| *number).collect();
        for number in due {
            self.asleep.remove(&number);
            self.workers[number].signal("CONT");
        }
    }

    /// Nothing dies any more; what is left is done.
    async fn calm(&mut self) {
        for number in std::mem::take(&mut self.asleep).into_keys() {
            self.workers[number].signal("CONT");
        }
        let deadline = Instant::now() + LAST_JOBS;
        loop {
            let open = "select count(*) from cache_sync_jobs where end_time is null";
            let unsent = "select count(*) from cache_sync_outbox where sent_at is null";
            let left = [
                self.world.count(open).await as usize,
                self.world.count(unsent).await as usize,
                self.world.entries().await.len(),
                self.world.pending().await,
            ];
            if left == [0; 4] {
                return;
            }
            assert!(Instant::now() < deadline, "open, unsent, entries, pending: {left:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn check(&mut self) {
        let world = &self.world;
        let ids: Vec<String> = (1..=self.tally.jobs).map(|number| format!("job-{number:05}")).collect();
        checks::assert_each_done_once(world, &ids).await;
        checks::assert_each_told_once(world, &ids).await;
        assert!(world.dead_letters().await.is_empty(), "dead letters");
        world.assert_history_is_consistent().await;
        self.check_that_the_plan_is_carried_out().await;
        self.check_that_nothing_is_left_over().await;
    }

    /// After one more full sync there is nothing to change.
    async fn check_that_the_plan_is_carried_out(&self) {
        for id in ["last", "after-last"] {
            self.world.xadd(&[("job_id", id), ("accept_churn", "1"), ("triggered_by", "admin")]).await;
            assert_eq!(self.world.ended(id).await["status"], "completed", "{id}");
        }
        assert_eq!(self.world.status("after-last").await["total_changes"], "0");
        self.world.assert_history_is_consistent().await;
    }

    async fn check_that_nothing_is_left_over(&self) {
        let world = &self.world;
        until("no consumers but those of living workers", async || {
            world.consumers().await.iter().filter(|name| *name != "handed-back").count() == self.workers.len()
        })
        .await;
        let connections = "select count(*) from pg_stat_activity
                           where datname = current_database() and application_name = 'cache-sync'";
        // Each worker's pool, its heartbeat and its sync; and those of this test.
        let at_most = (self.workers.len() as i64 + 1) * 6;
        // The server may take a moment to notice the end of one that was killed.
        until(&format!("no more than {at_most} connections"), async || {
            world.count(connections).await <= at_most
        })
        .await;
        let keys: Vec<String> = world.ask_redis(redis::cmd("KEYS").arg("*")).await;
        let jobs = self.tally.jobs + 3;
        // Status, events, and monitor text by both of its keys, of each job; the stream, and the list of recent jobs.
        assert!(keys.len() <= jobs * 4 + 2, "{} keys for {jobs} jobs", keys.len());
        for key in keys.iter().filter(|key| key.contains(":job-")) {
            let ttl: i64 = world.ask_redis(redis::cmd("TTL").arg(key)).await;
            assert!(ttl > 0, "{key} stays for ever");
        }
        // Given up after the commit that ends a job; another worker's relay may have told that end before.
        until("no owners of jobs that have ended", async || {
            world.count("select count(*) from cache_sync_owners where expires_at > clock_timestamp()").await
                == 0
        })
        .await;
        if let Some((early, late)) = self.memory() {
            assert!(late < early * 3 / 2 + 8_000, "memory grew from {early} to {late} kB");
        }
    }

    /// What the worker that was spared needed after a quarter of the time and in the end, in kB.
    fn memory(&self) -> Option<(u64, u64)> {
        let samples = &self.tally.memory_kb;
        let middle = |part: &[u64]| {
            let mut part = part.to_vec();
            part.sort_unstable();
            part.get(part.len() / 2).copied()
        };
        let quarter = samples.len() / 4;
        (samples.len() >= 40).then(|| {
            (middle(&samples[quarter..2 * quarter]).unwrap(), middle(&samples[3 * quarter..]).unwrap())
        })
    }

    async fn takeovers(&self) -> Vec<f64> {
        let mut times = Vec::new();
        for Held { job, lease_number, at } in &self.tally.held {
            let after = self
                .world
                .ask(&format!(
                    "select extract(epoch from min(pg_xact_commit_timestamp(xmin))) from audit
                     where job_id = '{job}' and (lease_number > {lease_number}
                           or status in ('completed', 'failed', 'cancelled', 'retrying'))
                       and extract(epoch from pg_xact_commit_timestamp(xmin)) > {at}"
                ))
                .await;
            times.extend(after[0].parse::<f64>().ok().map(|then| then - at));
        }
        times.sort_by(f64::total_cmp);
        times
    }

    fn report(&self, took: Duration, takeovers: &[f64]) {
        let Tally { jobs, days, kills, stops, redis_restarts, postgres_restarts, silences, held, .. } =
            &self.tally;
        println!(
            "{jobs} jobs over {days} days in {} s: {kills} SIGKILLs ({} of a worker with a job), {stops} SIGSTOPs, \
             {redis_restarts} restarts of Redis, {postgres_restarts} of Postgres, {silences} silences",
            took.as_secs(),
            held.len()
        );
        let at = |share: f64| {
            takeovers.get(((takeovers.len() as f64 * share) as usize).min(takeovers.len().saturating_sub(1)))
        };
        if let (Some(p50), Some(p99), Some(max)) = (at(0.5), at(0.99), takeovers.last()) {
            println!(
                "taken over after p50 {p50:.2} s, p99 {p99:.2} s, max {max:.2} s ({} times)",
                takeovers.len()
            );
        }
        if let Some(longest) = self.tally.standstills.iter().max() {
            println!("longest standstill after the network's return {:.1} s", longest.as_secs_f64());
        }
        println!("0 lost, 0 doubled, 0 missing or doubled endings; nothing left over");
        if let Some((early, late)) = self.memory() {
            println!("memory of the worker that was spared: {early} kB early, {late} kB in the end");
        }
    }
}

/// Resident memory of a process.
fn memory_kb(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
