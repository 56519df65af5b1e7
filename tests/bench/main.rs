//! Measures what a sync costs, beside what reading its data costs and beside the same sync as plain SQL.
//!
//! `deploy/bench.sh` runs it. Everything runs on private servers with a made market; the real program works on the
//! jobs, and a sync is timed from the claim of its job to the message that it has ended. What is compared is measured
//! in turn, and ratios are taken pair by pair, so that a machine that slows down slows both.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod figures;
mod scene;

use std::time::{Duration, Instant};

use cache_sync::demo::servers::{PostgresOptions, PrivatePostgres, PrivateRedis};
use cache_sync::domain::calendar::sessions_back;
use figures::{Table, median, median_ratio, percentile, spoken};
use scene::{Namespace, Problem, Scene, Worker, connect};

const USAGE: &str = "\
Usage: deploy/bench.sh [--quick] [--rounds N] [--only WORD] [--statements]

  --quick       10,000 securities of one year only; about a minute
  --rounds N    measurements of each kind (default 11)
  --statements  also shows every statement of a no-op and of an ordinary day, as the server logs them
  --only WORD   only the parts whose name has WORD in it: day, no-op,
                planning, explain, replay, history, size, takeover";

/// What to measure.
struct Wishes {
    is_quick: bool,
    rounds: usize,
    only: Option<String>,
    shows_statements: bool,
}

impl Wishes {
    fn of_this_process() -> Result<Self, Problem> {
        let mut wishes = Self { is_quick: false, rounds: 11, only: None, shows_statements: false };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => wishes.is_quick = true,
                "--rounds" => wishes.rounds = words.next().ok_or(USAGE)?.parse()?,
                "--only" => wishes.only = words.next(),
                "--statements" => wishes.shows_statements = true,
                // cargo says so to every benchmark.
                "--bench" => {}
                _ => return Err(USAGE.into()),
            }
        }
        Ok(wishes)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|word| part.contains(word.as_str()))
    }
}

struct Servers {
    postgres: PrivatePostgres,
    redis: PrivateRedis,
}

fn main() -> Result<(), Problem> {
    let wishes = Wishes::of_this_process()?;
    let settings = [
        ("shared_buffers", "1GB"),
        ("max_wal_size", "8GB"),
        ("autovacuum", "off"),
        ("checkpoint_timeout", "1h"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let postgres = PrivatePostgres::start_with(&PostgresOptions { durable: true, settings })?;
    let servers = Servers { postgres, redis: PrivateRedis::start(&[])? };
    tokio::runtime::Runtime::new()?.block_on(measure(&servers, &wishes))
}

async fn measure(servers: &Servers, wishes: &Wishes) -> Result<(), Problem> {
    println!("{}", machine(servers).await?);
    let mut table = Table::default();
    let (usual, years) = if wishes.is_quick { (252, 1) } else { (2_520, 10) };
    if ["day", "no-op", "planning", "explain", "replay", "takeover"]
        .into_iter()
        .any(|part| wishes.wants(part))
    {
        let mut scene = Scene::make(&servers.postgres, 10_000, usual).await?;
        Box::pin(usual_market(servers, wishes, &mut scene, &mut table, years)).await?;
        scene.drop(&servers.postgres).await?;
    }
    if !wishes.is_quick && wishes.wants("history") {
        history(servers, wishes, &mut table).await?;
    }
    if !wishes.is_quick && wishes.wants("size") {
        sizes(servers, wishes, &mut table).await?;
    }
    println!("\n{}", table.markdown());
    if table.is_held() { Ok(()) } else { Err("a limit was missed".into()) }
}

/// What is measured on a market of the usual size.
async fn usual_market(
    servers: &Servers,
    wishes: &Wishes,
    scene: &mut Scene,
    table: &mut Table,
    years: usize,
) -> Result<(), Problem> {
    if wishes.wants("day") {
        days(servers, wishes, scene, table, years).await?;
    }
    if wishes.only.as_deref() == Some("no-op") {
        let mut worker = Worker::start(scene, &servers.redis, "no-op", Namespace::Shared).await?;
        worker.sync().await?;
        worker.sync().await?;
        scene.bare_read().await?;
        no_ops(wishes, scene, &mut worker, table, &format!("10,000 symbols x {years} y")).await?;
    }
    if wishes.only.as_deref() == Some("planning") {
        Worker::start(scene, &servers.redis, "planning", Namespace::Shared).await?.sync().await?;
        table.reported("planning alone, nothing changed", spoken(median(scene.planning(300).await?)));
        scene.next_day().await?;
        table.reported("planning alone, an ordinary day", spoken(median(scene.planning(300).await?)));
    }
    if wishes.wants("explain") {
        looks(servers, scene, table, years).await?;
    }
    if wishes.wants("replay") {
        replays(scene, table, years).await?;
    }
    if wishes.wants("takeover") {
        takeovers(servers, scene, table).await?;
    }
    Ok(())
}

/// What it takes to look at universes and history by command, the start of the program included.
async fn looks(servers: &Servers, scene: &mut Scene, table: &mut Table, years: usize) -> Result<(), Problem> {
    const ROUNDS: usize = 9;
    let mut worker = Worker::start(scene, &servers.redis, "looks", Namespace::Shared).await?;
    worker.sync().await?;
    for _ in 0..5 {
        scene.next_day().await?;
        worker.sync().await?;
    }
    drop(worker);
    // What a server's autovacuum does within a minute of the first fill.
    scene.client.batch_execute("vacuum analyze").await?;
    let last = scene.market.date();
    let before = sessions_back(last, 3).to_string();
    let member =
        "select symbol from universe_membership where universe = 'top_100' and valid_to is null limit 1";
    let symbol: String = scene.client.query_one(member, &[]).await?.get(0);
    let known_at = chrono::Utc::now().to_rfc3339();
    let (mut bare, mut start) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(scene.bare_read().await?);
        start.push(timed(|| scene.program(&["--version"]))?);
    }
    let of = format!("10,000 symbols x {years} y");
    for (what, args) in [
        ("explain of one symbol", &["explain", &symbol][..]),
        ("explain of one symbol and universe", &["explain", &symbol, "top_500"]),
        ("history of one symbol", &["history", &symbol]),
        ("members of all_stocks now", &["universes", "all_stocks"]),
        ("members of all_stocks as of a date", &["universes", "all_stocks", "--as-of", &before]),
        (
            "members of all_stocks as known at a time",
            &["universes", "all_stocks", "--as-of", &before, "--known-at", &known_at],
        ),
    ] {
        let took: Vec<Duration> =
            (0..ROUNDS).map(|_| timed(|| scene.program(args))).collect::<Result<_, _>>()?;
        let measured = format!(
            "{}; bare read {}, start of the program {}",
            spoken(median(took)),
            spoken(median(bare.clone())),
            spoken(median(start.clone()))
        );
        table.reported(&format!("{what}, {of}"), measured);
    }
    Ok(())
}

fn timed(run: impl Fn() -> Result<(), Problem>) -> Result<Duration, Problem> {
    let began = Instant::now();
    run()?;
    Ok(began.elapsed())
}

/// Deciding the last sixty days again.
async fn replays(scene: &Scene, table: &mut Table, years: usize) -> Result<(), Problem> {
    const DAYS: u32 = 60;
    let last = scene.market.date();
    let (from, to) = (sessions_back(last, DAYS - 1).to_string(), last.to_string());
    let bare = median(vec![scene.bare_read().await?, scene.bare_read().await?, scene.bare_read().await?]);
    let replay = timed(|| scene.program(&["replay", "--json", "--from", &from, "--to", &to]))? / DAYS;
    table.reported(
        &format!("replay of {DAYS} days, 10,000 symbols x {years} y"),
        format!(
            "{} a day, bare read {}: {:.2}x; a year in {:.0} s",
            spoken(replay),
            spoken(bare),
            replay.as_secs_f64() / bare.as_secs_f64(),
            replay.as_secs_f64() * 252.0
        ),
    );
    Ok(())
}

/// What it was measured on.
async fn machine(servers: &Servers) -> Result<String, Problem> {
    let cores = std::thread::available_parallelism()?;
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let client = connect(&servers.postgres.socket_url()).await?;
    let postgres: String = client.query_one("show server_version", &[]).await?.get(0);
    let mut redis =
        redis::Client::open(servers.redis.socket_url())?.get_multiplexed_async_connection().await?;
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut redis).await?;
    let redis = info.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or("unknown").trim();
    let load = load.split(' ').next().unwrap_or_default();
    Ok(format!(
        "{cores} cores, {model}, load {load} at the start; Postgres {postgres} (fsync on, 1 GB buffers), Redis {redis}"
    ))
}

/// First fill, ordinary days, days without news; pickup, telling, idling.
async fn days(
    servers: &Servers,
    wishes: &Wishes,
    scene: &mut Scene,
    table: &mut Table,
    years: usize,
) -> Result<(), Problem> {
    scene.prepare_script().await?;
    scene.bare_read().await?;
    let mut worker = Worker::start(scene, &servers.redis, "days", Namespace::Shared).await?;
    let of = format!("10,000 symbols x {years} y");

    let (mut fills, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        scene.forget_universes().await?;
        bare.push(scene.bare_read().await?);
        fills.push(worker.sync().await?.sync);
    }
    // The server's autovacuum would do it within a minute; here it is off, so that it disturbs no measurement.
    scene.client.batch_execute("vacuum analyze").await?;
    scene.script().await?;
    let tenth = median(fills.clone()).as_secs_f64() / (median(bare.clone()).as_secs_f64() / 0.1);
    let measured = format!(
        "{} where bare read is {} ({tenth:.2} s where it were 0.1 s)",
        spoken(median(fills)),
        spoken(median(bare))
    );
    table.bounded(&format!("first fill, {of}"), measured, "under 1 s where bare read is 0.1 s", tenth < 1.0);
    disagree(scene).await?;

    let (mut bare, mut ours, mut script, mut changes, mut pickup, mut telling) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..wishes.rounds {
        scene.next_day().await?;
        bare.push(scene.bare_read().await?);
        let sync = worker.sync().await?;
        script.push(scene.script().await?);
        ours.push(sync.sync);
        changes.push(sync.changes);
        pickup.push(sync.pickup);
        telling.push(sync.telling);
    }
    disagree(scene).await?;
    changes.sort_unstable();
    let (to_bare, to_script) = (median_ratio(&ours, &bare), median_ratio(&ours, &script));
    let measured = format!(
        "{} ({} changes), bare read {}: {to_bare:.2}x",
        spoken(median(ours)),
        changes[changes.len() / 2],
        spoken(median(bare))
    );
    table.bounded(&format!("ordinary day, {of}"), measured, "2x bare read", to_bare <= 2.0);
    table.bounded(
        "... beside the script",
        format!("script {}: {to_script:.2}x", spoken(median(script))),
        "1.5x the script",
        to_script <= 1.5,
    );

    no_ops(wishes, scene, &mut worker, table, &of).await?;
    table.reported(&format!("planning alone, {of}"), spoken(median(scene.planning(21).await?)));
    for is_noop in [true, false] {
        if !is_noop {
            scene.next_day().await?;
        }
        let statements = count_statements(servers, wishes, scene, &mut worker).await?;
        table.reported(
            if is_noop { "statements of a no-op" } else { "statements of an ordinary day" },
            statements,
        );
    }

    let (stop, stopped) = tokio::sync::oneshot::channel();
    let reader = scene.reader(stopped).await?;
    for _ in 0..5 {
        scene.next_day().await?;
        worker.sync().await?;
    }
    let _ = stop.send(());
    let reads = reader.await??;
    let worst = percentile(reads.clone(), 1.0);
    let count = reads.len();
    let measured = format!("{} at the median, {} at worst of {count}", spoken(median(reads)), spoken(worst));
    table.bounded(
        "reading two universes while syncs run",
        measured,
        "50 ms",
        worst < Duration::from_millis(50),
    );

    let wake_ups = Worker::bare_wake_up(&servers.redis, 50).await?;
    let started = format!(
        "{} at the median, {} at worst; bare Redis wake-up {}",
        spoken(median(pickup.clone())),
        spoken(percentile(pickup, 1.0)),
        spoken(median(wake_ups))
    );
    table.reported("XADD to cache_sync_started, idle worker", started);
    let worst = percentile(telling.clone(), 1.0);
    let measured = format!("{} at the median, {} at worst", spoken(median(telling)), spoken(worst));
    let is_held = worst < Duration::from_millis(200);
    table.bounded("end of the work, before its commit, to the last event", measured, "200 ms", is_held);
    let peak = worker.peak_memory()?;
    table.bounded("peak memory of the worker", format!("{peak:.0} MiB"), "100 MB", peak < 95.0);
    drop(worker);

    let worker = Worker::start(scene, &servers.redis, "idle", Namespace::Shared).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (before, began) = (worker.processor_time()?, Instant::now());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let share = worker.processor_time()?.saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    table.reported(
        "idle worker",
        format!("{:.0} MiB, {:.1} % of a core", worker.resident_memory()?, share * 100.0),
    );
    Ok(())
}

/// Syncs for which nothing has changed since the one before.
async fn no_ops(
    wishes: &Wishes,
    scene: &Scene,
    worker: &mut Worker,
    table: &mut Table,
    of: &str,
) -> Result<(), Problem> {
    // As autovacuum would have, in the day between two syncs.
    scene.client.batch_execute("vacuum analyze").await?;
    let versions = row_versions(scene).await?;
    let (mut bare, mut ours) = (vec![], vec![]);
    for _ in 0..wishes.rounds {
        bare.push(scene.bare_read().await?);
        let sync = worker.sync().await?;
        assert_eq!(sync.changes, 0, "nothing has changed");
        ours.push(sync.sync);
    }
    let writes_none = row_versions(scene).await? == versions;
    let ratio = median_ratio(&ours, &bare);
    let more = median(ours.clone()).saturating_sub(median(bare.clone()));
    let measured = format!(
        "{}, bare read {}: {ratio:.2}x, {} more; writes {} to cache_entries",
        spoken(median(ours)),
        spoken(median(bare)),
        spoken(more),
        if writes_none { "nothing" } else { "rows" }
    );
    table.bounded(
        &format!("no-op, {of}"),
        measured,
        "1.3x bare read or 40 ms more; writes none",
        (ratio <= 1.3 || more <= Duration::from_millis(40)) && writes_none,
    );
    Ok(())
}

async fn disagree(scene: &Scene) -> Result<(), Problem> {
    let differing = scene.disagreements().await?;
    if differing.is_empty() {
        Ok(())
    } else {
        Err(format!("script and sync disagree in {}", differing.join(", ")).into())
    }
}

/// The versions of all rows of `cache_entries`: the same twice where none was written in between.
async fn row_versions(scene: &Scene) -> Result<String, Problem> {
    let sql = "select string_agg(concat(universe, xmin, ctid), ',' order by universe) from cache_entries";
    Ok(scene.client.query_one(sql, &[]).await?.get(0))
}

/// How many statements the transactions of one sync send, as the server's log has them.
async fn count_statements(
    servers: &Servers,
    wishes: &Wishes,
    scene: &Scene,
    worker: &mut Worker,
) -> Result<String, Problem> {
    let log = servers.postgres.folder().join("log");
    let log_all = |all: bool| {
        let value = if all { "0" } else { "-1" };
        format!("alter system set log_min_duration_statement = {value}")
    };
    scene.client.batch_execute(&log_all(true)).await?;
    scene.client.batch_execute("select pg_reload_conf()").await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let from = std::fs::read_to_string(&log)?.len();
    worker.sync().await?;
    scene.client.batch_execute(&log_all(false)).await?;
    scene.client.batch_execute("select pg_reload_conf()").await?;
    let text = std::fs::read_to_string(&log)?;
    let text = text.get(from..).unwrap_or_default();
    if wishes.shows_statements {
        println!("{text}");
    }
    let begins = |word: &str| {
        text.lines()
            .filter(|line| line.contains(" execute ") || line.contains(" statement: "))
            .filter_map(|line| line.split_once(": ").map(|(_, rest)| rest))
            .filter(|line| line.to_lowercase().contains(word))
            .count()
    };
    let all = text.lines().filter(|line| line.contains(" execute ") || line.contains(" statement: ")).count();
    Ok(format!(
        "{all} in all (claim, sync, telling, heartbeat and rounds), of them {} transactions",
        begins("begin") + begins("start transaction")
    ))
}

/// How long another worker takes to go on with what a killed one held.
async fn takeovers(servers: &Servers, scene: &Scene, table: &mut Table) -> Result<(), Problem> {
    for (namespace, what, bound) in [
        (Namespace::Shared, "takeover after SIGKILL, death provable", Duration::from_secs(2)),
        (Namespace::Own, "takeover after SIGKILL, death not provable (lease 15 s)", Duration::from_secs(17)),
    ] {
        let rounds = if namespace == Namespace::Shared { 5 } else { 2 };
        let mut took = Vec::new();
        for round in 0..rounds {
            let prefix = format!("takeover{round}{namespace:?}").to_lowercase();
            match takeover(servers, scene, &prefix, namespace).await {
                Ok(duration) => took.push(duration),
                Err(problem) if namespace == Namespace::Own => {
                    println!("  {what}: not measured: {problem}");
                    break;
                }
                Err(problem) => return Err(problem),
            }
        }
        if !took.is_empty() {
            let worst = percentile(took.clone(), 1.0);
            let measured = format!(
                "{:.2} s at the median, {:.2} s at worst of {}",
                median(took.clone()).as_secs_f64(),
                worst.as_secs_f64(),
                took.len()
            );
            table.bounded(what, measured, &format!("{} s", bound.as_secs()), worst <= bound);
        }
    }
    Ok(())
}

async fn takeover(
    servers: &Servers,
    scene: &Scene,
    prefix: &str,
    namespace: Namespace,
) -> Result<Duration, Problem> {
    let mut owner = Worker::start(scene, &servers.redis, prefix, namespace).await?;
    let mut successor = Worker::start(scene, &servers.redis, prefix, Namespace::Shared).await?;
    // Who reads the entry first is the owner; the other one must be slower to be the successor.
    successor.pause(true)?;
    let blocker = connect(&scene.url).await?;
    blocker.batch_execute("begin; lock table symbols in access exclusive mode").await?;
    let (id, _) = owner.put().await?;
    owner.hear(&id, "cache_sync_started").await?;
    successor.pause(false)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let killed = owner.kill()?;
    let (_, taken) = successor.hear_again(&id).await?;
    blocker.batch_execute("rollback").await?;
    successor.hear(&id, "cache_sync_completed").await?;
    Ok(taken.saturating_duration_since(killed))
}

/// The same market with a longer past.
async fn history(servers: &Servers, wishes: &Wishes, table: &mut Table) -> Result<(), Problem> {
    let mut pasts = Vec::new();
    for sessions in [252, 20 * 252] {
        let scene = Scene::make(&servers.postgres, 10_000, sessions).await?;
        let prefix = format!("past{sessions}");
        let mut worker = Worker::start(&scene, &servers.redis, &prefix, Namespace::Shared).await?;
        worker.sync().await?;
        pasts.push((scene, worker));
    }
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..wishes.rounds {
        for ((scene, worker), took) in pasts.iter_mut().zip(&mut took) {
            scene.next_day().await?;
            took.push(worker.sync().await?.sync);
        }
    }
    for (scene, worker) in pasts {
        drop(worker);
        scene.drop(&servers.postgres).await?;
    }
    let [short, long] = took;
    let ratio = median_ratio(&long, &short);
    let measured = format!("{} and {}: {ratio:.2}x", spoken(median(short)), spoken(median(long)));
    table.bounded("20 years of bars instead of 1, ordinary day", measured, "1.2x", ratio <= 1.2);
    Ok(())
}

/// Larger markets.
async fn sizes(servers: &Servers, wishes: &Wishes, table: &mut Table) -> Result<(), Problem> {
    let mut per_symbol = Vec::new();
    for (securities, sessions) in [(10_000, 252), (100_000, 252), (1_000_000, 10)] {
        let mut scene = Scene::make(&servers.postgres, securities, sessions).await?;
        let (took, memory) = ordinary(servers, wishes, &mut scene, &format!("size{securities}")).await?;
        per_symbol.push(took.as_secs_f64() / securities as f64);
        match securities {
            10_000 => {}
            100_000 => {
                let ratio = per_symbol[1] / per_symbol[0];
                table.bounded(
                    "100,000 symbols, time per symbol beside 10,000",
                    format!("{} a sync: {ratio:.2}x, {memory:.0} MiB", spoken(took)),
                    "1.5x",
                    ratio <= 1.5,
                );
            }
            _ => table.bounded(
                "1,000,000 symbols",
                format!("{} an ordinary day, {memory:.0} MiB resident at most", spoken(took)),
                "works, under 1 GB resident",
                memory < 1_000.0,
            ),
        }
        scene.drop(&servers.postgres).await?;
    }
    Ok(())
}

/// The median of ordinary days after a first fill, and the worker's peak memory.
async fn ordinary(
    servers: &Servers,
    wishes: &Wishes,
    scene: &mut Scene,
    prefix: &str,
) -> Result<(Duration, f64), Problem> {
    let mut worker = Worker::start(scene, &servers.redis, prefix, Namespace::Shared).await?;
    worker.sync().await?;
    let rounds = if scene.market.securities().len() > 100_000 { 2 } else { wishes.rounds.min(7) };
    let mut took = Vec::new();
    for _ in 0..rounds {
        scene.next_day().await?;
        took.push(worker.sync().await?.sync);
    }
    Ok((median(took), worker.peak_memory()?))
}
