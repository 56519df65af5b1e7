//! A Redis server of one test: on a unix socket in a directory of its own, gone with the test.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;

/// The longest wait for the server: far above what a busy machine takes, unlike the half second of the driver.
const DEADLINE: Duration = Duration::from_secs(60);

/// A running server; dropped, it is stopped and its directory removed.
pub(crate) struct PrivateRedis {
    server: Child,
    directory: PathBuf,
}

impl PrivateRedis {
    pub(crate) fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("cache-sync-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir(&directory).expect("make a directory");
        let server = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(directory.join("redis.sock"))
            .arg("--dir")
            .arg(&directory)
            .stdout(Stdio::null())
            .spawn()
            .expect("start redis-server");
        Self { server, directory }
    }

    /// Where it listens, once [`connect`](Self::connect) has come through.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.directory.join("redis.sock").display())
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(self.url()).expect("a valid address")
    }

    /// A connection of its own; waits until the server listens.
    pub(crate) async fn connect(&self) -> MultiplexedConnection {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DEADLINE))
            .set_response_timeout(Some(DEADLINE));
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.client().get_multiplexed_async_connection_with_config(&config).await {
                Ok(connection) => return connection,
                Err(error) if Instant::now() > deadline => panic!("redis-server did not come up: {error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Everything that is published from now on.
    pub(crate) async fn listen(&self) -> redis::aio::PubSub {
        self.connect().await;
        let mut listener = self.client().get_async_pubsub().await.expect("connect");
        listener.psubscribe("*").await.expect("subscribe");
        listener
    }
}

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
