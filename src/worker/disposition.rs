//! What becomes of a job after an attempt: pure, so that every outcome can be seen on one page.

use std::time::Duration;

use crate::domain::job::JobStatus;
use crate::failure::Failure;
use crate::plan::given::notice::{Refusal, Warning};
use crate::store::jobs::JobRow;

use super::heartbeat::Interruption;

/// How an attempt went.
#[derive(Debug)]
pub enum Outcome {
    /// Its changes, and its end with them, are committed; the row as it is now.
    Applied(Box<JobRow>),
    /// Nothing needs to be done for it.
    Needless(Warning),
    /// The import it needs is not complete.
    Waiting {
        /// What is there and what is needed.
        seen: String,
    },
    /// The rules refuse it.
    Refused(Refusal),
    /// It had to stop.
    Interrupted(Interruption),
    /// Something could not be done.
    Failed(Failure),
}

/// What is known of the job when it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// Attempts begun, this one included.
    pub attempt: u32,
    /// Attempts after which a job is given up.
    pub max_attempts: u32,
    /// How long it has waited for its import before this attempt.
    pub waited: Duration,
    /// How long it may.
    pub longest_wait: Duration,
    /// How often the import is looked at.
    pub recheck: Duration,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// How long it may show no progress.
    pub hung_after: Duration,
    /// The step it came to.
    pub step: &'static str,
    /// Whether the market was begun to be read: before that a failure says nothing about the job.
    pub has_begun: bool,
}

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Disposition {
    /// Nothing: the end is written, as this row has it.
    Done(Box<JobRow>),
    /// Nothing: the job is another worker's now, and everything is its to say.
    Abandon,
    /// End it as completed, without a change.
    Skip(Warning),
    /// End it.
    End {
        /// As what.
        status: JobStatus,
        /// Why.
        error: String,
        /// Whether it goes to the dead letters.
        is_dead_letter: bool,
    },
    /// Try again.
    Retry {
        /// Why.
        error: String,
    },
    /// Try again, burning no attempt: the work did not begin.
    Later {
        /// Why.
        error: String,
    },
    /// Look at the import again, burning no attempt.
    Wait {
        /// When.
        delay: Duration,
        /// What is missing.
        error: String,
    },
    /// Leave it to another worker, burning no attempt.
    HandBack,
}

/// Decides.
pub fn dispose(outcome: Outcome, circumstances: &Circumstances) -> Disposition {
    match outcome {
        Outcome::Applied(row) => Disposition::Done(row),
        Outcome::Needless(why) => Disposition::Skip(why),
        Outcome::Waiting { seen } if circumstances.waited >= circumstances.longest_wait => {
            let waited = circumstances.waited.as_secs();
            let error = format!(
                "import_incomplete: waited {waited} s for the import, which is not complete: {seen}; check the import, then submit the job again"
            );
            failed(error)
        }
        Outcome::Waiting { seen } => Disposition::Wait {
            delay: circumstances.recheck,
            error: format!("waiting for the import: {seen}"),
        },
        Outcome::Refused(refusal) => failed(refusal.to_string()),
        Outcome::Interrupted(why) => match why {
            Interruption::Lost | Interruption::Unconfirmed => Disposition::Abandon,
            Interruption::Stopping => Disposition::HandBack,
            Interruption::Cancelled => Disposition::End {
                status: JobStatus::Cancelled,
                error: "cancelled".to_owned(),
                is_dead_letter: false,
            },
            Interruption::TimedOut => failed(format!(
                "timed_out: the job took longer than {} minutes (sync_settings.timeout_minutes), and was at step {}",
                circumstances.timeout.as_secs() / 60,
                circumstances.step
            )),
            Interruption::Disconnected => again(
                format!(
                    "the transaction at step {} is gone from Postgres, and its connection is silent",
                    circumstances.step
                ),
                circumstances,
            ),
            // What it waits for may be gone at the next attempt; and should it be this very worker that does not get on,
            // another one will.
            Interruption::Hung => again(
                format!(
                    "hung: no progress at step {} for {} s (worker.hung_after_seconds), though its worker lives",
                    circumstances.step,
                    circumstances.hung_after.as_secs_f64()
                ),
                circumstances,
            ),
        },
        Outcome::Failed(failure @ Failure::Permanent { .. }) => failed(failure.to_string()),
        Outcome::Failed(failure @ (Failure::Transient { .. } | Failure::Conflict { .. }))
            if !circumstances.has_begun =>
        {
            Disposition::Later { error: failure.to_string() }
        }
        Outcome::Failed(failure @ (Failure::Transient { .. } | Failure::Conflict { .. })) => {
            again(failure.to_string(), circumstances)
        }
    }
}

/// One more attempt, as long as any is left.
fn again(error: String, circumstances: &Circumstances) -> Disposition {
    if circumstances.attempt < circumstances.max_attempts {
        return Disposition::Retry { error };
    }
    Disposition::End {
        status: JobStatus::Failed,
        error: format!("gave up after {} attempts: {error}", circumstances.attempt),
        is_dead_letter: true,
    }
}

fn failed(error: String) -> Disposition {
    Disposition::End { status: JobStatus::Failed, error, is_dead_letter: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circumstances() -> Circumstances {
        Circumstances {
            attempt: 1,
            max_attempts: 5,
            waited: Duration::ZERO,
            longest_wait: Duration::from_secs(3_600),
            recheck: Duration::from_secs(60),
            timeout: Duration::from_secs(1_800),
            hung_after: Duration::from_secs(300),
            step: "apply",
            has_begun: true,
        }
    }

    fn transient() -> Outcome {
        Outcome::Failed(Failure::transient("read the market", "connection closed"))
    }

    #[test]
    fn a_passing_failure_is_tried_again_until_the_attempts_are_used_up() {
        assert!(matches!(dispose(transient(), &circumstances()), Disposition::Retry { .. }));
        let last = Circumstances { attempt: 5, ..circumstances() };
        assert!(matches!(
            dispose(transient(), &last),
            Disposition::End { status: JobStatus::Failed, is_dead_letter: true, .. }
        ));
    }

    #[test]
    fn a_passing_failure_before_the_work_began_burns_no_attempt_however_often_it_comes() {
        let last = Circumstances { attempt: 5, has_begun: false, ..circumstances() };
        assert!(matches!(dispose(transient(), &last), Disposition::Later { .. }));
        let denied = Outcome::Failed(Failure::permanent("take the lease", "permission denied"));
        assert!(matches!(dispose(denied, &last), Disposition::End { is_dead_letter: false, .. }));
    }

    #[test]
    fn a_failure_that_stays_ends_the_job_at_once_and_is_no_dead_letter() {
        let outcome = Outcome::Failed(Failure::permanent("read the market", "relation does not exist"));
        assert!(matches!(
            dispose(outcome, &circumstances()),
            Disposition::End { status: JobStatus::Failed, is_dead_letter: false, .. }
        ));
    }

    #[test]
    fn an_incomplete_import_is_waited_for_and_then_refused_with_the_figures() {
        let seen = || Outcome::Waiting { seen: "3,412 of 5,600 closes".to_owned() };
        let Disposition::Wait { delay, error } = dispose(seen(), &circumstances()) else {
            panic!("it waits")
        };
        assert_eq!(delay, Duration::from_secs(60));
        assert!(error.contains("3,412 of 5,600 closes"));
        let late = Circumstances { waited: Duration::from_secs(3_600), ..circumstances() };
        let Disposition::End { error, .. } = dispose(seen(), &late) else { panic!("it is refused") };
        assert!(error.contains("3,412 of 5,600 closes"));
    }

    #[test]
    fn a_lost_job_is_left_to_its_new_owner_and_a_stopping_worker_hands_back() {
        for why in [Interruption::Lost, Interruption::Unconfirmed] {
            assert_eq!(dispose(Outcome::Interrupted(why), &circumstances()), Disposition::Abandon);
        }
        let stopping = Outcome::Interrupted(Interruption::Stopping);
        assert_eq!(dispose(stopping, &circumstances()), Disposition::HandBack);
    }

    #[test]
    fn a_cancelled_job_ends_as_cancelled_and_one_over_its_time_as_failed() {
        let cancelled = dispose(Outcome::Interrupted(Interruption::Cancelled), &circumstances());
        assert!(matches!(cancelled, Disposition::End { status: JobStatus::Cancelled, .. }));
        let late = dispose(Outcome::Interrupted(Interruption::TimedOut), &circumstances());
        let Disposition::End { status: JobStatus::Failed, error, .. } = late else { panic!("it fails") };
        assert!(error.contains("30 minutes") && error.contains("at step apply"), "{error}");
    }

    #[test]
    fn a_job_that_does_not_get_on_is_tried_again_and_given_up_in_the_end() {
        let hung = || Outcome::Interrupted(Interruption::Hung);
        let Disposition::Retry { error } = dispose(hung(), &circumstances()) else { panic!("once more") };
        assert!(error.starts_with("hung: no progress at step apply for 300 s"), "{error}");
        let last = Circumstances { attempt: 5, ..circumstances() };
        let Disposition::End { error, is_dead_letter: true, .. } = dispose(hung(), &last) else {
            panic!("a dead letter")
        };
        assert!(error.starts_with("gave up after 5 attempts: hung: "), "{error}");
    }
}
