//! Reads what imports and the job page say, whatever bytes they are.
//!
//! Anybody who reaches Redis can publish, so [`read`] and [`read_control`] take anything and never panic: they return
//! what was meant, or an [`Unreadable`] with a sentence for the log. They are pure; the time is an argument.
//!
//! # Shapes
//! A message is a JSON object, flat or with an object under `payload`, `data` or `results`, one within another; what
//! stands further inside wins. A field that is JSON `null` or an empty text is absent, a number may be written as
//! text, and fields that nobody asks for are ignored.
//!
//! # When an import counts as failed
//! An end-of-day run says itself how it went, and only `COMPLETE` in `status` and, where it is given, in
//! `validation_status` starts anything. The other imports have no word for it, and a few symbols fail every night. A
//! sync waits until the closes of its date are there, by its own count, so here only what is plain counts: an import
//! that calls itself failed or unfinished, or one that loaded nothing at all.
//!
//! # Whose date
//! The `target_date`; without one the newest trading date on or before the message's own time in New York. A result
//! that was found rather than heard may be of any day, so without either it says nothing.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::domain::calendar::{new_york_date, session_on_or_before};
use crate::domain::hex;
use crate::domain::job::JobId;
use crate::domain::words;
use crate::wire::MAX_MESSAGE_BYTES;
use crate::wire::entry::{parse_date, parse_time, quoted};

/// Objects within one another that are looked into.
const MAX_LAYERS: usize = 4;
/// By how much the clocks of two machines may differ.
const CLOCK_SKEW: TimeDelta = TimeDelta::hours(1);
/// Numbers above this are milliseconds since 1970, below it seconds: the year 5138 as seconds.
const LEAST_MILLISECONDS: f64 = 1e11;

words! {
    /// Where something was heard or found.
    Source {
        /// The channel on which imports say that they ended.
        ImportCompleted = "import:completed",
        /// The channel on which imports say how they go.
        ImportStatus = "data:import:status",
        /// The channel of the end-of-day run.
        EodCompletion = "eod:completion",
        /// The key that keeps the result of the last end-of-day run.
        LatestStatus = "eod:latest_status",
    }
}

/// The end of an import, as it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Where.
    pub source: Source,
    /// The trading date it is about.
    pub date: NaiveDate,
    /// How the import went.
    pub verdict: Verdict,
    /// When it was said, where it says so.
    pub at: Option<DateTime<Utc>>,
    /// Twelve hexadecimal digits that are the same for the same bytes.
    pub fingerprint: String,
}

/// How an import went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Well enough to look at.
    Complete,
    /// Something is missing, or it is not finished.
    Incomplete(String),
    /// It failed, or loaded nothing.
    Failed(String),
}

/// What is wrong with a message: a sentence, bounded and without control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// What was said, as of `now`; `None` where it is about something else than the end of an import.
pub fn read(source: Source, bytes: &[u8], now: DateTime<Utc>) -> Result<Option<Signal>, Unreadable> {
    let message = Message::open(bytes)?;
    let verdict = match source {
        Source::ImportCompleted | Source::ImportStatus => {
            if !is_end_of_import(source, &message)? {
                return Ok(None);
            }
            verdict_of_import(&message)?
        }
        Source::EodCompletion | Source::LatestStatus => verdict_of_eod(&message)?,
    };
    let at = message.find("timestamp").and_then(time_of);
    let date = date_of(source, &message, at, now)?;
    Ok(Some(Signal { source, date, verdict, at, fingerprint: fingerprint(bytes) }))
}

/// The job whose end is asked for; `None` where something else is.
pub fn read_control(bytes: &[u8]) -> Result<Option<JobId>, Unreadable> {
    let message = Message::open(bytes)?;
    let is_cancel = message.text("action")?.is_some_and(|action| action == "cancel");
    if !is_cancel {
        return Ok(None);
    }
    let Some(id) = message.text("job_id")? else {
        return Err(Unreadable("it asks to cancel, and names no job_id".to_owned()));
    };
    // Jobs of others go by other ids.
    Ok(JobId::parse(&id))
}

fn is_end_of_import(source: Source, message: &Message) -> Result<bool, Unreadable> {
    let event = match message.text("event")? {
        Some(event) => Some(event),
        None => message.text("event_type")?,
    };
    match (source, event.as_deref()) {
        (_, Some("data_import_completed" | "import_completed")) => Ok(true),
        // The channel says what it is about; whoever leaves out the event has figures at least.
        (Source::ImportCompleted, None) if message.has_figures() => Ok(true),
        (Source::ImportCompleted, None) => Err(Unreadable("it has neither an event nor counts".to_owned())),
        (Source::ImportCompleted, Some(event)) => Err(Unreadable(format!(
            "event is {}, not data_import_completed or import_completed",
            quoted(event)
        ))),
        // A channel of progress too.
        _ => Ok(false),
    }
}

fn verdict_of_import(message: &Message) -> Result<Verdict, Unreadable> {
    if let Some(status) = message.text("status")? {
        match status.to_ascii_lowercase().as_str() {
            "failed" | "failure" | "error" | "cancelled" | "canceled" | "aborted" => {
                return Ok(Verdict::Failed(format!("its status is {}{}", quoted(&status), message.reason())));
            }
            "incomplete" | "partial" | "running" | "started" | "pending" | "in_progress" => {
                return Ok(Verdict::Incomplete(format!(
                    "its status is {}{}",
                    quoted(&status),
                    message.reason()
                )));
            }
            _ => {}
        }
    }
    if message.find("success").is_some_and(|value| matches!(value, Value::Bool(false))) {
        return Ok(Verdict::Failed(format!("it had no success{}", message.reason())));
    }
    let succeeded = match message.count("successful_symbols")? {
        Some(count) => Some(count),
        None => message.count("success_count")?,
    };
    let rate = message.count("success_rate")?;
    // A rate alone says it where no count does.
    if succeeded.or(rate) == Some(0.0) {
        // What does not decide need not be readable.
        let failed = message.count("failed_symbols").ok().flatten();
        let failed = failed.map_or_else(String::new, |failed| format!(", {failed} failed"));
        return Ok(Verdict::Failed(format!("no symbol was loaded{failed}{}", message.reason())));
    }
    Ok(Verdict::Complete)
}

fn verdict_of_eod(message: &Message) -> Result<Verdict, Unreadable> {
    if let Some(kind) = message.text("type")?.filter(|kind| kind != "eod_completion") {
        return Err(Unreadable(format!("type is {}, not eod_completion", quoted(&kind))));
    }
    let Some(status) = message.text("status")? else {
        return Err(Unreadable("it has no status".to_owned()));
    };
    match status.to_ascii_uppercase().as_str() {
        "COMPLETE" => {}
        "ERROR" => return Ok(Verdict::Failed(format!("its status is ERROR{}", message.reason()))),
        _ => return Err(Unreadable(format!("status is {}, not COMPLETE or ERROR", quoted(&status)))),
    }
    let Some(validation) = message.text("validation_status")? else { return Ok(Verdict::Complete) };
    match validation.to_ascii_uppercase().as_str() {
        "COMPLETE" => Ok(Verdict::Complete),
        "ERROR" => Ok(Verdict::Failed(format!("its validation_status is ERROR{}", message.reason()))),
        _ => Ok(Verdict::Incomplete(format!(
            "its validation_status is {}{}",
            quoted(&validation),
            message.reason()
        ))),
    }
}

fn date_of(
    source: Source,
    message: &Message,
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<NaiveDate, Unreadable> {
    let date = if let Some(text) = message.text("target_date")? {
        day_of(&text).ok_or_else(|| {
            Unreadable(format!("target_date is {}, not a date like 2026-01-02", quoted(&text)))
        })?
    } else {
        let heard_at = (source != Source::LatestStatus).then_some(now);
        let Some(at) = at.or(heard_at) else {
            return Err(Unreadable("it has neither a target_date nor a readable timestamp".to_owned()));
        };
        session_on_or_before(new_york_date(at))
    };
    if date > new_york_date(now + CLOCK_SKEW) {
        return Err(Unreadable(format!("it is about {date}, which lies in the future")));
    }
    Ok(date)
}

/// The date that a text is or begins with.
fn day_of(text: &str) -> Option<NaiveDate> {
    let is_time_of_day = |rest: &str| rest.is_empty() || rest.starts_with(['T', ' ']);
    let rest = text.get(10..)?;
    parse_date(text.get(..10)?).filter(|_| is_time_of_day(rest))
}

/// A time as text, ISO 8601 and in UTC where it has no offset, or as seconds or milliseconds since 1970.
fn time_of(value: &Value) -> Option<DateTime<Utc>> {
    let number = match value {
        Value::String(text) => match parse_time(text.trim()) {
            Some(time) => return Some(time),
            None => text.trim().parse().ok()?,
        },
        Value::Number(number) => number.as_f64()?,
        _ => return None,
    };
    let ms = if number < LEAST_MILLISECONDS { number * 1000.0 } else { number };
    // Up to the year 9999, as every time that is read from outside.
    (0.0..253_402_300_800_000.0).contains(&ms).then(|| DateTime::from_timestamp_millis(ms as i64))?
}

fn fingerprint(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..6])
}

/// A JSON object and the objects inside it.
struct Message {
    /// From the innermost to the outermost.
    layers: Vec<Map<String, Value>>,
}

impl Message {
    fn open(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(Unreadable(format!("it has more than {MAX_MESSAGE_BYTES} bytes")));
        }
        let object = match serde_json::from_slice::<Value>(bytes) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err(Unreadable("it is JSON, but no object".to_owned())),
            Err(error) => return Err(Unreadable(format!("it is no JSON: {error}"))),
        };
        let mut layers = vec![object];
        while layers.len() < MAX_LAYERS {
            let innermost = &mut layers[0];
            let inner = ["payload", "data", "results"].iter().find_map(|name| take_object(innermost, name));
            match inner {
                Some(object) => layers.insert(0, object),
                None => break,
            }
        }
        Ok(Self { layers })
    }

    /// What stands under `name`; `None` if nothing, an empty text or JSON `null`.
    fn find(&self, name: &str) -> Option<&Value> {
        let is_something =
            |value: &&Value| !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty());
        self.layers.iter().find_map(|layer| layer.get(name).filter(is_something))
    }

    /// A text without the blanks around it. A whole number stands for its digits.
    fn text(&self, name: &str) -> Result<Option<String>, Unreadable> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
            Some(Value::Number(number)) if !number.is_f64() => Ok(Some(number.to_string())),
            Some(value) => Err(Unreadable(format!("{name} is {}, not a text", kind_of(value)))),
        }
    }

    /// A number from zero on: as such, as text (`"5,480"`, `"98.5 %"`), or as the list of what is counted.
    fn count(&self, name: &str) -> Result<Option<f64>, Unreadable> {
        let Some(value) = self.find(name) else { return Ok(None) };
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim_end_matches([' ', '%']).replace(',', "").trim().parse().ok(),
            Value::Array(list) => Some(list.len() as f64),
            _ => None,
        };
        match number.filter(|number| number.is_finite() && *number >= 0.0) {
            Some(number) => Ok(Some(number)),
            None => Err(Unreadable(format!("{name} is {}, not a number from 0 on", kind_of(value)))),
        }
    }

    fn has_figures(&self) -> bool {
        ["successful_symbols", "success_count", "success_rate", "status", "success"]
            .iter()
            .any(|name| self.find(name).is_some())
    }

    /// The beginning of what it says about an error, as the rest of a sentence.
    fn reason(&self) -> String {
        let said = ["error", "error_message", "message"].iter().find_map(|name| self.find(name)?.as_str());
        said.map_or_else(String::new, |said| format!(": {}", quoted(said)))
    }
}

/// An object under `name`, or a text that is one.
fn take_object(object: &mut Map<String, Value>, name: &str) -> Option<Map<String, Value>> {
    match object.get_mut(name)? {
        Value::Object(inner) => Some(std::mem::take(inner)),
        Value::String(text) if text.trim_start().starts_with('{') => serde_json::from_str(text).ok(),
        _ => None,
    }
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::hostile::{assert_is_a_sentence, corpus};

    const SOURCES: &[Source] = Source::ALL;

    /// Half past four in the afternoon in New York, on a Tuesday.
    fn now() -> DateTime<Utc> {
        "2026-03-03T21:30:00Z".parse().expect("an instant")
    }

    fn try_read(source: Source, message: &Value) -> Result<Option<Signal>, Unreadable> {
        read(source, message.to_string().as_bytes(), now())
    }

    fn signal(source: Source, message: &Value) -> Signal {
        try_read(source, message).expect("readable").expect("a signal")
    }

    fn problem(source: Source, message: &Value) -> String {
        try_read(source, message).expect_err("unreadable").to_string()
    }

    fn eod(results: &Value) -> Value {
        json!({"type": "eod_completion", "timestamp": "2026-03-03T21:29:00Z", "results": results})
    }

    fn results(status: &str, validation: &str) -> Value {
        json!({"status": status, "target_date": "2026-03-03", "total_symbols": 5600, "completion_rate": 0.98,
               "validation_status": validation})
    }

    #[test]
    fn the_end_of_an_end_of_day_run_is_a_signal_for_its_target_date() {
        let heard = signal(Source::EodCompletion, &eod(&results("COMPLETE", "COMPLETE")));
        assert_eq!((heard.date.to_string().as_str(), &heard.verdict), ("2026-03-03", &Verdict::Complete));
        assert_eq!(heard.at, "2026-03-03T21:29:00Z".parse().ok());
        let found = signal(Source::LatestStatus, &results("COMPLETE", "COMPLETE"));
        assert_eq!((found.date, found.verdict, found.at), (heard.date, Verdict::Complete, None));
    }

    #[test]
    fn an_end_of_day_run_that_failed_or_is_incomplete_says_why() {
        let mut failed = results("ERROR", "COMPLETE");
        failed["error"] = json!("vendor\u{1b}[2J timed out");
        let verdict = signal(Source::EodCompletion, &eod(&failed)).verdict;
        assert_eq!(
            verdict,
            Verdict::Failed("its status is ERROR: \"vendor\\u{1b}[2J timed out\"".to_owned())
        );
        for (validation, is_failed) in [("ERROR", true), ("INCOMPLETE", false), ("unheard of", false)] {
            let verdict = signal(Source::EodCompletion, &eod(&results("COMPLETE", validation))).verdict;
            assert_eq!(matches!(verdict, Verdict::Failed(_)), is_failed, "{validation}");
            assert_eq!(matches!(verdict, Verdict::Incomplete(_)), !is_failed, "{validation}");
        }
        let mut unsaid = results("complete", "");
        assert_eq!(signal(Source::LatestStatus, &unsaid).verdict, Verdict::Complete);
        unsaid["validation_status"] = Value::Null;
        assert_eq!(signal(Source::LatestStatus, &unsaid).verdict, Verdict::Complete);
    }

    #[test]
    fn imports_speak_flat_or_in_an_envelope_with_counts_of_any_spelling() {
        for message in [
            json!({"successful_symbols": 5480, "failed_symbols": 12, "success_rate": 99.8}),
            json!({"event": "data_import_completed", "success_count": "5,480", "failed_symbols": ["A", "B"]}),
            json!({"event": "import_completed", "timestamp": "2026-03-03T21:29:00Z", "source": "x", "version": "1.0",
                   "payload": {"successful_symbols": "5480", "failed_symbols": null, "success_rate": "99.8 %"}}),
            json!({"event": "import_completed", "data": "{\"success_count\": 5480}"}),
            json!({"event": "import_completed", "payload": {"results": {"successful_symbols": ["A"]}}}),
            json!({"event": "import_completed", "status": "completed", "failed_symbols": {"odd": true}, "new": [1]}),
        ] {
            let heard = signal(Source::ImportCompleted, &message);
            assert_eq!((heard.date.to_string().as_str(), heard.verdict), ("2026-03-03", Verdict::Complete));
        }
    }

    #[test]
    fn an_import_fails_where_it_says_so_or_has_loaded_nothing() {
        for (message, why) in [
            (json!({"successful_symbols": 0, "failed_symbols": 5600}), "no symbol was loaded, 5600 failed"),
            (json!({"success_count": "0", "failed_symbols": ["A"]}), "no symbol was loaded, 1 failed"),
            (json!({"success_rate": 0.0}), "no symbol was loaded"),
            (json!({"status": "failed", "error": "disk full"}), "its status is \"failed\": \"disk full\""),
            (json!({"success": false}), "it had no success"),
        ] {
            assert_eq!(signal(Source::ImportCompleted, &message).verdict, Verdict::Failed(why.to_owned()));
        }
        // A rate of nothing beside a count of something is the rounding of somebody else.
        let few = json!({"successful_symbols": 1, "success_rate": 0});
        assert_eq!(signal(Source::ImportCompleted, &few).verdict, Verdict::Complete);
        let partial = json!({"status": "PARTIAL", "successful_symbols": 10});
        assert!(matches!(signal(Source::ImportCompleted, &partial).verdict, Verdict::Incomplete(_)));
    }

    #[test]
    fn the_channel_of_progress_is_a_signal_only_at_the_end() {
        for event in ["import_completed", "data_import_completed"] {
            let message = json!({"event": event, "successful_symbols": 5});
            assert_eq!(signal(Source::ImportStatus, &message).verdict, Verdict::Complete);
        }
        for message in [json!({"event": "import_started"}), json!({"status": "running"}), json!({})] {
            assert_eq!(try_read(Source::ImportStatus, &message), Ok(None));
        }
        let other = json!({"event": "import_failed"});
        assert!(problem(Source::ImportCompleted, &other).contains("event is \"import_failed\""));
    }

    #[test]
    fn without_a_target_date_the_time_of_the_message_in_new_york_counts() {
        let date = |timestamp: Value| {
            signal(Source::ImportCompleted, &json!({"event": "import_completed", "timestamp": timestamp}))
                .date
                .to_string()
        };
        assert_eq!(date(json!("2026-03-03T21:00:00")), "2026-03-03", "without offset it is UTC");
        assert_eq!(date(json!("2026-03-03T04:59:59Z")), "2026-03-02", "the evening before in New York");
        assert_eq!(date(json!("2026-03-03T05:00:00+00:00")), "2026-03-03");
        assert_eq!(date(json!("2026-03-01T15:00:00-05:00")), "2026-02-27", "a Sunday is for Friday");
        assert_eq!(date(json!(1_772_572_200)), "2026-03-03", "seconds");
        assert_eq!(date(json!(1_772_572_200_000_i64)), "2026-03-03", "milliseconds");
        assert_eq!(date(json!("1772572200.5")), "2026-03-03", "as text");
        assert_eq!(date(json!("yesterday")), "2026-03-03", "the time of hearing");
        assert_eq!(date(Value::Null), "2026-03-03");
        let timeless = json!({"status": "COMPLETE", "validation_status": "COMPLETE"});
        assert_eq!(
            problem(Source::LatestStatus, &timeless),
            "it has neither a target_date nor a readable timestamp"
        );
        assert_eq!(signal(Source::EodCompletion, &timeless).date.to_string(), "2026-03-03");
    }

    #[test]
    fn a_target_date_is_a_date_or_begins_with_one_and_does_not_lie_in_the_future() {
        let with = |date: Value| json!({"target_date": date, "status": "COMPLETE"});
        for text in ["2026-03-02", "2026-03-02T00:00:00", "2026-03-02 00:00:00+00:00"] {
            assert_eq!(signal(Source::EodCompletion, &with(json!(text))).date.to_string(), "2026-03-02");
        }
        // The day is taken as it is told, trading day or not.
        assert_eq!(signal(Source::EodCompletion, &with(json!("2026-03-01"))).date.to_string(), "2026-03-01");
        for odd in ["2026-3-2", "2026-03-02x", "2026-02-30", "heute", "ááááá2026", "03/02/2026"] {
            let problem = problem(Source::EodCompletion, &with(json!(odd)));
            assert!(problem.starts_with("target_date is "), "{problem}");
        }
        assert!(problem(Source::EodCompletion, &with(json!(["2026-03-02"]))).contains("a list, not a text"));
        assert_eq!(
            problem(Source::EodCompletion, &with(json!("2026-03-04"))),
            "it is about 2026-03-04, which lies in the future"
        );
    }

    #[test]
    fn rubbish_is_refused_with_a_sentence() {
        for (bytes, sentence) in [
            (b"".as_slice(), "it is no JSON: EOF while parsing a value at line 1 column 0"),
            (b"\xff\xfe", "it is no JSON: expected value at line 1 column 1"),
            (b"[]", "it is JSON, but no object"),
            (b"{}", "it has neither an event nor counts"),
            (b"{\"successful_symbols\": \"many\"}", "successful_symbols is \"many\", not a number from 0 on"),
            (b"{\"successful_symbols\": -1}", "successful_symbols is -1, not a number from 0 on"),
            (b"{\"successful_symbols\": \"NaN\"}", "successful_symbols is \"NaN\", not a number from 0 on"),
        ] {
            let refused = read(Source::ImportCompleted, bytes, now()).expect_err("rubbish");
            assert_eq!(refused.to_string(), sentence);
        }
        let long = format!("{{\"x\": \"{}\"}}", "y".repeat(MAX_MESSAGE_BYTES));
        assert!(
            read(Source::EodCompletion, long.as_bytes(), now()).expect_err("long").to_string().len() < 100
        );
        let deep = "[".repeat(60_000);
        assert!(read(Source::EodCompletion, deep.as_bytes(), now()).is_err());
        assert_eq!(
            problem(Source::EodCompletion, &json!({"type": "other"})),
            "type is \"other\", not eod_completion"
        );
        assert_eq!(problem(Source::LatestStatus, &json!({"a": 1})), "it has no status");
        assert_eq!(
            problem(Source::LatestStatus, &json!({"status": "RUNNING"})),
            "status is \"RUNNING\", not COMPLETE or ERROR"
        );
    }

    #[test]
    fn the_same_bytes_have_the_same_fingerprint_wherever_they_are_heard() {
        let message = json!({"event": "import_completed", "timestamp": "2026-03-03T21:29:00Z"});
        let one = signal(Source::ImportCompleted, &message).fingerprint;
        assert_eq!(signal(Source::ImportStatus, &message).fingerprint, one);
        assert_eq!(one.len(), 12);
        let later = json!({"event": "import_completed", "timestamp": "2026-03-03T21:29:01Z"});
        assert_ne!(signal(Source::ImportCompleted, &later).fingerprint, one);
    }

    #[test]
    fn a_job_is_cancelled_by_its_id_and_jobs_of_others_are_left_alone() {
        let control = |message: Value| read_control(message.to_string().as_bytes());
        assert_eq!(control(json!({"job_id": "eod-1", "action": "cancel"})), Ok(JobId::parse("eod-1")));
        assert_eq!(control(json!({"payload": {"job_id": 17, "action": "cancel"}})), Ok(JobId::parse("17")));
        assert_eq!(control(json!({"job_id": "eod-1", "action": "pause"})), Ok(None));
        assert_eq!(control(json!({"job_id": "eod-1"})), Ok(None));
        assert_eq!(control(json!({"job_id": "import:1", "action": "cancel"})), Ok(None));
        assert!(control(json!({"action": "cancel"})).is_err());
        assert!(control(json!({"job_id": ["a"], "action": "cancel"})).is_err());
        assert!(control(json!("cancel")).is_err());
    }

    /// JSON with the names that are asked for, holding anything.
    fn any_message() -> impl Strategy<Value = Value> {
        let names = "payload|data|results|event|type|status|validation_status|target_date|timestamp|success|\
                     successful_symbols|success_count|success_rate|failed_symbols|error|job_id|action";
        let names: Vec<&str> = names.split('|').map(str::trim).collect();
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
            "[0-9]{4}-[0-9]{2}-[0-9]{2}.{0,3}".prop_map(Value::from),
            proptest::sample::select(vec!["COMPLETE", "ERROR", "import_completed", "cancel"])
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            let name = proptest::sample::select(names.clone());
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((name, inner), 0..6).prop_map(|members| members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()),
            ]
        })
    }

    fn assert_bounded(bytes: &[u8]) {
        for source in SOURCES {
            match read(*source, bytes, now()) {
                Ok(Some(signal)) => {
                    assert!(signal.date <= new_york_date(now()));
                    if let Verdict::Failed(why) | Verdict::Incomplete(why) = signal.verdict {
                        assert_is_a_sentence(&why);
                    }
                }
                Ok(None) => {}
                Err(unreadable) => assert_is_a_sentence(&unreadable.to_string()),
            }
        }
        if let Err(unreadable) = read_control(bytes) {
            assert_is_a_sentence(&unreadable.to_string());
        }
    }

    #[test]
    fn every_message_of_the_corpus_is_a_signal_nothing_to_us_or_a_sentence() {
        for (name, bytes) in corpus("signals") {
            println!("{name}");
            assert_bounded(&bytes);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            assert_bounded(&bytes);
        }

        #[test]
        fn any_message_is_read_without_a_panic(message in any_message()) {
            assert_bounded(message.to_string().as_bytes());
        }
    }
}
