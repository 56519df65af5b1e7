//! A small world for a test: a database and a Redis of its own, a made market, workers, and somebody who listens.
//!
//! ```text
//!   world.list(stock("NEWT").cap("12.4B"))     the market
//!   world.xadd(&[("mode", "full")])            a job
//!   world.run_once()                           a worker works until nothing is left
//!   world.universe("large_cap")                what came of it
//! ```
//!
//! Databases share one private Postgres, copied from one that is migrated and holds the background of the market.
//! Whatever is waited for is a condition with a deadline, never a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cache_sync::demo::servers::PrivateRedis;
use cache_sync::domain::job::{JobId, JobRequest};
use cache_sync::domain::task::Mode;
use cache_sync::redis::connection::{Redis, Shared};
use cache_sync::service::{Cancellation, Service};
use cache_sync::settings::{LoadArgs, Settings};
use cache_sync::store::jobs::{self, Accepted, JobRow};
use cache_sync::store::{Client, Database};
use cache_sync::wire::event::Origin;
use cache_sync::wire::names::{GROUP, Names};
use cache_sync::worker::shutdown::Shutdown;
use cache_sync::worker::{Until, Worker};
use chrono::Utc;
use redis::FromRedisValue;
use redis::streams::StreamRangeReply;
use serde_json::Value;
use tokio_postgres::SimpleQueryMessage;

mod appv2;
mod gate;
mod http;
mod listener;
mod market;
mod process;
mod proxy;
mod rights;
mod sentinel;
mod servers;
mod standby;
mod tap;
mod triggers;

pub(crate) use appv2::{GROUP_TABLES, GROUP_TYPES, KEYS, REBUILT};
pub(crate) use http::{Answer, CALLS, KEY, Sent, Serving, key_variable};
pub(crate) use listener::{Heard, Listener};
pub(crate) use market::{background, stock};
pub(crate) use process::{Process, Ran, signal};
pub(crate) use proxy::{Direction, Flow as ProxyFlow, Proxy, Target, Which};
pub(crate) use servers::{postgres_folder, restart_postgres};
pub(crate) use standby::standby_socket;
pub(crate) use tap::{Flow, Tap};
pub(crate) use triggers::{TestClock, Triggering, complete, eod_completion};

/// The longest wait for anything: far above what a busy machine takes.
const DEADLINE: Duration = Duration::from_secs(120);
/// As short as a test can wait for, and so long that no machine keeps a worker that lives from a sign of life in it.
pub(crate) const SHORT_LEASE: [(&str, &str); 2] =
    [("worker.lease_seconds", "8"), ("worker.heartbeat_seconds", "1")];
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// One installation, with nobody else in it.
pub(crate) struct World {
    pub(crate) redis: PrivateRedis,
    redis_url: String,
    pub(crate) names: Names,
    pub(crate) database_url: String,
    settings: Vec<(String, String)>,
    database: Database,
    shared: Shared,
}

/// The database of a world that has ended.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    database: String,
}

impl World {
    /// The background market, closed on [`market::START`], and nothing synced yet.
    pub(crate) async fn new() -> Self {
        Self::with(&[]).await
    }

    /// The same under other settings: `("worker.max_attempts", "2")`.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        servers::log_if_asked();
        Self::around(servers::new_database().await, settings).await
    }

    /// Ends this world; its database can be copied then.
    pub(crate) fn into_template(self) -> Template {
        let (_, database) = self.database_url.rsplit_once('/').unwrap();
        Template { database: database.to_owned() }
    }

    /// A copy of another world's database, with a Redis of its own, under these settings.
    pub(crate) async fn copy_of(template: &Template, settings: &[(&str, &str)]) -> Self {
        servers::log_if_asked();
        Self::around(servers::copy_database(&template.database).await, settings).await
    }

    async fn around(database_url: String, settings: &[(&str, &str)]) -> Self {
        let redis = servers::new_redis().await;
        let url = redis.url();
        Self::around_redis(database_url, redis, &url, settings)
    }

    fn around_redis(
        database_url: String,
        redis: PrivateRedis,
        redis_url: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let settings: Vec<(String, String)> =
            settings.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let loaded = load(&database_url, redis_url, &settings);
        Self {
            redis_url: redis_url.to_owned(),
            names: loaded.redis.names().unwrap(),
            database: Database::new(&loaded.database).unwrap(),
            shared: Redis::by(&loaded.redis).unwrap().shared(),
            database_url,
            settings,
            redis,
        }
    }

    /// The settings of everybody in it.
    pub(crate) fn settings(&self) -> Settings {
        load(&self.database_url, &self.redis_url, &self.settings)
    }

    /// A world in which a first sync has filled the universes.
    pub(crate) async fn filled() -> Self {
        Self::filled_with(&[]).await
    }

    /// The same under other settings.
    pub(crate) async fn filled_with(settings: &[(&str, &str)]) -> Self {
        let world = Self::with(settings).await;
        world.sync("first").await;
        world
    }

    /// Asks for a full sync as a person would, and works until it is done. Panics unless it completes.
    pub(crate) async fn sync(&self, id: &str) -> HashMap<String, String> {
        self.xadd(&[("job_id", id), ("triggered_by", "admin")]).await;
        self.run_once().await;
        let status = self.status(id).await;
        assert_eq!(status["status"], "completed", "{}", status["error"]);
        status
    }

    /// The same with all progress told.
    pub(crate) async fn sync_telling_all(&self, id: &str) -> HashMap<String, String> {
        self.xadd(&[("job_id", id), ("triggered_by", "admin")]).await;
        self.run_once_telling_all(id).await;
        let status = self.status(id).await;
        assert_eq!(status["status"], "completed", "{}", status["error"]);
        status
    }
}

/// Asking for jobs.
impl World {
    /// Puts an entry on the stream, as anybody might; returns its id.
    pub(crate) async fn xadd(&self, fields: &[(&str, &str)]) -> String {
        let fields: Vec<(&[u8], &[u8])> =
            fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        self.xadd_bytes(&fields).await
    }

    /// The same with any bytes.
    pub(crate) async fn xadd_bytes(&self, fields: &[(&[u8], &[u8])]) -> String {
        let mut command = redis::cmd("XADD");
        command.arg(self.names.job_stream()).arg("*");
        for (name, value) in fields {
            command.arg(*name).arg(*value);
        }
        self.ask_redis(&command).await
    }

    /// Accepts a job and puts it on the stream, as the command `submit` does.
    pub(crate) async fn submit(&self, request: &JobRequest) {
        let submitted = self.service().submit(request, Origin::Job, Utc::now()).await.unwrap();
        assert!(!submitted.is_duplicate && submitted.delayed.is_none(), "{submitted:?}");
    }

    /// Where jobs are asked for and looked up.
    pub(crate) fn service(&self) -> Service {
        Service::new(&load(&self.database_url, &self.redis_url, &self.settings)).unwrap()
    }

    /// Accepts a job and leaves it at that, as a producer that dies at once.
    pub(crate) async fn accept(&self, request: &JobRequest) {
        let mut client = self.database.client().await.unwrap();
        let accepted = jobs::accept(&mut client, request, &[], Utc::now()).await.unwrap();
        assert!(matches!(accepted, Accepted::New(_)), "{accepted:?}");
    }

    /// Asks for the end of a job, as the command `cancel` does.
    pub(crate) async fn cancel(&self, id: &str) -> Cancellation {
        self.service().cancel(&job_id(id), Utc::now()).await.unwrap()
    }
}

/// A request for a full sync, by nobody in particular.
pub(crate) fn request(id: &str) -> JobRequest {
    JobRequest::new(job_id(id), Mode::Full, "admin", Utc::now())
}

fn job_id(text: &str) -> JobId {
    JobId::parse(text).unwrap()
}

/// Working.
impl World {
    fn worker(&self, name: Option<&str>) -> Worker {
        let mut settings = self.settings.clone();
        settings.extend(name.map(|name| ("worker.name".to_owned(), name.to_owned())));
        let settings = load(&self.database_url, &self.redis_url, &settings);
        Worker::new(&settings, Shutdown::default()).unwrap()
    }

    /// Has a worker work until nothing is left.
    pub(crate) async fn run_once(&self) {
        self.run(Arc::new(self.worker(None))).await;
    }

    /// The same with all progress of this job told: it is held until that is, for its end waits for it only a moment.
    pub(crate) async fn run_once_telling_all(&self, id: &str) {
        let gate = self.gate("insert on cache_sync_changes").await;
        tokio::join!(self.run_once(), async {
            gate.reached().await;
            self.all_progress_told(id).await;
            gate.open().await;
        });
    }

    /// The same where an attempt may take no longer than `timeout`, which settings give in whole minutes.
    pub(crate) async fn run_once_within(&self, timeout: Duration) {
        let mut worker = self.worker(None);
        worker.options.timeout = timeout;
        self.run(Arc::new(worker)).await;
    }

    async fn run(&self, worker: Arc<Worker>) {
        tokio::time::timeout(DEADLINE, worker.run(Until::Idle)).await.expect("it ends").unwrap();
    }

    /// Starts the program itself as a worker whose servers are behind these proxies.
    pub(crate) fn spawn_worker_behind(&self, postgres: Option<&Proxy>, redis: Option<&Proxy>) -> Process {
        self.spawn_behind(&["worker"], postgres, redis)
    }

    /// The same for any command.
    pub(crate) fn spawn_behind(
        &self,
        args: &[&str],
        postgres: Option<&Proxy>,
        redis: Option<&Proxy>,
    ) -> Process {
        self.spawn_in(args, self.behind(postgres, redis))
    }

    /// What a program has to find in its environment to have its servers behind these proxies.
    pub(crate) fn behind(&self, postgres: Option<&Proxy>, redis: Option<&Proxy>) -> Vec<(String, String)> {
        let postgres = postgres.map(|proxy| ("DATABASE_URL".to_owned(), proxy.database_url(self)));
        let redis = redis.map(|proxy| ("REDIS_URL".to_owned(), proxy.redis_url()));
        postgres.into_iter().chain(redis).collect()
    }

    /// A second Redis, which replicates that of this world and is in step.
    pub(crate) async fn replica(&self) -> PrivateRedis {
        let port = self.redis.port().to_string();
        let start = move || {
            PrivateRedis::start(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"])
        };
        let replica = tokio::task::spawn_blocking(start).await.unwrap().unwrap();
        until("a replica in step", async || {
            let info: String = self.ask_redis(redis::cmd("INFO").arg("replication")).await;
            info.contains("state=online")
        })
        .await;
        replica
    }

    /// Promotes a replica; the Redis of this world lives on as its replica.
    pub(crate) async fn fail_over_to(&self, replica: &PrivateRedis) {
        let client = redis::Client::open(replica.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        // Nothing that was acknowledged is missing there: what a failover may lose is another matter.
        let _: i64 = self.ask_redis(redis::cmd("WAIT").arg(1).arg(10_000)).await;
        let _: () = redis::cmd("REPLICAOF").arg("NO").arg("ONE").query_async(&mut connection).await.unwrap();
        let _: () = self.ask_redis(redis::cmd("REPLICAOF").arg("127.0.0.1").arg(replica.port())).await;
    }

    /// Has a worker work in the background until it is dropped. Like the program itself it knows at once when another
    /// worker on this machine dies.
    pub(crate) fn start_worker(&self) -> Working {
        self.start(None)
    }

    /// The same under a name of its own: two workers in one process are told apart by nothing else.
    pub(crate) fn start_worker_named(&self, name: &str) -> Working {
        self.start(Some(name))
    }

    fn start(&self, name: Option<&str>) -> Working {
        let worker = Arc::new(self.worker(name));
        let shutdown = worker.shutdown.clone();
        let task = tokio::spawn(worker.run(Until::Stopped));
        Working { shutdown, task: Some(task) }
    }

    /// Starts the program itself as a worker.
    pub(crate) fn spawn_worker(&self) -> Process {
        self.spawn(&["worker"])
    }

    /// Starts the program itself.
    pub(crate) fn spawn(&self, args: &[&str]) -> Process {
        self.spawn_in(args, Vec::new())
    }

    /// The same with further variables.
    pub(crate) fn spawn_in(&self, args: &[&str], variables: Vec<(String, String)>) -> Process {
        Process::start(args, self.environment(variables))
    }

    /// Runs a command of the program to its end.
    pub(crate) async fn run_command(&self, args: &[&str]) -> Ran {
        process::run(args, self.environment(Vec::new())).await
    }

    /// The same with further variables.
    pub(crate) async fn run_command_in(&self, args: &[&str], variables: Vec<(String, String)>) -> Ran {
        process::run(args, self.environment(variables)).await
    }

    /// The socket of its Postgres, where a proxy may lead.
    #[expect(clippy::unused_self, reason = "a world stands for its servers")]
    pub(crate) fn postgres_socket(&self) -> std::path::PathBuf {
        servers::postgres_socket()
    }

    /// Has everybody in it, this test too, reach Redis through a proxy from now on.
    pub(crate) fn move_behind(&mut self, redis: &Proxy) {
        self.redis_url = redis.redis_url();
        self.shared = Redis::by(&self.settings().redis).unwrap().shared();
    }

    fn environment(&self, variables: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut env = vec![
            ("DATABASE_URL".to_owned(), self.database_url.clone()),
            ("REDIS_URL".to_owned(), self.redis_url.clone()),
        ];
        env.extend(self.settings.iter().map(|(key, text)| {
            (format!("CACHE_SYNC__{}", key.replace('.', "__").to_uppercase()), text.clone())
        }));
        env.extend(variables);
        env
    }
}

/// A worker in the background of a test.
pub(crate) struct Working {
    shutdown: Shutdown,
    task: Option<tokio::task::JoinHandle<Result<(), cache_sync::failure::Failure>>>,
}

impl Working {
    /// Asks it to stop, gives it all the time it needs, and waits.
    pub(crate) async fn stop(mut self) {
        self.shutdown.asked.cancel();
        let task = self.task.take().expect("it is stopped once");
        tokio::time::timeout(DEADLINE, task).await.expect("it ends").unwrap().unwrap();
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.shutdown.asked.cancel();
        self.shutdown.demanded.cancel();
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn load(database_url: &str, redis_url: &str, settings: &[(String, String)]) -> Settings {
    let env = [("DATABASE_URL", database_url), ("REDIS_URL", redis_url)];
    let env = env.map(|(name, text)| (name.into(), text.into()));
    let args = LoadArgs {
        config: None,
        directory: "/nowhere".into(),
        env: env.into_iter(),
        overrides: settings.to_vec(),
    };
    Settings::load(args).unwrap()
}

/// Something told of a job, as its event stream keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) seq: i64,
    pub(crate) event: String,
    pub(crate) channels: Vec<String>,
    pub(crate) data: Value,
}

/// Looking at Redis.
impl World {
    /// What Redis answers; asked again where the connection was lost.
    pub(crate) async fn ask_redis<T: FromRedisValue>(&self, command: &redis::Cmd) -> T {
        eventually("an answer of Redis", async || match command.query_async(&mut self.connection()).await {
            Ok(answer) => Some(answer),
            Err(error) if error.is_io_error() || error.is_connection_dropped() => None,
            // It has become a replica; the next connection leads to its primary.
            Err(error) if error.code() == Some("READONLY") => None,
            Err(error) => panic!("{error}"),
        })
        .await
    }

    /// A connection, for commands that may fail.
    pub(crate) fn connection(&self) -> Shared {
        self.shared.clone()
    }

    /// The status hash of a job; empty where there is none.
    pub(crate) async fn status(&self, id: &str) -> HashMap<String, String> {
        self.ask_redis(redis::cmd("HGETALL").arg(self.names.status(&job_id(id)))).await
    }

    /// Waits for a job's end and for its telling.
    pub(crate) async fn ended(&self, id: &str) -> HashMap<String, String> {
        eventually(&format!("the end of job {id}"), async || {
            let status = self.status(id).await;
            let is_final = |status: &String| ["completed", "failed", "cancelled"].contains(&status.as_str());
            status.get("status").is_some_and(is_final).then_some(status)
        })
        .await
    }

    /// Waits until a job that a gate holds has told that each of its sub-tasks is decided.
    pub(crate) async fn all_progress_told(&self, id: &str) {
        until(&format!("all progress of job {id}"), async || {
            let status = self.status(id).await;
            status.get("completed").is_some_and(|completed| *completed == status["total_items"])
        })
        .await;
    }

    /// Waits until every entry is put away. A job's end is told before its entry is.
    pub(crate) async fn stream_is_empty(&self) {
        until("an empty stream", async || self.entries().await.is_empty()).await;
    }

    /// What was told of a job, in order.
    pub(crate) async fn events(&self, id: &str) -> Vec<Told> {
        let mut command = redis::cmd("XRANGE");
        let range: StreamRangeReply =
            self.ask_redis(command.arg(self.names.events(&job_id(id))).arg("-").arg("+")).await;
        let told = range.ids.iter().map(|entry| {
            let text = |field: &str| entry.get::<String>(field).unwrap();
            let (seq, zero) = entry.id.split_once('-').unwrap();
            assert_eq!(zero, "0", "{}", entry.id);
            Told {
                seq: seq.parse().unwrap(),
                event: text("event"),
                channels: text("channels").split(',').map(str::to_owned).collect(),
                data: serde_json::from_str(&text("data")).unwrap(),
            }
        });
        told.collect()
    }

    /// The names of what was told of a job, in order.
    pub(crate) async fn event_names(&self, id: &str) -> Vec<String> {
        self.events(id).await.into_iter().map(|told| told.event).collect()
    }

    /// The dead letters, oldest first; bytes that are no text show as such.
    pub(crate) async fn dead_letters(&self) -> Vec<HashMap<String, String>> {
        let mut command = redis::cmd("XRANGE");
        let letters: Vec<(String, Vec<Vec<u8>>)> =
            self.ask_redis(command.arg(self.names.dead_stream()).arg("-").arg("+")).await;
        let lossy = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        let fields = letters.iter().map(|(_, fields)| fields);
        fields
            .map(|fields| fields.chunks(2).map(|pair| (lossy(&pair[0]), lossy(&pair[1]))).collect())
            .collect()
    }

    /// Ids of the entries that are on the stream.
    pub(crate) async fn entries(&self) -> Vec<String> {
        let mut command = redis::cmd("XRANGE");
        let range: StreamRangeReply =
            self.ask_redis(command.arg(self.names.job_stream()).arg("-").arg("+")).await;
        range.ids.into_iter().map(|entry| entry.id).collect()
    }

    /// How many entries are delivered and not acknowledged.
    pub(crate) async fn pending(&self) -> usize {
        let mut command = redis::cmd("XPENDING");
        let summary: Option<Vec<redis::Value>> =
            self.ask_group(command.arg(self.names.job_stream()).arg(GROUP)).await;
        summary.map_or(0, |summary| usize::from_redis_value(summary.into_iter().next().unwrap()).unwrap())
    }

    /// The consumers of the group; none where there is no group.
    pub(crate) async fn consumers(&self) -> Vec<String> {
        let mut command = redis::cmd("XINFO");
        command.arg("CONSUMERS").arg(self.names.job_stream()).arg(GROUP);
        let consumers: Vec<HashMap<String, redis::Value>> =
            self.ask_group(&command).await.unwrap_or_default();
        let name = |mut consumer: HashMap<String, redis::Value>| {
            String::from_redis_value(consumer.remove("name").unwrap()).unwrap()
        };
        consumers.into_iter().map(name).collect()
    }

    /// What Redis answers about the group, where there is one.
    async fn ask_group<T: FromRedisValue>(&self, command: &redis::Cmd) -> Option<T> {
        eventually("an answer of Redis", async || match command.query_async(&mut self.connection()).await {
            Ok(answer) => Some(Some(answer)),
            Err(error) if error.is_io_error() || error.is_connection_dropped() => None,
            Err(error) if error.code() == Some("NOGROUP") || error.to_string().contains("no such key") => {
                Some(None)
            }
            Err(error) => panic!("{error}"),
        })
        .await
    }

    /// Collects what is published from now on.
    pub(crate) async fn listen(&self) -> Listener {
        self.listen_at(self.redis.port()).await
    }

    /// The same at a server that replicates this one.
    pub(crate) async fn listen_at(&self, port: u16) -> Listener {
        Listener::start(&format!("redis://127.0.0.1:{port}")).await
    }
}

/// A lock in the hands of the test; that of the lease is the right to change universes.
pub(crate) struct HeldLock(Client);

impl HeldLock {
    pub(crate) async fn release(self) {
        self.0.batch_execute("rollback").await.unwrap();
    }
}

/// Looking at Postgres.
impl World {
    /// Takes the lease, so that every job waits in line.
    pub(crate) async fn hold_lease(&self) -> HeldLock {
        self.lock("lock table cache_sync_lease in exclusive mode").await
    }

    /// Keeps everybody from telling what a job owes; waits for whoever is at it.
    pub(crate) async fn hold_relay_of(&self, id: &str) -> HeldLock {
        let lock = format!("select pg_advisory_xact_lock(hashtextextended('cache_sync relay {id}', 0))");
        self.lock(&lock).await
    }

    /// Locks something, for as long as the test wants.
    pub(crate) async fn lock(&self, statement: &str) -> HeldLock {
        let client = self.database.dedicated().await.unwrap();
        client.batch_execute(&format!("begin; {statement}")).await.unwrap();
        HeldLock(client)
    }

    /// Waits until the worker of a job is at this step.
    pub(crate) async fn reached_step(&self, id: &str, step: &str) {
        let at = format!("select count(*) from cache_sync_owners where job_id = '{id}' and step = '{step}'");
        until(&format!("job {id} at step {step}"), async || self.count(&at).await == 1).await;
    }

    /// Waits until nobody holds a job. Its worker lets go of it after the commit that ends it, and the round of a relay
    /// may have told the end before.
    pub(crate) async fn all_let_go(&self) {
        until("jobs that nobody holds", async || {
            self.count("select count(*) from cache_sync_owners").await == 0
        })
        .await;
    }

    /// Waits until all that is owed is noted as told, which comes after the telling.
    pub(crate) async fn all_told(&self) {
        until("all to be told", async || {
            self.count("select count(*) from cache_sync_outbox where sent_at is null").await == 0
        })
        .await;
    }

    /// Runs statements.
    pub(crate) async fn sql(&self, sql: &str) {
        self.database.client().await.unwrap().batch_execute(sql).await.unwrap();
    }

    /// What a query answers: a line a row, columns parted by a blank, nulls as `-`.
    pub(crate) async fn ask(&self, sql: &str) -> Vec<String> {
        self.try_ask(sql).await.unwrap_or_else(|| panic!("no answer to {sql}"))
    }

    /// The same where the server may be away.
    pub(crate) async fn try_ask(&self, sql: &str) -> Option<Vec<String>> {
        let messages = self.database.client().await.ok()?.simple_query(sql).await.ok()?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let line = |row: &tokio_postgres::SimpleQueryRow| {
            (0..row.len()).map(|column| row.get(column).unwrap_or("-")).collect::<Vec<_>>().join(" ")
        };
        Some(rows.map(line).collect())
    }

    /// What a query for one number answers.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.ask(sql).await[0].parse().unwrap()
    }

    /// The row of a job.
    pub(crate) async fn job(&self, id: &str) -> JobRow {
        self.find_job(id).await.expect("the job is known")
    }

    /// The row of a job, where there is one.
    pub(crate) async fn find_job(&self, id: &str) -> Option<JobRow> {
        let mut client = self.database.client().await.unwrap();
        jobs::load(&mut client, &job_id(id)).await.unwrap()
    }

    /// The symbols of a row of `cache_entries`, in its order.
    pub(crate) async fn universe(&self, name: &str) -> Vec<String> {
        let symbols = "jsonb_array_elements_text(content -> 'symbols')";
        self.ask(&format!("select {symbols} from cache_entries where universe = '{name}'")).await
    }

    /// The memberships of a symbol in a universe: `from to entry exit`.
    pub(crate) async fn history(&self, universe: &str, symbol: &str) -> Vec<String> {
        self.ask(&format!(
            "select valid_from, valid_to, entry_reason, exit_reason from universe_membership
             where universe = '{universe}' and symbol = '{symbol}' order by valid_from"
        ))
        .await
    }

    /// Every row of `cache_entries` and who wrote it: two of these are equal only if nothing was written between.
    pub(crate) async fn entries_fingerprint(&self) -> Vec<String> {
        self.ask("select universe, xmin, ctid, md5(content::text), updated_at from cache_entries order by universe")
            .await
    }

    /// Panics unless history holds together: no overlaps, and replayed it is what stands in `cache_entries`.
    pub(crate) async fn assert_history_is_consistent(&self) {
        let overlaps = "
            select a.universe, a.symbol, a.valid_from, b.valid_from from universe_membership a
            join universe_membership b on b.universe = a.universe and b.symbol = a.symbol and b.id > a.id
            where a.valid_from < coalesce(b.valid_to, 'infinity') and b.valid_from < coalesce(a.valid_to, 'infinity')";
        assert_eq!(self.ask(overlaps).await, [""; 0]);
        if self.has_appv2_entries().await {
            self.assert_appv2_rows_are_the_history().await;
            return;
        }
        let differences = "
            with history as (select universe, symbol from universe_membership where valid_to is null),
            entries as (
                select e.universe, jsonb_array_elements_text(e.content -> 'symbols') as symbol
                from cache_entries e join cache_entries_metadata m on m.universe = e.universe)
            (table history except table entries) union all (table entries except table history)";
        assert_eq!(self.ask(differences).await, [""; 0]);
        let counts = "
            select e.universe from cache_entries e join cache_entries_metadata m on m.universe = e.universe
            where (e.content ->> 'count')::int <> jsonb_array_length(e.content -> 'symbols')
               or m.symbol_count <> (e.content ->> 'count')::int";
        assert_eq!(self.ask(counts).await, [""; 0]);
    }
}

/// Looks until there is something to see, and returns it.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "waited in vain for {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    eventually(what, async || is_so().await.then_some(())).await;
}
