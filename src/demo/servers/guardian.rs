//! The process that ends a private server when we end, however we end.
//!
//! It is a small shell script, `guardian.sh`, that obeys one order per line from a pipe that this process alone holds
//! open. The script says what each order does; this side only writes orders and reads answers.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{env, fs};

use super::ServerError;
use super::programs::ServerUser;

const SCRIPT: &str = include_str!("guardian.sh");

/// How much of a log is shown when its server fails.
const LOG_LINES: usize = 12;

/// A running guardian. Dropping it ends it, its server and its folder, and waits for that.
#[derive(Debug)]
pub(super) struct Guardian {
    child: Child,
    /// `None` once no more orders come.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    folder: PathBuf,
}

/// How an order went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer {
    /// Whether the order's exit status was 0.
    pub(super) succeeded: bool,
    /// The process id of the server, unless it was stopped.
    pub(super) server: Option<u32>,
}

impl Guardian {
    /// Starts a guardian over a new folder, which only its user may enter.
    pub(super) fn start() -> Result<Self, ServerError> {
        let user = ServerUser::find()?;
        let parent = env::temp_dir();
        // Short, since the path of a socket in it may have 107 bytes at most.
        let folder = parent.join(format!("cache-sync-{:08x}", fastrand::u32(..)));
        let mut child =
            command(&folder, &user).spawn().map_err(ServerError::io("start a shell to keep the server"))?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("its standard output is a pipe"));
        let mut guardian = Self { child, orders, answers, folder };
        if guardian.read_answer()?.succeeded {
            return Ok(guardian);
        }
        Err(ServerError::NoFolder { parent: parent.display().to_string(), user: user.to_string() })
    }

    /// Has one order carried out. `words` are a verb of the script and its arguments, passed on as they are.
    pub(super) fn order(&mut self, words: &[&str]) -> Result<Answer, ServerError> {
        let mut line = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        line.push('\n');
        self.write_line(&line).map_err(ServerError::io("give an order to the private server's guardian"))?;
        self.read_answer()
    }

    /// The folder that is removed in the end.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The last lines of what the server wrote.
    pub(super) fn log_tail(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Ends the guardian and waits until server and folder are gone.
    pub(super) fn end(&mut self) -> io::Result<()> {
        drop(self.orders.take());
        self.child.wait()?;
        Ok(())
    }

    fn write_line(&mut self, line: &str) -> io::Result<()> {
        let orders = self.orders.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        // One write, so that a guardian never sees half an order.
        orders.write_all(line.as_bytes())
    }

    fn read_answer(&mut self) -> Result<Answer, ServerError> {
        let mut line = String::new();
        let answer = self.answers.read_line(&mut line).and_then(|_| parse_answer(&line));
        answer.map_err(ServerError::io("read the answer of the private server's guardian"))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // There is nobody left to tell; a guardian that lives goes on even if we cannot wait for it.
        let _ = self.end();
    }
}

fn command(folder: &Path, user: &ServerUser) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "guardian"]).arg(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // Our own folder may be closed to that user, and Postgres complains of a place it cannot return to.
    command.current_dir("/");
    // Its own group: Ctrl-C in a terminal goes to the group in front.
    command.process_group(0);
    if let Some((uid, gid)) = user.ids() {
        command.uid(uid).gid(gid);
    }
    // A setting for some other server must not reach ours, and messages are read in English.
    let postgres_settings =
        env::vars_os().map(|(name, _)| name).filter(|name| name.as_encoded_bytes().starts_with(b"PG"));
    for name in postgres_settings {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C");
    command
}

fn parse_answer(line: &str) -> io::Result<Answer> {
    let mut words = line.split_whitespace();
    let status = words.next().ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Answer { succeeded: status == "0", server: words.next().and_then(|pid| pid.parse().ok()) })
}

/// A word as the shell reads it back unchanged.
fn quoted(word: &str) -> String {
    assert!(!word.contains('\n'), "an order is one line");
    format!("'{}'", word.replace('\'', r"'\''"))
}
