//! The configuration, as validated types.
//!
//! [`Settings::load`] lays four layers over one another: the shipped `config/cache_sync.toml`, which is compiled in
//! and lists every key with its default, the operator's file, the environment, and flags. It never touches the
//! process environment itself, so a test can load any configuration.
//!
//! # Why it refuses so much
//! A misspelled key that is ignored, or a threshold out of order, becomes a wrong universe that nobody notices. So a
//! program with a doubtful configuration does not start; it says all that is wrong, each in one sentence with the
//! place to correct.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveTime;
use serde_json::Value;

use crate::domain::words;
use crate::plan::given::policy::{Policy, Ranking, Theme};
use crate::wire::names::{ChannelNames, Names, SignalNames};

mod layers;
mod rules;
mod sectors;
mod themes;

use layers::Layers;

pub(crate) use layers::nearest;

/// The reference: every key with its default, unit and reason.
const SHIPPED: &str = include_str!("../../config/cache_sync.toml");
/// What `AppV2` sends as key where nobody has set `TICKSTOCKPL_API_KEY`. It stands in its public repository.
const PUBLIC_API_KEY: &str = "tickstock-cache-sync-2025";
const CHOOSE_KEY: &str = "make one with openssl rand -hex 32, and set TICKSTOCKPL_API_KEY of AppV2 to it";
/// Where the main file is looked for when nobody names one.
const USUAL_FILE: &str = "config/cache_sync.toml";
/// Sections to which names may be added.
const OPEN_SECTIONS: &[&str] = &["universe_limits", "http.keys"];
/// Settings whose variables have names of their own.
const ALIASES: &[(&str, &str)] = &[("DATABASE_URL", "database.url"), ("REDIS_URL", "redis.url")];

/// The whole configuration. It exists only validated, and its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The main file that was read; `None` where the built-in values stand alone.
    pub file: Option<PathBuf>,
    /// Where our tables are.
    pub database: DatabaseSettings,
    /// Where `cache_entries` is, how it looks, and which of its rows are ours.
    pub entries: EntriesSettings,
    /// Where securities and closes are read from.
    pub source: SourceSettings,
    /// Where Redis is, and what our names in it are.
    pub redis: RedisSettings,
    /// How a worker lives.
    pub worker: WorkerSettings,
    /// How a sync goes.
    pub sync: SyncSettings,
    /// What starts a sync by itself.
    pub triggers: TriggerSettings,
    /// Where the API listens, and to whom.
    pub http: HttpSettings,
    /// The nine themes, in the order of their keys.
    pub themes: Vec<ThemeSettings>,
    policy: Policy,
}

/// A text that never shows itself: passwords, keys, URLs that may hold them.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where our tables and the source tables are.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `postgresql://...`
    pub url: Secret,
    /// The schema of our tables.
    pub schema: String,
    /// The most connections that one role of a process opens.
    pub max_connections: usize,
}

/// Where `cache_entries` is, how it looks, and which of its rows are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntriesSettings {
    /// The schema it is in, which is that of our tables.
    pub schema: String,
    /// Its shape.
    pub layout: Layout,
    /// In the layout of `AppV2`: the environment of our rows.
    pub environment: String,
    /// In the layout of `AppV2`: ETF universes as bare lists of tickers, not as objects.
    pub bare_etf_lists: bool,
    /// In the layout of `AppV2`: the environment of lists of funds for dropdowns; `None` for no such lists.
    pub etf_lists: Option<String>,
    /// The rankings that the layout of `AppV2` has beside those of the policy.
    pub appv2_rankings: Vec<Ranking>,
    /// Whether the group tables of `AppV2` are written.
    pub groups: Groups,
    /// The universes that have a group there: kinds of universes, and single ones by name.
    pub group_universes: Vec<String>,
}

words! {
    /// Whether the group tables of `AppV2` are written.
    Groups {
        /// Where both are found.
        Auto = "auto",
        /// Never.
        Off = "off",
    }
}

words! {
    /// The shape of `cache_entries`.
    Layout {
        /// Whatever is found.
        Auto = "auto",
        /// One row a universe.
        Universe = "universe",
        /// Type, name, key and value, as a live `AppV2` has it.
        AppV2 = "appv2",
    }
}

/// Where securities and closes are read from.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// The schema of the source tables.
    pub schema: String,
    /// The table or view of securities.
    pub symbols_table: String,
    /// The table or view of daily bars.
    pub bars_table: String,
    /// Column names given by the operator: role (`market_cap`, `date`, ...) to column.
    pub columns: BTreeMap<String, String>,
}

/// Where Redis is, and what our names in it are.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://`, `rediss://` or `unix://`; behind Sentinel its host counts for nothing.
    pub url: Secret,
    /// Sentinels, `host:port` or a URL each; none where Redis is a single server.
    pub sentinels: Vec<Secret>,
    /// What the Sentinels call our primary.
    pub sentinel_master: String,
    /// The first word of every key and channel.
    pub prefix: String,
    /// The first word of the channels that announce imports.
    pub signals_prefix: String,
    /// Also publish under the dotted names of old.
    pub dotted_names: bool,
    /// Keep the strings that `AppV2`'s job monitor page reads.
    pub job_monitor_keys: bool,
    /// Pub/sub channels with names of the operator's: role (`started`, `universe_updated`, ...) to channel.
    pub channels: BTreeMap<String, String>,
}

/// How a worker lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The first part of its name; `None` for the host's.
    pub name: Option<String>,
    /// Silence after which another takes its job over.
    pub lease: Duration,
    /// Time between two signs of life; two fit in a lease with time to spare.
    pub heartbeat: Duration,
    /// Attempts before a job becomes a dead letter.
    pub max_attempts: u32,
    /// Standstill after which an attempt is broken off.
    pub hung_after: Duration,
    /// How long a worker told to stop may still work.
    pub drain: Duration,
}

/// How a sync goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncSettings {
    /// How long it may take.
    pub timeout: Duration,
    /// How long a job waits for its day's import.
    pub eod_wait_timeout: Duration,
    /// How often such a job looks.
    pub eod_recheck: Duration,
    /// Rows in one chunk on the wire.
    pub batch_size: usize,
    /// Whether pub/sub speaks.
    pub enable_notifications: bool,
}

/// What starts a sync by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerSettings {
    /// Whether the ends of imports do.
    pub signals: bool,
    /// Whether the clock does, where no import has spoken.
    pub schedule: bool,
    /// When the clock begins to wait for an import, in New York.
    pub schedule_time: NaiveTime,
}

/// Where the API listens, and to whom.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Address and port.
    pub listen: SocketAddr,
    /// `CACHE_SYNC_API_KEY`.
    pub api_key: Option<Secret>,
    /// Further keys: name to SHA-256 of the key.
    pub keys: BTreeMap<String, [u8; 32]>,
    /// Unfinished jobs from which on no further one is taken.
    pub max_queued_jobs: u32,
}

/// One of the nine themes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThemeSettings {
    /// Its universe.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// Whether it is kept up.
    pub enabled: bool,
}

impl ThemeSettings {
    fn of(theme: &Theme) -> Self {
        Self { key: theme.universe.to_string(), name: theme.name.clone(), enabled: theme.is_enabled }
    }
}

/// What a configuration is loaded from.
#[derive(Debug, Clone)]
pub struct LoadArgs<E> {
    /// The file that `--config` names.
    pub config: Option<PathBuf>,
    /// Where the usual file is looked for, and what relative names start from; empty for the current directory.
    pub directory: PathBuf,
    /// The environment.
    pub env: E,
    /// Settings from the command line: dotted key, text.
    pub overrides: Vec<(String, String)>,
}

impl LoadArgs<std::env::VarsOs> {
    /// From this process: its environment and its current directory.
    pub fn of_process(config: Option<PathBuf>, overrides: Vec<(String, String)>) -> Self {
        Self { config, directory: PathBuf::new(), env: std::env::vars_os(), overrides }
    }
}

/// Everything that is wrong with a configuration, a sentence each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// What is wrong, where, and what to do; at least one.
    pub problems: Vec<String>,
}

impl std::error::Error for SettingsError {}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [problem] => f.write_str(problem),
            problems => {
                write!(f, "the configuration has {} problems:", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl Settings {
    /// Reads the files, lays the environment and the flags over them, and validates the whole.
    ///
    /// # Errors
    /// All problems that were found, not only the first.
    pub fn load<E>(args: LoadArgs<E>) -> Result<Self, SettingsError>
    where
        E: Iterator<Item = (OsString, OsString)>,
    {
        let env: Vec<(OsString, OsString)> = args.env.filter(|(_, text)| !text.is_empty()).collect();
        let file = main_file(args.config, &args.directory, &env).map_err(one)?;
        let beside = file.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();

        let mut main = Layers::new(USUAL_FILE, SHIPPED, OPEN_SECTIONS);
        if let Some(path) = &file {
            main.add_file(path, &read_file(path).map_err(one)?);
        }
        let api_key = api_key(&env).map_err(one)?;
        main.add_environment(env.into_iter(), ALIASES);
        for (key, text) in &args.overrides {
            if rules::holds_password(text) {
                return Err(one(format!(
                    "--set {key}: a password on the command line shows in the list of processes; give the URL as \
                     DATABASE_URL or REDIS_URL"
                )));
            }
            main.add_flag(key, text);
        }

        let mut sectors = sectors::layers();
        let mut themes = themes::layers();
        if file.is_some() {
            add_where_it_exists(&mut sectors, &beside.join("sectors.toml")).map_err(one)?;
            add_where_it_exists(&mut themes, &beside.join("themes.toml")).map_err(one)?;
        }
        let settings = rules::read(file, api_key, &mut main, &mut sectors, &mut themes);
        let problems: Vec<String> =
            [main, sectors, themes].into_iter().flat_map(Layers::into_problems).collect();
        if problems.is_empty() { Ok(settings) } else { Err(SettingsError { problems }) }
    }

    /// The rules that steer a plan.
    pub fn policy(&self) -> Policy {
        self.policy.clone()
    }

    /// One line for the log: the file used, the servers and the names, no secret.
    pub fn summary(&self) -> String {
        let file =
            self.file.as_ref().map_or("built-in settings".to_owned(), |path| path.display().to_string());
        format!(
            "{file}; Postgres {}, schema {}; Redis {}, prefix {}",
            self.database.address(),
            self.database.schema,
            self.redis.address(),
            self.redis.prefix
        )
    }
}

impl DatabaseSettings {
    /// Host, port and database, without user or password.
    pub fn address(&self) -> String {
        rules::postgres_address(self.url.expose()).unwrap_or_else(|| "(unreadable URL)".to_owned())
    }
}

impl RedisSettings {
    /// The names of every key and channel.
    pub fn names(&self) -> Result<Names, String> {
        let channels =
            self.channels.iter().map(|(role, name)| (role.clone(), Value::from(name.clone()))).collect();
        let channels: ChannelNames = serde_json::from_value(Value::Object(channels))
            .map_err(|error| format!("redis.channels: {error}"))?;
        Names::new(&self.prefix, channels, self.dotted_names)
    }

    /// The names of what starts a sync.
    pub fn signals(&self) -> SignalNames {
        SignalNames::new(&self.signals_prefix)
    }

    /// Host, port and database, without user or password; behind Sentinel the name of the primary, and who knows it.
    pub fn address(&self) -> String {
        let address = |url: &str| rules::redis_address(url).unwrap_or_else(|| "(unreadable URL)".to_owned());
        let server = address(self.url.expose());
        if self.sentinels.is_empty() {
            return server;
        }
        let sentinels: Vec<String> = self.sentinels.iter().map(rules::sentinel_address).collect();
        let database = server.rsplit_once('/').map_or("0", |(_, database)| database);
        format!("{}/{database}, by Sentinel at {}", self.sentinel_master, sentinels.join(" "))
    }
}

fn one(problem: String) -> SettingsError {
    SettingsError { problems: vec![problem] }
}

/// The main file: the one that was named, which must exist, else the usual one where it exists.
fn main_file(
    flag: Option<PathBuf>,
    directory: &Path,
    env: &[(OsString, OsString)],
) -> Result<Option<PathBuf>, String> {
    let named = match flag {
        Some(path) => Some((path, "--config")),
        None => variable(env, "CACHE_SYNC_CONFIG").map(|path| (path.into(), "CACHE_SYNC_CONFIG")),
    };
    let Some((path, by)) = named else {
        let usual = directory.join(USUAL_FILE);
        return Ok(usual.is_file().then_some(usual));
    };
    let path = directory.join(path);
    if path.is_file() {
        return Ok(Some(path));
    }
    let found = if path.exists() { "is no file" } else { "does not exist" };
    Err(format!(
        "{by}: {} {found}; name the configuration file, or none for the built-in one",
        path.display()
    ))
}

fn variable<'a>(env: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsString> {
    env.iter().find(|(variable, _)| variable == name).map(|(_, text)| text)
}

fn api_key(env: &[(OsString, OsString)]) -> Result<Option<Secret>, String> {
    let Some(key) = variable(env, "CACHE_SYNC_API_KEY") else { return Ok(None) };
    let usable = key.to_str().filter(|key| !key.chars().any(|c| c.is_whitespace() || c.is_control()));
    let key =
        usable.ok_or("CACHE_SYNC_API_KEY: the key holds blanks or bytes that no HTTP header can carry")?;
    if key == PUBLIC_API_KEY {
        return Err(format!(
            "CACHE_SYNC_API_KEY: this is the key in AppV2's public source, which everybody knows; {CHOOSE_KEY}"
        ));
    }
    Ok(Some(Secret::new(key)))
}

fn add_where_it_exists(layers: &mut Layers, path: &Path) -> Result<(), String> {
    if path.is_file() {
        layers.add_file(path, &read_file(path)?);
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests;
