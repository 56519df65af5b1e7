//! Reads a job request from a stream entry, and writes one.
//!
//! Anybody who reaches Redis can put an entry on the stream, so [`parse`] takes any bytes and never panics: it returns
//! a [`JobRequest`], or a [`Rejection`] that says which field is wrong and why, for the dead letters. It is pure; what
//! needs a database (is the id known? may this revert?) is left to the caller.
//!
//! # Where a field is looked for
//! First in the JSON object that one of `payload`, `job_data` and `data` may hold, then among the flat fields. So the
//! object wins field by field, and a producer may send its `job_id` flat beside a payload. A field that is JSON `null`
//! or an empty text is absent. A field given twice must say the same both times: guessing which one was meant could
//! run the wrong job. Unknown fields are ignored.
//!
//! # What counts as text
//! Producers write ids as JSON numbers too, so a whole number stands for its digits. A fraction has many spellings
//! (`1.0`, `1e0`) and a boolean is no id: both are refused.
//!
//! # Reverts
//! `mode` `revert` is made by the command `cache-sync revert` alone, which writes the job's row first. Whether there
//! is a row is not to be seen in an entry, so [`parse`] lets a well-formed revert pass, and **the caller must refuse
//! one whose job has no row** with [`Rejection::of_bare_revert`].

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, SubsecRound, Utc};
use serde_json::Value;

use crate::domain::job::{JobId, JobRequest};
use crate::domain::task::Mode;
use crate::domain::words;

/// The most bytes of an entry, names and values together. A request of ours has a few hundred; a list of symbols
/// pasted into one would still fit.
pub const MAX_ENTRY_BYTES: usize = 64 * 1024;
/// The most fields of an entry. Redis allows empty names and values, so bytes alone don't bound the count.
pub const MAX_ENTRY_FIELDS: usize = 1024;
/// The longest `run_id`, `dedupe_key` and `replay_of`, in characters.
pub const MAX_TEXT_CHARS: usize = 200;
/// The longest `triggered_by`, in characters.
pub const MAX_TRIGGERED_BY_CHARS: usize = 50;
/// Who asked, where the entry does not say.
pub const DEFAULT_TRIGGERED_BY: &str = "stream";

/// The fields that may hold the request as one JSON object.
const PAYLOAD_FIELDS: [&str; 3] = ["payload", "job_data", "data"];

/// One field of an entry as Redis gives it: name and value, any bytes.
pub type RawField = (Vec<u8>, Vec<u8>);

words! {
    /// Why an entry is no job request.
    RejectReason {
        /// Its bytes are no text, or its payload is no JSON.
        Unreadable = "unreadable",
        /// It has more than [`MAX_ENTRY_BYTES`] or [`MAX_ENTRY_FIELDS`].
        TooLarge = "too_large",
        /// A field says what it can't say.
        InvalidField = "invalid_field",
    }
}

/// A request as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedRequest {
    /// What is asked for.
    pub request: JobRequest,
    /// What was odd but did no harm: a code, `: ` and a sentence each.
    pub warnings: Vec<String>,
}

/// Why an entry was not taken. Displayed, it reads `mode is "Full", not one of full, market_cap, ...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The kind of fault.
    pub reason: RejectReason,
    /// The field at fault, where it is one.
    pub field: Option<String>,
    /// What is wrong, as a predicate of the field or, without one, a sentence. Bounded and free of control characters.
    pub problem: String,
    /// The id under which the sender may be waiting; `None` where none can be made out.
    pub job_id: Option<JobId>,
}

impl Rejection {
    /// The refusal of a well-formed revert whose job has no row: somebody put it on the stream by hand.
    pub fn of_bare_revert(job_id: JobId) -> Self {
        Fault::invalid("mode", "is \"revert\", which only the command `cache-sync revert` can ask for")
            .into_rejection(Some(job_id))
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field} {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for Rejection {}

/// The request in the entry `entry_id` (`<ms>-<n>`), or why there is none.
///
/// Without `job_id` the job goes by the entry's id, without `requested_at` the entry's time counts.
pub fn parse(entry_id: &str, fields: &[RawField]) -> Result<ParsedRequest, Rejection> {
    let entry = match Entry::open(fields) {
        Ok(entry) => entry,
        Err(fault) => return Err(fault.into_rejection(id_beside_payload(entry_id, fields))),
    };
    read_request(&entry, entry_id).map_err(|fault| fault.into_rejection(read_job_id(&entry, entry_id).ok()))
}

/// The flat fields that say `request`; [`parse`] reads them back to an equal one if [`check`] passes.
pub fn to_fields(request: &JobRequest) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("job_id", request.job_id.to_string()),
        ("mode", request.mode.to_string()),
        ("force", request.force.to_string()),
        ("accept_churn", request.accept_churn.to_string()),
        ("triggered_by", request.triggered_by.clone()),
        ("requested_at", request.requested_at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
    ];
    let optional = [
        ("run_id", request.run_id.clone()),
        ("dedupe_key", request.dedupe_key.clone()),
        ("as_of", request.as_of.map(|date| date.to_string())),
        ("revert_of", request.revert_of.as_ref().map(JobId::to_string)),
        ("replay_of", request.replay_of.clone()),
    ];
    fields.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    fields
}

/// Whether workers will take `request`: its texts may come from a command line or an HTTP body, and the sender should
/// hear of a fault at once rather than from the dead letters.
pub fn check(request: &JobRequest) -> Result<(), Rejection> {
    let fields: Vec<RawField> = to_fields(request)
        .into_iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.into_bytes()))
        .collect();
    parse("0-1", &fields).map(|_| ())
}

/// The bytes of an entry's names and values together.
pub fn entry_bytes(fields: &[RawField]) -> usize {
    fields.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Whether an entry is too large to be read.
pub fn is_too_large(fields: &[RawField]) -> bool {
    fields.len() > MAX_ENTRY_FIELDS || entry_bytes(fields) > MAX_ENTRY_BYTES
}

/// The time in the first half of an entry's id, or `None` if the id is none or its time lies beyond the year 9999.
pub fn entry_time(entry_id: &str) -> Option<DateTime<Utc>> {
    let (ms, n) = entry_id.split_once('-')?;
    n.parse::<u64>().ok()?;
    let time = DateTime::from_timestamp_millis(ms.parse().ok()?)?;
    is_plausible(time).then_some(time)
}

fn read_request(entry: &Entry<'_>, entry_id: &str) -> Result<ParsedRequest, Fault> {
    let mut warnings = Vec::new();
    let mode = read_mode(entry)?;
    let request = JobRequest {
        job_id: read_job_id(entry, entry_id)?,
        mode,
        force: read_boolean(entry, "force")?,
        accept_churn: read_boolean(entry, "accept_churn")?,
        triggered_by: read_text(entry, "triggered_by", MAX_TRIGGERED_BY_CHARS)?
            .unwrap_or_else(|| DEFAULT_TRIGGERED_BY.to_owned()),
        requested_at: read_requested_at(entry, entry_id, &mut warnings),
        run_id: read_text(entry, "run_id", MAX_TEXT_CHARS)?,
        dedupe_key: read_text(entry, "dedupe_key", MAX_TEXT_CHARS)?,
        as_of: read_as_of(entry)?,
        revert_of: read_revert_of(entry, mode)?,
        replay_of: read_text(entry, "replay_of", MAX_TEXT_CHARS)?,
    };
    Ok(ParsedRequest { request, warnings })
}

fn read_job_id(entry: &Entry<'_>, entry_id: &str) -> Result<JobId, Fault> {
    match entry.find("job_id")? {
        Some(scalar) => to_job_id("job_id", &scalar),
        None => JobId::parse(entry_id).ok_or_else(|| Fault {
            reason: RejectReason::Unreadable,
            field: None,
            problem: format!("the entry has no job_id, and its id {} can't be one", quoted(entry_id)),
        }),
    }
}

/// The id to answer to where the payload could not be opened: a flat one, or the entry's where there is no payload
/// that may have named another.
fn id_beside_payload(entry_id: &str, fields: &[RawField]) -> Option<JobId> {
    let flat = Entry { flat: fields, json: Vec::new() };
    let has_payload = PAYLOAD_FIELDS.iter().any(|name| flat.values(name).next().is_some());
    match flat.find("job_id") {
        Ok(Some(scalar)) => to_job_id("job_id", &scalar).ok(),
        Ok(None) if !has_payload => JobId::parse(entry_id),
        Ok(None) | Err(_) => None,
    }
}

fn to_job_id(field: &'static str, scalar: &Scalar<'_>) -> Result<JobId, Fault> {
    let text = scalar.as_text(field)?;
    JobId::parse(&text).ok_or_else(|| {
        Fault::invalid(
            field,
            format!("is {}, not 1 to 64 of the characters A-Z a-z 0-9 _ . -", quoted(&text)),
        )
    })
}

fn read_mode(entry: &Entry<'_>) -> Result<Mode, Fault> {
    let Some(scalar) = entry.find("mode")? else { return Ok(Mode::Full) };
    let text = scalar.as_text("mode")?;
    Mode::from_text(&text).ok_or_else(|| {
        let known = Mode::ALL.iter().filter(|mode| **mode != Mode::Revert).map(|mode| mode.as_str());
        let known = known.collect::<Vec<_>>().join(", ");
        Fault::invalid("mode", format!("is {}, not one of {known}", quoted(&text)))
    })
}

fn read_boolean(entry: &Entry<'_>, field: &'static str) -> Result<bool, Fault> {
    let Some(scalar) = entry.find(field)? else { return Ok(false) };
    match scalar {
        Scalar::Boolean(value) => Ok(value),
        Scalar::Text("true" | "1") => Ok(true),
        Scalar::Text("false" | "0") => Ok(false),
        Scalar::Integer(text) if text == "1" => Ok(true),
        Scalar::Integer(text) if text == "0" => Ok(false),
        Scalar::Text(text) => Err(not_boolean(field, text)),
        Scalar::Integer(text) => Err(not_boolean(field, &text)),
    }
}

fn not_boolean(field: &'static str, text: &str) -> Fault {
    Fault::invalid(field, format!("is {}, not one of true, false, 1, 0", quoted(text)))
}

fn read_text(entry: &Entry<'_>, field: &'static str, max_chars: usize) -> Result<Option<String>, Fault> {
    let Some(scalar) = entry.find(field)? else { return Ok(None) };
    let text = scalar.as_text(field)?;
    let chars = text.chars().count();
    if chars > max_chars {
        return Err(Fault::invalid(field, format!("has {chars} characters, more than {max_chars}")));
    }
    if !text.chars().all(is_printable) {
        return Err(Fault::invalid(
            field,
            format!("is {}, which holds a character that can't be printed", quoted(&text)),
        ));
    }
    Ok(Some(text.into_owned()))
}

fn read_as_of(entry: &Entry<'_>) -> Result<Option<NaiveDate>, Fault> {
    let Some(scalar) = entry.find("as_of")? else { return Ok(None) };
    let text = scalar.as_text("as_of")?;
    match parse_date(&text) {
        Some(date) => Ok(Some(date)),
        None => Err(Fault::invalid("as_of", format!("is {}, not a date like 2026-01-02", quoted(&text)))),
    }
}

fn read_revert_of(entry: &Entry<'_>, mode: Mode) -> Result<Option<JobId>, Fault> {
    match (mode, entry.find("revert_of")?) {
        (Mode::Revert, Some(scalar)) => to_job_id("revert_of", &scalar).map(Some),
        (Mode::Revert, None) => Err(Fault::invalid("revert_of", "is missing, and mode is \"revert\"")),
        (_, Some(_)) => Err(Fault::invalid("revert_of", "is given, but mode is not \"revert\"")),
        (_, None) => Ok(None),
    }
}

/// The time of the request. An odd one is no reason to refuse a job: the entry's own time is never far off.
fn read_requested_at(entry: &Entry<'_>, entry_id: &str, warnings: &mut Vec<String>) -> DateTime<Utc> {
    // An id outside of the calendar is made up by hand. The epoch rather than the far future: nothing that asks what
    // came before this request then has to walk through thousands of years.
    let fallback = || entry_time(entry_id).unwrap_or(DateTime::UNIX_EPOCH);
    let found = entry.find("requested_at").and_then(|scalar| {
        scalar.map(|scalar| scalar.as_text("requested_at").map(Cow::into_owned)).transpose()
    });
    let problem = match found {
        Ok(None) => return fallback(),
        Ok(Some(text)) => match parse_time(&text) {
            Some(time) => return time,
            None => format!("is {}, not an ISO 8601 time", quoted(&text)),
        },
        Err(fault) => fault.problem,
    };
    warnings.push(format!("requested_at_unreadable: requested_at {problem}; the time of the entry counts"));
    fallback()
}

/// An ISO 8601 time from 1970 to 9999, in UTC where it has no offset, cut to the microseconds that Postgres keeps.
pub fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    const WITH_OFFSET: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"];
    const WITHOUT: [&str; 4] =
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let rfc3339 = || DateTime::parse_from_rfc3339(text).ok();
    let other_offset = || WITH_OFFSET.iter().find_map(|format| DateTime::parse_from_str(text, format).ok());
    let without = || WITHOUT.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let date_alone = || parse_date(text).map(|date| date.and_time(NaiveTime::MIN));

    let time = match rfc3339().or_else(other_offset) {
        Some(time) => time.to_utc(),
        None => without().or_else(date_alone)?.and_utc(),
    };
    // Through the count of microseconds, because a leap second would stay one above its second otherwise.
    let time = DateTime::from_timestamp_micros(time.trunc_subsecs(6).timestamp_micros())?;
    is_plausible(time).then_some(time)
}

fn is_plausible(time: DateTime<Utc>) -> bool {
    (1970..=9999).contains(&time.year())
}

/// Exactly `YYYY-MM-DD`; chrono alone would take `2026-1-2` and `+02026-01-02`.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let spelled_out = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !spelled_out {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

/// Whether `c` can stand in a log line or on a terminal without moving what is around it.
fn is_printable(c: char) -> bool {
    let reorders_or_breaks =
        matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !reorders_or_breaks
}

/// The beginning of `text` in quotes, escaped: it comes from outside and goes to logs and status.
pub fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let start: String = text.chars().take(MAX_CHARS).collect();
    let rest = if start.len() < text.len() { "..." } else { "" };
    format!("{start:?}{rest}")
}

/// A fault of an entry whose job id is not made out yet.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    reason: RejectReason,
    field: Option<&'static str>,
    problem: String,
}

impl Fault {
    fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self { reason: RejectReason::InvalidField, field: Some(field), problem: problem.into() }
    }

    fn unreadable(field: &'static str, problem: impl Into<String>) -> Self {
        Self { reason: RejectReason::Unreadable, field: Some(field), problem: problem.into() }
    }

    fn into_rejection(self, job_id: Option<JobId>) -> Rejection {
        Rejection { reason: self.reason, field: self.field.map(str::to_owned), problem: self.problem, job_id }
    }
}

/// The fields of an entry: those of its payload, which win, and the flat ones.
struct Entry<'a> {
    flat: &'a [RawField],
    json: Vec<(String, Value)>,
}

impl<'a> Entry<'a> {
    fn open(flat: &'a [RawField]) -> Result<Self, Fault> {
        if is_too_large(flat) {
            let (bytes, count) = (entry_bytes(flat), flat.len());
            let problem = format!(
                "the entry has {bytes} bytes in {count} fields, more than {MAX_ENTRY_BYTES} bytes or {MAX_ENTRY_FIELDS} fields"
            );
            return Err(Fault { reason: RejectReason::TooLarge, field: None, problem });
        }
        let mut entry = Self { flat, json: Vec::new() };
        entry.json = entry.read_payload()?;
        Ok(entry)
    }

    fn read_payload(&self) -> Result<Vec<(String, Value)>, Fault> {
        let mut payloads =
            PAYLOAD_FIELDS.iter().flat_map(|name| self.values(name).map(move |bytes| (*name, bytes)));
        let Some((field, bytes)) = payloads.next() else { return Ok(Vec::new()) };
        if let Some((second, _)) = payloads.next() {
            let problem = format!("is one payload and {second} another: one entry has one");
            return Err(Fault::invalid(field, problem));
        }
        match serde_json::from_slice::<Members>(bytes) {
            Ok(members) => Ok(members.0),
            Err(error) if error.is_data() => Err(Fault::invalid(field, "holds no JSON object")),
            Err(error) => Err(Fault::unreadable(field, format!("can't be read as JSON: {error}"))),
        }
    }

    /// What stands under `name`; `None` if nothing, an empty text or JSON `null`.
    fn find(&self, name: &'static str) -> Result<Option<Scalar<'_>>, Fault> {
        let in_payload = self.json.iter().filter(|(key, _)| key == name);
        match only_one(name, in_payload.filter_map(|(_, value)| Scalar::from_json(name, value)))? {
            Some(scalar) => Ok(Some(scalar)),
            None => only_one(name, self.values(name).map(|bytes| Scalar::from_bytes(name, bytes))),
        }
    }

    /// The flat values under `name` that are not empty.
    fn values(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let named = self.flat.iter().filter(move |(field, _)| field == name.as_bytes());
        named.map(|(_, value)| value.as_slice()).filter(|value| !value.is_empty())
    }
}

fn only_one<'a>(
    field: &'static str,
    found: impl Iterator<Item = Result<Scalar<'a>, Fault>>,
) -> Result<Option<Scalar<'a>>, Fault> {
    let mut first = None;
    for scalar in found {
        let scalar = scalar?;
        match &first {
            None => first = Some(scalar),
            Some(same) if *same == scalar => {}
            Some(_) => return Err(Fault::invalid(field, "is given twice, and not the same both times")),
        }
    }
    Ok(first)
}

/// A single value of a field.
#[derive(Debug, PartialEq, Eq)]
enum Scalar<'a> {
    Text(&'a str),
    Integer(String),
    Boolean(bool),
}

impl<'a> Scalar<'a> {
    fn from_bytes(field: &'static str, bytes: &'a [u8]) -> Result<Self, Fault> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::Text(text)),
            Err(_) => Err(Fault::unreadable(field, "is no UTF-8 text")),
        }
    }

    /// The value, or `None` for what counts as absent.
    fn from_json(field: &'static str, value: &'a Value) -> Option<Result<Self, Fault>> {
        match value {
            Value::Null => None,
            Value::String(text) => (!text.is_empty()).then_some(Ok(Self::Text(text))),
            Value::Bool(value) => Some(Ok(Self::Boolean(*value))),
            Value::Number(number) if number.is_f64() => {
                Some(Err(Fault::invalid(field, format!("is the number {number}, which is not a whole one"))))
            }
            Value::Number(number) => Some(Ok(Self::Integer(number.to_string()))),
            Value::Array(_) => Some(Err(Fault::invalid(field, "is a list, not a single value"))),
            Value::Object(_) => Some(Err(Fault::invalid(field, "is an object, not a single value"))),
        }
    }

    fn as_text(&self, field: &'static str) -> Result<Cow<'a, str>, Fault> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Integer(digits) => Ok(Cow::Owned(digits.clone())),
            Self::Boolean(value) => Err(Fault::invalid(field, format!("is {value}, not a text"))),
        }
    }
}

/// The members of a JSON object in their order, doubles included, which [`serde_json::Map`] would drop silently.
struct Members(Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> serde::de::Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests;
