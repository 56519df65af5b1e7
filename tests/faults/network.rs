//! The network of a cell: proxies before both servers, and servers that change their role.

use std::sync::Arc;
use std::time::Duration;

use cache_sync::demo::servers::PrivateRedis;

use super::cell::Fault;
use crate::world::{Proxy, Target, World, standby_socket};

/// The lease of cells whose network is struck: the bounds of the worker's connections fit into it.
pub(crate) const LEASE: Duration = Duration::from_secs(8);
/// How long servers are silent or on standby there: longer than a lease.
const SILENCE: Duration = Duration::from_secs(9);

/// What lies between the processes of a cell and their servers.
pub(crate) struct Network {
    postgres: Arc<Proxy>,
    redis: Arc<Proxy>,
    /// In step with the Redis of the world, until it takes over.
    replica: Option<PrivateRedis>,
}

impl Network {
    /// A network for a cell in which these faults strike.
    pub(crate) async fn around(world: &mut World, faults: &[Fault]) -> Self {
        let (postgres, redis) = (Proxy::before_postgres().await, Proxy::before_redis(world).await);
        let mut replica = None;
        if faults.contains(&Fault::RedisReplica) {
            replica = Some(world.replica().await);
            world.move_behind(&redis);
        }
        Self { postgres: Arc::new(postgres), redis: Arc::new(redis), replica }
    }

    /// What a process has to find in its environment to be on it.
    pub(crate) fn variables(&self, world: &World) -> Vec<(String, String)> {
        world.behind(Some(&self.postgres), Some(&self.redis))
    }

    /// The Redis that sees everything: a replica does.
    pub(crate) fn redis_port(&self, world: &World) -> u16 {
        self.replica.as_ref().map_or(world.redis.port(), PrivateRedis::port)
    }

    /// Strikes, and returns at once; how long it lasts.
    pub(crate) async fn strike(&self, world: &World, fault: Fault) -> Duration {
        match fault {
            Fault::PostgresSilent => self.postgres.swallow_all(),
            Fault::RedisSilent => self.redis.swallow_all(),
            Fault::OwnerCutOff => {
                self.postgres.swallow_all();
                return Duration::ZERO;
            }
            Fault::RedisReplica => {
                let replica = self.replica.as_ref().expect("it was made for this fault");
                world.fail_over_to(replica).await;
                self.redis.lead_to(Target::Port(replica.port()));
                return Duration::ZERO;
            }
            Fault::PostgresStandby => {
                self.postgres.lead_to(Target::Socket(standby_socket().await));
                self.postgres.cut();
            }
            _ => unreachable!("{fault:?} is none of the network"),
        }
        SILENCE
    }

    /// The network is back: new connections pass and lead to the primary, old ones stay as dead as they were, or lead to
    /// the standby.
    pub(crate) fn heal(&self, world: &World) {
        self.postgres.heal();
        self.redis.heal();
        self.postgres.lead_to(Target::Socket(world.postgres_socket()));
    }
}
