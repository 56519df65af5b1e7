//! Finds the programs of the servers on this machine, and the user to run them as.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, fs};

use super::ServerError;

/// The oldest Postgres the service supports.
const OLDEST_POSTGRES: u32 = 15;
/// The oldest Redis the service supports.
const OLDEST_REDIS: u32 = 7;

/// Where Debian and its relatives keep the server programs, one folder per version, none of them in PATH.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// The folder with `postgres`, `initdb` and `pg_isready`: the first in PATH, else the newest of Debian's.
pub(super) fn postgres_folder() -> Result<PathBuf, ServerError> {
    let has_all = |folder: &PathBuf| {
        ["initdb", "pg_isready"].iter().all(|name| folder.join(name).is_file())
            && is_recent(&folder.join("postgres"), OLDEST_POSTGRES)
    };
    path_folders().chain(debian_postgres_folders()).find(has_all).ok_or(ServerError::NotInstalled {
        program: "Postgres",
        oldest: OLDEST_POSTGRES,
        package: "postgresql",
    })
}

/// The first `redis-server` in PATH that is recent enough.
pub(super) fn redis_server() -> Result<PathBuf, ServerError> {
    let mut found = path_folders().map(|folder| folder.join("redis-server"));
    found.find(|program| is_recent(program, OLDEST_REDIS)).ok_or(ServerError::NotInstalled {
        program: "redis-server",
        oldest: OLDEST_REDIS,
        package: "redis-server",
    })
}

/// Whom the servers run as.
pub(super) enum ServerUser {
    /// The user of this process.
    Ourselves,
    /// This process is root's, and Postgres refuses to run as root: another user takes it.
    Other { name: String, uid: u32, gid: u32 },
}

impl ServerUser {
    /// Ourselves, or for root `postgres`, or `nobody` where there is no such user.
    pub(super) fn find() -> Result<Self, ServerError> {
        if !is_root()? {
            return Ok(Self::Ourselves);
        }
        let users = fs::read_to_string("/etc/passwd").map_err(ServerError::io("read /etc/passwd"))?;
        let found = user_in(&users, "postgres").or_else(|| user_in(&users, "nobody"));
        found.ok_or_else(|| {
            let source = std::io::Error::other("neither a user postgres nor nobody is in /etc/passwd");
            ServerError::Io { doing: "run private servers for root", source }
        })
    }

    /// The user and group to change to, if any.
    pub(super) fn ids(&self) -> Option<(u32, u32)> {
        match self {
            Self::Ourselves => None,
            Self::Other { uid, gid, .. } => Some((*uid, *gid)),
        }
    }
}

impl fmt::Display for ServerUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ourselves => f.write_str("this user"),
            Self::Other { name, .. } => write!(f, "user {name}"),
        }
    }
}

fn path_folders() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// Newest version first.
fn debian_postgres_folders() -> impl Iterator<Item = PathBuf> {
    let versions = fs::read_dir(DEBIAN_POSTGRES).into_iter().flatten().flatten();
    let mut versions: Vec<u32> =
        versions.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.into_iter().map(|version| Path::new(DEBIAN_POSTGRES).join(version.to_string()).join("bin"))
}

fn is_recent(program: &Path, oldest: u32) -> bool {
    // Missing, not executable or silent: all the same here, it is not the one to use.
    let Ok(output) = Command::new(program).arg("--version").output() else { return false };
    major_version(&String::from_utf8_lossy(&output.stdout)).is_some_and(|version| version >= oldest)
}

/// The first number of a version line: `postgres (PostgreSQL) 15.8`, `Redis server v=7.0.15 sha=...`.
fn major_version(line: &str) -> Option<u32> {
    line.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

fn is_root() -> Result<bool, ServerError> {
    let doing = "ask `id -u` who runs this process";
    let output = Command::new("id").arg("-u").output().map_err(ServerError::io(doing))?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// `postgres:x:101:104:PostgreSQL administrator:...` gives user 101 and group 104.
fn user_in(users: &str, name: &str) -> Option<ServerUser> {
    let fields =
        users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)?;
    let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
    Some(ServerUser::Other { name: name.to_owned(), uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_the_first_number() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)"), Some(15));
        assert_eq!(major_version("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc"), Some(7));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_version("no version"), None);
    }

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users =
            "root:x:0:0:root:/root:/bin/bash\npostgresql:x:7:7::/:\npostgres:x:101:104:a,,,:/var:/bin/sh\n";
        assert_eq!(user_in(users, "postgres").and_then(|user| user.ids()), Some((101, 104)));
        assert!(user_in(users, "nobody").is_none());
    }
}
