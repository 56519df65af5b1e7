//! A private Redis.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::guardian::Guardian;
use super::server::{Kind, Server};
use super::{ServerError, programs};

/// A Redis of our own, which keeps what it holds over [`PrivateRedis::restart`] and [`PrivateRedis::kill_hard`]. Ends
/// when dropped, and with this process.
///
/// There is no password: since Redis 7 a client cannot reach files or load code, and the data are made up.
pub struct PrivateRedis {
    server: Server<Redis>,
}

impl PrivateRedis {
    /// Starts one, and returns when it answers. `extra_args` go last on the command line of `redis-server` and win
    /// over ours: `["--maxmemory", "50mb"]`.
    pub fn start(extra_args: &[&str]) -> Result<Self, ServerError> {
        let program = programs::redis_server()?;
        let guardian = Guardian::start()?;
        let redis = Redis {
            program,
            folder: guardian.folder().to_owned(),
            extra_args: extra_args.iter().map(|&arg| arg.to_owned()).collect(),
        };
        Ok(Self { server: Server::start(guardian, redis)? })
    }

    /// The URL over 127.0.0.1, usable as `REDIS_URL` and with `redis-cli -u`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.server.port)
    }

    /// The URL over the socket. Only the server's user and root may use it.
    pub fn socket_url(&self) -> String {
        format!("unix://{}", self.server.kind.socket().display())
    }

    /// The line that lets a person look into Redis.
    pub fn redis_cli_command(&self) -> String {
        format!("redis-cli -p {}", self.server.port)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The folder with everything of the server, its `log` included; gone when the server has ended.
    pub fn folder(&self) -> &Path {
        &self.server.folder
    }

    /// The process id of the server, if it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.server.process_id()
    }

    /// Ends the server with SIGKILL, and returns when it is gone.
    pub fn kill_hard(&self) -> Result<(), ServerError> {
        self.server.kill_hard()
    }

    /// Ends the server in good order if it runs, and starts it again with the same data and URL.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.server.restart()
    }

    /// Freezes the server: connections stay open and nobody is answered.
    pub fn pause(&self) -> Result<(), ServerError> {
        self.server.pause()
    }

    /// Lets a paused server go on.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.server.resume()
    }

    /// Ends the server in good order and removes its folder, as dropping it does; here a failure is told.
    pub fn stop(self) -> Result<(), ServerError> {
        self.server.stop()
    }
}

struct Redis {
    program: PathBuf,
    folder: PathBuf,
    extra_args: Vec<String>,
}

impl Redis {
    fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    fn ping(&self) -> std::io::Result<bool> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 7];
        stream.read_exact(&mut answer)?;
        // While it reads its data back it says -LOADING. A password that the caller asked for is no obstacle.
        Ok(&answer == b"+PONG\r\n" || &answer == b"-NOAUTH")
    }
}

impl Kind for Redis {
    const NAME: &'static str = "Redis";
    const KILL_SIGNAL: &'static str = "KILL";

    fn command_line(&self, port: u16) -> Vec<String> {
        let (program, folder, socket) = (&self.program, &self.folder, self.socket());
        let ours = [
            ("--bind", "127.0.0.1".to_owned()),
            ("--port", port.to_string()),
            ("--unixsocket", socket.to_string_lossy().into_owned()),
            ("--unixsocketperm", "700".to_owned()),
            ("--dir", folder.to_string_lossy().into_owned()),
            // Every write is handed to the kernel before it is answered, so a killed server loses nothing.
            ("--appendonly", "yes".to_owned()),
            ("--appendfsync", "no".to_owned()),
            ("--save", String::new()),
        ];
        let mut words = vec![program.to_string_lossy().into_owned()];
        words.extend(ours.into_iter().flat_map(|(name, value)| [name.to_owned(), value]));
        words.extend(self.extra_args.iter().cloned());
        words
    }

    fn answers(&self, _port: u16) -> bool {
        self.ping().unwrap_or(false)
    }
}
