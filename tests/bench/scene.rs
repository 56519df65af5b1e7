//! What is measured: a made market in a database of its own, the two things our sync is compared with, and the real
//! program as a process.

use std::collections::HashMap;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_sync::demo::load::{apply_day, create_source_tables, load_market};
use cache_sync::demo::market::MadeMarket;
use cache_sync::demo::servers::{PrivatePostgres, PrivateRedis};
use cache_sync::domain::calendar::{next_session, previous_session, sessions_back};
use cache_sync::domain::job::{JobId, JobRequest};
use cache_sync::domain::task::Mode;
use cache_sync::plan::given::policy::Policy;
use cache_sync::plan::{Order, plan};
use cache_sync::settings::{LoadArgs, Settings};
use cache_sync::store::read::{self, Reading, Ready, Sources};
use cache_sync::store::{Database, Limits};
use cache_sync::wire::names::GROUP;
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};

/// Whatever went wrong; the benchmark ends with it.
pub(crate) type Problem = Box<dyn std::error::Error + Send + Sync>;

/// The longest wait for a job or a worker.
const PATIENCE: Duration = Duration::from_secs(300);
/// The evening every made market begins with.
const FIRST_EVENING: NaiveDate = NaiveDate::from_ymd_opt(2026, 3, 2).expect("2 March 2026 exists");
/// The program under measurement.
const PROGRAM: &str = env!("CARGO_BIN_EXE_cache-sync");

/// A made market in a database of its own.
pub(crate) struct Scene {
    pub(crate) market: MadeMarket,
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) policy: Policy,
}

impl Scene {
    /// Makes a database with `securities` securities and `sessions` trading days, and our tables in it.
    pub(crate) async fn make(
        postgres: &PrivatePostgres,
        securities: usize,
        sessions: usize,
    ) -> Result<Self, Problem> {
        let began = Instant::now();
        let name = format!("market_{securities}_{sessions}");
        let admin = connect(&socket_url(postgres, "postgres")).await?;
        admin.batch_execute(&format!("create database {name}")).await?;
        let url = socket_url(postgres, &name);
        let client = connect(&url).await?;
        let market = MadeMarket::sized(7, FIRST_EVENING, securities);
        create_source_tables(&client, "public").await?;
        load_market(&client, "public", &market, &last_sessions(sessions), |_, _| ()).await?;
        client.batch_execute("vacuum analyze").await?;
        let policy = settings(&url)?.policy();
        let scene = Self { market, url, client, policy };
        scene.program(&["migrate"])?;
        let bars: i64 = scene.client.query_one("select count(*) from ohlcv_daily", &[]).await?.get(0);
        println!(
            "\n{securities} securities, {sessions} sessions, {bars} bars: loaded in {:.0} s",
            began.elapsed().as_secs_f64()
        );
        Ok(scene)
    }

    /// Throws the database away.
    pub(crate) async fn drop(self, postgres: &PrivatePostgres) -> Result<(), Problem> {
        let name = self.url.rsplit('/').next().unwrap_or_default().to_owned();
        drop(self.client);
        let admin = connect(&socket_url(postgres, "postgres")).await?;
        Ok(admin.batch_execute(&format!("drop database {name} with (force)")).await?)
    }

    /// The next trading day: every price moves, some companies come and go. Its rows are read once, so that no
    /// measurement pays for being the first to see them.
    pub(crate) async fn next_day(&mut self) -> Result<(), Problem> {
        let date = next_session(self.market.date());
        let change = self.market.next_day(date);
        apply_day(&self.client, "public", &self.market, &change).await?;
        // A busy server's autovacuum would do it within the minute.
        self.client.batch_execute("vacuum analyze symbols").await?;
        self.bare_read().await?;
        Ok(())
    }

    /// Makes our tables anew, as before the first sync.
    pub(crate) async fn forget_universes(&self) -> Result<(), Problem> {
        let rows = self
            .client
            .query("select tablename::text from pg_tables where schemaname = 'public' and (tablename like 'cache%' or tablename = 'universe_membership')", &[])
            .await?;
        for row in rows {
            self.client.batch_execute(&format!("drop table {} cascade", row.get::<_, &str>(0))).await?;
        }
        self.program(&["migrate"])
    }

    /// Reads what a sync reads and nothing else; how long it takes.
    pub(crate) async fn bare_read(&self) -> Result<Duration, Problem> {
        let began = Instant::now();
        let securities = self.client.query_typed(include_str!("bare_securities.sql"), &[]).await?;
        let universes = self.client.query_typed(include_str!("bare_universes.sql"), &[]).await?;
        let took = began.elapsed();
        assert!(securities.len() >= self.market.securities().len(), "{} rows", securities.len());
        drop(universes);
        Ok(took)
    }

    /// Makes the tables of the script, with the lists it joins with.
    pub(crate) async fn prepare_script(&self) -> Result<(), Problem> {
        self.client.batch_execute(include_str!("script_tables.sql")).await?;
        let sectors: toml::Table = toml::from_str(include_str!("../../config/sectors.toml"))?;
        for (section, table) in [("overrides", "sector_of_symbol"), ("names", "sector_of_name")] {
            let Some(lines) = sectors.get(section).and_then(toml::Value::as_table) else { continue };
            for (key, sector) in lines {
                let insert = format!("insert into script.{table} values ($1, $2) on conflict do nothing");
                let key = if section == "names" { key.trim().to_lowercase() } else { key.clone() };
                let sector = sector.as_str().unwrap_or_default();
                self.client.execute_typed(&insert, &[(&key, Type::TEXT), (&sector, Type::TEXT)]).await?;
            }
        }
        for code in 0..10_000_i32 {
            let sic = cache_sync::domain::sic::Sic::parse(&code.to_string());
            if let Some(sector) = sic.and_then(|sic| self.policy.sectors.by_sic(sic)) {
                let insert = "insert into script.sector_of_sic values ($1, $2)";
                self.client
                    .execute_typed(insert, &[(&code, Type::INT4), (&sector.as_str(), Type::TEXT)])
                    .await?;
            }
        }
        for theme in &self.policy.themes.themes {
            for seed in &theme.seeds {
                let params: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] = [
                    (&theme.universe.as_str(), Type::TEXT),
                    (seed, Type::TEXT),
                    (&theme.entry_floor, Type::INT8),
                    (&(theme.max_members as i32), Type::INT4),
                ];
                self.client
                    .execute_typed("insert into script.seeds values ($1, $2, $3, $4)", &params)
                    .await?;
            }
        }
        Ok(self
            .client
            .batch_execute(
                "analyze script.sector_of_symbol, script.sector_of_name, script.sector_of_sic, script.seeds",
            )
            .await?)
    }

    /// Runs the script; how long it takes.
    pub(crate) async fn script(&self) -> Result<Duration, Problem> {
        let as_of = self.market.date();
        let sql = include_str!("script.sql")
            .replace("{as_of}", &as_of.to_string())
            .replace("{fresh}", &sessions_back(as_of, 5).to_string());
        let began = Instant::now();
        self.client.batch_execute(&sql).await?;
        Ok(began.elapsed())
    }

    /// Universes in which the script and ours disagree, among those that both work out by the same rules.
    pub(crate) async fn disagreements(&self) -> Result<Vec<String>, Problem> {
        let rows = self
            .client
            .query(
                "select e.universe::text from cache_entries e
                 left join script.cache_entries s on s.universe = e.universe
                 where e.cache_type <> 'theme' and (e.cache_type <> 'etf' or e.universe = 'etf_all')
                   and e.content -> 'symbols' is distinct from coalesce(s.content -> 'symbols', '[]')
                 order by 1",
                &[],
            )
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Reads universes as a dropdown does, again and again until told to stop; how long each read took.
    pub(crate) async fn reader(
        &self,
        stop: tokio::sync::oneshot::Receiver<()>,
    ) -> Result<tokio::task::JoinHandle<Result<Vec<Duration>, Problem>>, Problem> {
        let client = connect(&self.url).await?;
        Ok(tokio::spawn(async move {
            let mut stop = stop;
            let mut took = Vec::new();
            while stop.try_recv().is_err() {
                let began = Instant::now();
                let sql = "select content from cache_entries where universe in ('top_100', 'large_cap')";
                client.query_typed(sql, &[]).await?;
                took.push(began.elapsed());
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok(took)
        }))
    }

    /// How long the rules alone take, reading and writing nothing.
    pub(crate) async fn planning(&self, rounds: usize) -> Result<Vec<Duration>, Problem> {
        let settings = settings(&self.url)?;
        let database = Database::new(&settings.database)?;
        let mut client = database.dedicated().await?;
        let transaction = client.begin_read_only(Limits::default()).await?;
        let id = JobId::parse("bench").ok_or("a valid id")?;
        let request = JobRequest::new(id, Mode::Full, "cli", chrono::Utc::now());
        let policy = Arc::new(self.policy.clone());
        let from = Sources { source: &settings.source, entries: &settings.entries, policy: &policy };
        let Reading::Ready(ready) = read::read(&transaction, from, &request).await? else {
            return Err("nothing to plan from".into());
        };
        let Ready { as_of, snapshot, .. } = *ready;
        let order = Order { mode: Mode::Full, accept_churn: false, as_of };
        let mut took = Vec::new();
        for _ in 0..rounds {
            let began = Instant::now();
            plan(&snapshot, &self.policy, &order, &mut |_| ()).map_err(|refusal| refusal.text)?;
            took.push(began.elapsed());
        }
        Ok(took)
    }

    /// Runs a command of the program to its end.
    pub(crate) fn program(&self, args: &[&str]) -> Result<(), Problem> {
        let ended = Command::new(PROGRAM)
            .args(args)
            .env("DATABASE_URL", &self.url)
            .env("REDIS_URL", "redis://127.0.0.1:1")
            .current_dir("/")
            .output()?;
        if ended.status.success() {
            return Ok(());
        }
        Err(format!("cache-sync {}: {}", args.join(" "), String::from_utf8_lossy(&ended.stderr)).into())
    }
}

fn settings(database: &str) -> Result<Settings, Problem> {
    let env = [("DATABASE_URL".into(), database.into()), ("REDIS_URL".into(), "redis://localhost".into())];
    let args =
        LoadArgs { config: None, directory: "/nowhere".into(), env: env.into_iter(), overrides: Vec::new() };
    Ok(Settings::load(args)?)
}

/// Over the socket: over TCP a password is worked out for a tenth of a second at every connection.
fn socket_url(postgres: &PrivatePostgres, database: &str) -> String {
    let url = postgres.socket_url();
    let server = url.rsplit_once('/').map_or(url.as_str(), |(server, _)| server);
    format!("{server}/{database}")
}

/// A connection of its own.
pub(crate) async fn connect(url: &str) -> Result<Client, Problem> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The last `count` trading days up to the first evening.
fn last_sessions(count: usize) -> Vec<NaiveDate> {
    let mut sessions = Vec::with_capacity(count);
    let mut day = FIRST_EVENING;
    while sessions.len() < count {
        sessions.push(day);
        day = previous_session(day);
    }
    sessions.reverse();
    sessions
}

/// How a worker is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// Beside its peers: they can see whether it lives.
    Shared,
    /// In a process namespace of its own: its peers can't tell whether it lives, as on another machine.
    Own,
}

/// The real program, working on the jobs of one scene, with the names of one prefix.
pub(crate) struct Worker {
    child: Child,
    names: Names,
    redis: MultiplexedConnection,
    ended: PubSub,
    jobs: usize,
}

#[derive(Debug, Clone)]
struct Names {
    prefix: String,
}

impl Names {
    fn of(&self, rest: &str) -> String {
        format!("{}:{rest}", self.prefix)
    }
}

/// What one job took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// From the claim of the job to `cache_sync_completed` on pub/sub.
    pub(crate) sync: Duration,
    /// From the entry to `cache_sync_started`.
    pub(crate) pickup: Duration,
    /// From the end that stands in the job's row, before the commit, to `cache_sync_completed`.
    pub(crate) telling: Duration,
    /// Memberships added and removed.
    pub(crate) changes: u64,
}

impl Worker {
    /// Starts a worker, and waits until it reads the stream.
    pub(crate) async fn start(
        scene: &Scene,
        redis: &PrivateRedis,
        prefix: &str,
        namespace: Namespace,
    ) -> Result<Self, Problem> {
        let log = File::create(std::env::temp_dir().join(format!("cache-sync-bench-{prefix}.log")))?;
        let mut command = match namespace {
            Namespace::Shared => Command::new(PROGRAM),
            Namespace::Own => {
                let mut command = Command::new("unshare");
                command.args(["--pid", "--fork", "--kill-child", "--mount-proc", PROGRAM]);
                command
            }
        };
        command.args(["worker", "--set", &format!("redis.prefix={prefix}")]);
        command.env("DATABASE_URL", &scene.url).env("REDIS_URL", redis.socket_url()).current_dir("/");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        let client = redis::Client::open(redis.socket_url())?;
        let names = Names { prefix: prefix.to_owned() };
        let mut ended = client.get_async_pubsub().await?;
        ended.subscribe(&[names.of("cache:completed"), names.of("cache:started")]).await?;
        let redis = client.get_multiplexed_async_connection().await?;
        let mut worker = Self { child, names, redis, ended, jobs: 0 };
        let before = worker.readers().await?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while worker.readers().await? <= before {
            if Instant::now() > deadline {
                return Err("the worker does not read the stream".into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(worker)
    }

    /// How many clients wait for entries.
    async fn readers(&mut self) -> Result<usize, Problem> {
        let clients: String = redis::cmd("CLIENT").arg("LIST").query_async(&mut self.redis).await?;
        Ok(clients.lines().filter(|line| line.contains("cmd=xreadgroup")).count())
    }

    /// Puts a job on the stream and waits for its end.
    pub(crate) async fn sync(&mut self) -> Result<Timing, Problem> {
        let (id, began) = self.put().await?;
        let (_, started) = self.hear(&id, "cache_sync_started").await?;
        let (completed, at) = self.hear(&id, "cache_sync_completed").await?;
        let payload = &completed["payload"];
        if payload["status"] != "completed" {
            return Err(format!("the job failed: {}", payload["error"]).into());
        }
        let at_wall = chrono::Utc::now() - at.elapsed();
        let since = |time: DateTime<Utc>| (at_wall - time).to_std().unwrap_or_default();
        let (claimed, ended) = self.claim_and_end(&id).await?;
        Ok(Timing {
            sync: since(claimed),
            pickup: started - began,
            telling: since(ended),
            changes: payload["total_changes"].as_u64().unwrap_or_default(),
        })
    }

    /// Puts a job on the stream: its id, and when.
    pub(crate) async fn put(&mut self) -> Result<(String, Instant), Problem> {
        self.jobs += 1;
        let id = format!("{}-{}-{}", self.names.prefix, std::process::id(), self.jobs);
        let mut command = redis::cmd("XADD");
        command.arg(self.names.of("jobs:cache_sync")).arg("*").arg("job_id").arg(&id).arg("mode").arg("full");
        let began = Instant::now();
        let _: String = command.query_async(&mut self.redis).await?;
        Ok((id, began))
    }

    /// Waits for an event of a job: its envelope, and when it came.
    pub(crate) async fn hear(
        &mut self,
        id: &str,
        event: &str,
    ) -> Result<(serde_json::Value, Instant), Problem> {
        let mut messages = self.ended.on_message();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let message = tokio::time::timeout_at(deadline, messages.next())
                .await
                .map_err(|_| format!("no {event} of {id} in time"))?
                .ok_or("Redis is gone")?;
            let at = Instant::now();
            let envelope: serde_json::Value = serde_json::from_slice(message.get_payload_bytes())?;
            if envelope["event"] == event && envelope["payload"]["job_id"] == id {
                return Ok((envelope, at));
            }
        }
    }

    /// When a job was claimed and when it ended, as its status says.
    async fn claim_and_end(&mut self, id: &str) -> Result<(DateTime<Utc>, DateTime<Utc>), Problem> {
        let key = self.names.of(&format!("jobs:cache_sync:status:{id}"));
        let status: HashMap<String, String> =
            redis::cmd("HGETALL").arg(key).query_async(&mut self.redis).await?;
        let time = |field: &str| -> Result<DateTime<Utc>, Problem> {
            Ok(status.get(field).ok_or("a time is missing in the status")?.parse()?)
        };
        Ok((time("start_time")?, time("end_time")?))
    }

    /// Waits until a job is claimed once more.
    pub(crate) async fn hear_again(&mut self, id: &str) -> Result<(serde_json::Value, Instant), Problem> {
        loop {
            let (envelope, at) = self.hear(id, "cache_sync_started").await?;
            // A number of the second claim or a later one.
            if envelope["payload"]["seq"].as_u64().is_some_and(|seq| seq > 2_000_000) {
                return Ok((envelope, at));
            }
        }
    }

    /// Freezes the process, or lets it go on.
    pub(crate) fn pause(&self, is_paused: bool) -> Result<(), Problem> {
        let signal = if is_paused { "STOP" } else { "CONT" };
        let sent =
            Command::new("sh").args(["-c", &format!("kill -s {signal} {}", self.process_id())]).status()?;
        if sent.success() { Ok(()) } else { Err("cannot send a signal".into()) }
    }

    /// How long a blocked reader takes to see an entry, with nothing else around: what no worker can be faster than.
    pub(crate) async fn bare_wake_up(redis: &PrivateRedis, rounds: usize) -> Result<Vec<Duration>, Problem> {
        let client = redis::Client::open(redis.socket_url())?;
        let mut writer = client.get_multiplexed_async_connection().await?;
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
        let mut took = Vec::new();
        redis::cmd("XGROUP")
            .arg(&["CREATE", "bare", GROUP, "0", "MKSTREAM"])
            .query_async::<()>(&mut writer)
            .await?;
        for _ in 0..rounds {
            let mut reader = client.get_multiplexed_async_connection_with_config(&config).await?;
            let reading = tokio::spawn(async move {
                let read: redis::Value = redis::cmd("XREADGROUP")
                    .arg(&["GROUP", GROUP, "bench", "COUNT", "1", "BLOCK", "5000", "STREAMS", "bare", ">"])
                    .query_async(&mut reader)
                    .await?;
                redis::RedisResult::Ok((read, Instant::now()))
            });
            tokio::time::sleep(Duration::from_millis(30)).await;
            let began = Instant::now();
            let _: String = redis::cmd("XADD").arg(&["bare", "*", "a", "b"]).query_async(&mut writer).await?;
            took.push(reading.await??.1 - began);
        }
        Ok(took)
    }

    /// The process id of the program itself.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory it ever had resident, in MiB.
    pub(crate) fn peak_memory(&self) -> Result<f64, Problem> {
        self.memory("VmHWM:")
    }

    /// The memory it has resident now, in MiB.
    pub(crate) fn resident_memory(&self) -> Result<f64, Problem> {
        self.memory("VmRSS:")
    }

    fn memory(&self, field: &str) -> Result<f64, Problem> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process_id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such line")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// The processor time it has used, all threads together.
    pub(crate) fn processor_time(&self) -> Result<Duration, Problem> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process_id()))?;
        let numbers: Vec<&str> =
            stat.rsplit_once(')').ok_or("no command")?.1.split_ascii_whitespace().collect();
        let ticks: u64 = numbers.get(11).ok_or("no utime")?.parse::<u64>()?
            + numbers.get(12).ok_or("no stime")?.parse::<u64>()?;
        // The kernel shows hundredths of a second, whatever it counts in.
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Kills it without a word; when.
    pub(crate) fn kill(mut self) -> Result<Instant, Problem> {
        self.child.kill()?;
        let at = Instant::now();
        self.child.wait()?;
        Ok(at)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
