//! Connections to Redis, each for one purpose.
//!
//! A blocking read holds up every other command on its connection, and a read whose future is dropped leaves its
//! entry delivered to nobody. So the reader has a connection of its own, with a response timeout longer than the
//! time it blocks; everything else shares one that heals itself.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, RedisResult};

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
}
