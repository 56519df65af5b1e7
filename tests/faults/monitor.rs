//! Everything that is written to a Redis, in order and with its time, by `MONITOR`.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::world::{World, eventually};

/// A command that was carried out, one of a script included.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// When, in seconds since 1970.
    pub(crate) at: f64,
    /// The command and its arguments.
    pub(crate) words: Vec<String>,
}

impl Command {
    /// Whether it is the command of this name on this key.
    pub(crate) fn is(&self, name: &str, key: &str) -> bool {
        self.words.first().is_some_and(|word| word.eq_ignore_ascii_case(name))
            && self.words.get(1).is_some_and(|word| word == key)
    }

    /// The argument behind this one.
    pub(crate) fn after(&self, word: &str) -> Option<&str> {
        let at = self.words.iter().position(|known| known == word)?;
        self.words.get(at + 1).map(String::as_str)
    }
}

/// Watches a Redis.
pub(crate) struct Monitor {
    seen: Arc<Mutex<Vec<Command>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Monitor {
    /// Watches from now on.
    pub(crate) async fn start(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"MONITOR\r\n").await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("+OK"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notebook = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                notebook.lock().unwrap().extend(parse(&line));
            }
        });
        Self { seen, task }
    }

    /// What was carried out so far, to the last command.
    pub(crate) async fn seen(&self, world: &World) -> Vec<Command> {
        let mark = format!("mark-{:016x}", fastrand::u64(..));
        let _: String = world.ask_redis(redis::cmd("ECHO").arg(&mark)).await;
        eventually("the monitor to have seen all", async || {
            let seen = self.seen.lock().unwrap();
            seen.iter().any(|command| command.is("ECHO", &mark)).then(|| seen.clone())
        })
        .await
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One line: `+1339518083.107412 [0 lua] "HSET" "key" "a \"b\""`. Only the first arguments of long commands matter, and
/// other escapes than those of quotes and backslashes never stand in names.
fn parse(line: &str) -> Option<Command> {
    let (at, rest) = line.strip_prefix('+')?.split_once(' ')?;
    let mut words = Vec::new();
    let mut chars = rest.split_once("] ")?.1.chars();
    while chars.any(|c| c == '"') {
        let mut word = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => word.extend(chars.next()),
                other => word.push(other),
            }
        }
        words.push(word);
    }
    Some(Command { at: at.parse().ok()?, words })
}
