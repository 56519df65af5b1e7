//! `cancel`: asks for the end of a job.

use serde_json::json;

use crate::domain::job::{JobId, JobStatus};
use crate::service::Cancellation;

use super::exit::Exit;
use super::jobs::{parse_job_id, unknown_job};
use super::{Context, now, screen};

/// Asks for the end of a job, from any machine
///
/// A job that no worker has begun, or that waits for its import or for another try, is cancelled at once. One at work
/// is rolled back by its worker within a second: nothing of it stays. What has ended stays as it is; to undo that,
/// see: cache-sync revert --help
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync cancel eod-2026-01-09
  cache-sync cancel eod-2026-01-09 && cache-sync status eod-2026-01-09 --watch")]
pub struct CancelArgs {
    /// The job's id, as `submit` and `jobs` print it
    job_id: String,
    /// Print a JSON object: job_id, and status, which is cancelled, or running until its worker has let go of it
    #[arg(long)]
    json: bool,
}

/// Runs `cancel`.
pub async fn cancel(args: &CancelArgs, context: &Context) -> Result<(), Exit> {
    let job_id = parse_job_id(&args.job_id)?;
    let cancellation = context.service()?.cancel(&job_id, now()).await?;
    let (status, text) = told(&job_id, cancellation)?;
    if args.json {
        screen::print_json(&json!({"job_id": job_id, "status": status}))
    } else {
        screen::print(&format!("{text}\n"))
    }
}

/// The status that follows and a sentence for a person; an error where there was nothing to cancel.
fn told(job_id: &JobId, cancellation: Cancellation) -> Result<(JobStatus, String), Exit> {
    match cancellation {
        Cancellation::Cancelled => Ok((JobStatus::Cancelled, format!("job {job_id} is cancelled"))),
        Cancellation::Requested => Ok((
            JobStatus::Running,
            format!(
                "job {job_id} is asked to end; its worker rolls it back within a second \
                 (cache-sync status {job_id} --watch)"
            ),
        )),
        Cancellation::Ended(status) => {
            Err(Exit::NotDone(format!("job {job_id} can't be cancelled: it has ended already, as {status}")))
        }
        Cancellation::Unknown => Err(unknown_job(job_id.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_the_wish_is_told_in_a_sentence() {
        let told = |cancellation| told(&JobId::parse("eod").expect("an id"), cancellation);
        assert_eq!(
            told(Cancellation::Cancelled),
            Ok((JobStatus::Cancelled, "job eod is cancelled".to_owned()))
        );
        assert_eq!(
            told(Cancellation::Requested).expect("it is asked for").1,
            "job eod is asked to end; its worker rolls it back within a second (cache-sync status eod --watch)"
        );
        assert_eq!(
            told(Cancellation::Ended(JobStatus::Completed)),
            Err(Exit::NotDone("job eod can't be cancelled: it has ended already, as completed".to_owned()))
        );
        assert_eq!(told(Cancellation::Unknown).expect_err("there is none").code(), 1);
    }
}
