//! The connection that everybody shares for ordinary commands. It is replaced when the [rule](super::connection) says so.
//!
//! A loss that several notice at once counts once, and where connecting fails, all who waited for it learn the same: a
//! server that hangs costs each of them one wait, not one wait for everybody before them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value};
use tokio::sync::Mutex;

use super::connection::{Place, is_replica, tells_to_leave};

/// How often a connection over which only is read is asked whether its server is still a primary: a write would tell.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// See the [module](self). Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    place: Place,
    config: AsyncConnectionConfig,
    current: Arc<Mutex<Current>>,
}

/// The connection of now, and which it is.
#[derive(Default)]
struct Current {
    number: u64,
    connection: Option<MultiplexedConnection>,
    asked_at: Option<Instant>,
    failed: Option<(Instant, RedisError)>,
}

impl Shared {
    pub(super) fn new(place: Place, config: AsyncConnectionConfig) -> Self {
        Self { place, config, current: Arc::default() }
    }

    async fn connection(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let wanted_at = Instant::now();
        let mut current = self.current.lock().await;
        if let Some(connection) = &current.connection {
            let found = (current.number, connection.clone());
            self.ask_now_and_then(&mut current, found.clone());
            return Ok(found);
        }
        if let Some((at, error)) = &current.failed {
            if *at >= wanted_at {
                return Err(error.clone());
            }
        }
        match self.place.connect(&self.config).await {
            Ok(connection) => {
                current.number += 1;
                current.asked_at = Some(Instant::now());
                current.connection = Some(connection.clone());
                Ok((current.number, connection))
            }
            Err(error) => {
                current.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Asks beside the commands whether the server is still a primary.
    fn ask_now_and_then(
        &self,
        current: &mut Current,
        (number, mut connection): (u64, MultiplexedConnection),
    ) {
        if current.asked_at.is_some_and(|at| at.elapsed() < ASK_EVERY) {
            return;
        }
        current.asked_at = Some(Instant::now());
        let shared = self.clone();
        tokio::spawn(async move {
            let leaves = match is_replica(&mut connection).await {
                Ok(is_replica) => is_replica,
                Err(error) => tells_to_leave(&error),
            };
            if leaves {
                shared.leave(number).await;
            }
        });
    }

    async fn leave(&self, number: u64) {
        let mut current = self.current.lock().await;
        if current.number == number {
            current.connection = None;
        }
    }

    async fn heed<T>(&self, number: u64, answer: RedisResult<T>) -> RedisResult<T> {
        if answer.as_ref().is_err_and(tells_to_leave) {
            self.leave(number).await;
        }
        answer
    }
}

impl ConnectionLike for Shared {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let (number, mut connection) = self.connection().await?;
            let answer = connection.req_packed_command(cmd).await;
            // An error that the server answers is a value here.
            let answer = answer.and_then(Value::extract_error);
            self.heed(number, answer).await
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let (number, mut connection) = self.connection().await?;
            let answer = connection.req_packed_commands(cmd, offset, count).await;
            let refused = answer.iter().flatten().filter_map(refusal).any(|error| tells_to_leave(&error));
            if refused {
                self.leave(number).await;
            }
            self.heed(number, answer).await
        })
    }

    fn get_db(&self) -> i64 {
        self.place.db()
    }
}

/// The error that one command of a pipeline was answered with.
fn refusal(value: &Value) -> Option<RedisError> {
    match value {
        Value::ServerError(error) => Some(error.clone().into()),
        _ => None,
    }
}
