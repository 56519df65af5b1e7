//! Every Redis key and channel name, in one place.
//!
//! All begin with `redis.prefix`, so two installations can share a server. The names are a contract with other programs:
//! a single channel can be renamed where one of them listens elsewhere, keys can't.

use super::event::EventName;
use crate::domain::job::JobId;

/// The first word of every name, unless configured.
pub const DEFAULT_PREFIX: &str = "tickstock";
/// The consumer group of the workers on the job stream.
pub const GROUP: &str = "cache-sync-workers";
/// The group beside it as which nobody reads: its number of entries read is that of entries that workers took off the
/// stream. Behind the other one in the order of names, for those who look at the first group only.
pub const COUNTER: &str = "cache-sync-workers.taken-off";

/// The longest prefix or channel name, in bytes.
const MAX_NAME_BYTES: usize = 200;

/// Channels under another name than the usual one; absent: as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelNames {
    /// In place of `<prefix>:cache:sync_triggered`.
    pub sync_triggered: Option<String>,
    /// In place of `<prefix>:cache:started`.
    pub started: Option<String>,
    /// In place of `<prefix>:cache:progress`.
    pub progress: Option<String>,
    /// In place of `<prefix>:universe:updated`.
    pub universe_updated: Option<String>,
    /// In place of `<prefix>:cache:ipo_assignment`.
    pub ipo_assignment: Option<String>,
    /// In place of `<prefix>:cache:delisting_cleanup`.
    pub delisting_cleanup: Option<String>,
    /// In place of `<prefix>:cache:sync_complete`.
    pub sync_complete: Option<String>,
    /// In place of `<prefix>:cache:completed`.
    pub completed: Option<String>,
    /// In place of `<prefix>:errors`.
    pub errors: Option<String>,
}

impl ChannelNames {
    fn given(&self) -> impl Iterator<Item = &str> {
        [
            &self.sync_triggered,
            &self.started,
            &self.progress,
            &self.universe_updated,
            &self.ipo_assignment,
            &self.delisting_cleanup,
            &self.sync_complete,
            &self.completed,
            &self.errors,
        ]
        .into_iter()
        .filter_map(Option::as_deref)
    }
}

/// The names of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    prefix: String,
    channels: ChannelNames,
    dotted: bool,
}

impl Default for Names {
    fn default() -> Self {
        Self { prefix: DEFAULT_PREFIX.to_owned(), channels: ChannelNames::default(), dotted: false }
    }
}

impl Names {
    /// The names under `prefix` with some channels renamed; with `dotted_names` every event also goes to its channels
    /// with `.` for `:`, where old listeners wait.
    ///
    /// # Errors
    /// A sentence, if a name is empty or over 200 bytes, or holds a comma (events list their channels with commas), a
    /// blank or a control character.
    pub fn new(prefix: &str, channels: ChannelNames, dotted_names: bool) -> Result<Self, String> {
        for name in channels.given().chain([prefix]) {
            check_name(name)?;
        }
        Ok(Self { prefix: prefix.to_owned(), channels, dotted: dotted_names })
    }

    /// The stream of job requests.
    pub fn job_stream(&self) -> String {
        format!("{}:jobs:cache_sync", self.prefix)
    }

    /// The stream of dead letters.
    pub fn dead_stream(&self) -> String {
        format!("{}:jobs:cache_sync:dead", self.prefix)
    }

    /// The status hash of a job.
    pub fn status(&self, job_id: &JobId) -> String {
        format!("{}:jobs:cache_sync:status:{job_id}", self.prefix)
    }

    /// The event stream of a job.
    pub fn events(&self, job_id: &JobId) -> String {
        format!("{}:jobs:cache_sync:events:{job_id}", self.prefix)
    }

    /// The sorted set of recent job ids.
    pub fn recent(&self) -> String {
        format!("{}:jobs:cache_sync:recent", self.prefix)
    }

    /// The text that the job monitor page reads.
    pub fn job_monitor(&self, job_id: &JobId) -> String {
        format!("{}.jobs.status:{job_id}", self.prefix)
    }

    /// The same text where older versions of `AppV2` look for a single job. It has no prefix there.
    pub fn single_job(job_id: &JobId) -> String {
        format!("job:status:{job_id}")
    }

    /// The channels of an event, each once.
    pub fn channels(&self, event: EventName) -> Vec<String> {
        let usual = |given: &Option<String>, name: &str| {
            given.clone().unwrap_or_else(|| format!("{}:{name}", self.prefix))
        };
        let own = &self.channels;
        let mut names = match event {
            EventName::Triggered => vec![usual(&own.sync_triggered, "cache:sync_triggered")],
            EventName::Started => vec![usual(&own.started, "cache:started")],
            EventName::Progress => vec![usual(&own.progress, "cache:progress")],
            EventName::UniverseUpdated => vec![usual(&own.universe_updated, "universe:updated")],
            EventName::IpoAssignment => vec![usual(&own.ipo_assignment, "cache:ipo_assignment")],
            EventName::DelistingCleanup => vec![usual(&own.delisting_cleanup, "cache:delisting_cleanup")],
            EventName::Completed => vec![
                usual(&own.sync_complete, "cache:sync_complete"),
                usual(&own.completed, "cache:completed"),
            ],
            EventName::Error => vec![usual(&own.errors, "errors")],
        };
        if self.dotted {
            let dotted: Vec<_> = names.iter().map(|name| name.replace(':', ".")).collect();
            names.extend(dotted);
        }
        without_doubles(names)
    }
}

/// The names of what starts a sync or ends one, which other programs write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalNames {
    prefix: String,
}

impl SignalNames {
    /// The names under `prefix`, which is validated with the settings.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The channel on which an import says that it ended.
    pub fn import_completed(&self) -> String {
        format!("{}:import:completed", self.prefix)
    }

    /// The channel on which an import says how it goes.
    pub fn import_status(&self) -> String {
        format!("{}:data:import:status", self.prefix)
    }

    /// The channel on which the end-of-day run says that it ended.
    pub fn eod_completion(&self) -> String {
        format!("{}:eod:completion", self.prefix)
    }

    /// The key that keeps the result of the last end-of-day run.
    pub fn latest_status(&self) -> String {
        format!("{}:eod:latest_status", self.prefix)
    }

    /// The channel on which a job's end is asked for.
    pub fn control(&self) -> String {
        format!("{}.jobs.control", self.prefix)
    }
}

fn without_doubles(names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

fn check_name(name: &str) -> Result<(), String> {
    let unfit = |c: char| c == ',' || c.is_whitespace() || c.is_control();
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains(unfit) {
        return Err(format!(
            "{name:?} can't be part of a Redis name: it needs 1 to {MAX_NAME_BYTES} bytes without commas and blanks"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> JobId {
        JobId::parse("job-1").expect("valid")
    }

    #[test]
    fn keys_are_those_of_the_contract() {
        let names = Names::default();
        assert_eq!(names.job_stream(), "tickstock:jobs:cache_sync");
        assert_eq!(names.dead_stream(), "tickstock:jobs:cache_sync:dead");
        assert_eq!(names.status(&job()), "tickstock:jobs:cache_sync:status:job-1");
        assert_eq!(names.events(&job()), "tickstock:jobs:cache_sync:events:job-1");
        assert_eq!(names.recent(), "tickstock:jobs:cache_sync:recent");
        assert_eq!(names.job_monitor(&job()), "tickstock.jobs.status:job-1");
        assert_eq!(GROUP, "cache-sync-workers");
    }

    #[test]
    fn channels_are_those_of_the_contract() {
        let names = Names::default();
        let channels: Vec<_> =
            EventName::ALL.iter().map(|event| (event.as_str(), names.channels(*event).join(" "))).collect();
        let channels: Vec<_> = channels.iter().map(|(event, channels)| (*event, channels.as_str())).collect();
        assert_eq!(
            channels,
            [
                ("cache_sync_triggered", "tickstock:cache:sync_triggered"),
                ("cache_sync_started", "tickstock:cache:started"),
                ("cache_sync_progress", "tickstock:cache:progress"),
                ("universe_updated", "tickstock:universe:updated"),
                ("ipo_assignment", "tickstock:cache:ipo_assignment"),
                ("delisting_cleanup", "tickstock:cache:delisting_cleanup"),
                ("cache_sync_completed", "tickstock:cache:sync_complete tickstock:cache:completed"),
                ("cache_sync_error", "tickstock:errors"),
            ]
        );
    }

    #[test]
    fn signals_are_those_of_the_contract_and_have_a_prefix_of_their_own() {
        let names = SignalNames::new("plant");
        assert_eq!(names.import_completed(), "plant:import:completed");
        assert_eq!(names.import_status(), "plant:data:import:status");
        assert_eq!(names.eod_completion(), "plant:eod:completion");
        assert_eq!(names.latest_status(), "plant:eod:latest_status");
        assert_eq!(names.control(), "plant.jobs.control");
    }

    #[test]
    fn another_prefix_moves_every_name() {
        let names = Names::new("staging", ChannelNames::default(), false).expect("valid");
        for name in [
            names.job_stream(),
            names.dead_stream(),
            names.status(&job()),
            names.events(&job()),
            names.recent(),
            names.job_monitor(&job()),
        ] {
            assert!(name.starts_with("staging") && !name.contains("tickstock"), "{name}");
        }
        assert_eq!(names.channels(EventName::Error), ["staging:errors"]);
    }

    #[test]
    fn a_renamed_channel_leaves_the_others_alone() {
        let channels: ChannelNames = toml::from_str("completed = 'old.done'").expect("valid");
        let names = Names::new("tickstock", channels, false).expect("valid");
        assert_eq!(names.channels(EventName::Completed), ["tickstock:cache:sync_complete", "old.done"]);
        assert_eq!(names.channels(EventName::Started), ["tickstock:cache:started"]);
        assert!(toml::from_str::<ChannelNames>("complete = 'x'").is_err(), "unknown channels are refused");
    }

    #[test]
    fn dotted_names_come_on_top_and_only_when_asked() {
        let names = Names::new("tickstock", ChannelNames::default(), true).expect("valid");
        assert_eq!(
            names.channels(EventName::Progress),
            ["tickstock:cache:progress", "tickstock.cache.progress"]
        );
        assert_eq!(Names::default().channels(EventName::Progress), ["tickstock:cache:progress"]);

        let channels: ChannelNames =
            toml::from_str("progress = 'a.b'\ncompleted = 'x'\nsync_complete = 'x'").expect("valid");
        let names = Names::new("tickstock", channels, true).expect("valid");
        assert_eq!(names.channels(EventName::Progress), ["a.b"], "nobody is told twice");
        assert_eq!(names.channels(EventName::Completed), ["x"]);
    }

    #[test]
    fn names_that_would_break_a_list_of_channels_are_refused() {
        for name in ["", "a,b", "a b", "a\n", &"x".repeat(201)] {
            assert!(Names::new(name, ChannelNames::default(), false).is_err(), "{name:?}");
            let channels = ChannelNames { errors: Some(name.to_owned()), ..ChannelNames::default() };
            assert!(Names::new("tickstock", channels, false).is_err(), "{name:?}");
        }
    }
}
