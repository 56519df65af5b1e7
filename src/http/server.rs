//! Who may connect, how long a client may take, and how it stops.
//!
//! axum's own server has no limit for the time that a client takes for its head or for its answer, nor for the number of
//! connections; so connections are served here, by hyper, with all three.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::Uri;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{debug, info, warn};

use super::admission::{Admission, Admitted, MAX_CONNECTIONS, MAX_OF_PEER, Place};
use super::stalled::Unstalled;
use super::{Api, routes};

/// How long a client may take for the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take for more of an answer.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);
/// The same two for a probe that comes when there is no room: it waits for its turn behind others of its kind.
const PROBE_WITHIN: Duration = Duration::from_secs(1);
/// The longest that such a probe keeps its place: its head, the answer, and taking it.
const PROBE_ENDS_WITHIN: Duration = Duration::from_secs(4);
/// How often it is said again that there is no room.
const SAY_EVERY: Duration = Duration::from_secs(15);
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
        let (admission, mut crowd) = (Admission::new(), Crowd::default());
        let (of_all, of_probes) = (router.clone(), routes::only_probes(router));
        let answering = |router: &Router, address: SocketAddr| Answering {
            router: TowerToHyperService::new(router.clone()),
            base_path: Arc::clone(&base_path),
            peer: Peer(address.ip()),
        };
        let open = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.asked.cancelled() => break,
            };
            match accepted {
                Ok((stream, address)) => match admission.admit(address.ip()) {
                    Admitted::ForAll(place) => serve(stream, place, answering(&of_all, address), &open),
                    Admitted::ForProbe(place) => {
                        crowd.say(address);
                        serve_probe(stream, place, answering(&of_probes, address), &open);
                    }
                    Admitted::Refused => crowd.say(address),
                },
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

/// Says that there is no room, now and then.
#[derive(Default)]
struct Crowd {
    said_at: Option<Instant>,
}

impl Crowd {
    fn say(&mut self, address: SocketAddr) {
        if self.said_at.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            self.said_at = Some(Instant::now());
            warn!(
                "too many connections, of {MAX_CONNECTIONS} in all and {MAX_OF_PEER} of one peer: those beyond, the last \
                 from {}, are for probes only",
                address.ip()
            );
        }
    }
}

/// What answers the requests of one connection: the routes, told who asks, and without the path of a proxy.
struct Answering {
    router: TowerToHyperService<Router>,
    base_path: Arc<str>,
    peer: Peer,
}

impl Service<Request<Incoming>> for Answering {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        if let Some(uri) = without_base_path(request.uri(), &self.base_path) {
            *request.uri_mut() = uri;
        }
        self.router.call(request)
    }
}

fn serve(stream: TcpStream, place: Place, answering: Answering, open: &GracefulShutdown) {
    let protocol = protocol(HEAD_WITHIN);
    let connection = open.watch(protocol.serve_connection(prepared(stream, TAKEN_WITHIN), answering));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!("a connection ended early: {error}");
        }
        drop(place);
    });
}

fn serve_probe(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    answering: Answering,
    open: &GracefulShutdown,
) {
    let mut protocol = protocol(PROBE_WITHIN);
    protocol.keep_alive(false);
    let connection = open.watch(protocol.serve_connection(prepared(stream, PROBE_WITHIN), answering));
    tokio::spawn(async move {
        // Whatever it ends with, the next one waits for its place.
        let _ = tokio::time::timeout(PROBE_ENDS_WITHIN, connection).await;
        drop(place);
    });
}

fn protocol(head_within: Duration) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol.timer(TokioTimer::new()).header_read_timeout(head_within).max_buf_size(MAX_HEAD_BYTES);
    protocol
}

fn prepared(stream: TcpStream, taken_within: Duration) -> TokioIo<Unstalled<TcpStream>> {
    // Answers are small and whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    TokioIo::new(Unstalled::new(stream, taken_within))
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
