//! A forwarding proxy between a program and a server: it swallows, delays, holds and cuts.
//!
//! ```text
//!   let proxy = Proxy::before_postgres().await;
//!   proxy.treat(Flow::Swallow, Direction::Both, Which::All);   packets vanish, connections stay open
//!   proxy.heal();                                              new connections pass; the old ones stay silent
//! ```
//!
//! What was swallowed once never comes back: after [`Proxy::heal`] the connections of before are as dead as those whose
//! entry a NAT forgot, and neither end is told. Not even their end is passed on, so a server goes on holding what it held.
//! [`Proxy::resume`] lets them pass again, as after packets that were sent once more.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::{World, servers};

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// They pass.
    Pass,
    /// They vanish, and the end of the connection too.
    Swallow,
    /// They wait until the flow changes.
    Hold,
    /// They arrive later.
    Delay(Duration),
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
    Both,
}

/// Of which connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that are open now.
    Old,
    /// Those too that are yet to come.
    All,
}

/// Where new connections lead.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Port(u16),
    Socket(PathBuf),
    /// Nobody listens there.
    Nowhere,
}

/// What happens to a connection, each way; `None` cuts it.
#[derive(Debug, Clone, Copy)]
struct Treatment {
    to_server: Flow,
    to_client: Flow,
}

const PASS: Treatment = Treatment { to_server: Flow::Pass, to_client: Flow::Pass };

impl Treatment {
    fn change(&mut self, flow: Flow, direction: Direction) {
        if direction != Direction::ToClient {
            self.to_server = flow;
        }
        if direction != Direction::ToServer {
            self.to_client = flow;
        }
    }
}

struct State {
    target: Target,
    /// For connections that are yet to come.
    ahead: Treatment,
    open: Vec<watch::Sender<Option<Treatment>>>,
}

/// A proxy on a port of its own.
pub(crate) struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before the Postgres of all worlds.
    pub(crate) async fn before_postgres() -> Self {
        Self::before(Target::Socket(servers::postgres_socket())).await
    }

    /// A proxy before the Redis of a world.
    pub(crate) async fn before_redis(world: &World) -> Self {
        Self::before(Target::Port(world.redis.port())).await
    }

    async fn before(target: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { target, ahead: PASS, open: Vec::new() }));
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { port, state, task }
    }

    /// The port to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a world's database behind this proxy.
    pub(crate) fn database_url(&self, world: &World) -> String {
        let (scheme, rest) = world.database_url.split_once("://").unwrap();
        let (user, place) = rest.split_once('@').unwrap();
        let (_, database) = place.rsplit_once('/').unwrap();
        format!("{scheme}://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a Redis behind this proxy.
    pub(crate) fn redis_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Does this to bytes from now on.
    pub(crate) fn treat(&self, flow: Flow, direction: Direction, which: Which) {
        let mut state = self.state.lock().unwrap();
        state.forget_closed();
        for connection in &state.open {
            connection.send_modify(|treatment| {
                if let Some(treatment) = treatment {
                    treatment.change(flow, direction);
                }
            });
        }
        if which == Which::All {
            state.ahead.change(flow, direction);
        }
    }

    /// Packets vanish both ways, on old connections and new.
    pub(crate) fn swallow_all(&self) {
        self.treat(Flow::Swallow, Direction::Both, Which::All);
    }

    /// New connections pass; the old ones stay as they are.
    pub(crate) fn heal(&self) {
        self.state.lock().unwrap().ahead = PASS;
    }

    /// All connections pass, those too that were held or whose bytes were swallowed.
    pub(crate) fn resume(&self) {
        self.heal();
        self.treat(Flow::Pass, Direction::Both, Which::Old);
    }

    /// Ends all open connections, which both ends see.
    pub(crate) fn cut(&self) {
        for connection in self.state.lock().unwrap().open.drain(..) {
            connection.send_replace(None);
        }
    }

    /// Leads new connections elsewhere.
    pub(crate) fn lead_to(&self, target: Target) {
        self.state.lock().unwrap().target = target;
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        let mut state = self.state.lock().unwrap();
        state.forget_closed();
        state.open.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn forget_closed(&mut self) {
        self.open.retain(|connection| !connection.is_closed());
    }
}

/// Carries all connections; they end with this task.
async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let _ = client.set_nodelay(true);
        let (target, valve) = {
            let mut state = state.lock().unwrap();
            state.forget_closed();
            let (sender, valve) = watch::channel(Some(state.ahead));
            state.open.push(sender);
            (state.target.clone(), valve)
        };
        connections.spawn(carry(client, target, valve));
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(client: TcpStream, target: Target, valve: watch::Receiver<Option<Treatment>>) {
    match target {
        // A server that is away may be away only for this connection: it is closed, and so is the client's.
        Target::Port(port) => match TcpStream::connect(("127.0.0.1", port)).await {
            Ok(server) => {
                let _ = server.set_nodelay(true);
                let (reads, writes) = server.into_split();
                carry_both_ways(client, reads, writes, valve).await;
            }
            Err(_) => drop(client),
        },
        Target::Socket(path) => match UnixStream::connect(path).await {
            Ok(server) => {
                let (reads, writes) = server.into_split();
                carry_both_ways(client, reads, writes, valve).await;
            }
            Err(_) => drop(client),
        },
        Target::Nowhere => drop(client),
    }
}

async fn carry_both_ways(
    client: TcpStream,
    server_reads: impl AsyncRead + Unpin,
    server_writes: impl AsyncWrite + Unpin,
    valve: watch::Receiver<Option<Treatment>>,
) {
    let (client_reads, client_writes) = client.into_split();
    let mut cut = valve.clone();
    tokio::select! {
        () = pump(client_reads, server_writes, valve.clone(), |treatment| treatment.to_server) => {}
        () = pump(server_reads, client_writes, valve, |treatment| treatment.to_client) => {}
        _ = cut.wait_for(Option::is_none) => {}
    }
}

/// Carries bytes one way until one end closes and that may be known.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut valve: watch::Receiver<Option<Treatment>>,
    way: fn(Treatment) -> Flow,
) {
    let mut bytes = vec![0; 16_384];
    loop {
        let count = from.read(&mut bytes).await.unwrap_or(0);
        let Some(treatment) = *valve.borrow_and_update() else { return };
        let mut flow = way(treatment);
        if let Flow::Delay(time) = flow {
            tokio::time::sleep(time).await;
            flow = Flow::Pass;
        }
        if flow == Flow::Swallow && count > 0 {
            continue;
        }
        if flow != Flow::Pass {
            // Held, or the end of a connection of which nobody is to know.
            let passes = |treatment: &Option<Treatment>| {
                treatment.is_none_or(|treatment| matches!(way(treatment), Flow::Pass | Flow::Delay(_)))
            };
            if valve.wait_for(passes).await.is_err() {
                return;
            }
        }
        if count == 0 || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
