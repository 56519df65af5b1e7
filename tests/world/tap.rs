//! A tap between a program and Postgres: open, silent as a server that hangs, or closed as one that is down.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{World, servers};

/// What a tap lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Open,
    Silent,
    Closed,
}

/// A tap in front of the Postgres of all worlds.
pub(crate) struct Tap {
    flow: Arc<watch::Sender<Flow>>,
    port: u16,
    task: JoinHandle<()>,
}

impl Tap {
    /// An open one.
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let flow = Arc::new(watch::Sender::new(Flow::Open));
        let valve = Arc::clone(&flow);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *valve.borrow() == Flow::Closed {
                    continue;
                }
                let server = UnixStream::connect(servers::postgres_socket()).await.unwrap();
                let (client_reads, client_writes) = client.into_split();
                let (server_reads, server_writes) = server.into_split();
                tokio::spawn(pump(client_reads, server_writes, valve.subscribe()));
                tokio::spawn(pump(server_reads, client_writes, valve.subscribe()));
            }
        });
        Self { flow, port, task }
    }

    /// The URL of a world's database behind this tap.
    pub(crate) fn url(&self, world: &World) -> String {
        let (scheme, rest) = world.database_url.split_once("://").unwrap();
        let (user, place) = rest.split_once('@').unwrap();
        let (_, database) = place.rsplit_once('/').unwrap();
        format!("{scheme}://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Turns it.
    pub(crate) fn turn(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries bytes one way, as long as it may.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut flow: watch::Receiver<Flow>,
) {
    let mut bytes = vec![0; 8_192];
    loop {
        let Ok(now) = flow.wait_for(|flow| *flow != Flow::Silent).await.map(|flow| *flow) else { return };
        if now == Flow::Closed {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            _ = flow.changed() => continue,
        };
        match read {
            Ok(count) if count > 0 && to.write_all(&bytes[..count]).await.is_ok() => {}
            Ok(_) | Err(_) => return,
        }
    }
}
