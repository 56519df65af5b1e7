//! The test's side of the fault points: hears of each that is passed, and says what happens there.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use crate::world::eventually;

/// What happens at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing.
    Pass,
    /// The answer to the step is lost.
    Lose,
    /// The process is asked to stop, and is held until it lets go of the step by itself.
    Terminate,
    /// The process is held until told to go on.
    Hold,
}

/// Points to be passed one after the other, and what happens at each. Others are passed freely.
pub(crate) type Route = Vec<(String, Order)>;

/// Listens to the fault points of one process.
pub(crate) struct Points {
    path: PathBuf,
    state: Arc<Mutex<State>>,
    opened: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct State {
    route: Route,
    next: usize,
    trace: Vec<String>,
    /// The process that passed the last point of the route.
    pid: Option<u32>,
}

impl State {
    /// Takes note of a point that is passed.
    fn pass(&mut self, name: &str, pid: Option<u32>) -> Order {
        self.trace.push(name.to_owned());
        match self.route.get(self.next) {
            Some((point, order)) if point == name => {
                self.next += 1;
                self.pid = pid.or(self.pid);
                *order
            }
            _ => Order::Pass,
        }
    }
}

impl Points {
    /// Listens; the process is to be started with [`variable`](Self::variable).
    pub(crate) fn listen(route: Route) -> Self {
        let path = std::env::temp_dir().join(format!("cache-sync-{:08x}.fault", fastrand::u32(..)));
        let listener = UnixListener::bind(&path).unwrap();
        let state = Arc::new(Mutex::new(State { route, ..State::default() }));
        let opened = Arc::new(Notify::new());
        let (shared, gate) = (Arc::clone(&state), Arc::clone(&opened));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared), Arc::clone(&gate)));
            }
        });
        Self { path, state, opened, task }
    }

    /// What the process has to find in its environment.
    pub(crate) fn variable(&self) -> (String, String) {
        ("CACHE_SYNC_FAULT".to_owned(), self.path.display().to_string())
    }

    /// The process that is held, or passed the last point of the route.
    pub(crate) fn holds(&self) -> Option<u32> {
        self.state.lock().unwrap().pid
    }

    /// Has further points to be passed, by whichever process comes to them.
    pub(crate) fn extend(&self, route: Route) {
        self.state.lock().unwrap().route.extend(route);
    }

    /// Whether the route has come to its end.
    pub(crate) fn is_at_end(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.next == state.route.len()
    }

    /// Waits until the route has come to its end.
    pub(crate) async fn reached(&self) {
        let end = self.state.lock().unwrap().route.clone();
        eventually(&format!("the end of the route {end:?}"), async || {
            let state = self.state.lock().unwrap();
            (state.next == state.route.len()).then_some(())
        })
        .await;
    }

    /// Lets the process go on, if it is held.
    pub(crate) fn open(&self) {
        self.opened.notify_one();
    }

    /// The points that were passed so far.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.state.lock().unwrap().trace.clone()
    }
}

impl Drop for Points {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, state: Arc<Mutex<State>>, opened: Arc<Notify>) {
    let peer = stream.peer_cred().ok().and_then(|peer| u32::try_from(peer.pid()?).ok());
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let Ok(Some(name)) = lines.next_line().await else { return };
    let (order, pid) = {
        let mut state = state.lock().unwrap();
        (state.pass(&name, peer), state.pid)
    };
    // The process may be gone when it is answered.
    let _ = match order {
        Order::Pass => writer.write_all(b"go").await,
        Order::Lose => writer.write_all(b"lose").await,
        Order::Hold => {
            opened.notified().await;
            writer.write_all(b"go").await
        }
        Order::Terminate => {
            crate::world::signal(pid.expect("it is known before a point is reached"), "TERM");
            // Its end, or that of the connection, when the step is given up.
            lines.next_line().await.map(drop)
        }
    };
}
