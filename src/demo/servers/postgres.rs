//! A private Postgres.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::guardian::Guardian;
use super::server::{Kind, Server, unable};
use super::{ServerError, programs};

/// The superuser of the private server.
const USER: &str = "tickstock";
/// The database that every new server has.
const DATABASE: &str = "postgres";

/// How a private Postgres differs from a default one.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// Also survive the end of the machine, not only that of the server: slower by a disk flush per commit. Without
    /// it, a killed server still loses nothing that was committed.
    pub durable: bool,
    /// Server settings by name: `("max_connections", "300")`.
    pub settings: Vec<(String, String)>,
}

/// A Postgres of our own: UTF-8, C locale, with one superuser and an empty database. Ends when dropped, and with this
/// process.
///
/// The socket asks for no password, since only the server's user (and root) may enter its folder. 127.0.0.1 is open to
/// everyone on the machine, and a superuser can run programs: there a random password guards it.
pub struct PrivatePostgres {
    server: Server<Postgres>,
}

impl PrivatePostgres {
    /// Starts one with default options, and returns when it takes connections.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_with(&PostgresOptions::default())
    }

    /// Starts one, and returns when it takes connections.
    pub fn start_with(options: &PostgresOptions) -> Result<Self, ServerError> {
        let programs = programs::postgres_folder()?;
        let mut guardian = Guardian::start()?;
        let postgres = Postgres {
            programs,
            folder: guardian.folder().to_owned(),
            password: uuid::Uuid::new_v4().simple().to_string(),
            options: options.clone(),
        };
        postgres.make_cluster(&mut guardian)?;
        Ok(Self { server: Server::start(guardian, postgres)? })
    }

    /// The URL for clients, over 127.0.0.1 and with the password, usable as `DATABASE_URL`.
    pub fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// The URL of another database of this server; `database` in letters, digits and underscores.
    pub fn url_of(&self, database: &str) -> String {
        let password = &self.server.kind.password;
        format!("postgresql://{USER}:{password}@127.0.0.1:{}/{database}", self.server.port)
    }

    /// The URL over the socket, without a password. Only the server's user and root may use it.
    pub fn socket_url(&self) -> String {
        let host = self.folder().to_string_lossy().replace('%', "%25").replace('/', "%2F");
        format!("postgresql://{USER}@{host}:{}/{DATABASE}", self.server.port)
    }

    /// The line that lets a person look into the database.
    pub fn psql_command(&self) -> String {
        format!("psql {}", self.url())
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

    /// Ends the server like `pg_ctl stop -m immediate`: connections break, and the next start recovers. Returns when
    /// it is gone.
    pub fn kill_hard(&self) -> Result<(), ServerError> {
        self.server.kill_hard()
    }

    /// Ends the server in good order if it runs, and starts it again with the same data and URL.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.server.restart()
    }

    /// Freezes the server and its connections, which stay open and answer nobody.
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

struct Postgres {
    /// The folder of `postgres`, `initdb` and `pg_isready`.
    programs: PathBuf,
    folder: PathBuf,
    password: String,
    options: PostgresOptions,
}

impl Postgres {
    fn make_cluster(&self, guardian: &mut Guardian) -> Result<(), ServerError> {
        let password_file = self.path("password");
        // Through the guardian rather than an argument, which everyone could read in the list of processes.
        guardian.order(&["write", &password_file, &self.password])?;
        let answer = guardian.order(&[
            "run",
            &self.program("initdb"),
            "--encoding=UTF8",
            "--locale=C",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "--no-sync",
            &format!("--username={USER}"),
            &format!("--pwfile={password_file}"),
            &format!("--pgdata={}", self.path("data")),
        ])?;
        if answer.succeeded { Ok(()) } else { Err(unable::<Self>(guardian, "make", "initdb failed")) }
    }

    fn program(&self, name: &str) -> String {
        self.programs.join(name).to_string_lossy().into_owned()
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_string_lossy().into_owned()
    }

    fn settings(&self, port: u16) -> Vec<String> {
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", self.folder.display()),
        ];
        // Never synchronous_commit=off: it would save little more, and lose commits when the server is killed.
        if !self.options.durable {
            settings.extend(["fsync=off".to_owned(), "full_page_writes=off".to_owned()]);
        }
        settings.extend(self.options.settings.iter().map(|(name, value)| format!("{name}={value}")));
        settings
    }
}

impl Kind for Postgres {
    const NAME: &'static str = "Postgres";
    // Not KILL, after which the processes of its connections would live on for a while and hold the data.
    const KILL_SIGNAL: &'static str = "QUIT";

    fn command_line(&self, port: u16) -> Vec<String> {
        let mut words = vec![self.program("postgres"), "-D".to_owned(), self.path("data")];
        words.extend(self.settings(port).into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        words
    }

    fn answers(&self, port: u16) -> bool {
        let mut pg_isready = Command::new(self.program("pg_isready"));
        pg_isready.args(["--quiet", "--timeout=1", "--host"]).arg(&self.folder).arg(format!("--port={port}"));
        pg_isready.stdin(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}
