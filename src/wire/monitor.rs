//! The text that the job monitor page reads: one JSON object a job.
//!
//! The page parses every job's text in one go and puts it into HTML, so **one odd value hides all jobs**. Therefore:
//! no nulls, whole numbers, times that Python's `fromisoformat` and a browser both read (without offset, in UTC), and
//! plain text without `<`, `>`, `&` and `"`.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::status::StatusHash;
use crate::domain::job::JobStatus;

/// How long the text outlives its last update, in seconds: a day.
pub const TTL_SECONDS: u64 = 86_400;

/// The longest message, in characters: a line of the page.
const MAX_MESSAGE_CHARS: usize = 300;

/// The text for a job with this status at the time `at`; `total_symbols` is the size of its snapshot, once known.
pub fn job_monitor(status: &StatusHash, total_symbols: Option<u64>, at: DateTime<Utc>) -> String {
    let total = total_symbols.unwrap_or(0);
    let progress = progress(status);
    let processed = u128::from(total) * u128::from(progress) / 100;
    let started = status.start_time.or(status.created_at).unwrap_or(at);
    let mut object = json!({
        "status": status_word(status.status),
        "progress": progress,
        // At most the total, so it fits.
        "processed_symbols": u64::try_from(processed).unwrap_or(total),
        "total_symbols": total,
        "current_symbol": current_symbol(status),
        "message": plain(&message(status)),
        "timestamp": local_iso(at),
        "started_at": local_iso(started),
    });
    if status.status.is_final() {
        object["completed_at"] = json!(local_iso(status.end_time.unwrap_or(at)));
    }
    object.to_string()
}

/// All sub-tasks are decided before anything is written, and writing may fail: only an end that went well is 100.
fn progress(status: &StatusHash) -> u32 {
    match status.status {
        JobStatus::Completed => 100,
        _ => status.percentage().min(99),
    }
}

/// The page knows four states.
fn status_word(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "queued",
        JobStatus::Running | JobStatus::Retrying => "running",
        JobStatus::Completed => "completed",
        JobStatus::Failed | JobStatus::Cancelled => "failed",
    }
}

/// A sync has no current symbol: its sub-task stands in that place.
fn current_symbol(status: &StatusHash) -> &'static str {
    match status.current_task {
        Some(task) if !status.status.is_final() => task.as_str(),
        Some(_) | None => "",
    }
}

fn message(status: &StatusHash) -> String {
    match status.status {
        JobStatus::Queued => "Waiting for a worker".to_owned(),
        JobStatus::Running => {
            format!("Running, {} of {} sub-tasks done", status.completed, status.total_items)
        }
        JobStatus::Retrying => with_error("Waiting to try again", &status.error),
        JobStatus::Completed if status.is_skipped() => skipped(status),
        JobStatus::Completed => completed(status),
        JobStatus::Failed => with_error("Failed", &status.error),
        JobStatus::Cancelled => "Cancelled".to_owned(),
    }
}

/// A skipped job did nothing, for the last of its warnings.
fn skipped(status: &StatusHash) -> String {
    let why = status.warnings.last().map_or("nothing was asked for", String::as_str);
    format!("Skipped: {why}: nothing was done")
}

fn completed(status: &StatusHash) -> String {
    let counted =
        |count: u64, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let mut text = format!(
        "Completed: {} in {}",
        counted(status.total_changes, "change", "changes"),
        counted(status.universes_updated.len() as u64, "universe", "universes")
    );
    let held = &status.held_universes;
    if !held.is_empty() {
        text += &format!("; {} held: {}", held.len(), held.join(", "));
    }
    text
}

fn with_error(what: &str, error: &str) -> String {
    if error.is_empty() { what.to_owned() } else { format!("{what}: {error}") }
}

/// `text` without what the page would take for HTML.
fn plain(text: &str) -> String {
    let harmless = |c: char| match c {
        '<' => '(',
        '>' => ')',
        '"' => '\'',
        '&' => '+',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().take(MAX_MESSAGE_CHARS).map(harmless).collect()
}

/// UTC without an offset. Three decimals, because older versions of `fromisoformat` take three or six, nothing else.
fn local_iso(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobId, JobRequest};
    use crate::domain::task::TaskStatus;
    use crate::domain::task::{Mode, SyncTask};
    use crate::wire::status::TaskResult;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_767_389_400_000 + ms).expect("in range")
    }

    fn status(status: JobStatus) -> StatusHash {
        let request = JobRequest::new(JobId::parse("job-1").expect("valid"), Mode::Full, "cli", at(0));
        StatusHash { status, ..StatusHash::queued(&request, 1, at(0)) }
    }

    #[test]
    fn a_queued_job_already_has_every_value_but_its_end() {
        assert_eq!(
            job_monitor(&status(JobStatus::Queued), None, at(1_250)),
            concat!(
                r#"{"status":"queued","progress":0,"processed_symbols":0,"total_symbols":0,"current_symbol":"","#,
                r#""message":"Waiting for a worker","timestamp":"2026-01-02T21:30:01.250","#,
                r#""started_at":"2026-01-02T21:30:00.000"}"#
            )
        );
    }

    #[test]
    fn a_running_job_counts_the_symbols_by_its_progress() {
        let mut running = status(JobStatus::Running);
        running.start_time = Some(at(500));
        running.completed = 2;
        running.current_task = Some(SyncTask::DelistedCleanup);
        assert_eq!(
            job_monitor(&running, Some(5_601), at(1_250)),
            concat!(
                r#"{"status":"running","progress":40,"processed_symbols":2240,"total_symbols":5601,"#,
                r#""current_symbol":"delisted_cleanup","message":"Running, 2 of 5 sub-tasks done","#,
                r#""timestamp":"2026-01-02T21:30:01.250","started_at":"2026-01-02T21:30:00.500"}"#
            )
        );
    }

    #[test]
    fn an_ended_job_has_an_end() {
        let mut ended = status(JobStatus::Completed);
        ended.end_time = Some(at(900));
        ended.total_changes = 12;
        ended.universes_updated = vec!["top_100".to_owned()];
        assert_eq!(
            job_monitor(&ended, Some(10), at(1_250)),
            concat!(
                r#"{"status":"completed","progress":100,"processed_symbols":10,"total_symbols":10,"current_symbol":"","#,
                r#""message":"Completed: 12 changes in 1 universe","timestamp":"2026-01-02T21:30:01.250","#,
                r#""started_at":"2026-01-02T21:30:00.000","completed_at":"2026-01-02T21:30:00.900"}"#
            )
        );
    }

    #[test]
    fn a_job_that_held_something_back_or_was_skipped_does_not_look_like_one_that_did_it_all() {
        let mut held = status(JobStatus::Completed);
        (held.completed, held.total_changes) = (5, 68);
        held.universes_updated = vec!["top_100".to_owned(), "top_500".to_owned()];
        held.held_universes = vec!["mid_cap".to_owned(), "small_cap".to_owned()];
        let wanted = "Completed: 68 changes in 2 universes; 2 held: mid_cap, small_cap";
        assert_eq!(message(&held), wanted);

        let mut skipped = status(JobStatus::Completed);
        let result = TaskResult { status: TaskStatus::Skipped, changes: 0, duration_ms: 0 };
        skipped.task_results = Mode::Full.tasks().iter().map(|task| (*task, result)).collect();
        skipped.warnings = vec!["data_stale: the newest complete date is 2026-01-01".to_owned()];
        let wanted = "Skipped: data_stale: the newest complete date is 2026-01-01: nothing was done";
        assert_eq!(message(&skipped), wanted);
    }

    #[test]
    fn progress_is_a_hundred_only_where_the_job_ended_well() {
        for word in JobStatus::ALL {
            let decided = StatusHash { completed: 5, ..status(*word) };
            assert_eq!(progress(&decided) == 100, *word == JobStatus::Completed, "{word}");
        }
    }

    #[test]
    fn only_the_four_states_of_the_page_are_said() {
        let words: Vec<_> = JobStatus::ALL.iter().map(|status| status_word(*status)).collect();
        assert_eq!(words, ["queued", "running", "running", "completed", "failed", "failed"]);
    }

    #[test]
    fn no_status_holds_a_null_or_what_the_page_takes_for_html() {
        for word in JobStatus::ALL {
            let mut odd = status(*word);
            odd.created_at = None;
            odd.error = "<script>alert(\"1\" & '2')</script>\n\u{0}".repeat(100);
            let text = job_monitor(&odd, None, at(0));
            assert!(!text.contains("null") && !text.contains(['<', '>', '&', '\\']), "{text}");

            let object: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            for value in object.as_object().expect("an object").values() {
                assert!(value.as_str().is_none_or(|text| !text.contains('"')), "{value}");
                assert!(value.is_u64() || value.is_string(), "{value}");
            }
            assert_eq!(object.get("completed_at").is_some(), word.is_final(), "{word}");
        }
    }
}
