//! Outages: the servers go away under load, one way after the other, and what it costs is measured and shown.
//!
//! Two workers, the program itself with its default lease, and somebody who asks for jobs all the time. While a server is
//! away the workers may use little of a processor and say little; when it is back they must be at work again within
//! seconds, and in the end every accepted job must have been done once.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cache_sync::wire::event::Source;
use chrono::Utc;
use tokio::task::JoinHandle;

use super::checks;
use crate::world::{Process, World, background, postgres_folder, request, restart_postgres, until};

/// The most that one worker may use of a processor while a server is away, in percent.
const CPU_AT_MOST: f64 = 5.0;
/// Lines that one worker may log a second while a server is away.
const LINES_AT_MOST: f64 = 1.0;
/// The longest time until the first job has ended after a server is back.
const BACK_AT_WORK_WITHIN: Duration = Duration::from_secs(5);
/// Pause between two requests.
const ASK_EVERY: Duration = Duration::from_millis(400);
/// The longest wait for the last jobs.
const LAST_JOBS: Duration = Duration::from_secs(120);

/// What goes away, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    RedisStopped,
    RedisFlushed,
    RedisFull,
    RedisPaused,
    PostgresRestarted,
    PostgresStopped,
    ConnectionsEnded,
    TableLocked,
    DiskFull,
    WorkerStopped,
}

const OUTAGES: [Outage; 10] = [
    Outage::RedisStopped,
    Outage::RedisFlushed,
    Outage::RedisFull,
    Outage::RedisPaused,
    Outage::PostgresRestarted,
    Outage::PostgresStopped,
    Outage::ConnectionsEnded,
    Outage::TableLocked,
    Outage::DiskFull,
    Outage::WorkerStopped,
];

impl Outage {
    fn name(self) -> &'static str {
        match self {
            Self::RedisStopped => "Redis stopped",
            Self::RedisFlushed => "Redis flushed (FLUSHALL)",
            Self::RedisFull => "Redis out of memory (noeviction)",
            Self::RedisPaused => "Redis paused (CLIENT PAUSE)",
            Self::PostgresRestarted => "Postgres restarted in mid-job",
            Self::PostgresStopped => "Postgres stopped",
            Self::ConnectionsEnded => "Postgres connections ended, again and again",
            Self::TableLocked => "a lock on our tables in other hands",
            Self::DiskFull => "Postgres's disk full",
            Self::WorkerStopped => "a worker stopped in mid-transaction (SIGSTOP), then woken",
        }
    }

    fn lasts(self) -> Duration {
        Duration::from_secs(match self {
            Self::RedisStopped => 60,
            Self::RedisFlushed | Self::PostgresRestarted => 0,
            Self::WorkerStopped => 40,
            Self::PostgresStopped => 20,
            Self::RedisFull
            | Self::RedisPaused
            | Self::ConnectionsEnded
            | Self::TableLocked
            | Self::DiskFull => 10,
        })
    }
}

/// What was measured of one outage.
struct Measured {
    outage: Outage,
    lasted: Duration,
    cpu: f64,
    lines: f64,
    back: Duration,
    jobs: usize,
    remarks: Vec<String>,
    problems: Vec<String>,
}

/// Plays those whose names contain all words; whether all is as it must be.
pub(crate) async fn run(words: &[&str]) -> bool {
    let chosen = OUTAGES.into_iter().filter(|outage| words.iter().all(|word| outage.name().contains(word)));
    let mut all = Vec::new();
    for outage in chosen {
        eprintln!("{} ...", outage.name());
        match play(outage).await {
            Ok(measured) => all.push(measured),
            Err(why) => println!("{} was not played: {why}\n", outage.name()),
        }
    }
    report(&all);
    all.iter().all(|measured| measured.problems.is_empty())
}

fn report(all: &[Measured]) {
    println!(
        "| what | for | CPU of a worker | log lines a second | at work again after | jobs, each done once |"
    );
    println!("|---|---|---|---|---|---|");
    for Measured { outage, lasted, cpu, lines, back, jobs, .. } in all {
        println!(
            "| {} | {:.0} s | {cpu:.1} % | {lines:.2} | {:.1} s | {jobs} |",
            outage.name(),
            lasted.as_secs_f64(),
            back.as_secs_f64()
        );
    }
    for Measured { outage, remarks, problems, .. } in all {
        println!("\n{}:", outage.name());
        for remark in remarks {
            println!("  {remark}");
        }
        for problem in problems {
            println!("  VIOLATED {problem}");
        }
    }
    let problems: usize = all.iter().map(|measured| measured.problems.len()).sum();
    println!("\n{} outages, {problems} violations", all.len());
}

async fn play(outage: Outage) -> Result<Measured, String> {
    let world = Arc::new(World::filled().await);
    checks::watch(&world).await;
    let disk = match outage {
        Outage::DiskFull => Some(SmallDisk::mount(&world).await?),
        _ => None,
    };
    let mut workers = vec![world.spawn_worker(), world.spawn_worker()];
    let producer = Producer::start(Arc::clone(&world));
    until("jobs that are done", async || done_since(&world, 0.0).await > 3).await;

    let struck = strike(outage, &world, &workers, disk.as_ref()).await;
    let back = Instant::now();
    let since = Utc::now().timestamp_micros() as f64 / 1e6;
    until("the next job that is done", async || done_since(&world, since).await > 0).await;
    let back = back.elapsed();
    let ids = producer.stop().await;
    drain(&world).await;
    checks::assert_each_done_once(&world, &ids).await;
    // What had been told before a flush is gone with it, and told again only to who asks again.
    let kept = match outage {
        Outage::RedisFlushed => ids_ended_since(&world, since).await,
        _ => ids.clone(),
    };
    checks::assert_each_told_once(&world, &kept).await;
    world.assert_history_is_consistent().await;

    let mut remarks = remarks(&world, &workers, struck.from_line).await;
    if let Some(disk) = disk {
        disk.unmount(&world).await;
    }
    let mut problems = Vec::new();
    for (worker, number) in workers.iter_mut().zip(1..) {
        if worker.has_ended() {
            problems.push(format!("worker {number} has ended"));
        }
    }
    // Where jobs can be done meanwhile they are, and said to be.
    let is_quiet = !matches!(
        outage,
        Outage::RedisFlushed | Outage::PostgresRestarted | Outage::ConnectionsEnded | Outage::WorkerStopped
    );
    if is_quiet && struck.cpu > CPU_AT_MOST {
        problems.push(format!("a worker used {:.1} % of a processor", struck.cpu));
    }
    if is_quiet && struck.lines > LINES_AT_MOST {
        problems.push(format!("a worker logged {:.2} lines a second", struck.lines));
    }
    if back > BACK_AT_WORK_WITHIN && outage != Outage::WorkerStopped {
        problems.push(format!("it took {:.1} s until a job was done", back.as_secs_f64()));
    }
    remarks.extend(struck.remarks);
    let Struck { lasted, cpu, lines, .. } = struck;
    Ok(Measured { outage, lasted, cpu, lines, back, jobs: ids.len(), remarks, problems })
}

/// What an outage cost while it lasted.
struct Struck {
    lasted: Duration,
    cpu: f64,
    lines: f64,
    /// The line of each worker's log at which it began.
    from_line: Vec<usize>,
    remarks: Vec<String>,
}

async fn strike(outage: Outage, world: &World, workers: &[Process], disk: Option<&SmallDisk>) -> Struck {
    let lasts = outage.lasts();
    let mut remarks = Vec::new();
    let from_line: Vec<usize> = workers.iter().map(|worker| worker.log().lines().count()).collect();
    let began = Instant::now();
    let usage = match outage {
        Outage::RedisStopped => {
            world.redis.kill_hard().unwrap();
            let usage = usage_over(workers, lasts).await;
            world.redis.restart().unwrap();
            usage
        }
        Outage::RedisFlushed => {
            let _: () = world.ask_redis(&redis::cmd("FLUSHALL")).await;
            usage_over(workers, lasts).await
        }
        Outage::RedisFull => {
            limit_memory(world, "1").await;
            let usage = usage_over(workers, lasts).await;
            limit_memory(world, "0").await;
            usage
        }
        Outage::RedisPaused => {
            let mut pause = redis::cmd("CLIENT");
            let _: () = world.ask_redis(pause.arg("PAUSE").arg(lasts.as_millis() as u64).arg("ALL")).await;
            usage_over(workers, lasts).await
        }
        Outage::PostgresRestarted => {
            let gate = world.gate("insert on cache_sync_changes").await;
            gate.reached().await;
            restart_postgres(Duration::ZERO).await;
            // It falls with the connection that kept it closed.
            drop(gate);
            usage_over(workers, lasts).await
        }
        Outage::PostgresStopped => {
            let ((), usage) = tokio::join!(restart_postgres(lasts), usage_over(workers, lasts));
            usage
        }
        Outage::ConnectionsEnded => {
            let ((), usage) = tokio::join!(end_connections(world, lasts), usage_over(workers, lasts));
            usage
        }
        Outage::TableLocked => {
            let lock = world.lock("lock table cache_sync_jobs, cache_entries in access exclusive mode").await;
            let usage = usage_over(workers, lasts).await;
            lock.release().await;
            usage
        }
        Outage::DiskFull => {
            let disk = disk.expect("it is mounted");
            disk.fill(world).await;
            let usage = usage_over(workers, lasts).await;
            disk.make_room(world).await;
            usage
        }
        Outage::WorkerStopped => {
            let gate = world.gate("insert on cache_sync_changes").await;
            gate.reached().await;
            let owner = "select job_id from cache_sync_owners where step = 'apply'";
            until("the note of its step", async || world.ask(owner).await.len() == 1).await;
            let id = world.ask(owner).await[0].clone();
            let name = world.job(&id).await.worker.unwrap();
            let stopped = workers.iter().find(|worker| name.contains(&format!("-{}-", worker.id()))).unwrap();
            stopped.signal("STOP");
            gate.open().await;
            let usage = usage_over(workers, lasts).await;
            let job = world.job(&id).await;
            remarks.push(format!(
                "job {id} while its first worker was stopped: {} at attempt {}, lease number {}, by {}",
                job.status,
                job.attempt,
                job.lease_number,
                if job.worker.as_deref() == Some(&name) { "the same worker" } else { "another worker" }
            ));
            stopped.signal("CONT");
            usage
        }
    };
    Struck { lasted: began.elapsed(), cpu: usage.0, lines: usage.1, from_line, remarks }
}

/// Lines that a worker has logged, but for the milestones of jobs that it does.
fn lines(worker: &Process) -> usize {
    let is_milestone = |line: &&str| line.contains(" INFO job load-");
    worker.log().lines().filter(|line| !is_milestone(line)).count()
}

/// Looks at the workers for a while: the highest percentage of a processor, and the most lines a second, of any of them.
async fn usage_over(workers: &[Process], time: Duration) -> (f64, f64) {
    let look = || -> Vec<(f64, usize)> {
        workers.iter().map(|worker| (cpu_seconds(worker.id()), lines(worker))).collect()
    };
    // What was under way still ends.
    tokio::time::sleep(time.min(Duration::from_secs(1))).await;
    let (before, began) = (look(), Instant::now());
    tokio::time::sleep(time.saturating_sub(Duration::from_secs(1))).await;
    let took = began.elapsed().as_secs_f64();
    if took < 1.0 {
        return (0.0, 0.0);
    }
    let pairs = before.into_iter().zip(look());
    pairs.fold((0.0, 0.0), |(cpu, lines), ((cpu_before, lines_before), (cpu_now, lines_now))| {
        (
            f64::max(cpu, (cpu_now - cpu_before) / took * 100.0),
            f64::max(lines, (lines_now - lines_before) as f64 / took),
        )
    })
}

/// Processor time that a process has used, all threads.
fn cpu_seconds(pid: u32) -> f64 {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0.0 };
    let numbers: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // Clock ticks, of which Linux shows a hundred a second.
    (numbers[11].parse::<f64>().unwrap() + numbers[12].parse::<f64>().unwrap()) / 100.0
}

async fn limit_memory(world: &World, bytes: &str) {
    let mut limit = redis::cmd("CONFIG");
    let _: () = world.ask_redis(limit.arg("SET").arg("maxmemory").arg(bytes)).await;
}

async fn end_connections(world: &World, time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        // That of this query is none of the workers', but the pool of this test has others.
        let end = "select pg_terminate_backend(pid) from pg_stat_activity
                   where datname = current_database() and application_name = 'cache-sync' and pid <> pg_backend_pid()";
        world.try_ask(end).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Jobs of the producer that ended after a moment.
async fn done_since(world: &World, since: f64) -> i64 {
    let done = format!(
        "select count(*) from cache_sync_jobs where job_id like 'load-%' and end_time > to_timestamp({since})"
    );
    world.try_ask(&done).await.and_then(|lines| lines.first()?.parse().ok()).unwrap_or(0)
}

async fn ids_ended_since(world: &World, since: f64) -> Vec<String> {
    world
        .ask(&format!(
            "select job_id from cache_sync_jobs where job_id like 'load-%' and end_time > to_timestamp({since})"
        ))
        .await
}

async fn drain(world: &World) {
    let deadline = Instant::now() + LAST_JOBS;
    loop {
        let open = world.count("select count(*) from cache_sync_jobs where end_time is null").await;
        let unsent = world.count("select count(*) from cache_sync_outbox where sent_at is null").await;
        let left = [open as usize, unsent as usize, world.entries().await.len(), world.pending().await];
        if left == [0; 4] {
            return;
        }
        assert!(Instant::now() < deadline, "open, unsent, entries, pending: {left:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What the tables say, and what a worker said: each kind of line once, and how often.
async fn remarks(world: &World, workers: &[Process], from_line: Vec<usize>) -> Vec<String> {
    let attempts = "select count(*) filter (where attempt > 1), max(attempt), count(*) from cache_sync_jobs";
    let attempts = world.ask(attempts).await;
    let mut numbers = attempts[0].split(' ');
    let mut next = || numbers.next().unwrap_or_default().to_owned();
    let mut remarks = vec![format!("of all jobs {} took more than one attempt, at most {}", next(), next())];
    for (worker, from) in workers.iter().zip(from_line) {
        let log = worker.log();
        let mut kinds: Vec<(String, usize)> = Vec::new();
        for line in log.lines().skip(from).filter(|line| line.contains("WARN") || line.contains("ERROR")) {
            let kind = kind_of(line);
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, number)) => *number += 1,
                None => kinds.push((kind, 1)),
            }
        }
        remarks.extend(kinds.into_iter().take(12).map(|(kind, number)| format!("{number:>4} x {kind}")));
    }
    remarks
}

/// A log line without what differs from one to the next: its time and numbers.
fn kind_of(line: &str) -> String {
    let text = line.split_once("WARN").or_else(|| line.split_once("ERROR")).map_or(line, |(_, text)| text);
    let text: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let mut short = String::new();
    for c in text.trim().chars() {
        if !(c == '0' && short.ends_with('0')) {
            short.push(c);
        }
    }
    short.chars().take(160).collect()
}

/// Asks for jobs over changing days, as `submit` does, whatever happens to the servers.
struct Producer {
    task: JoinHandle<()>,
    accepted: Arc<Mutex<BTreeSet<String>>>,
}

impl Producer {
    fn start(world: Arc<World>) -> Self {
        let accepted = Arc::new(Mutex::new(BTreeSet::new()));
        let noted = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let service = world.service();
            for number in 0.. {
                let id = format!("load-{number:05}");
                let mut job = request(&id);
                job.accept_churn = true;
                if number % 2 == 0 {
                    // Over the bound of a tier, and back.
                    let factor = if number % 4 == 0 { "1.1" } else { "(1 / 1.1)" };
                    let symbol = background(13);
                    world
                        .try_ask(&format!(
                            "update ohlcv_daily set close = close * {factor}
                             where symbol = '{symbol}' and date = (select max(date) from ohlcv_daily)"
                        ))
                        .await;
                }
                if service.submit(&job, Source::Job, Utc::now()).await.is_ok() {
                    noted.lock().unwrap().insert(id);
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        });
        Self { task, accepted }
    }

    /// The ids of what was accepted.
    async fn stop(self) -> Vec<String> {
        self.task.abort();
        let _ = self.task.await;
        self.accepted.lock().unwrap().iter().cloned().collect()
    }
}

/// A disk of a few megabytes, on which the table lives that every sync writes some kilobytes to.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    async fn mount(world: &World) -> Result<Self, String> {
        let folder = postgres_folder().join("small");
        let shown = folder.display().to_string();
        // By the server, whose user it has to belong to.
        world.sql(&format!("copy (select 1) to program 'mkdir {shown}'")).await;
        let owner = std::fs::metadata(&folder).map_err(|error| error.to_string())?;
        let (uid, gid) =
            (std::os::unix::fs::MetadataExt::uid(&owner), std::os::unix::fs::MetadataExt::gid(&owner));
        let options = format!("size=24m,mode=0700,uid={uid},gid={gid}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs", &shown]).output();
        let mounted = mounted.map_err(|error| error.to_string())?;
        if !mounted.status.success() {
            return Err(format!(
                "no disk could be mounted: {}",
                String::from_utf8_lossy(&mounted.stderr).trim()
            ));
        }
        world.sql(&format!("create tablespace small location '{shown}'")).await;
        world.sql("alter table cache_sync_runs set tablespace small").await;
        Ok(Self { folder })
    }

    async fn fill(&self, world: &World) {
        let waste = self.folder.join("waste").display().to_string();
        world
            .sql(&format!("copy (select 1) to program 'cat /dev/zero > {waste} 2> /dev/null || true'"))
            .await;
    }

    async fn make_room(&self, world: &World) {
        let waste = self.folder.join("waste").display().to_string();
        world.sql(&format!("copy (select 1) to program 'rm {waste}'")).await;
    }

    async fn unmount(self, world: &World) {
        world.sql("alter table cache_sync_runs set tablespace pg_default").await;
        world.sql("checkpoint").await;
        world.sql("drop tablespace small").await;
        // The server may still hold a file of the table that was moved.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}
