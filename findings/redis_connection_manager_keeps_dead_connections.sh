#!/usr/bin/env bash
# The ConnectionManager of the crate redis keeps a connection that never answers, and one to a server that became a replica.
#
# Versions: crate redis 1.8.1 and 2.0.0-rc.2, on a redis-server 7.0 or newer.
# Expected: a manager that reconnects by itself opens a new connection after several response timeouts, or after the
# server has answered READONLY: both mean that this connection is of no more use, while a new one would work.
# Seen: it reconnects only on an error of the socket. Twenty commands in a row time out on one connection whose path
# swallows bytes, and twenty fail with READONLY, although each new connection would have reached a primary.
# Why it matters: after a lost NAT entry, a stalled proxy or a failover the program needs a restart by hand.
# Needs: cargo (Rust 1.88 or newer), redis-server, redis-cli.
set -euo pipefail

folder=$(mktemp -d)
first=$((20000 + RANDOM % 20000))
second=$((first + 1))
stop() {
  redis-cli -p "$first" shutdown nosave >/dev/null 2>&1 || true
  redis-cli -p "$second" shutdown nosave >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap stop EXIT
for port in "$first" "$second"; do
  redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$folder" --daemonize yes >/dev/null
  until redis-cli -p "$port" ping >/dev/null 2>&1; do :; done
done

mkdir -p "$folder/src"
cat >"$folder/src/main.rs" <<'END'
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// Forwards to a port; what was accepted before `silent` was set stops moving bytes, what is accepted later works.
#[derive(Default)]
struct Path {
    to: AtomicU16,
    silent: AtomicBool,
    accepted: AtomicUsize,
}

async fn forward(path: Arc<Path>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            path.accepted.fetch_add(1, SeqCst);
            let path = path.clone();
            let was_silent = path.silent.load(SeqCst);
            let mut server = TcpStream::connect(("127.0.0.1", path.to.load(SeqCst))).await.unwrap();
            tokio::spawn(async move {
                let silenced = async {
                    while was_silent || !path.silent.load(SeqCst) {
                        sleep(Duration::from_millis(5)).await;
                    }
                };
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    () = silenced => sleep(Duration::from_secs(600)).await,
                }
            });
        }
    });
    port
}

async fn twenty_writes(manager: &mut ConnectionManager) -> String {
    let mut answered = 0;
    let mut last = String::new();
    for _ in 0..20 {
        match redis::cmd("SET").arg("key").arg(1).query_async::<()>(manager).await {
            Ok(()) => answered += 1,
            Err(error) if error.is_timeout() => last = "timeout".to_owned(),
            Err(error) => last = error.code().unwrap_or("other").to_owned(),
        }
        sleep(Duration::from_millis(50)).await;
    }
    format!("{answered} of 20 answered, last error {last}")
}

async fn manager(port: u16) -> ConnectionManager {
    let short = Some(Duration::from_millis(200));
    let config = ConnectionManagerConfig::new().set_response_timeout(short).set_connection_timeout(short);
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    ConnectionManager::new_with_config(client, config).await.unwrap()
}

#[tokio::main]
async fn main() {
    let ports: Vec<u16> = std::env::args().skip(1).map(|port| port.parse().unwrap()).collect();

    let path = Arc::new(Path::default());
    path.to.store(ports[0], SeqCst);
    let mut held = manager(forward(path.clone()).await).await;
    redis::cmd("PING").query_async::<()>(&mut held).await.unwrap();
    path.silent.store(true, SeqCst);
    sleep(Duration::from_millis(100)).await;
    let seen = twenty_writes(&mut held).await;
    println!("silent connection: {seen}, connections opened {}", path.accepted.load(SeqCst));

    let path = Arc::new(Path::default());
    path.to.store(ports[0], SeqCst);
    let mut held = manager(forward(path.clone()).await).await;
    redis::cmd("SET").arg("key").arg(0).query_async::<()>(&mut held).await.unwrap();
    let mut direct = manager(ports[0]).await;
    redis::cmd("REPLICAOF").arg("127.0.0.1").arg(ports[1]).query_async::<()>(&mut direct).await.unwrap();
    path.to.store(ports[1], SeqCst);
    let seen = twenty_writes(&mut held).await;
    println!("now a replica: {seen}, connections opened {}", path.accepted.load(SeqCst));
    redis::cmd("REPLICAOF").arg("NO").arg("ONE").query_async::<()>(&mut direct).await.unwrap();
}
END
cat >"$folder/expected" <<'END'
silent connection: 0 of 20 answered, last error timeout, connections opened 1
now a replica: 0 of 20 answered, last error READONLY, connections opened 1
END
for version in 1.8.1 2.0.0-rc.2; do
  cat >"$folder/Cargo.toml" <<END
[package]
name = "manager"
version = "0.0.0"
edition = "2021"

[dependencies]
redis = { version = "=$version", features = ["tokio-comp", "connection-manager"] }
tokio = { version = "1", features = ["io-util", "macros", "net", "rt-multi-thread", "time"] }

[workspace]
END
  (cd "$folder" && cargo run --quiet -- "$first" "$second") >"$folder/seen"
  echo "redis $version"
  cat "$folder/seen"
  diff "$folder/expected" "$folder/seen"
done
echo "As found: a new connection is opened only after an error of the socket."
