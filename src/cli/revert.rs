//! `revert`: puts the universes back as they were before a job.

use crate::domain::job::{JobId, JobRequest};
use crate::domain::task::Mode;
use crate::service::preview_revert;
use crate::wire::event::Source;

use super::exit::Exit;
use super::jobs::parse_job_id;
use super::submit::{Following, follow};
use super::{Context, now, screen};

/// Puts the universes back as they were before a job
///
/// Every universe that the job, or one after it, wrote comes back as it stood before. It is a job itself: workers do
/// it, history and audit tell of it with reason `revert`, and it can be reverted in turn. The last 30 runs can be.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync revert eod-2026-01-09 --wait
  job=$(cache-sync revert 0198c3f2-7d1e-7a60-9f3b-2f1f6a3b9c55)
  cache-sync revert $job     (changes its mind)")]
pub struct RevertArgs {
    /// The id of the job to undo, as `jobs` lists it
    job_id: String,
    #[command(flatten)]
    following: Following,
}

/// Runs `revert`.
pub async fn revert(args: &RevertArgs, context: &Context) -> Result<(), Exit> {
    let undone = parse_job_id(&args.job_id)?;
    let service = context.service()?;
    let plan = preview_revert(&service.database, &context.settings.entries, &undone)
        .await?
        .map_err(|refusal| Exit::NotDone(refusal.text))?;
    for warning in &plan.warnings {
        screen::remark(&format!("note: {}", warning.text));
    }
    let request =
        JobRequest { revert_of: Some(undone), ..JobRequest::new(JobId::fresh(), Mode::Revert, "cli", now()) };
    let submitted = service.submit(&request, Source::Job, now()).await?;
    follow(&service, &submitted, &request, &args.following, context).await
}
