//! Tonight in one sentence: whether all is well, and if not, what is the matter. Pure: the facts and the time go in.

use chrono::{DateTime, NaiveDate, Utc};

use super::text::{counted, thousands, when};
use super::value::Tone;
use crate::domain::calendar::{last_closed_session, new_york_date};
use crate::domain::job::JobStatus;
use crate::domain::task::Mode;
use crate::store::jobs::JobRow;
use crate::store::overview::Tonight;
use crate::trigger::schedule::Firing;

/// What is said first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// How well it is.
    pub(super) tone: Tone,
    /// In a few words.
    pub(super) headline: String,
    /// What else there is to know, or to do.
    pub(super) detail: String,
}

impl Verdict {
    fn new(tone: Tone, headline: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { tone, headline: headline.into(), detail: detail.into() }
    }
}

/// Says how tonight stands: what needs a person comes before what does not. `held` universes are held now.
pub(super) fn verdict(tonight: &Tonight, held: usize, now: DateTime<Utc>) -> Verdict {
    let open = |status| tonight.jobs.iter().find(|job| job.status == status);
    if let Some(job) = open(JobStatus::Running) {
        return Verdict::new(
            Tone::Busy,
            format!("A {} sync is running", job.request.mode),
            waits_for_others(tonight),
        );
    }
    if let Some(job) = open(JobStatus::Retrying) {
        return waiting(job, now);
    }
    if let Some(job) = open(JobStatus::Queued) {
        let asked = when(job.created_at, now);
        return Verdict::new(
            Tone::Busy,
            "A sync is queued",
            format!("Asked for {asked}; a worker takes it next."),
        );
    }
    let Some(run) = &tonight.run else {
        let detail =
            "Ask for the first one on the page Jobs, or see on the page Doctor whether all is ready.";
        return match tonight.jobs.first() {
            Some(job) if job.status == JobStatus::Failed => failed(job),
            Some(_) | None => Verdict::new(Tone::Quiet, "No sync has run yet", detail),
        };
    };
    // A failure that a later sync has made good is history.
    if let Some(job) = tonight.jobs.first().filter(|job| job.status == JobStatus::Failed) {
        return failed(job);
    }
    let session = last_closed_session(now);
    if run.as_of < session {
        return behind(run.as_of, session, now);
    }
    let doubted = run.quarantine.symbols.len();
    let date = run.as_of;
    match (held, doubted) {
        (0, 0) => Verdict::new(
            Tone::Good,
            format!("{date} is synced"),
            "Nothing is held and every value was believed.",
        ),
        (0, _) => {
            let detail =
                format!("{} not believed and carried meanwhile.", counted(doubted, "value is", "values are"));
            Verdict::new(Tone::Good, format!("{date} is synced"), detail)
        }
        _ => {
            let detail = "A guard kept back more change than it believes. See why below; accept it, or mend the source.";
            let headline =
                format!("{date} is synced, {} held", counted(held, "universe is", "universes are"));
            Verdict::new(Tone::Attention, headline, detail)
        }
    }
}

fn waits_for_others(tonight: &Tonight) -> String {
    let queued = tonight.jobs.iter().filter(|job| !job.status.is_final()).count().saturating_sub(1);
    if queued == 0 {
        String::new()
    } else {
        format!("{} behind it.", counted(queued, "job waits", "jobs wait"))
    }
}

fn waiting(job: &JobRow, now: DateTime<Utc>) -> Verdict {
    let next = job.not_before.map(|at| format!("It looks again {}.", when(at, now))).unwrap_or_default();
    let why = job.error.as_deref().unwrap_or_default();
    if job.waiting_since.is_some() {
        Verdict::new(
            Tone::Attention,
            "Waiting for the import",
            format!("{why}. {next}").trim_start_matches(". ").trim_end().to_owned(),
        )
    } else {
        let headline = format!("A {} sync is tried again", job.request.mode);
        Verdict::new(
            Tone::Attention,
            headline,
            format!("Attempt {} failed: {why}. {next}", thousands(job.attempt.max(0) as u64)),
        )
    }
}

fn failed(job: &JobRow) -> Verdict {
    let what = match job.request.mode {
        Mode::Revert => "The last revert",
        _ => "The last sync",
    };
    Verdict::new(Tone::Bad, format!("{what} failed"), job.error.clone().unwrap_or_default())
}

fn behind(applied: NaiveDate, session: NaiveDate, now: DateTime<Utc>) -> Verdict {
    let detail = format!("The universes are those of {applied}.");
    // On the evening itself the import is on its way.
    if session == new_york_date(now) {
        Verdict::new(Tone::Quiet, format!("{session} is not synced yet"), detail)
    } else {
        Verdict::new(
            Tone::Bad,
            format!("{session} is not synced"),
            format!("{detail} See whether the import ran."),
        )
    }
}

/// The next sync by itself, and what it waits for.
pub(super) fn next(firing: Option<Firing>, follows_imports: bool, now: DateTime<Utc>) -> String {
    match firing {
        Some(firing) => {
            let time = firing.opens_at.with_timezone(&chrono_tz::America::New_York).format("%H:%M");
            let due = when(firing.due_at, now);
            let import = if follows_imports { "when the import says that it is done, else " } else { "" };
            format!("{} at {time} New York, {import}{due} at the latest", firing.date)
        }
        None if follows_imports => "when the next import says that it is done".to_owned(),
        None => "when somebody asks for it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::job::{JobId, JobRequest};
    use crate::store::overview::LastRun;
    use crate::store::quarantine::QuarantineNow;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn job(status: JobStatus) -> JobRow {
        let id = JobId::parse("eod").expect("an id");
        let accepted = at("2026-03-02T21:10:00Z");
        JobRow {
            request: JobRequest::new(id, Mode::Full, "eod_import", accepted),
            status,
            as_of: None,
            attempt: 1,
            lease_number: 0,
            not_before: None,
            waiting_since: None,
            created_at: accepted,
            start_time: None,
            end_time: None,
            updated_at: accepted,
            cancel_requested_at: None,
            entry_id: None,
            worker: None,
            last_step: None,
            last_seq: 0,
            error: None,
            warnings: Vec::new(),
            result: crate::store::jobs::JobResult::default(),
            policy_fingerprint: None,
        }
    }

    fn tonight(status: JobStatus, as_of: &str) -> Tonight {
        let run = LastRun {
            as_of: as_of.parse().expect("a date"),
            job_id: "eod".to_owned(),
            closes: 5_600,
            usual_closes: 5_600,
            quarantine: QuarantineNow::default(),
            listed: Vec::new(),
            delisted: Vec::new(),
        };
        Tonight { jobs: vec![job(status)], run: Some(run) }
    }

    /// Monday evening, New York.
    const MONDAY: &str = "2026-03-02T22:30:00Z";

    fn said(tonight: &Tonight, held: usize, now: &str) -> (Tone, String) {
        let Verdict { tone, headline, .. } = verdict(tonight, held, at(now));
        (tone, headline)
    }

    #[test]
    fn a_synced_session_is_well_and_a_held_universe_wants_a_look() {
        let synced = tonight(JobStatus::Completed, "2026-03-02");
        assert_eq!(said(&synced, 0, MONDAY), (Tone::Good, "2026-03-02 is synced".to_owned()));
        assert_eq!(
            said(&synced, 2, MONDAY),
            (Tone::Attention, "2026-03-02 is synced, 2 universes are held".to_owned())
        );
    }

    #[test]
    fn a_session_that_is_missing_is_late_only_after_its_evening() {
        let behind = tonight(JobStatus::Completed, "2026-02-27");
        assert_eq!(said(&behind, 0, MONDAY), (Tone::Quiet, "2026-03-02 is not synced yet".to_owned()));
        assert_eq!(
            said(&behind, 0, "2026-03-03T12:00:00Z"),
            (Tone::Bad, "2026-03-02 is not synced".to_owned())
        );
    }

    #[test]
    fn what_runs_waits_or_failed_comes_first() {
        for (status, tone, words) in [
            (JobStatus::Running, Tone::Busy, "A full sync is running"),
            (JobStatus::Queued, Tone::Busy, "A sync is queued"),
            (JobStatus::Retrying, Tone::Attention, "A full sync is tried again"),
            (JobStatus::Failed, Tone::Bad, "The last sync failed"),
        ] {
            assert_eq!(said(&tonight(status, "2026-03-02"), 3, MONDAY), (tone, words.to_owned()));
        }
        let mut waiting = tonight(JobStatus::Retrying, "2026-02-27");
        waiting.jobs[0].waiting_since = Some(at(MONDAY));
        waiting.jobs[0].error = Some("3,412 of 5,600 closes on 2026-03-02".to_owned());
        let verdict = verdict(&waiting, 0, at(MONDAY));
        assert_eq!(verdict.headline, "Waiting for the import");
        assert_eq!(verdict.detail, "3,412 of 5,600 closes on 2026-03-02.");
        assert_eq!(said(&Tonight::default(), 0, MONDAY).1, "No sync has run yet");
    }
}
