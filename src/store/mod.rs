//! Postgres: one file per noun.
//!
//! Every unit of work is one transaction that opens with `set local`: nothing depends on the state of a session, so
//! a pooler in transaction mode may stand between. Statements go out unnamed ([`query_typed`]) for the same reason.
//!
//! [`query_typed`]: tokio_postgres::Client::query_typed

pub mod account;
pub mod apply;
pub mod figures;
pub mod history;
pub mod jobs;
pub mod layout;
pub mod lease;
pub mod leftovers;
pub mod migrations;
pub mod outbox;
pub mod owners;
pub mod past;
pub mod pins;
pub mod quarantine;
pub mod reading;
pub mod revert;
pub mod snapshot;
pub mod source;

mod catalog;
mod decode;
mod statement;

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio_postgres::config::SslMode;
use tokio_postgres::{CancelToken, Config, IsolationLevel, NoTls, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::failure::{self, Failure};
use crate::settings::DatabaseSettings;

/// Connections a process keeps at most: one each for claiming, relaying, sweeping, and one to spare.
const POOL_SIZE: usize = 4;
/// Longest wait for a connection, made or pooled.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Unacknowledged bytes after which the kernel gives a connection up.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a sign of life of a connection that was idle.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest statement of ordinary bookkeeping. Reading and applying set their own.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
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

impl Database {
    /// Prepares to use the database; connects only when first needed.
    pub fn new(settings: &DatabaseSettings) -> Result<Self, String> {
        let mut config = parse_url(settings.url.expose())?;
        config.connect_timeout(CONNECT_TIMEOUT).tcp_user_timeout(TCP_USER_TIMEOUT).keepalives(true);
        config.keepalives_idle(Duration::from_secs(10));
        if config.get_application_name().is_none() {
            config.application_name("cache-sync");
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Verified };
        let manager = match tls(&config)? {
            Some(tls) => Manager::from_config(config.clone(), tls, recycling),
            None => Manager::from_config(config.clone(), NoTls, recycling),
        };
        let pool = Pool::builder(manager)
            .max_size(POOL_SIZE)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .build()
            .map_err(|error| format!("cannot make a connection pool: {error}"))?;
        Ok(Self { pool, config, schema: settings.schema.clone() })
    }

    /// The schema of our tables.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// A connection from the pool.
    pub async fn client(&self) -> Result<Client, Failure> {
        let object = self.pool.get().await.map_err(failure::pool("connect to Postgres"))?;
        Ok(Client { connection: Connection::Pooled(object), schema: self.schema.clone() })
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
        let client = if let Some(tls) = tls {
            let (client, connection) = self.config.connect(tls).await.map_err(failure::connecting(doing))?;
            tokio::spawn(connection);
            client
        } else {
            let (client, connection) =
                self.config.connect(NoTls).await.map_err(failure::connecting(doing))?;
            tokio::spawn(connection);
            client
        };
        Ok(Client { connection: Connection::Dedicated(client), schema: self.schema.clone() })
    }
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
        let asked = match tls(&self.config) {
            Ok(Some(tls)) => self.token.cancel_query(tls).await,
            Ok(None) => self.token.cancel_query(NoTls).await,
            Err(_) => Ok(()),
        };
        if let Err(error) = asked {
            tracing::debug!("could not ask the server to cancel a statement: {error}");
        }
    }
}

/// A connection, pooled or of its own.
pub struct Client {
    connection: Connection,
    schema: String,
}

enum Connection {
    Pooled(deadpool_postgres::Object),
    Dedicated(tokio_postgres::Client),
}

/// How a unit of work is opened.
struct Unit {
    isolation: IsolationLevel,
    is_read_only: bool,
    is_forgettable: bool,
    limits: Limits,
    /// How long the client may leave it idle.
    idle: Duration,
}

impl Default for Unit {
    fn default() -> Self {
        Self {
            isolation: IsolationLevel::ReadCommitted,
            is_read_only: false,
            is_forgettable: false,
            limits: Limits::default(),
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

    /// The same for what is made good by itself, should a crash of the server take the last second of it: the commit
    /// does not wait for the disk. Everybody sees it at once all the same.
    pub async fn begin_forgettable(&mut self) -> Result<Transaction<'_>, Failure> {
        self.open(Unit { is_forgettable: true, ..Unit::default() }).await
    }

    /// The same for a unit of work that asks Redis in the middle: what is not marked as told is told again.
    pub async fn begin_relay(&mut self) -> Result<Transaction<'_>, Failure> {
        self.open(Unit { is_forgettable: true, idle: IDLE_TIMEOUT_OF_RELAY, ..Unit::default() }).await
    }

    /// Opens a unit of work that reads one snapshot and may write.
    pub async fn begin_repeatable(&mut self, limits: Limits) -> Result<Transaction<'_>, Failure> {
        self.open(Unit::of_one_snapshot(limits)).await
    }

    /// Opens a unit of work that reads one snapshot and can't write.
    pub async fn begin_read_only(&mut self, limits: Limits) -> Result<Transaction<'_>, Failure> {
        self.open(Unit { is_read_only: true, ..Unit::of_one_snapshot(limits) }).await
    }

    /// Whether the server answers over this connection, at once.
    async fn answers(&self) -> bool {
        matches!(tokio::time::timeout(ANSWER_TIMEOUT, self.batch_execute("")).await, Ok(Ok(())))
    }

    async fn open(&mut self, unit: Unit) -> Result<Transaction<'_>, Failure> {
        let doing = "open a transaction";
        // Only `set local` before the first real statement: a lease taken by LOCK TABLE must come before any
        // statement that takes a snapshot. Ten thousand cheap probes look expensive enough to be compiled, which costs
        // more than it saves, so `jit` is off.
        let settings = format!(
            "set local search_path to {}; set local statement_timeout = {}; set local lock_timeout = {}; \
             set local idle_in_transaction_session_timeout = {}; set local jit = off{}",
            quoted(&self.schema),
            unit.limits.statement.as_millis(),
            unit.limits.lock.as_millis(),
            unit.idle.as_millis(),
            if unit.is_forgettable { "; set local synchronous_commit = off" } else { "" },
        );
        let client: &mut tokio_postgres::Client = self;
        let transaction = client
            .build_transaction()
            .isolation_level(unit.isolation)
            .read_only(unit.is_read_only)
            .start()
            .await
            .map_err(failure::postgres(doing))?;
        transaction.batch_execute(&settings).await.map_err(failure::postgres(doing))?;
        Ok(transaction)
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
            Some(client) if client.answers().await => Ok(client),
            Some(_) | None => database.dedicated().await,
        }
    }

    /// Keeps a connection for the next use.
    pub fn keep(&self, client: Client) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(client);
    }
}

impl Deref for Client {
    type Target = tokio_postgres::Client;
    fn deref(&self) -> &Self::Target {
        match &self.connection {
            Connection::Pooled(object) => object,
            Connection::Dedicated(client) => client,
        }
    }
}

impl DerefMut for Client {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match &mut self.connection {
            Connection::Pooled(object) => object,
            Connection::Dedicated(client) => client,
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
