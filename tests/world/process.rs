//! The program itself, as a process that can be stopped and killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::{DEADLINE, eventually};

/// A running program. Dropped, it is killed; where the test fails, what it logged is shown.
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit code.
    pub(crate) code: i32,
    /// What it wrote to standard output.
    pub(crate) output: String,
    /// What it wrote to standard error.
    pub(crate) remarks: String,
}

/// Runs the program to its end, in an environment of nothing but `env`.
pub(super) async fn run(args: &[&str], env: Vec<(String, String)>) -> Ran {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_cache-sync"));
    command.args(args).env_clear().envs(env).current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, command.output()).await.expect("it ends").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), output: text(output.stdout), remarks: text(output.stderr) }
}

impl Process {
    /// Starts the program in an environment of nothing but `env`.
    pub(super) fn start(args: &[&str], env: Vec<(String, String)>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cache-sync"));
        command.args(args).env_clear().envs(env).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, notebook) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        let reader = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                *notebook.lock().unwrap() += &(line + "\n");
            }
        });
        Self { child, log, reader: Some(reader) }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        assert!(signal(self.id(), name), "{}", self.log());
    }

    /// Sends a signal again and again until it ends.
    pub(crate) async fn signal_until_it_ends(&mut self, name: &str) -> ExitStatus {
        eventually("the end of the process", async || {
            self.signal(name);
            self.child.try_wait().unwrap()
        })
        .await
    }

    /// Kills it without a word.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, and for all that it logged.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        let status = eventually("the end of the process", async || self.child.try_wait().unwrap()).await;
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it wrote to standard error so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- a worker logged:\n{}", self.log());
        }
    }
}

/// Sends a signal; whether there was such a process.
pub(crate) fn signal(pid: u32, name: &str) -> bool {
    // The shell's own kill: a bare system has no program of that name.
    let order = format!("kill -s {name} {pid}");
    Command::new("sh").args(["-c", &order]).status().unwrap().success()
}
