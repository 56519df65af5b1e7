//! A hot standby of the Postgres of all worlds, made once, when it is first asked for.
//!
//! The server makes and starts it itself, for it runs as a user whom the test may not be. It lives in a folder of the
//! server, with which it goes away, and ends when the server does.

use std::path::PathBuf;

use tokio::sync::OnceCell;

use super::{eventually, servers};

static STANDBY: OnceCell<PathBuf> = OnceCell::const_new();

/// The socket of the standby, which has all that was committed before this call.
pub(crate) async fn standby_socket() -> PathBuf {
    let socket = STANDBY.get_or_init(start).await.clone();
    caught_up().await;
    socket
}

async fn start() -> PathBuf {
    let folder = servers::postgres_folder();
    let shown = folder.display();
    let port = servers::postgres_port();
    let programs = servers::ask_server("select setting from pg_config where name = 'BINDIR'").await;
    // Another folder for its socket: the port is the same, so that a URL leads to either.
    let script = format!(
        "set -e; cd {shown}; mkdir standby standby/socket; {programs}/pg_basebackup -h {shown} -p {port} -U tickstock \
         -D standby/data -R -c fast --no-sync; chmod 700 standby/data; \
         ({programs}/postgres -D standby/data -c listen_addresses= -c port={port} -c hot_standby=on \
         -c unix_socket_directories={shown}/standby/socket > standby/log 2>&1 < /dev/null & server=$!; \
         while kill -0 $(head -1 {shown}/data/postmaster.pid) 2> /dev/null; do sleep 1; done; kill -INT $server) \
         > /dev/null 2>&1 < /dev/null &"
    );
    servers::tell_server(&format!("copy (select 1) to program $script${script}$script$")).await;
    folder.join("standby/socket").join(format!(".s.PGSQL.{port}"))
}

/// Waits until the standby has replayed what is committed now.
async fn caught_up() {
    let now = servers::ask_server("select pg_current_wal_lsn()").await;
    let replayed =
        format!("select coalesce(bool_or(replay_lsn >= '{now}'), false)::text from pg_stat_replication");
    eventually("a standby that has caught up", async || {
        (servers::ask_server(&replayed).await == "true").then_some(())
    })
    .await;
}
