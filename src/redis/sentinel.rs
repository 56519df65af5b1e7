//! Redis behind Sentinel: which server is the primary now?
//!
//! Several Sentinels watch a primary and its replicas, and promote a replica when the primary dies. Where it is then is
//! asked anew at **every** connection, of whatever kind; so whoever loses one finds the new primary by connecting again,
//! as after any other loss. A connection to a server that has become a replica is given up at its first answer
//! `READONLY`.
//!
//! # What a failover costs
//! Replication is asynchronous: the last writes may be missing on the new primary. That is a small flush, and the same
//! mends it: accepted jobs are put on the stream again, what was told is told again to who asks, and a worker whose entry
//! is gone has its claim in Postgres. Only bare XADDs of the last moment are lost, as contract and `doctor` say.

use std::sync::Arc;
use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult, Value,
};

use super::connection::passing as error;
use crate::settings::Secret;

/// Longest wait for one Sentinel, and for its answer: there are others to ask.
const ASK_WITHIN: Duration = Duration::from_secs(1);

/// The Sentinels of one primary.
#[derive(Clone)]
pub(super) struct Sentinels {
    asked: Arc<[Client]>,
    primary: String,
    /// The URL that names user, password, database and TLS; its host is never asked.
    like: ConnectionInfo,
}

impl Sentinels {
    /// Those at `addresses` (`host:port`, or a URL where they have a password of their own), for the primary of that
    /// name, to be used as `url` says.
    pub(super) fn new(addresses: &[Secret], primary: &str, url: &Secret) -> RedisResult<Self> {
        let asked: RedisResult<Vec<Client>> =
            addresses.iter().map(|address| Client::open(sentinel_url(address.expose()))).collect();
        Ok(Self {
            asked: asked?.into(),
            primary: primary.to_owned(),
            like: url.expose().into_connection_info()?,
        })
    }

    /// The primary, by the first Sentinel that names one which says itself that it is.
    pub(super) async fn find_primary(&self) -> RedisResult<Client> {
        let mut last = error("no Sentinel is named");
        for sentinel in self.asked.iter() {
            match self.ask(sentinel).await {
                Ok(client) => return Ok(client),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub(super) fn db(&self) -> i64 {
        self.like.redis_settings().db()
    }

    async fn ask(&self, sentinel: &Client) -> RedisResult<Client> {
        let mut connection =
            sentinel.get_multiplexed_async_connection_with_config(&connection_config()).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.primary);
        let answer: Option<(String, u16)> = question.query_async(&mut connection).await?;
        let (host, port) =
            answer.ok_or_else(|| error("Sentinel knows no primary of the name in redis.sentinel_master"))?;
        let client = Client::open(self.like.clone().set_addr(address_like(self.like.addr(), host, port)))?;
        // A Sentinel may not have noticed yet, and a primary that was cut off may not know that it is one no more.
        let mut connection =
            client.get_multiplexed_async_connection_with_config(&connection_config()).await?;
        let role: Vec<Value> = redis::cmd("ROLE").query_async(&mut connection).await?;
        match role.first() {
            Some(Value::BulkString(role)) if role == b"master" => Ok(client),
            _ => Err(error("the server that Sentinel names is no primary, or not yet")),
        }
    }
}

fn connection_config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ASK_WITHIN))
        .set_response_timeout(Some(ASK_WITHIN))
}

/// `host:port` as a URL.
fn sentinel_url(address: &str) -> String {
    if address.contains("://") { address.to_owned() } else { format!("redis://{address}") }
}

/// The same way of connecting, to another place.
fn address_like(like: &ConnectionAddr, host: String, port: u16) -> ConnectionAddr {
    match like {
        ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
            ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
        }
        _ => ConnectionAddr::Tcp(host, port),
    }
}
