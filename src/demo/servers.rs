//! Private Postgres and Redis servers, for `cache-sync demo` and for the tests.
//!
//! [`PrivatePostgres::start`] and [`PrivateRedis::start`] find the programs on this machine, start a server of our own
//! on a free port of 127.0.0.1 and on a socket, and return when it answers. It lives in a folder under the temporary
//! directory that only its user may enter. Servers that already run on the machine are never touched. Started by
//! root, the server runs as `postgres`, or as `nobody`.
//!
//! ```text
//!   this process ──orders (a pipe)──> guardian (sh) ──starts, signals──> server
//!        │                               │
//!        └─ ends, for any reason ──────> reads the end of the pipe: stops the server, removes the folder
//! ```
//!
//! Everything blocks, starting for one to two seconds: in asynchronous code call it before there is other work, or
//! through `spawn_blocking`.
//!
//! # Why a guardian
//! A process that is killed with SIGKILL cleans nothing up, but the kernel closes its pipes. The guardian waits for
//! just that, out of reach of the terminal's Ctrl-C, so neither server nor folder outlives us. It also starts the
//! server, one order after the other, so there is no moment at which a server runs that nobody would end.

mod guardian;
mod postgres;
mod programs;
mod redis;
mod server;

pub use postgres::{PostgresOptions, PrivatePostgres};
pub use redis::PrivateRedis;

/// Why a private server could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The programs are not on this machine, or too old.
    #[error(
        "cannot find {program} {oldest} or newer: install it (Debian and Ubuntu: apt install {package}) \
         or put its folder into PATH"
    )]
    NotInstalled {
        /// What was looked for: `redis-server`.
        program: &'static str,
        /// The oldest major version that will do.
        oldest: u32,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// The server ended, or gave no sign of life in time. `log` is the end of what it wrote.
    #[error("cannot {doing} the private {server}: {reason}; its log ends with:\n{log}")]
    Unable {
        /// What was tried: "start".
        doing: &'static str,
        /// Which server: "Postgres".
        server: &'static str,
        /// What was seen instead.
        reason: &'static str,
        /// The last lines of the server's log.
        log: String,
    },
    /// The private folder could not be made.
    #[error(
        "cannot make a private folder in {parent} as {user}: set TMPDIR to a folder that this user may write to"
    )]
    NoFolder {
        /// Where it was tried.
        parent: String,
        /// As whom.
        user: String,
    },
    /// The operating system refused something that servers are started with.
    #[error("cannot {doing}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl ServerError {
    fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

#[cfg(test)]
mod tests;
