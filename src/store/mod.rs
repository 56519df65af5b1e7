//! Postgres: one file per noun.
//!
//! Every unit of work is one transaction that opens with `set local`: nothing depends on the state of a session, so
//! a pooler in transaction mode may stand between. Statements go out unnamed ([`query_typed`]) for the same reason.
//!
//! [`query_typed`]: tokio_postgres::Client::query_typed

pub mod account;
pub mod apply;
pub mod changes;
pub mod distrusts;
pub mod figures;
pub mod history;
pub mod jobs;
pub mod layout;
pub mod lease;
pub mod leftovers;
pub mod migrations;
pub mod outbox;
pub mod owners;
pub mod pins;
pub mod quarantine;
pub mod read;
pub mod rejected;
pub mod revert;

mod catalog;
mod statement;
mod transaction;
mod watch;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{CancelToken, Config, IsolationLevel, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use self::transaction::Transaction;
use self::watch::{Health, Watch};
use crate::failure::{self, Failure, PostgresError};
use crate::settings::DatabaseSettings;

/// Connections of a role that are not pooled: that of a sync, and that of its heartbeat.
const DEDICATED: usize = 2;
/// Longest wait for a connection, made or pooled: for the network, the server's greeting and the password.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Unacknowledged bytes after which the kernel gives a connection up.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for the beginning of a transaction, for which a server that lives needs nothing.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest statement of reading for people and programs. Syncs set their own.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest statement of bookkeeping: all of them touch few rows by their keys. A connection that is silent for longer is
/// replaced, and that has to be done well within a lease.
const BOOKKEEPING_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a lock of ordinary bookkeeping.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time a transaction of bookkeeping may stay without a statement before the server ends it. Only a process that
/// is stopped stays so long, and others wait for the rows it has locked: about as long as for a lease, not longer.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3);
/// The same for a relay, which waits for an answer of Redis in the middle, at most five seconds.
const IDLE_TIMEOUT_OF_RELAY: Duration = Duration::from_secs(8);
/// The same for a sync, which shows signs of life while it plans. A worker that is stopped right after it got the lease,
/// before it could note which backend has it, keeps others waiting for so long.
const IDLE_TIMEOUT_OF_SYNC: Duration = Duration::from_secs(10);

/// A Postgres database, the schema our tables live in, and a bounded pool of connections to it.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    config: Config,
    schema: String,
    identity: Arc<OnceCell<String>>,
    health: Health,
}

/// How a pool is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that are open.
    pub open: usize,
    /// Of these, unused.
    pub idle: usize,
    /// Callers that wait for one.
    pub waiting: usize,
    /// The most connections that are opened.
    pub limit: usize,
}

/// Limits for one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest statement.
    pub statement: Duration,
    /// Longest wait for a lock.
    pub lock: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { statement: STATEMENT_TIMEOUT, lock: LOCK_TIMEOUT }
    }
}

impl Limits {
    /// Those of bookkeeping.
    const BOOKKEEPING: Self = Self { statement: BOOKKEEPING_TIMEOUT, lock: LOCK_TIMEOUT };
}

impl Database {
    /// Prepares to use the database; connects only when first needed.
    pub fn new(settings: &DatabaseSettings) -> Result<Self, String> {
        let mut config = parse_url(settings.url.expose())?;
        config.connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(TCP_USER_TIMEOUT).keepalives(true);
        config.keepalives_idle(Duration::from_secs(10));
        if config.get_application_name().is_none() {
            config.application_name("cache-sync");
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match tls(&config)? {
            Some(tls) => Manager::from_config(config.clone(), tls, recycling),
            None => Manager::from_config(config.clone(), NoTls, recycling),
        };
        let health = Health::default();
        let pool = Pool::builder(manager)
            .pre_recycle(ask_before_use(health.clone()))
            .max_size(settings.max_connections.saturating_sub(DEDICATED).max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .build()
            .map_err(|error| format!("cannot make a connection pool: {error}"))?;
        Ok(Self { pool, config, schema: settings.schema.clone(), identity: Arc::default(), health })
    }

    /// Which database it is, by the first answer: a name that no other has, copies of it included.
    pub async fn identity(&self) -> Result<&str, Failure> {
        let ask = async || {
            let mut client = self.client().await?;
            let transaction = client.begin_look().await?;
            let sql = include_str!("../../sql/queries/database_identity.sql");
            let rows = transaction
                .query_typed(sql, &[(&self.schema, Type::TEXT)])
                .await
                .map_err(failure::postgres("ask which database this is"))?;
            let missing = || Failure::permanent("ask which database this is", "the catalogue gave no answer");
            Ok(rows.first().ok_or_else(missing)?.get("identity"))
        };
        self.identity.get_or_try_init(ask).await.map(String::as_str)
    }

    /// The schema of our tables.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// A connection from the pool.
    pub async fn client(&self) -> Result<Client, Failure> {
        let object = self.pool.get().await.map_err(failure::pool("connect to Postgres"))?;
        Ok(self.client_over(Connection::Pooled(Some(object))))
    }

    fn client_over(&self, connection: Connection) -> Client {
        Client { connection, schema: self.schema.clone(), watch: Watch::new(self.health.clone()) }
    }

    /// How the pool is used: connections that are open, of these idle, and callers that wait for one.
    pub fn pool_use(&self) -> PoolUse {
        let status = self.pool.status();
        PoolUse { open: status.size, idle: status.available, waiting: status.waiting, limit: status.max_size }
    }

    /// What stops the running statement of `client`.
    pub fn canceller(&self, client: &Client) -> Canceller {
        Canceller { token: client.cancel_token(), config: self.config.clone() }
    }

    /// A connection of its own, for work that no other may share or reuse: the long transaction of a sync.
    /// It closes when dropped.
    pub async fn dedicated(&self) -> Result<Client, Failure> {
        let doing = "connect to Postgres";
        let tls = tls(&self.config).map_err(|problem| Failure::permanent(doing, problem))?;
        let connecting = async {
            match tls {
                Some(tls) => self.config.connect(tls).await.map(run),
                None => self.config.connect(NoTls).await.map(run),
            }
        };
        // The driver's own limit ends with the handshake of TCP, which a server that hangs still answers.
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(made) => {
                let (client, task) = made.map_err(failure::connecting(doing))?;
                Ok(self.client_over(Connection::Dedicated(client, task)))
            }
            Err(_) => Err(failure::postgres(doing)(PostgresError::Silent(CONNECT_TIMEOUT))),
        }
    }
}

/// Has a connection carried in the background.
fn run<T>(
    (client, connection): (tokio_postgres::Client, tokio_postgres::Connection<Socket, T>),
) -> (tokio_postgres::Client, AbortHandle)
where
    T: tokio_postgres::tls::TlsStream + Unpin + Send + 'static,
{
    (client, tokio::spawn(connection).abort_handle())
}

/// Asks a pooled connection before it is used again.
fn ask_before_use(health: Health) -> Hook {
    Hook::async_fn(move |client, metrics| {
        let watch = Watch::new(health.clone());
        let is_trusted = health.trusts(metrics.created);
        Box::pin(async move {
            if is_trusted && watch.is_usable(client).await {
                return Ok(());
            }
            Err(HookError::message("the connection is silent, or leads to a standby"))
        })
    })
}

/// Stops whatever statement a connection is running, from outside. Best effort: the statement may be done by then.
#[derive(Clone)]
pub struct Canceller {
    token: CancelToken,
    config: Config,
}

impl Canceller {
    /// Asks the server to stop it.
    pub async fn cancel(&self) {
        let asking = async {
            match tls(&self.config) {
                Ok(Some(tls)) => self.token.cancel_query(tls).await,
                Ok(None) => self.token.cancel_query(NoTls).await,
                Err(_) => Ok(()),
            }
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, asking).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("could not ask the server to cancel a statement: {error}"),
            Err(_) => tracing::debug!("could not ask the server to cancel a statement: it does not answer"),
        }
    }
}

/// A connection, pooled or of its own.
pub struct Client {
    connection: Connection,
    schema: String,
    watch: Watch,
}

enum Connection {
    /// `None` only while it is dropped.
    Pooled(Option<deadpool_postgres::Object>),
    /// With the task that carries it.
    Dedicated(tokio_postgres::Client, AbortHandle),
}

impl Drop for Client {
    /// One that is condemned goes to no pool, and is closed without a goodbye, for which its task would wait.
    fn drop(&mut self) {
        if !self.watch.is_condemned() {
            return;
        }
        match &mut self.connection {
            Connection::Pooled(object) => drop(object.take().map(deadpool_postgres::Object::take)),
            Connection::Dedicated(_, task) => task.abort(),
        }
    }
}

/// How a unit of work is opened.
struct Unit {
    isolation: IsolationLevel,
    is_read_only: bool,
    is_commit_asynchronous: bool,
    limits: Limits,
    /// How long the client may leave it idle.
    idle: Duration,
}

impl Default for Unit {
    fn default() -> Self {
        Self {
            isolation: IsolationLevel::ReadCommitted,
            is_read_only: false,
            is_commit_asynchronous: false,
            limits: Limits::BOOKKEEPING,
            idle: IDLE_TIMEOUT,
        }
    }
}

impl Unit {
    fn of_one_snapshot(limits: Limits) -> Self {
        Self {
            isolation: IsolationLevel::RepeatableRead,
            limits,
            idle: IDLE_TIMEOUT_OF_SYNC,
            ..Self::default()
        }
    }
}

impl Client {
    /// Opens a unit of work: read committed, our schema, bounded. Dropping it rolls back.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, Failure> {
        self.open(Unit::default()).await
    }

    /// The same with limits of its own, for what is more than bookkeeping.
    pub async fn begin_within(&mut self, limits: Limits) -> Result<Transaction<'_>, Failure> {
        self.open(Unit { limits, ..Unit::default() }).await
    }

    /// The same for bookkeeping that only looks. A standby answers it too.
    pub async fn begin_look(&mut self) -> Result<Transaction<'_>, Failure> {
        self.open(Unit { is_read_only: true, ..Unit::default() }).await
    }

    /// The same for what is made good by itself, should a crash of the server take the last second of it: the commit
    /// does not wait for the disk. Everybody sees it at once all the same.
    pub async fn begin_asynchronous_commit(&mut self) -> Result<Transaction<'_>, Failure> {
        self.open(Unit { is_commit_asynchronous: true, ..Unit::default() }).await
    }

    /// The same for a unit of work that asks Redis in the middle: what is not marked as told is told again.
    pub async fn begin_relay(&mut self) -> Result<Transaction<'_>, Failure> {
        self.open(Unit { is_commit_asynchronous: true, idle: IDLE_TIMEOUT_OF_RELAY, ..Unit::default() }).await
    }

    /// Opens a unit of work that reads one snapshot and may write.
    pub async fn begin_repeatable(&mut self, limits: Limits) -> Result<Transaction<'_>, Failure> {
        self.open(Unit::of_one_snapshot(limits)).await
    }

    /// Opens a unit of work that reads one snapshot and can't write.
    pub async fn begin_read_only(&mut self, limits: Limits) -> Result<Transaction<'_>, Failure> {
        self.open(Unit { is_read_only: true, ..Unit::of_one_snapshot(limits) }).await
    }

    /// Whether the server answers over this connection at once, and is one that can write.
    async fn is_usable(&self) -> bool {
        self.watch.is_usable(self).await
    }

    async fn open(&mut self, unit: Unit) -> Result<Transaction<'_>, Failure> {
        let doing = "open a transaction";
        // Only `set local` before the first real statement: a lease taken by LOCK TABLE must come before any
        // statement that takes a snapshot. Ten thousand cheap probes look expensive enough to be compiled, which costs
        // more than it saves, so `jit` is off. Rows that a policy hides would look like symbols that are gone, so
        // `row_security` is off too: Postgres then refuses to read such a table.
        let settings = format!(
            "set local search_path to {}; set local statement_timeout = {}; set local lock_timeout = {}; \
             set local idle_in_transaction_session_timeout = {}; set local jit = off; set local row_security = off{}",
            quoted(&self.schema),
            unit.limits.statement.as_millis(),
            unit.limits.lock.as_millis(),
            unit.idle.as_millis(),
            if unit.is_commit_asynchronous { "; set local synchronous_commit = off" } else { "" },
        );
        let watch = self.watch.clone();
        let client: &mut tokio_postgres::Client = self;
        let starting =
            client.build_transaction().isolation_level(unit.isolation).read_only(unit.is_read_only).start();
        let started = watch.hear(BEGIN_TIMEOUT, starting).await.map_err(|error| {
            if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) {
                // All that a transaction asks for at its beginning and a server may lack: it is in recovery.
                watch.condemn();
                return Failure::transient(doing, "the server is a standby, which can't write");
            }
            failure::postgres(doing)(error)
        })?;
        watch
            .hear(BEGIN_TIMEOUT, started.batch_execute(&settings))
            .await
            .map_err(failure::postgres(doing))?;
        Ok(Transaction::new(started, watch, unit.limits.statement))
    }
}

/// A connection of its own that is kept from one use to the next. A fresh one reads the same rows a third slower: its
/// backend has yet to learn the catalogue, and has no page of the tables mapped.
#[derive(Clone, Default)]
pub struct KeptConnection(Arc<Mutex<Option<Client>>>);

impl KeptConnection {
    /// The kept connection, or a new one. It is asked before it is trusted: it may have been idle since yesterday.
    pub async fn take(&self, database: &Database) -> Result<Client, Failure> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match kept {
            Some(client) if client.is_usable().await => Ok(client),
            Some(_) | None => database.dedicated().await,
        }
    }

    /// Keeps a connection for the next use, unless it is condemned.
    pub fn keep(&self, client: Client) {
        if client.watch.is_condemned() {
            return;
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
    }
}

impl Deref for Client {
    type Target = tokio_postgres::Client;
    fn deref(&self) -> &Self::Target {
        match &self.connection {
            Connection::Pooled(object) => object.as_ref().expect("it is used before it is dropped"),
            Connection::Dedicated(client, _) => client,
        }
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.connection {
            Connection::Pooled(object) => object.as_mut().expect("it is used before it is dropped"),
            Connection::Dedicated(client, _) => client,
        }
    }
}

/// An identifier as SQL wants it.
pub fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// The parsed URL; its text never appears in the error, for it may hold a password.
fn parse_url(url: &str) -> Result<Config, String> {
    url.parse().map_err(|_| {
        "DATABASE_URL is no Postgres URL; it looks like postgresql://user:password@host:5432/database"
            .to_owned()
    })
}

/// TLS where the URL says `sslmode=require`, with certificates checked against the common roots. The driver's
/// default, `prefer`, would refuse every server with a self-made certificate, so anything else means none.
fn tls(config: &Config) -> Result<Option<MakeRustlsConnect>, String> {
    if config.get_ssl_mode() != SslMode::Require {
        return Ok(None);
    }
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot set up TLS: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(client)))
}
