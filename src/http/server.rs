//! Who may connect, how long a client may take, and how it stops.
//!
//! axum's own server has no limit for the time that a client takes for its head, nor for the number of connections; so
//! connections are served here, by hyper, with both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, info, warn};

use super::{Api, routes};

/// The most connections at once; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 512;
/// How long a client may take for the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// The most bytes of a head.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// How long requests at hand may take once the server stops: longer than any answer.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// How often counted things are summed up: a few thousand at most pile up meanwhile.
const TIDY_EVERY: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be accepted, as when file descriptors have run out.
const AFTER_TROUBLE: Duration = Duration::from_millis(200);

/// A server that has its port, and answers once it runs.
pub struct Server {
    listener: TcpListener,
    api: Arc<Api>,
}

impl Server {
    /// Takes the port.
    ///
    /// # Errors
    /// A sentence, if it can't be had.
    pub async fn bind(api: Api, address: SocketAddr) -> Result<Self, String> {
        let listener = TcpListener::bind(address).await.map_err(|error| cannot_listen(address, &error))?;
        Ok(Self { listener, api: Arc::new(api) })
    }

    /// Answers until it is asked to stop; then finishes what it has begun.
    pub async fn run(self) {
        let Self { listener, api } = self;
        let (router, shutdown) = (routes::router(Arc::clone(&api)), api.shutdown.clone());
        let tidying = tokio::spawn(tidy(api));
        if let Ok(address) = listener.local_addr() {
            info!("the API listens on http://{address}");
        }
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let open = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &connections) => accepted,
                () = shutdown.asked.cancelled() => break,
            };
            match accepted {
                Ok((stream, permit)) => serve(stream, permit, &router, &open),
                Err(error) => {
                    warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(AFTER_TROUBLE).await;
                }
            }
        }
        drop(listener);
        tidying.abort();
        if tokio::time::timeout(STOP_WITHIN, open.shutdown()).await.is_err() {
            warn!("some clients took more than {} s to hear their answers", STOP_WITHIN.as_secs());
        }
        info!("the API has stopped");
    }
}

/// Sums up what was counted, round after round: single measurements would pile up where nobody asks for metrics.
async fn tidy(api: Arc<Api>) {
    loop {
        tokio::time::sleep(TIDY_EVERY).await;
        api.metrics.tidy();
    }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> String {
    let what_to_do = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another program has this port: stop it, or set http.listen to another one"
        }
        std::io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need a right of their own: set http.listen to another one"
        }
        std::io::ErrorKind::AddrNotAvailable => "; this machine has no such address: correct http.listen",
        _ => "",
    };
    format!("cannot listen on {address}: {error}{what_to_do}")
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.expect("the semaphore is never closed");
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

fn serve(stream: TcpStream, permit: OwnedSemaphorePermit, router: &Router, open: &GracefulShutdown) {
    // Answers are small and whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
    let connection = open.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!("a connection ended early: {error}");
        }
        drop(permit);
    });
}
