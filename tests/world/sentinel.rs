//! A primary with a replica, and a Sentinel that watches both.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cache_sync::demo::servers::PrivateRedis;
use redis::AsyncConnectionConfig;

use super::{World, servers, until};

/// The longest wait for one answer; where it does not come, most are asked for again.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the Sentinel calls the primary.
const NAME: &str = "universes";

/// The servers beside the one that a world calls its Redis.
pub(crate) struct Watched {
    /// What becomes the primary.
    pub(crate) replica: PrivateRedis,
    sentinel: Sentinel,
}

impl World {
    /// A world whose Redis is found through a Sentinel, with a replica that is in step.
    pub(crate) async fn behind_sentinel(settings: &[(&str, &str)]) -> (Self, Watched) {
        let primary = servers::new_redis().await;
        let port = primary.port().to_string();
        let replica = tokio::task::spawn_blocking(move || {
            PrivateRedis::start(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"])
                .unwrap()
        })
        .await
        .unwrap();
        // First: a Sentinel asks a primary for its replicas at once, and then every ten seconds.
        until("a replica in step", async || {
            let mut info = redis::cmd("INFO");
            let info = ask_server(primary.port(), info.arg("replication")).await;
            info.is_some_and(|info| format!("{info:?}").contains("state=online"))
        })
        .await;
        let sentinel = Sentinel::start(primary.port());
        // Only the Sentinel knows where the primary is: nobody listens at the address of the URL.
        let address = format!("[\"127.0.0.1:1\", \"127.0.0.1:{}\"]", sentinel.port);
        let mut settings = settings.to_vec();
        settings.extend([("redis.sentinels", address.as_str()), ("redis.sentinel_master", NAME)]);
        let watched = Watched { replica, sentinel };
        // A Sentinel that was kept waiting for two seconds does nothing for thirty; a busy machine does that to it.
        let mut patience = redis::cmd("SENTINEL");
        patience.arg("DEBUG").arg("TILT-TRIGGER").arg(600_000).arg("INFO-PERIOD").arg(1_000);
        until("a Sentinel that answers", async || {
            ask_server(watched.sentinel.port, &patience).await.is_some()
        })
        .await;
        until("a Sentinel that knows the replica", async || watched.sentinel_knows_the_replica().await).await;
        let database = servers::new_database().await;
        (Self::around_redis(database, primary, "redis://127.0.0.1:1/0", &settings), watched)
    }
}

impl Watched {
    async fn sentinel_knows_the_replica(&self) -> bool {
        let mut ask = redis::cmd("SENTINEL");
        let Some(text) = ask_server(self.sentinel.port, ask.arg("REPLICAS").arg(NAME)).await else {
            return false;
        };
        let text = format!("{text:?}");
        text.contains(&self.replica.port().to_string())
            && text.contains("ok")
            && !text.contains("s_down")
            && !text.contains("disconnected")
    }

    /// Has the replica miss everything from now on, as one that lags behind does.
    pub(crate) async fn let_replica_fall_behind(&self, primary: &PrivateRedis) {
        let mut spoil = redis::cmd("CONFIG");
        spoil.arg("SET").arg("masterauth").arg("wrong");
        ask_server(self.replica.port(), &spoil).await.expect("an answer");
        let mut part = redis::cmd("CLIENT");
        part.arg("KILL").arg("TYPE").arg("replica");
        ask_server(primary.port(), &part).await.expect("an answer");
        until("the replica to be cut off", async || {
            let mut info = redis::cmd("INFO");
            let info = ask_server(self.replica.port(), info.arg("replication")).await;
            info.is_some_and(|info| format!("{info:?}").contains("master_link_status:down"))
        })
        .await;
    }

    /// Has the Sentinel promote the replica, and waits until it is the primary. By order, for how soon a Sentinel would see
    /// by itself that a primary is dead, and whether it takes a replica, depends on times that a busy machine stretches.
    pub(crate) async fn fail_over(&self) {
        let mut order = redis::cmd("SENTINEL");
        order.arg("FAILOVER").arg(NAME);
        until("a Sentinel that obeys", async || ask_server(self.sentinel.port, &order).await.is_some()).await;
        until("a promoted replica", async || {
            let role = ask_server(self.replica.port(), &redis::cmd("ROLE")).await;
            role.is_some_and(|role| format!("{role:?}").contains("master"))
        })
        .await;
    }
}

async fn ask_server(port: u16, command: &redis::Cmd) -> Option<redis::Value> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    // The driver would give up after half a second, which a busy machine may take.
    let patience = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let mut connection = client.get_multiplexed_async_connection_with_config(&patience).await.ok()?;
    command.query_async(&mut connection).await.ok()
}

/// A Sentinel; it ends with this process, whose end closes the pipe that its shell reads from.
struct Sentinel {
    port: u16,
    shell: Child,
    folder: PathBuf,
}

impl Sentinel {
    fn start(primary: u16) -> Self {
        // Of those that the system gives to nobody by itself, so that it is still free when the Sentinel comes.
        let bind = |_| TcpListener::bind(("127.0.0.1", fastrand::u16(12_000..32_000))).ok();
        let listener = (0..100).find_map(bind).expect("a free port");
        let port = listener.local_addr().unwrap().port();
        let folder = std::env::temp_dir().join(format!("cache-sync-sentinel-{}-{port}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        let file = folder.join("sentinel.conf");
        let config = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nlogfile {}\n\
             sentinel monitor {NAME} 127.0.0.1 {primary} 1\n\
             sentinel down-after-milliseconds {NAME} 60000\n\
             sentinel failover-timeout {NAME} 60000\n",
            folder.display(),
            folder.join("log").display(),
        );
        std::fs::write(&file, config).unwrap();
        drop(listener);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg("redis-server \"$0\" --sentinel >/dev/null 2>&1 & read _; kill -9 $!").arg(&file);
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { port, shell, folder }
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            let _ = pipe.write_all(b"\n");
        }
        let _ = self.shell.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
