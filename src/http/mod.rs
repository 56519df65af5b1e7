//! The HTTP API: asks for jobs, and reads. Whatever it changes, it changes as the command line does, through the
//! [`Service`].
//!
//! ```text
//!  connection ─► door: request id ─► key ─► time limit ─► handler ─► answer ─► access log, counters
//!  (server)      (door)              (keys)               one file a call
//! ```
//!
//! | file | answers |
//! |---|---|
//! | `server` | who may connect, and how does it stop? |
//! | `door` | what is common to all requests? |
//! | `keys` | who may come in? |
//! | `routes` | which call goes where? |
//! | `trigger`, `jobs`, `events`, `cancel`, `stats`, `explain`, `health` | one call each, or a few of a kind |
//! | `metrics` | how does it go, in numbers? |
//! | `openapi` | what is promised, for programs |
//! | `problem` | what does an error look like? |
//!
//! # Why every answer comes within two seconds
//! Pages poll this API, and a page that hangs because Redis is away tells its user nothing. So each call has a time
//! limit, after which it is answered 503; what Redis does not say in time, Postgres is asked for. A job is accepted by its
//! row alone, so asking for one needs Postgres only.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::service::Service;
use crate::settings::Settings;
use crate::store::Limits;
use crate::worker::shutdown::Shutdown;

mod cancel;
mod events;
mod explain;
mod health;
mod jobs;
mod keys;
mod metrics;
mod middleware;
mod openapi;
mod problem;
mod routes;
mod server;
mod stats;
mod trigger;

pub use server::Server;

/// The longest that anybody waits for an answer; with the way there and back, on a busy machine too, it stays below two
/// seconds.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// The longest wait for Redis where Postgres can answer in its place.
const REDIS_WITHIN: Duration = Duration::from_millis(700);
/// The longest wait for either server where both are asked at once.
const SERVER_WITHIN: Duration = Duration::from_millis(1_200);
/// Bounds of what a call reads in Postgres: nobody waits longer for it.
const READ_LIMITS: Limits = Limits { statement: ANSWER_WITHIN, lock: SERVER_WITHIN };
/// The most event streams that are followed at once: each has a connection to Redis.
const MAX_STREAMS: usize = 64;

/// The most explanations that are made at once: each reads the whole market.
const MAX_EXPLANATIONS: usize = 2;

/// What handlers work with.
pub struct Api {
    service: Service,
    settings: Settings,
    keys: keys::Keys,
    metrics: metrics::Metrics,
    streams: Arc<Semaphore>,
    explanations: Semaphore,
    lease: Duration,
    own_worker: Option<String>,
    shutdown: Shutdown,
}

impl Api {
    /// An API by these settings, connected to nothing yet. `own_worker` is the name of the worker in the same process,
    /// where there is one: it is the one that has to read for this process to be ready. Must be called inside a
    /// runtime.
    ///
    /// # Errors
    /// A sentence; above all, if there is no key.
    pub fn new(settings: &Settings, own_worker: Option<String>, shutdown: Shutdown) -> Result<Self, String> {
        Ok(Self {
            keys: keys::Keys::of(&settings.http)?,
            service: Service::new(settings)?.with_redis_timeout(REDIS_WITHIN),
            metrics: metrics::Metrics::new(),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            explanations: Semaphore::new(MAX_EXPLANATIONS),
            settings: settings.clone(),
            lease: settings.worker.lease,
            own_worker,
            shutdown,
        })
    }
}
