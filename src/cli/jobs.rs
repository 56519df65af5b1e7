//! `status` and `jobs`: one job, and the recent ones. Everything about one is in [`account`].

use serde_json::Value;

use crate::domain::job::JobId;
use crate::render::job::{render_jobs, render_status};
use crate::render::picture::Picture;
use crate::service::Service;
use crate::worker::announce::status_of;

use super::account;
use super::exit::Exit;
use super::progress::wait_for_end;
use super::screen;
use super::{Context, now};

/// Shows one job: where it stands, what it changed, what went wrong
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync status 0198c3f2-7d1e-7a60-9f3b-2f1f6a3b9c55
  cache-sync status eod-2026-01-09 --watch
  cache-sync status eod-2026-01-09 --json | jq .total_changes")]
pub struct StatusArgs {
    /// The job's id, as `submit` and `jobs` print it
    job_id: String,
    /// Follow it to its end
    #[arg(long)]
    watch: bool,
    /// Print a JSON object with the fields of the status hash
    #[arg(long)]
    json: bool,
}

/// Lists recent jobs, newest first, or shows everything about one
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  cache-sync jobs
  cache-sync jobs show eod-2026-01-09
  cache-sync jobs --limit 200 --json | jq -r '.[] | select(.status == \"failed\") | .job_id'"
)]
pub struct JobsArgs {
    /// What to do with one.
    #[command(subcommand)]
    command: Option<JobsCommand>,
    /// How many, up to 1000
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Print a JSON array of objects with the fields of the status hash
    #[arg(long)]
    json: bool,
}

/// What can be done with one job.
#[derive(Debug, clap::Subcommand)]
enum JobsCommand {
    Show(account::ShowArgs),
}

/// Runs `status`.
pub async fn status(args: &StatusArgs, context: &Context) -> Result<(), Exit> {
    let job_id = parse_job_id(&args.job_id)?;
    let service = context.service()?;
    let picture = if args.watch {
        wait_for_end(async || look(&service, &job_id).await, None).await?
    } else {
        look(&service, &job_id).await?
    };
    show(&picture, args.json, context)
}

/// Runs `jobs`.
pub async fn jobs(args: &JobsArgs, context: &Context) -> Result<(), Exit> {
    if let Some(JobsCommand::Show(args)) = &args.command {
        return account::show(args, context).await;
    }
    let rows = context.service()?.recent_jobs(args.limit.into(), 0).await?;
    let pictures: Vec<Picture> =
        rows.iter().map(|row| Picture::of(&status_of(row, row.last_seq, row.updated_at))).collect();
    if args.json {
        screen::print_json(&Value::Array(pictures.iter().map(Picture::to_json).collect()))
    } else {
        screen::print(&render_jobs(&pictures, now(), &context.style))
    }
}

/// Prints one job.
pub fn show(picture: &Picture, json: bool, context: &Context) -> Result<(), Exit> {
    if json {
        screen::print_json(&picture.to_json())
    } else {
        screen::print(&render_status(picture, now(), &context.style))
    }
}

/// A job's id from the command line; what can't be one is an unknown job.
pub fn parse_job_id(text: &str) -> Result<JobId, Exit> {
    JobId::parse(text).ok_or_else(|| unknown_job(text))
}

/// What is known of a job now.
pub async fn look(service: &Service, job_id: &JobId) -> Result<Picture, Exit> {
    let status = service.status(job_id).await?;
    status.map(|status| Picture::of(&status)).ok_or_else(|| unknown_job(job_id.as_str()))
}

/// What is said of an id that no job has.
pub fn unknown_job(job_id: &str) -> Exit {
    Exit::NotDone(format!("there is no job {job_id:?}; `cache-sync jobs` lists the recent ones"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_jobs_can_be_limited_and_one_can_be_shown() {
        #[derive(Debug, clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: JobsArgs,
        }
        let parse =
            |line: &str| <Line as clap::Parser>::try_parse_from(line.split(' ')).map(|line| line.args);
        let listed = parse("jobs --limit 5").expect("valid");
        assert_eq!((listed.limit, listed.command.is_none()), (5, true));
        assert!(parse("jobs").is_ok_and(|args| args.limit == 20));
        assert!(parse("jobs show eod --json").is_ok_and(|args| args.command.is_some()));
        assert!(parse("jobs show").is_err() && parse("jobs eod").is_err());
    }

    #[test]
    fn what_can_be_no_job_is_an_unknown_job() {
        assert_eq!(parse_job_id("a:b").expect_err("no id").code(), 1);
    }
}
