//! Connections to Redis, each for one purpose.
//!
//! A blocking read holds up every other command on its connection, and a read whose future is dropped leaves its
//! entry delivered to nobody. So the reader has a connection of its own, with a response timeout longer than the
//! time it blocks, and so has whoever listens to channels; everything else shares one that heals itself.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, ProtocolVersion, RedisResult};

use super::subscription::{Mailbox, Subscription};
use crate::settings::Secret;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the answer to an ordinary command.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A Redis server.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    shared: ConnectionManager,
}

impl Redis {
    /// Prepares to use the server; connects only when first needed. The URL never appears in the error, for it may
    /// hold a password. Must be called inside a runtime.
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
        Ok(Self { client, shared })
    }

    /// The connection for ordinary commands; it heals itself.
    pub fn shared(&self) -> ConnectionManager {
        self.shared.clone()
    }

    /// A connection for commands that block up to `block`.
    pub async fn reader(&self, block: Duration) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(block + RESPONSE_TIMEOUT));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }
    /// A connection of its own that hears what is published on `channels` from now on.
    pub async fn subscribe(&self, channels: &[String]) -> RedisResult<Subscription> {
        let (mailbox, letters) = Mailbox::new();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_push_sender(mailbox.into_push_sender());
        // In the older protocol an answer and a message can't be told apart, and a refused subscription looks like one
        // on which nothing happens.
        let info = self.client.get_connection_info().clone().into_connection_info()?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings))?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        connection.subscribe(channels).await?;
        Ok(Subscription::new(connection, letters))
    }
}
