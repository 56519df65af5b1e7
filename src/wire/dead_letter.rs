//! A dead letter: an entry that will not be worked on, with why, when, and what it said.
//!
//! The original fields are kept byte for byte as `original.<name>`, so a letter can be replayed. An entry that was
//! refused for its size is kept by its beginning alone, with its size in `original_bytes`: the stream of dead letters
//! must not grow by what the stream of jobs refuses.

use chrono::{DateTime, SecondsFormat, Utc};

use super::entry::{MAX_ENTRY_FIELDS, RawField, RejectReason, entry_bytes, is_too_large, quoted};
use crate::domain::job::JobId;
use crate::domain::words;

/// How much is kept of an entry that was too large, names and values together.
pub const KEPT_BYTES: usize = 4 * 1024;

/// What an original field's name begins with in a letter.
const ORIGINAL: &str = "original.";

words! {
    /// Why an entry became a dead letter.
    DeadReason {
        /// Its bytes are no text, its payload is no JSON, or the row of its job holds what can't be read.
        Unreadable = "unreadable",
        /// It is over the bounds of an entry.
        TooLarge = "too_large",
        /// A field says what it can't say.
        InvalidField = "invalid_field",
        /// Every attempt failed or ended with the worker.
        AttemptsExhausted = "attempts_exhausted",
        /// It was deleted from the stream while a worker held it.
        Deleted = "deleted",
    }
}

impl From<RejectReason> for DeadReason {
    fn from(reason: RejectReason) -> Self {
        match reason {
            RejectReason::Unreadable => Self::Unreadable,
            RejectReason::TooLarge => Self::TooLarge,
            RejectReason::InvalidField => Self::InvalidField,
        }
    }
}

/// One entry of the dead letter stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The id it had on the job stream.
    pub entry_id: String,
    /// The job's id, where one could be made out.
    pub job_id: Option<JobId>,
    /// Why it is dead.
    pub reason: DeadReason,
    /// The last error as a sentence; for a rejected entry the field and what is wrong with it.
    pub error: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The last step it reached; empty if none.
    pub last_step: String,
    /// When it was given up.
    pub failed_at: DateTime<Utc>,
    /// What the entry said.
    pub original: Original,
}

/// The fields of a dead entry, all of them or the beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Original {
    /// The fields in their order; of an entry that was too large the first [`KEPT_BYTES`].
    pub fields: Vec<RawField>,
    /// How many bytes the entry had, if not all of them are here.
    pub cut_from_bytes: Option<usize>,
}

impl Original {
    /// What is kept of an entry with these fields.
    pub fn of(fields: &[RawField]) -> Self {
        if is_too_large(fields) {
            Self { fields: beginning(fields), cut_from_bytes: Some(entry_bytes(fields)) }
        } else {
            Self { fields: fields.to_vec(), cut_from_bytes: None }
        }
    }

    /// Whether everything is there, so that the entry can be put on the stream again.
    pub fn is_complete(&self) -> bool {
        self.cut_from_bytes.is_none()
    }
}

impl DeadLetter {
    /// The letter as fields of a stream entry.
    pub fn to_fields(&self) -> Vec<RawField> {
        let text = |name: &str, value: String| (name.as_bytes().to_vec(), value.into_bytes());
        let mut fields = vec![
            text("entry_id", self.entry_id.clone()),
            text("job_id", self.job_id.as_ref().map(JobId::to_string).unwrap_or_default()),
            text("reason", self.reason.to_string()),
            text("error", self.error.clone()),
            text("attempts", self.attempts.to_string()),
            text("last_step", self.last_step.clone()),
            text("failed_at", self.failed_at.to_rfc3339_opts(SecondsFormat::Millis, true)),
        ];
        fields.extend(self.original.cut_from_bytes.map(|bytes| text("original_bytes", bytes.to_string())));
        fields.extend(self.original.fields.iter().map(|(name, value)| {
            let name = [ORIGINAL.as_bytes(), name].concat();
            (name, value.clone())
        }));
        fields
    }

    /// The letter in the fields of a stream entry, or a sentence about what is wrong with them. Fields it does not
    /// know are ignored.
    pub fn from_fields(fields: &[RawField]) -> Result<Self, String> {
        let job_id = text(fields, "job_id")?;
        Ok(Self {
            entry_id: text(fields, "entry_id")?,
            job_id: if job_id.is_empty() {
                None
            } else {
                Some(known(JobId::parse(&job_id), "job_id", &job_id)?)
            },
            reason: parsed(fields, "reason", DeadReason::from_text)?,
            error: text(fields, "error")?,
            attempts: parsed(fields, "attempts", |text| text.parse().ok())?,
            last_step: text(fields, "last_step")?,
            failed_at: parsed(fields, "failed_at", |text| DateTime::parse_from_rfc3339(text).ok())?.to_utc(),
            original: Original { fields: originals(fields), cut_from_bytes: original_bytes(fields)? },
        })
    }
}

/// The first [`KEPT_BYTES`] of an entry: whole fields, and the start of the one that does not fit. At most one field
/// for every byte kept, since empty ones have no bytes to count.
fn beginning(fields: &[RawField]) -> Vec<RawField> {
    let mut room = KEPT_BYTES;
    let mut kept = Vec::new();
    for (name, value) in fields.iter().take(MAX_ENTRY_FIELDS) {
        if room == 0 {
            break;
        }
        let name = &name[..name.len().min(room)];
        room -= name.len();
        let value = &value[..value.len().min(room)];
        room -= value.len();
        kept.push((name.to_vec(), value.to_vec()));
    }
    kept
}

fn originals(fields: &[RawField]) -> Vec<RawField> {
    let stripped = |(name, value): &RawField| {
        name.strip_prefix(ORIGINAL.as_bytes()).map(|name| (name.to_vec(), value.clone()))
    };
    fields.iter().filter_map(stripped).collect()
}

fn original_bytes(fields: &[RawField]) -> Result<Option<usize>, String> {
    if value(fields, "original_bytes").is_none() {
        return Ok(None);
    }
    parsed(fields, "original_bytes", |text| text.parse().ok()).map(Some)
}

fn value<'a>(fields: &'a [RawField], name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|(field, _)| field == name.as_bytes()).map(|(_, value)| value.as_slice())
}

fn text(fields: &[RawField], name: &str) -> Result<String, String> {
    let bytes = value(fields, name).ok_or_else(|| format!("the dead letter has no field {name}"))?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn parsed<T>(fields: &[RawField], name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    let text = text(fields, name)?;
    known(parse(&text), name, &text)
}

fn known<T>(value: Option<T>, name: &str, text: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("{name} of the dead letter is {}, which can't be read", quoted(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(original: &[(&str, &str)]) -> DeadLetter {
        let fields: Vec<RawField> = original
            .iter()
            .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect();
        DeadLetter {
            entry_id: "1690000000000-0".to_owned(),
            job_id: JobId::parse("job-1"),
            reason: DeadReason::InvalidField,
            error: "mode is \"Full\"".to_owned(),
            attempts: 0,
            last_step: String::new(),
            failed_at: DateTime::from_timestamp_millis(1_690_000_001_250).expect("in range"),
            original: Original::of(&fields),
        }
    }

    fn shown(fields: &[RawField]) -> Vec<(String, String)> {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        fields.iter().map(|(name, value)| (lossy(name), lossy(value))).collect()
    }

    #[test]
    fn a_letter_has_the_fields_of_the_contract_and_every_original_field() {
        let fields = shown(&letter(&[("job_id", "job-1"), ("mode", "Full")]).to_fields());
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            fields,
            [
                ("entry_id", "1690000000000-0"),
                ("job_id", "job-1"),
                ("reason", "invalid_field"),
                ("error", "mode is \"Full\""),
                ("attempts", "0"),
                ("last_step", ""),
                ("failed_at", "2023-07-22T04:26:41.250Z"),
                ("original.job_id", "job-1"),
                ("original.mode", "Full"),
            ]
        );
    }

    #[test]
    fn a_letter_is_read_back_as_it_was_written_bytes_that_are_no_text_included() {
        let mut letter = letter(&[("mode", "Full"), ("mode", "again"), ("original.x", ""), ("", "nameless")]);
        letter.original.fields.push((vec![0xff, 0], vec![0xfe]));
        assert_eq!(DeadLetter::from_fields(&letter.to_fields()), Ok(letter.clone()));
        assert!(letter.original.is_complete());

        letter.job_id = None;
        assert_eq!(DeadLetter::from_fields(&letter.to_fields()), Ok(letter));
    }

    #[test]
    fn of_an_entry_that_is_too_large_the_beginning_is_kept_and_its_size() {
        let letter = letter(&[("job_id", "job-1"), ("payload", &"x".repeat(70_000)), ("mode", "full")]);
        assert_eq!(letter.original.cut_from_bytes, Some(70_000 + 26));
        assert!(!letter.original.is_complete());
        assert_eq!(letter.original.fields.len(), 2, "nothing after the field that is cut");
        assert_eq!(entry_bytes(&letter.original.fields), KEPT_BYTES);

        let fields = letter.to_fields();
        assert!(shown(&fields).contains(&("original_bytes".to_owned(), "70026".to_owned())));
        assert_eq!(DeadLetter::from_fields(&fields), Ok(letter));
    }

    #[test]
    fn an_entry_of_countless_empty_fields_is_cut_too() {
        let original = Original::of(&vec![(Vec::new(), Vec::new()); 100_000]);
        assert!(!original.is_complete());
        assert_eq!(original.fields.len(), MAX_ENTRY_FIELDS);
    }

    #[test]
    fn a_letter_that_nobody_of_ours_wrote_is_a_sentence_and_no_panic() {
        let missing = DeadLetter::from_fields(&[]).expect_err("empty");
        assert_eq!(missing, "the dead letter has no field job_id");

        let mut fields = letter(&[]).to_fields();
        fields[2].1 = b"tired".to_vec();
        let odd = DeadLetter::from_fields(&fields).expect_err("unknown reason");
        assert_eq!(odd, "reason of the dead letter is \"tired\", which can't be read");
    }
}
