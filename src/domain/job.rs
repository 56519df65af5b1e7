//! A job: a request, its identity and the states it goes through.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};

use super::task::Mode;
use super::words;

/// The longest job id, in characters.
pub const MAX_JOB_ID_CHARS: usize = 64;

/// A job's id: 1 to 64 of `A-Z a-z 0-9 _ . -`. It becomes part of Redis keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct JobId(String);

impl JobId {
    /// `text` as a job id, or `None` if it has another length or other characters.
    pub fn parse(text: &str) -> Option<Self> {
        let usable = (1..=MAX_JOB_ID_CHARS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
        usable.then(|| Self(text.to_owned()))
    }

    /// A new id, unique and increasing with time.
    pub fn fresh() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

words! {
    /// Where a job stands; the last three are final.
    JobStatus {
        /// Accepted, not begun.
        Queued = "queued",
        /// A worker has it.
        Running = "running",
        /// It waits for its next attempt, or for an import to be complete.
        Retrying = "retrying",
        /// It did what was asked, which may have been nothing.
        Completed = "completed",
        /// It was refused, or failed for good.
        Failed = "failed",
        /// A person stopped it.
        Cancelled = "cancelled",
    }
}

impl JobStatus {
    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRequest {
    /// The id under which the job is known everywhere.
    pub job_id: JobId,
    /// What to do.
    pub mode: Mode,
    /// Skip the checks that only save work (already done today, market closed, data stale).
    pub force: bool,
    /// Open the size guards.
    pub accept_churn: bool,
    /// Who asked: `stream`, `admin`, `eod_import`, `api`, `cli`, `scheduler`, ...
    pub triggered_by: String,
    /// When it was asked for.
    pub requested_at: DateTime<Utc>,
    /// The caller's own run, passed through.
    pub run_id: Option<String>,
    /// At most one unfinished job has this key.
    pub dedupe_key: Option<String>,
    /// The date to sync; without one the newest complete date.
    pub as_of: Option<NaiveDate>,
    /// The job to undo; only with [`Mode::Revert`].
    pub revert_of: Option<JobId>,
    /// The dead letter's job that this one repeats.
    pub replay_of: Option<String>,
}

impl JobRequest {
    /// A request for `mode` with everything else left to its default.
    pub fn new(job_id: JobId, mode: Mode, triggered_by: &str, requested_at: DateTime<Utc>) -> Self {
        Self {
            job_id,
            mode,
            force: false,
            accept_churn: false,
            triggered_by: triggered_by.to_owned(),
            requested_at,
            run_id: None,
            dedupe_key: None,
            as_of: None,
            revert_of: None,
            replay_of: None,
        }
    }

    /// Whether nobody in person asked: such a job without a date waits for its day's import.
    pub fn is_automatic(&self) -> bool {
        matches!(self.triggered_by.as_str(), "eod_import" | "scheduler")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_ids_are_what_can_stand_in_a_key() {
        for text in ["a", "eod-2026.01_02", &"x".repeat(64)] {
            assert!(JobId::parse(text).is_some(), "{text}");
        }
        for text in ["", "a b", "a:b", "ä", "a\0", &"x".repeat(65)] {
            assert!(JobId::parse(text).is_none(), "{text:?}");
        }
    }
}
