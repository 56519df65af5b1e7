//! Who a worker is, and when its death can be proven.
//!
//! A worker's name is `host-pid-scope-start`: the host (or the name it was given) and the process id, the *scope*
//! (a hash of machine boot and process namespace) and the *start* (a hash of when the process began). A worker in
//! the same scope can look up the process id: if no such process exists, or one that began at another time, the
//! worker of that name is dead beyond doubt, and what it held can be taken at once. In every other case only the
//! end of its lease tells.

use std::fs;

use sha2::{Digest, Sha256};

/// This process, as its peers know it.
#[derive(Debug, Clone)]
pub struct WorkerIdentity {
    name: String,
    scope: String,
}

impl WorkerIdentity {
    /// The identity of the running process, named after the host or as told.
    pub fn of_this_process(name: Option<&str>) -> Self {
        let host = name.map_or_else(host_name, plain);
        let scope = scope();
        let pid = std::process::id();
        let start = process_start(pid).unwrap_or_else(|| "unknown".to_owned());
        Self { name: format!("{host}-{pid}-{scope}-{start}"), scope }
    }

    /// The name of this worker: its consumer in the group, and the holder of its leases.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the worker called `name` is certainly gone. `false` means only that nobody can tell from here.
    pub fn knows_dead(&self, name: &str) -> bool {
        let Some((pid, start)) = self.parse_neighbour(name) else { return false };
        process_start(pid).as_deref() != Some(start)
    }

    /// Process id and start of a worker in this scope.
    fn parse_neighbour<'a>(&self, name: &'a str) -> Option<(u32, &'a str)> {
        let mut parts = name.rsplitn(4, '-');
        let (start, scope, pid) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next()?;
        if scope != self.scope || start == "unknown" {
            return None;
        }
        Some((pid.parse().ok()?, start))
    }
}

fn host_name() -> String {
    plain(&fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default())
}

/// A first part of a name: no `-`, which separates the parts.
fn plain(name: &str) -> String {
    let fitting = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
    let plain: String = name.trim().chars().map(fitting).take(40).collect();
    if plain.is_empty() { "host".to_owned() } else { plain }
}

/// Two processes with equal scopes see each other under the same process ids. Without `/proc` the scope is random,
/// so that nobody is ever taken for a neighbour.
fn scope() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let namespace = fs::read_link("/proc/self/ns/pid");
    match (boot, namespace) {
        (Ok(boot), Ok(namespace)) => hash(&format!("{} {}", boot.trim(), namespace.display())),
        _ => hash(&uuid::Uuid::new_v4().to_string()),
    }
}

/// When process `pid` began (in ticks since boot, hashed), or `None` if it does not run. A process that has ended
/// and only waits to be collected does not run.
fn process_start(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command stands in parentheses and may hold anything; the numbers follow the last one.
    let mut numbers = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = numbers.next()?;
    let started = numbers.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| hash(started)[..6].to_owned())
}

/// Twelve hexadecimal digits: two machines with one scope would be a chance of one in 280 trillion.
fn hash(text: &str) -> String {
    crate::domain::hex(&Sha256::digest(text.as_bytes())[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_worker_is_not_known_dead() {
        let me = WorkerIdentity::of_this_process(None);
        assert!(!me.knows_dead(me.name()));
    }

    #[test]
    fn a_process_that_ended_is_known_dead_and_one_elsewhere_is_not() {
        let me = WorkerIdentity::of_this_process(None);
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep runs");
        let start = process_start(child.id()).expect("it runs");
        let name = format!("some.name-{}-{}-{start}", child.id(), me.scope);
        assert!(!me.knows_dead(&name));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        assert!(me.knows_dead(&name));
        assert!(!me.knows_dead(&format!("some.name-{}-000000000000-{start}", child.id())));
        assert!(!me.knows_dead("rubbish"));
    }

    #[test]
    fn a_process_id_that_was_given_away_again_does_not_keep_the_dead_alive() {
        let me = WorkerIdentity::of_this_process(None);
        let name = format!("host-{}-{}-ffffff", std::process::id(), me.scope);
        assert!(me.knows_dead(&name));
    }
}
