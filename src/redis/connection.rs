//! Connections to Redis, each for one purpose, and the one rule for when any of them is replaced.
//!
//! A blocking read holds up every other command on its connection, and a read whose future is dropped leaves its
//! entry delivered to nobody. So the reader has a connection of its own, with a response timeout longer than the
//! time it blocks, and so has whoever listens to channels; everything else goes over one that is [shared](super::shared).
//!
//! Where Redis is one server, all lead to it; behind [Sentinel](super::sentinel), each to the primary of the moment.
//!
//! # When a connection is replaced
//! * it breaks, or does not answer within three seconds (a blocking read: three seconds after its block);
//! * its server says that it is not, or no longer, the right one: `READONLY`, `MASTERDOWN`, `LOADING`
//!   ([`tells_to_leave`]), or calls itself a replica when asked, which every connection is when it is made, the shared one
//!   every ten seconds, and a subscription whenever nothing was published for five;
//! * the kernel gives it up: bytes unacknowledged for ten seconds, or keepalive probes for fifteen.
//!
//! One timeout is enough. Where packets vanished for good, because a NAT forgot the connection or a proxy stalls, the old
//! one never answers again while a new one would; and where the server is slow, a new one costs a millisecond.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo,
    ProtocolVersion, RedisError, RedisResult, Value,
};

use super::sentinel::Sentinels;
pub use super::shared::Shared;
use super::subscription::{Mailbox, Subscription};
use crate::settings::{RedisSettings, Secret};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the answer to an ordinary command.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
/// Unacknowledged bytes after which the kernel gives a connection up.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence after which the kernel asks for a sign of life, and then so often, three times at most.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(9), Duration::from_secs(2), 3);

/// A Redis server, or what Sentinels make of several.
#[derive(Clone)]
pub struct Redis {
    place: Place,
    shared: Shared,
}

/// Where connections lead.
#[derive(Clone)]
pub(super) enum Place {
    Server(Arc<Client>),
    Sentinels(Arc<Sentinels>),
}

impl Place {
    /// A new connection to the primary.
    pub(super) async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        self.connect_as(config, |info| info).await
    }

    async fn connect_as(
        &self,
        config: &AsyncConnectionConfig,
        change: impl FnOnce(ConnectionInfo) -> ConnectionInfo,
    ) -> RedisResult<MultiplexedConnection> {
        let client = match self {
            Self::Server(client) => Client::clone(client),
            Self::Sentinels(sentinels) => sentinels.find_primary().await?,
        };
        let info = client.get_connection_info().clone().into_connection_info()?;
        let client = Client::open(change(info.set_tcp_settings(watched_by_kernel())))?;
        // The driver's own limit does not cover the name's look-up.
        let connecting = client.get_multiplexed_async_connection_with_config(config);
        let made = tokio::time::timeout(CONNECT_TIMEOUT + RESPONSE_TIMEOUT, connecting).await;
        let mut connection = made.map_err(|_| passing("no answer while connecting"))??;
        if is_replica(&mut connection).await? {
            return Err(passing("the server is a replica, which can't write"));
        }
        Ok(connection)
    }

    pub(super) fn db(&self) -> i64 {
        match self {
            Self::Server(client) => client.get_connection_info().redis_settings().db(),
            Self::Sentinels(sentinels) => sentinels.db(),
        }
    }
}

impl Redis {
    /// Prepares to use what the settings name; connects only when first needed. No URL appears in the error, for it may
    /// hold a password. Must be called inside a runtime.
    pub fn by(settings: &RedisSettings) -> Result<Self, String> {
        if settings.sentinels.is_empty() {
            return Self::new(&settings.url);
        }
        let unusable = |_| "redis.sentinels or REDIS_URL is no address of Redis".to_owned();
        let sentinels = Sentinels::new(&settings.sentinels, &settings.sentinel_master, &settings.url)
            .map_err(unusable)?;
        Ok(Self::at(Place::Sentinels(Arc::new(sentinels))))
    }

    /// The same for a single server.
    pub fn new(url: &Secret) -> Result<Self, String> {
        let unusable =
            |_| "REDIS_URL is no Redis URL; it looks like redis://user:password@host:6379/0".to_owned();
        let client = Client::open(url.expose()).map_err(unusable)?;
        Ok(Self::at(Place::Server(Arc::new(client))))
    }

    fn at(place: Place) -> Self {
        let shared = Shared::new(place.clone(), within(RESPONSE_TIMEOUT));
        Self { place, shared }
    }

    /// The connection for ordinary commands; it heals itself.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// A connection for commands that block up to `block`.
    pub async fn reader(&self, block: Duration) -> RedisResult<MultiplexedConnection> {
        self.place.connect(&within(block + RESPONSE_TIMEOUT)).await
    }

    /// A connection of its own that hears what is published on `channels` from now on.
    pub async fn subscribe(&self, channels: &[String]) -> RedisResult<Subscription> {
        let (mailbox, letters) = Mailbox::new();
        let config = within(RESPONSE_TIMEOUT).set_push_sender(mailbox.into_push_sender());
        // In the older protocol an answer and a message can't be told apart, and a refused subscription looks like one
        // on which nothing happens.
        let as_resp3 = |info: ConnectionInfo| {
            let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            info.set_redis_settings(settings)
        };
        let mut connection = self.place.connect_as(&config, as_resp3).await?;
        connection.subscribe(channels).await?;
        Ok(Subscription::new(connection, letters))
    }
}

/// Whether another connection would do better than the one that was answered like this: it is broken or silent, or leads
/// to a server that is a replica now, or not yet anything.
pub(super) fn tells_to_leave(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_connection_dropped()
        || error.is_timeout()
        || error.code().is_some_and(|code| matches!(code, "READONLY" | "MASTERDOWN" | "LOADING"))
}

/// Whether the server calls itself a replica. A user who may not ask is answered by the first write.
pub(super) async fn is_replica(connection: &mut MultiplexedConnection) -> RedisResult<bool> {
    let hello: RedisResult<HashMap<String, Value>> = redis::cmd("HELLO").query_async(connection).await;
    match hello {
        Ok(mut about) => {
            let role = about.remove("role").map(String::from_redis_value).transpose()?;
            Ok(role.is_some_and(|role| role != "master"))
        }
        Err(error) if tells_to_leave(&error) => Err(error),
        Err(_) => Ok(false),
    }
}

/// As a lost connection: it passes, and whoever waits for Redis tries again.
pub(super) fn passing(sentence: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Io, sentence))
}

fn watched_by_kernel() -> TcpSettings {
    let (idle, every, times) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(idle).with_interval(every).with_retries(times);
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(TCP_USER_TIMEOUT);
    settings
}

fn within(response: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(response))
}
