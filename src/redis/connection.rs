//! Connections to Redis, each for one purpose.
//!
//! A blocking read holds up every other command on its connection, and a read whose future is dropped leaves its
//! entry delivered to nobody. So the reader has a connection of its own, with a response timeout longer than the
//! time it blocks, and so has whoever listens to channels; everything else shares one that heals itself.
//!
//! Where Redis is one server, all lead to it; behind [Sentinel](super::sentinel), each to the primary of the moment.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo, Pipeline, ProtocolVersion, RedisFuture,
    RedisResult, Value,
};

use super::sentinel::{Following, Sentinels};
use super::subscription::{Mailbox, Subscription};
use crate::settings::{RedisSettings, Secret};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the answer to an ordinary command.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A Redis server, or what Sentinels make of several.
#[derive(Clone)]
pub struct Redis {
    whereabouts: Whereabouts,
    shared: Shared,
}

#[derive(Clone)]
enum Whereabouts {
    Server(Arc<Client>),
    Sentinels(Arc<Sentinels>),
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
        let shared = Shared::Following(Box::new(Following::new(sentinels.clone(), within(RESPONSE_TIMEOUT))));
        Ok(Self { whereabouts: Whereabouts::Sentinels(Arc::new(sentinels)), shared })
    }

    /// The same for a single server.
    pub fn new(url: &Secret) -> Result<Self, String> {
        let unusable =
            |_| "REDIS_URL is no Redis URL; it looks like redis://user:password@host:6379/0".to_owned();
        let client = Client::open(url.expose()).map_err(unusable)?;
        let config = ConnectionManagerConfig::new()
            // One quick second try; whoever waits for Redis does so in a loop of its own, which never gives up.
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(200))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT));
        let shared = ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(unusable)?;
        Ok(Self { whereabouts: Whereabouts::Server(Arc::new(client)), shared: Shared::Healing(shared) })
    }

    /// The connection for ordinary commands; it heals itself.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// A connection for commands that block up to `block`.
    pub async fn reader(&self, block: Duration) -> RedisResult<MultiplexedConnection> {
        let client = self.client().await?;
        client.get_multiplexed_async_connection_with_config(&within(block + RESPONSE_TIMEOUT)).await
    }

    /// A connection of its own that hears what is published on `channels` from now on.
    pub async fn subscribe(&self, channels: &[String]) -> RedisResult<Subscription> {
        let (mailbox, letters) = Mailbox::new();
        let config = within(RESPONSE_TIMEOUT).set_push_sender(mailbox.into_push_sender());
        // In the older protocol an answer and a message can't be told apart, and a refused subscription looks like one
        // on which nothing happens.
        let info = self.client().await?.get_connection_info().clone().into_connection_info()?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings))?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        connection.subscribe(channels).await?;
        Ok(Subscription::new(connection, letters))
    }

    /// The server of now.
    async fn client(&self) -> RedisResult<Client> {
        match &self.whereabouts {
            Whereabouts::Server(client) => Ok(Client::clone(client)),
            Whereabouts::Sentinels(sentinels) => sentinels.find_primary().await,
        }
    }
}

fn within(response: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(response))
}

/// The connection that everybody shares for ordinary commands.
#[derive(Clone)]
pub enum Shared {
    /// To one server; made again when it is lost.
    Healing(ConnectionManager),
    /// To the primary of the moment.
    Following(Box<Following>),
}

impl ConnectionLike for Shared {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Healing(connection) => connection.req_packed_command(cmd),
            Self::Following(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Healing(connection) => connection.req_packed_commands(cmd, offset, count),
            Self::Following(connection) => connection.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Healing(connection) => connection.get_db(),
            Self::Following(connection) => connection.get_db(),
        }
    }
}
