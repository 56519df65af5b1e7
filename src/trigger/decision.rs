//! Whether a signal or the clock starts a sync, and under which id: pure.
//!
//! One trading date gets one automatic job, however many instances hear however many signals. Three things see to it:
//!
//! | what | where | keeps apart |
//! |---|---|---|
//! | the dedupe key `eod:<date>` | Postgres | everything while a job of the key is unfinished, or once it is completed |
//! | the job's id, made of date and message | Postgres | the same message told twice, even when its job has failed since |
//! | the rules below | here | what is found rather than heard, and the clock |
//!
//! # What frees a date
//! A failed or cancelled job frees its key, so that a *new* signal starts a new job: an import that is run again says
//! so again. What is found in `eod:latest_status` is no news: the same result is found at every start and after every
//! lost connection, hours after an operator may have cancelled its job. So it counts only where the date's signal was
//! plainly missed: nothing of that date or a later one is applied, no signal has started a job for it, and nobody
//! has cancelled one. The clock asks for a date at most once, and not where anything was asked for before.

use chrono::{DateTime, NaiveDate, Utc};

use super::schedule::Firing;
use super::signal::{Signal, Source};
use crate::domain::calendar::sessions_between;
use crate::domain::job::{JobId, JobRequest, JobStatus};
use crate::domain::task::Mode;

/// Who asks where a signal was heard.
pub const BY_SIGNAL: &str = "eod_import";
/// Who asks where the clock does.
pub const BY_CLOCK: &str = "scheduler";

/// Sessions within which an installation that is in use has synced: a week of trading.
const USUAL_SESSIONS: u32 = 5;

/// What is known of a date before it is decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The newest date that was ever applied.
    pub last_applied: Option<NaiveDate>,
    /// The automatic jobs of the date, in whatever state.
    pub jobs: Vec<Earlier>,
}

/// A job that was asked for earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Its id.
    pub id: JobId,
    /// Where it stands.
    pub status: JobStatus,
    /// Who asked.
    pub triggered_by: String,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Ask for a job.
    Start {
        /// For this one.
        request: Box<JobRequest>,
        /// What its result should mention.
        warnings: Vec<String>,
    },
    /// Nothing, because of this.
    Leave(String),
}

/// The dedupe key of a date's automatic jobs.
pub fn dedupe_key(date: NaiveDate) -> String {
    format!("eod:{date}")
}

/// What to do about a signal that says that an import is complete.
pub fn on_signal(signal: &Signal, known: &Known, now: DateTime<Utc>) -> Decision {
    let reason = match signal.source {
        Source::LatestStatus => not_missed(signal.date, known),
        Source::ImportCompleted | Source::ImportStatus | Source::EodCompletion => {
            // The date itself may be applied: by hand, or an import corrects it.
            known.last_applied.filter(|applied| *applied > signal.date).map(|applied| {
                format!("{applied} was applied already, and universes never go back to {}", signal.date)
            })
        }
    };
    match reason {
        Some(reason) => Decision::Leave(reason),
        None => start(signal.date, &signal.fingerprint, BY_SIGNAL, now, Vec::new()),
    }
}

/// Why a result that was found is no signal that was missed.
fn not_missed(date: NaiveDate, known: &Known) -> Option<String> {
    if let Some(applied) = known.last_applied.filter(|applied| *applied >= date) {
        return Some(format!("{applied} was applied already"));
    }
    let earlier =
        known.jobs.iter().find(|job| job.triggered_by == BY_SIGNAL || job.status == JobStatus::Cancelled)?;
    Some(format!("job {} was asked for {date} and is {}", earlier.id, earlier.status))
}

/// What to do when the wait of a firing is over. `is_missed`: it was over before this process began.
pub fn on_firing(firing: &Firing, known: &Known, is_missed: bool, now: DateTime<Utc>) -> Decision {
    let date = firing.date;
    if firing.is_over(now) {
        return Decision::Leave(format!("it was due at {}, which is too long ago", firing.due_at));
    }
    if let Some(applied) = known.last_applied.filter(|applied| *applied >= date) {
        return Decision::Leave(format!("{applied} was applied already"));
    }
    if let Some(earlier) = known.jobs.first() {
        return Decision::Leave(format!("job {} was asked for {date} and is {}", earlier.id, earlier.status));
    }
    if is_missed && !is_usual(known.last_applied, date) {
        return Decision::Leave(format!("nothing was synced here in the {USUAL_SESSIONS} sessions before"));
    }
    let warning = format!(
        "no_signal: no import said until {} that {date} is complete; asked for by the clock",
        firing.due_at.format("%Y-%m-%dT%H:%M:%SZ")
    );
    // No instant in the id: all instances that see this firing ask for the same job.
    start(date, "schedule", BY_CLOCK, now, vec![warning])
}

/// Whether syncs are usual on this installation. One that was just set up, or has stood still, has missed nothing.
fn is_usual(last_applied: Option<NaiveDate>, date: NaiveDate) -> bool {
    last_applied.is_some_and(|applied| sessions_between(applied, date) <= USUAL_SESSIONS)
}

fn start(
    date: NaiveDate,
    cause: &str,
    triggered_by: &str,
    now: DateTime<Utc>,
    warnings: Vec<String>,
) -> Decision {
    let id =
        JobId::parse(&format!("eod-{date}-{cause}")).expect("dates, hexadecimal digits and words fit an id");
    let request = JobRequest {
        dedupe_key: Some(dedupe_key(date)),
        as_of: Some(date),
        ..JobRequest::new(id, Mode::Full, triggered_by, now)
    };
    Decision::Start { request: Box::new(request), warnings }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{NaiveTime, TimeDelta};

    use super::*;
    use crate::trigger::schedule::Schedule;
    use crate::trigger::signal::Verdict;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn now() -> DateTime<Utc> {
        "2026-03-03T22:10:00Z".parse().expect("an instant")
    }

    fn heard(source: Source) -> Signal {
        Signal {
            source,
            date: date("2026-03-03"),
            verdict: Verdict::Complete,
            at: None,
            fingerprint: "0123456789ab".to_owned(),
        }
    }

    fn earlier(triggered_by: &str, status: JobStatus) -> Known {
        let id = JobId::parse("earlier").expect("an id");
        let jobs = vec![Earlier { id, status, triggered_by: triggered_by.to_owned() }];
        Known { last_applied: Some(date("2026-03-02")), jobs }
    }

    fn applied(text: &str) -> Known {
        Known { last_applied: Some(date(text)), jobs: Vec::new() }
    }

    fn starts(decision: &Decision) -> bool {
        matches!(decision, Decision::Start { .. })
    }

    fn firing() -> Firing {
        let time = NaiveTime::from_hms_opt(16, 10, 0).expect("a time");
        Schedule::new(time, Duration::from_secs(3_600)).next(now() - TimeDelta::hours(3))
    }

    #[test]
    fn a_signal_asks_for_its_date_under_the_key_of_the_date_and_an_id_of_its_own() {
        let Decision::Start { request, warnings } =
            on_signal(&heard(Source::EodCompletion), &Known::default(), now())
        else {
            panic!("it starts one")
        };
        assert_eq!(request.job_id.as_str(), "eod-2026-03-03-0123456789ab");
        assert_eq!(request.dedupe_key.as_deref(), Some("eod:2026-03-03"));
        assert_eq!((request.as_of, request.mode), (Some(date("2026-03-03")), Mode::Full));
        assert_eq!((request.triggered_by.as_str(), request.force), ("eod_import", false));
        assert!(request.is_automatic() && warnings.is_empty());
    }

    #[test]
    fn a_signal_for_a_date_that_is_past_starts_nothing() {
        for source in [Source::ImportCompleted, Source::ImportStatus, Source::EodCompletion] {
            assert!(!starts(&on_signal(&heard(source), &applied("2026-03-04"), now())));
            assert!(
                starts(&on_signal(&heard(source), &applied("2026-03-03"), now())),
                "Postgres knows better"
            );
            assert!(starts(&on_signal(&heard(source), &earlier("eod_import", JobStatus::Failed), now())));
        }
    }

    #[test]
    fn a_result_that_is_found_counts_only_where_its_signal_was_missed() {
        let found = |known: &Known| starts(&on_signal(&heard(Source::LatestStatus), known, now()));
        assert!(found(&Known::default()) && found(&applied("2026-03-02")));
        assert!(!found(&applied("2026-03-03")) && !found(&applied("2026-03-04")));
        for status in JobStatus::ALL {
            assert!(!found(&earlier("eod_import", *status)), "{status}: the signal was heard");
        }
        assert!(found(&earlier("scheduler", JobStatus::Failed)), "the import came after the clock gave up");
        assert!(!found(&earlier("scheduler", JobStatus::Cancelled)), "a person wanted it to end");
    }

    #[test]
    fn the_clock_asks_where_nobody_has_and_says_so_in_a_warning() {
        let Decision::Start { request, warnings } =
            on_firing(&firing(), &applied("2026-03-02"), false, now())
        else {
            panic!("it starts one")
        };
        assert_eq!(request.job_id.as_str(), "eod-2026-03-03-schedule");
        assert_eq!(request.triggered_by, "scheduler");
        assert_eq!(request.dedupe_key.as_deref(), Some("eod:2026-03-03"));
        assert_eq!(
            warnings,
            [
                "no_signal: no import said until 2026-03-03T22:10:00Z that 2026-03-03 is complete; asked for by the clock"
            ]
        );
    }

    #[test]
    fn the_clock_leaves_a_date_alone_that_anybody_has_asked_for() {
        for status in JobStatus::ALL {
            for by in ["eod_import", "scheduler"] {
                assert!(!starts(&on_firing(&firing(), &earlier(by, *status), false, now())), "{by} {status}");
            }
        }
        assert!(!starts(&on_firing(&firing(), &applied("2026-03-03"), false, now())));
    }

    #[test]
    fn a_firing_that_was_missed_is_made_up_for_where_syncs_are_usual_and_not_too_late() {
        assert!(starts(&on_firing(&firing(), &Known::default(), false, now())));
        assert!(!starts(&on_firing(&firing(), &Known::default(), true, now())), "a new installation");
        for (last, is_usual) in [("2026-03-02", true), ("2026-02-24", true), ("2026-02-23", false)] {
            assert_eq!(starts(&on_firing(&firing(), &applied(last), true, now())), is_usual, "{last}");
            assert!(starts(&on_firing(&firing(), &applied(last), false, now())));
        }
        let late = now() + TimeDelta::hours(6);
        assert!(!starts(&on_firing(&firing(), &applied("2026-03-02"), true, late)));
    }
}
