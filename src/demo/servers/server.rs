//! What the private Postgres and the private Redis have in common: start, wait until it answers, end, start again.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::ServerError;
use super::guardian::{Answer, Guardian};

/// Give up on a server that does not answer by then: far above the second that it takes on a busy machine.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// Ask this often whether it answers.
const READY_POLL: Duration = Duration::from_millis(20);
/// Try as many ports; each is lost only if another process takes it within milliseconds.
const PORTS_TO_TRY: u32 = 5;
/// The ports to choose from. Those above are what the system gives to connections and to whoever wants any port: one of
/// them would be somebody else's by the time a server that is down has to have it back.
const PORTS: Range<u16> = 12_000..32_000;
/// Look at as many for one that is free.
const PORTS_TO_LOOK_AT: u32 = 100;

/// What the two kinds of server do differently.
pub(super) trait Kind: Send + Sync + 'static {
    /// The name in messages.
    const NAME: &'static str;
    /// The signal that ends it at once, as a crash would.
    const KILL_SIGNAL: &'static str;
    /// The program and arguments that run it on this port.
    fn command_line(&self, port: u16) -> Vec<String>;
    /// Whether it takes commands now.
    fn answers(&self, port: u16) -> bool;
}

/// One private server and its guardian.
pub(super) struct Server<K: Kind> {
    /// Shared, as tests stop and start a server that others are using.
    guardian: Mutex<Guardian>,
    pub(super) kind: K,
    pub(super) port: u16,
    pub(super) folder: PathBuf,
}

impl<K: Kind> Server<K> {
    /// Starts the server on a free port and waits until it answers.
    pub(super) fn start(guardian: Guardian, kind: K) -> Result<Self, ServerError> {
        let folder = guardian.folder().to_owned();
        let mut server = Self { guardian: Mutex::new(guardian), kind, port: 0, folder };
        let mut ports_left = PORTS_TO_TRY;
        loop {
            server.port = free_port()?;
            ports_left -= 1;
            match server.run() {
                Err(ServerError::Unable { log, .. }) if ports_left > 0 && is_port_taken(&log) => {}
                outcome => return outcome.map(|()| server),
            }
        }
    }

    /// Ends the server in good order if it runs, starts it again on the same port and data, waits until it answers.
    pub(super) fn restart(&self) -> Result<(), ServerError> {
        self.order("stop", &["stop", "INT"])?;
        self.run()
    }

    /// Ends the server as a crash would, and waits until it is gone.
    pub(super) fn kill_hard(&self) -> Result<(), ServerError> {
        self.order("kill", &["stop", K::KILL_SIGNAL]).map(drop)
    }

    /// Freezes the server: it stays connected and answers nobody.
    pub(super) fn pause(&self) -> Result<(), ServerError> {
        self.order("pause", &["pause"]).map(drop)
    }

    /// Lets a paused server go on.
    pub(super) fn resume(&self) -> Result<(), ServerError> {
        self.order("resume", &["resume"]).map(drop)
    }

    /// The process id of the server, if it runs.
    pub(super) fn process_id(&self) -> Option<u32> {
        let answer = self.guardian().order(&["is_running"]).ok()?;
        answer.server.filter(|_| answer.succeeded)
    }

    /// Ends the server in good order and removes its folder.
    pub(super) fn stop(self) -> Result<(), ServerError> {
        self.guardian().end().map_err(ServerError::io("wait for the private server to end"))
    }

    fn run(&self) -> Result<(), ServerError> {
        let command_line = self.kind.command_line(self.port);
        let mut words = vec!["start"];
        words.extend(command_line.iter().map(String::as_str));
        self.order("start", &words)?;
        self.wait_until_it_answers()
    }

    fn wait_until_it_answers(&self) -> Result<(), ServerError> {
        let deadline = Instant::now() + READY_DEADLINE;
        while !self.kind.answers(self.port) {
            self.order("start", &["is_running"])?;
            if Instant::now() > deadline {
                return Err(unable::<K>(&self.guardian(), "start", "it does not answer"));
            }
            thread::sleep(READY_POLL);
        }
        Ok(())
    }

    fn order(&self, doing: &'static str, words: &[&str]) -> Result<Answer, ServerError> {
        let mut guardian = self.guardian();
        let answer = guardian.order(words)?;
        if answer.succeeded { Ok(answer) } else { Err(unable::<K>(&guardian, doing, "it is not running")) }
    }

    fn guardian(&self) -> MutexGuard<'_, Guardian> {
        // A panic elsewhere leaves at most an unread answer; the server should still be ended.
        self.guardian.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error of a failed order, with the end of the log.
pub(super) fn unable<K: Kind>(guardian: &Guardian, doing: &'static str, reason: &'static str) -> ServerError {
    ServerError::Unable { doing, server: K::NAME, reason, log: guardian.log_tail() }
}

/// A port nobody listens on right now. Another process may take it before the server does; then a next one is tried.
fn free_port() -> Result<u16, ServerError> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    if let Some(port) = (0..PORTS_TO_LOOK_AT).map(|_| fastrand::u16(PORTS)).find(is_free) {
        return Ok(port);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    Ok(listener.map_err(ServerError::io("find a free port on 127.0.0.1"))?.port())
}

fn is_port_taken(log: &str) -> bool {
    log.contains("Address already in use")
}
