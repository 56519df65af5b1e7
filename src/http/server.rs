//! Who may connect, how long a client may take, and how it stops.
//!
//! axum's own server has no limit for the time that a client takes for its head, nor for the number of connections; so
//! connections are served here, by hyper, with both.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use hyper::service::Service;
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
    pages: Router,
}

/// Who is at the other end of a connection, as an extension of its requests: the client, or a proxy before it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Server {
    /// Takes the port.
    ///
    /// # Errors
    /// A sentence, if it can't be had.
    pub async fn bind(api: Api, address: SocketAddr) -> Result<Self, String> {
        let listener = TcpListener::bind(address).await.map_err(|error| cannot_listen(address, &error))?;
        Ok(Self { listener, api: Arc::new(api), pages: Router::new() })
    }

    /// The same with pages for people beside the calls.
    #[must_use]
    pub fn with_pages(self, pages: Router) -> Self {
        Self { pages, ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Answers until it is asked to stop; then finishes what it has begun.
    pub async fn run(self) {
        let Self { listener, api, pages } = self;
        let (router, shutdown) = (routes::router(Arc::clone(&api), pages), api.shutdown.clone());
        let base_path: Arc<str> = api.settings.http.base_path.as_str().into();
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
                Ok(accepted) => serve(accepted, &router, &base_path, &open),
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

/// A connection, who is at its other end, and its place among those there may be.
struct Accepted {
    stream: TcpStream,
    peer: Peer,
    permit: OwnedSemaphorePermit,
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, connections: &Arc<Semaphore>) -> std::io::Result<Accepted> {
    let permit = Arc::clone(connections).acquire_owned().await.expect("the semaphore is never closed");
    let (stream, address) = listener.accept().await?;
    Ok(Accepted { stream, peer: Peer(address.ip()), permit })
}

fn serve(accepted: Accepted, router: &Router, base_path: &Arc<str>, open: &GracefulShutdown) {
    let Accepted { stream, peer, permit } = accepted;
    let (router, base_path) = (router.clone(), Arc::clone(base_path));
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        if let Some(uri) = without_base_path(request.uri(), &base_path) {
            *request.uri_mut() = uri;
        }
        TowerToHyperService::new(router.clone()).call(request)
    });
    // Answers are small and whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let connection = open.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!("a connection ended early: {error}");
        }
        drop(permit);
    });
}

/// The path and query behind the path that a proxy shows the server under; `None` where a request has no such, because
/// the proxy took it off or there is none.
fn without_base_path(uri: &Uri, base_path: &str) -> Option<Uri> {
    if base_path.is_empty() {
        return None;
    }
    let rest = uri.path_and_query()?.as_str().strip_prefix(base_path)?;
    match rest.as_bytes().first() {
        Some(b'/') => rest.parse().ok(),
        Some(b'?') | None => format!("/{rest}").parse().ok(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_path_may_be_there_or_not() {
        let rest = |path: &str| {
            let uri: Uri = path.parse().expect("a path");
            without_base_path(&uri, "/tools/sync").map(|uri| uri.to_string())
        };
        assert_eq!(rest("/tools/sync/console/?a=b").as_deref(), Some("/console/?a=b"));
        assert_eq!(rest("/tools/sync").as_deref(), Some("/"));
        assert_eq!(rest("/tools/sync?a=b").as_deref(), Some("/?a=b"));
        for other in ["/console/", "/tools/synchronous", "/tools", "/x/tools/sync/"] {
            assert_eq!(rest(other), None, "{other}");
        }
        assert_eq!(without_base_path(&"/a".parse().expect("a path"), ""), None);
    }
}
