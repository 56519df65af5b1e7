//! The status hash of a job: one flat picture that pages and scripts poll.
//!
//! Every field is always written, as text, so a reader never meets half a hash nor an old field beside new ones. What
//! is unknown is empty, a list `[]`, an object `{}`. Which of two hashes is newer is told by `seq`; the script in
//! [`redis::publisher`](crate::redis::publisher) sees to it that an older one never replaces a newer one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::PHASE;
use super::{iso, percentage, seconds};
use crate::domain::job::{JobId, JobRequest, JobStatus};
use crate::domain::task::TaskStatus;
use crate::domain::task::{Mode, SyncTask};

/// The result of a sub-task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResult {
    /// How it went.
    pub status: TaskStatus,
    /// Memberships added and removed.
    pub changes: u64,
    /// How long it took, in milliseconds; outside, seconds with three decimals.
    #[serde(rename = "duration_seconds", with = "as_seconds")]
    pub duration_ms: u64,
}

/// Everything that is told about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusHash {
    /// The job.
    pub job_id: JobId,
    /// Its mode; unknown for an entry that was refused.
    pub mode: Option<Mode>,
    /// Where it stands.
    pub status: JobStatus,
    /// The sub-task at work; none when ended.
    pub current_task: Option<SyncTask>,
    /// Sub-tasks done in this attempt.
    pub completed: u32,
    /// Sub-tasks in all.
    pub total_items: u32,
    /// Attempts begun.
    pub attempt: u32,
    /// The worker that has it or had it last.
    pub worker: Option<String>,
    /// Who asked.
    pub triggered_by: String,
    /// The caller's own run.
    pub run_id: Option<String>,
    /// The date that is synced, once it is known.
    pub as_of: Option<NaiveDate>,
    /// When it was asked for.
    pub created_at: Option<DateTime<Utc>>,
    /// When the first attempt began.
    pub start_time: Option<DateTime<Utc>>,
    /// When it ended.
    pub end_time: Option<DateTime<Utc>>,
    /// When this was written.
    pub updated_at: Option<DateTime<Utc>>,
    /// From start to end, in milliseconds; outside, seconds with three decimals.
    pub duration_ms: Option<u64>,
    /// Memberships added and removed.
    pub total_changes: u64,
    /// Universes whose members changed.
    pub universes_updated: Vec<String>,
    /// Universes that a guard held back.
    pub held_universes: Vec<String>,
    /// How each sub-task went.
    pub task_results: BTreeMap<SyncTask, TaskResult>,
    /// What was odd: a code, `: ` and a sentence each.
    pub warnings: Vec<String>,
    /// Why it failed, or why it waits; empty if nothing is wrong.
    pub error: String,
    /// The dead letter's job that this one repeats.
    pub replay_of: Option<String>,
    /// The place of this write among all of the job.
    pub seq: i64,
}

impl StatusHash {
    /// The first status of a job: asked for, not begun.
    pub fn queued(request: &JobRequest, seq: i64, at: DateTime<Utc>) -> Self {
        Self {
            mode: Some(request.mode),
            total_items: request.mode.tasks().len() as u32,
            triggered_by: request.triggered_by.clone(),
            run_id: request.run_id.clone(),
            as_of: request.as_of,
            created_at: Some(request.requested_at),
            updated_at: Some(at),
            replay_of: request.replay_of.clone(),
            ..Self::new(request.job_id.clone(), JobStatus::Queued, seq)
        }
    }

    /// The only status of a job whose entry was refused. Its place is 0, before everything a job tells: it never replaces
    /// the status of a job that is known under this id, and gives way to a job that gets this id later.
    pub fn refused(job_id: JobId, error: &str, at: DateTime<Utc>) -> Self {
        Self {
            end_time: Some(at),
            updated_at: Some(at),
            error: error.to_owned(),
            ..Self::new(job_id, JobStatus::Failed, 0)
        }
    }

    /// A status of which nothing else is known.
    pub fn new(job_id: JobId, status: JobStatus, seq: i64) -> Self {
        Self {
            job_id,
            mode: None,
            status,
            current_task: None,
            completed: 0,
            total_items: 0,
            attempt: 0,
            worker: None,
            triggered_by: String::new(),
            run_id: None,
            as_of: None,
            created_at: None,
            start_time: None,
            end_time: None,
            updated_at: None,
            duration_ms: None,
            total_changes: 0,
            universes_updated: Vec::new(),
            held_universes: Vec::new(),
            task_results: BTreeMap::new(),
            warnings: Vec::new(),
            error: String::new(),
            replay_of: None,
            seq,
        }
    }

    /// Whether nothing was done, because nothing needed to be.
    pub fn is_skipped(&self) -> bool {
        let mut results = self.task_results.values().peekable();
        results.peek().is_some() && results.all(|result| result.status == TaskStatus::Skipped)
    }

    /// How far it is, from 0 to 100: by sub-tasks, and 100 once it completed, also where nothing was to be done.
    pub fn percentage(&self) -> u32 {
        match self.status {
            JobStatus::Completed => 100,
            JobStatus::Queued
            | JobStatus::Running
            | JobStatus::Retrying
            | JobStatus::Failed
            | JobStatus::Cancelled => percentage(self.completed, self.total_items),
        }
    }

    /// Every field of the hash, in the order of the contract.
    pub fn to_fields(&self) -> Vec<(&'static str, String)> {
        let current_task = if self.status.is_final() { None } else { self.current_task };
        vec![
            ("job_id", self.job_id.to_string()),
            ("mode", shown(self.mode)),
            ("status", self.status.to_string()),
            ("phase", PHASE.to_owned()),
            ("current_task", shown(current_task)),
            ("completed", self.completed.to_string()),
            ("total_items", self.total_items.to_string()),
            ("percentage", self.percentage().to_string()),
            ("attempt", self.attempt.to_string()),
            ("worker", shown(self.worker.as_ref())),
            ("triggered_by", self.triggered_by.clone()),
            ("run_id", shown(self.run_id.as_ref())),
            ("as_of", shown(self.as_of)),
            ("created_at", shown(self.created_at.map(iso))),
            ("start_time", shown(self.start_time.map(iso))),
            ("end_time", shown(self.end_time.map(iso))),
            ("updated_at", shown(self.updated_at.map(iso))),
            ("duration_seconds", shown(self.duration_ms.map(|ms| format!("{:.3}", seconds(ms))))),
            ("total_changes", self.total_changes.to_string()),
            ("universes_updated", to_json(&self.universes_updated)),
            ("held_universes", to_json(&self.held_universes)),
            ("task_results", to_json(&self.task_results)),
            ("warnings", to_json(&self.warnings)),
            ("error", self.error.clone()),
            ("replay_of", shown(self.replay_of.as_ref())),
            ("seq", self.seq.to_string()),
        ]
    }

    /// The fields as a JSON object of texts, for an outbox row.
    pub fn to_json(&self) -> Value {
        self.to_fields().into_iter().map(|(name, value)| (name, Value::String(value))).collect()
    }

    /// The status in an outbox row.
    ///
    /// # Errors
    /// As [`StatusHash::from_fields`].
    pub fn from_json(object: &Value) -> Result<Self, String> {
        let fields = HashMap::<String, String>::deserialize(object);
        Self::from_fields(&fields.map_err(|error| format!("the status is no object of texts: {error}"))?)
    }

    /// The status in a hash. Other fields are ignored, and a missing one counts as unknown, so that a reader gets along
    /// with hashes of another version.
    ///
    /// # Errors
    /// A sentence, if there is no `job_id` or `status`, or if a field says what it can't say.
    pub fn from_fields(fields: &HashMap<String, String>) -> Result<Self, String> {
        let hash = Reader(fields);
        let job_id = hash.required("job_id", JobId::parse)?;
        let status = hash.required("status", JobStatus::from_text)?;
        Ok(Self {
            mode: hash.optional("mode", Mode::from_text)?,
            current_task: hash.optional("current_task", SyncTask::from_text)?,
            completed: hash.number("completed")?,
            total_items: hash.number("total_items")?,
            attempt: hash.number("attempt")?,
            worker: hash.text("worker"),
            triggered_by: hash.text("triggered_by").unwrap_or_default(),
            run_id: hash.text("run_id"),
            as_of: hash.optional("as_of", |text| text.parse().ok())?,
            created_at: hash.optional("created_at", parse_time)?,
            start_time: hash.optional("start_time", parse_time)?,
            end_time: hash.optional("end_time", parse_time)?,
            updated_at: hash.optional("updated_at", parse_time)?,
            duration_ms: hash.optional("duration_seconds", parse_seconds)?,
            total_changes: hash.number("total_changes")?,
            universes_updated: hash.json("universes_updated")?,
            held_universes: hash.json("held_universes")?,
            task_results: hash.json("task_results")?,
            warnings: hash.json("warnings")?,
            error: hash.text("error").unwrap_or_default(),
            replay_of: hash.text("replay_of"),
            ..Self::new(job_id, status, hash.number("seq")?)
        })
    }
}

fn shown(value: Option<impl fmt::Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("lists and maps of texts and numbers are JSON")
}

/// A hash as Redis gives it; empty is absent.
struct Reader<'a>(&'a HashMap<String, String>);

impl Reader<'_> {
    fn text(&self, field: &str) -> Option<String> {
        self.0.get(field).filter(|text| !text.is_empty()).cloned()
    }

    fn optional<T>(&self, field: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, String> {
        let Some(text) = self.text(field) else { return Ok(None) };
        match parse(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("the status hash has {text:?} in {field}, which can't be read")),
        }
    }

    fn required<T>(&self, field: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        self.optional(field, parse)?.ok_or_else(|| format!("the status hash has no {field}"))
    }

    fn number<T: std::str::FromStr + Default>(&self, field: &str) -> Result<T, String> {
        Ok(self.optional(field, |text| text.parse().ok())?.unwrap_or_default())
    }

    fn json<T: serde::de::DeserializeOwned + Default>(&self, field: &str) -> Result<T, String> {
        Ok(self.optional(field, |text| serde_json::from_str(text).ok())?.unwrap_or_default())
    }
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// Milliseconds in a text of seconds.
fn parse_seconds(text: &str) -> Option<u64> {
    text.parse().ok().and_then(as_seconds::to_ms)
}

/// Milliseconds as a JSON number of seconds.
mod as_seconds {
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes every field by reference")]
    pub(super) fn serialize<S: Serializer>(ms: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(super::seconds(*ms))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        to_ms(seconds).ok_or_else(|| de::Error::custom("a duration is zero or more seconds"))
    }

    /// Milliseconds in `seconds`, or `None` below zero and beyond what a duration can be.
    pub(super) fn to_ms(seconds: f64) -> Option<u64> {
        let ms = (seconds * 1000.0).round();
        (0.0..9e15).contains(&ms).then_some(ms as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hostile::{assert_is_a_sentence, corpus};

    fn at(ms: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(1_767_389_400_000 + ms)
    }

    fn job() -> JobId {
        JobId::parse("job-1").expect("valid")
    }

    fn ended() -> StatusHash {
        StatusHash {
            mode: Some(Mode::MarketCap),
            completed: 1,
            total_items: 1,
            attempt: 2,
            worker: Some("host-17-a1".to_owned()),
            triggered_by: "eod_import".to_owned(),
            run_id: Some("4711".to_owned()),
            as_of: NaiveDate::from_ymd_opt(2026, 1, 2),
            created_at: at(0),
            start_time: at(250),
            end_time: at(1_500),
            updated_at: at(1_500),
            duration_ms: Some(1_250),
            total_changes: 7,
            universes_updated: vec!["top_100".to_owned(), "mega_cap".to_owned()],
            held_universes: vec!["top_500".to_owned()],
            task_results: BTreeMap::from([(
                SyncTask::MarketCapRecalculation,
                TaskResult { status: TaskStatus::Completed, changes: 7, duration_ms: 1_001 },
            )]),
            warnings: vec!["held: top_500 would change by 60 %".to_owned()],
            replay_of: Some("job-0".to_owned()),
            ..StatusHash::new(job(), JobStatus::Completed, 2_000_009)
        }
    }

    fn map(status: &StatusHash) -> HashMap<String, String> {
        status.to_fields().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn lines(status: &StatusHash) -> Vec<String> {
        status.to_fields().into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn a_queued_job_has_every_field_and_what_is_unknown_is_empty() {
        let request = JobRequest::new(job(), Mode::Full, "cli", at(0).expect("in range"));
        let status = StatusHash::queued(&request, 1, at(5).expect("in range"));
        assert_eq!(
            lines(&status),
            [
                "job_id=job-1",
                "mode=full",
                "status=queued",
                "phase=cache_sync",
                "current_task=",
                "completed=0",
                "total_items=5",
                "percentage=0",
                "attempt=0",
                "worker=",
                "triggered_by=cli",
                "run_id=",
                "as_of=",
                "created_at=2026-01-02T21:30:00.000Z",
                "start_time=",
                "end_time=",
                "updated_at=2026-01-02T21:30:00.005Z",
                "duration_seconds=",
                "total_changes=0",
                "universes_updated=[]",
                "held_universes=[]",
                "task_results={}",
                "warnings=[]",
                "error=",
                "replay_of=",
                "seq=1",
            ]
        );
    }

    #[test]
    fn an_ended_job_tells_all_of_its_result() {
        assert_eq!(
            lines(&ended()),
            [
                "job_id=job-1",
                "mode=market_cap",
                "status=completed",
                "phase=cache_sync",
                "current_task=",
                "completed=1",
                "total_items=1",
                "percentage=100",
                "attempt=2",
                "worker=host-17-a1",
                "triggered_by=eod_import",
                "run_id=4711",
                "as_of=2026-01-02",
                "created_at=2026-01-02T21:30:00.000Z",
                "start_time=2026-01-02T21:30:00.250Z",
                "end_time=2026-01-02T21:30:01.500Z",
                "updated_at=2026-01-02T21:30:01.500Z",
                "duration_seconds=1.250",
                "total_changes=7",
                r#"universes_updated=["top_100","mega_cap"]"#,
                r#"held_universes=["top_500"]"#,
                r#"task_results={"market_cap_recalculation":{"status":"completed","changes":7,"duration_seconds":1.001}}"#,
                r#"warnings=["held: top_500 would change by 60 %"]"#,
                "error=",
                "replay_of=job-0",
                "seq=2000009",
            ]
        );
    }

    #[test]
    fn a_hash_is_read_back_as_it_was_written() {
        let refused = StatusHash::refused(job(), "mode is \"Full\"", at(0).expect("in range"));
        let running = StatusHash {
            current_task: Some(SyncTask::ThemeRebalancing),
            ..StatusHash::new(job(), JobStatus::Running, 1_000_004)
        };
        for status in [ended(), refused, running] {
            assert_eq!(StatusHash::from_fields(&map(&status)), Ok(status.clone()));
            assert_eq!(StatusHash::from_json(&status.to_json()), Ok(status));
        }
        assert!(StatusHash::from_json(&serde_json::json!({ "job_id": 1 })).is_err());
    }

    #[test]
    fn durations_survive_the_way_through_text() {
        for ms in [0, 1, 999, 1_001, 33_333, 86_400_001, 123_456_789_123] {
            let status = StatusHash { duration_ms: Some(ms), ..ended() };
            assert_eq!(StatusHash::from_fields(&map(&status)).expect("readable").duration_ms, Some(ms));
        }
    }

    #[test]
    fn an_ended_job_names_no_current_task() {
        let status = StatusHash { current_task: Some(SyncTask::IpoAssignment), ..ended() };
        assert_eq!(map(&status)["current_task"], "");
        let failed = StatusHash { status: JobStatus::Failed, completed: 2, total_items: 5, ..status };
        assert_eq!((map(&failed)["current_task"].as_str(), failed.percentage()), ("", 40));
    }

    #[test]
    fn a_hash_of_another_version_is_read_as_far_as_it_goes() {
        let fields = HashMap::from([
            ("job_id".to_owned(), "job-1".to_owned()),
            ("status".to_owned(), "running".to_owned()),
            ("colour".to_owned(), "blue".to_owned()),
        ]);
        assert_eq!(StatusHash::from_fields(&fields), Ok(StatusHash::new(job(), JobStatus::Running, 0)));
    }

    #[test]
    fn a_hash_without_its_essentials_or_with_odd_values_is_a_sentence() {
        assert_eq!(StatusHash::from_fields(&HashMap::new()), Err("the status hash has no job_id".to_owned()));
        for (field, value) in [
            ("job_id", "a b"),
            ("status", "RUNNING"),
            ("mode", "Full"),
            ("completed", "-1"),
            ("duration_seconds", "NaN"),
            ("duration_seconds", "-1"),
            ("start_time", "yesterday"),
            ("warnings", "{}"),
            ("task_results", r#"{"market_cap_recalculation": {"status": "done"}}"#),
            ("seq", "x"),
        ] {
            let mut fields = map(&ended());
            fields.insert(field.to_owned(), value.to_owned());
            let sentence = format!("the status hash has {value:?} in {field}, which can't be read");
            assert_eq!(StatusHash::from_fields(&fields), Err(sentence));
        }
    }

    /// A hash of the corpus: a field a line, with `\n`, `\\` and `\xNN` for bytes.
    fn hash(bytes: &[u8]) -> HashMap<String, String> {
        let text = std::str::from_utf8(bytes).expect("the corpus is text");
        let unescaped =
            |value: &str| value.replace("\\n", "\n").replace("\\x1b", "\u{1b}").replace("\\\\", "\\");
        let fields = text.lines().filter_map(|line| line.split_once(' '));
        fields.map(|(name, value)| (name.to_owned(), unescaped(value))).collect()
    }

    fn assert_is_read(fields: &HashMap<String, String>) {
        match StatusHash::from_fields(fields) {
            Ok(status) => {
                assert!(status.percentage() <= 100);
                let _ = super::super::monitor::job_monitor(&status, Some(u64::MAX), Utc::now());
                let again =
                    StatusHash::from_fields(&map(&status)).expect("what was read can be written and read");
                assert_eq!(again.job_id, status.job_id);
            }
            Err(sentence) => assert_is_a_sentence(&sentence),
        }
    }

    #[test]
    fn every_hash_of_the_corpus_is_a_status_or_a_sentence() {
        for (name, bytes) in corpus("status") {
            println!("{name}");
            assert_is_read(&hash(&bytes));
        }
    }

    fn any_hash() -> impl Strategy<Value = HashMap<String, String>> {
        const VALUES: &[&str] = &[
            "",
            "job-1",
            "running",
            "completed",
            "failed",
            "full",
            "-1",
            "1",
            "100",
            "18446744073709551616",
            "NaN",
            "1e999",
            "[]",
            "{}",
            "[1]",
            "null",
            "2026-01-02",
            "2026-01-02T21:30:00Z",
            "+262143-12-31T23:59:59Z",
            "market_cap_recalculation",
            "{\"ipo_assignment\":{}}",
            "\u{1b}[31m",
        ];
        let names: Vec<&'static str> = ended().to_fields().iter().map(|(name, _)| *name).collect();
        let value = prop_oneof![proptest::sample::select(VALUES).prop_map(str::to_owned), ".{0,20}"];
        let others = proptest::collection::hash_map(
            proptest::sample::select(names).prop_map(str::to_owned),
            value,
            0..20,
        );
        others.prop_map(|mut fields| {
            fields.entry("job_id".to_owned()).or_insert_with(|| "job-1".to_owned());
            fields.entry("status".to_owned()).or_insert_with(|| "running".to_owned());
            fields
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_hash_is_a_status_or_a_sentence(fields in any_hash()) {
            assert_is_read(&fields);
        }
    }
}
