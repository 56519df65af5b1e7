//! `status` and `jobs`: one job, and the recent ones. Everything about one is in [`account`].

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domain::job::{JobId, JobStatus};
use crate::service::Service;
use crate::worker::announce::status_of;

use super::account;
use super::exit::Exit;
use super::picture::Picture;
use super::progress::wait_for_end;
use super::screen::{self, Cell, Ink, Style, Table};
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

/// A table of jobs, in the order given.
pub fn render_jobs(jobs: &[Picture], now: DateTime<Utc>, style: &Style) -> String {
    if jobs.is_empty() {
        return "No jobs yet; ask for one with: cache-sync submit\n".to_owned();
    }
    let mut table =
        Table::new(["JOB", "MODE", "STATUS", "AS OF", "ASKED FOR", "BY", "#TOOK", "#CHANGES", "NOTE"]);
    for job in jobs {
        table.row([
            job.get("job_id").into(),
            job.get("mode").into(),
            Cell::new(status_ink(job), job.get("status")),
            job.get("as_of").into(),
            job.time("created_at").map(|at| screen::when(at, now)).unwrap_or_default().into(),
            job.get("triggered_by").into(),
            took(job, now).into(),
            changes(job).into(),
            note(job).into(),
        ]);
    }
    table.render(style)
}

/// One job, for a person.
pub fn render_status(job: &Picture, now: DateTime<Utc>, style: &Style) -> String {
    let mut facts = facts(job, now);
    facts.extend([
        ("updated", job.list("universes_updated").join(", ")),
        ("held", job.list("held_universes").join(", ")),
        ("error", job.get("error").to_owned()),
    ]);
    render_heading(job, style)
        + &render_facts(&facts, style)
        + &render_tasks(job, style)
        + &render_warnings(&job.list("warnings"), style)
}

/// Which job it is, and where it stands.
pub fn render_heading(job: &Picture, style: &Style) -> String {
    format!(
        "Job {}: {}\n\n",
        style.paint(Ink::Bold, &screen::printable(job.get("job_id"))),
        style.paint(status_ink(job), job.get("status"))
    )
}

/// What is known of a job in a few words each, empty where it is not.
pub fn facts(job: &Picture, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let asked = job.time("created_at").map(|at| screen::when(at, now)).unwrap_or_default();
    let attempt = match (job.get("attempt"), job.get("worker")) {
        ("" | "0", _) => String::new(),
        (attempt, "") => attempt.to_owned(),
        (attempt, worker) => format!("{attempt}, by {worker}"),
    };
    let of_universes = match job.list("universes_updated").len() {
        0 => String::new(),
        universes => format!(" in {}", screen::counted(universes, "universe", "universes")),
    };
    vec![
        ("mode", job.get("mode").to_owned()),
        ("as of", job.get("as_of").to_owned()),
        ("asked for", format!("{asked} by {}", job.get("triggered_by"))),
        ("run", job.get("run_id").to_owned()),
        ("replay of", job.get("replay_of").to_owned()),
        ("attempt", attempt),
        ("at work on", job.get("current_task").to_owned()),
        ("took", took(job, now)),
        ("changes", format!("{}{of_universes}", changes(job))),
    ]
}

/// Facts below one another; those that are empty are left out.
pub fn render_facts(facts: &[(&str, String)], style: &Style) -> String {
    let mut table = Table::new(["", ""]);
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        let ink = if *name == "error" { Ink::Red } else { Ink::Plain };
        table.row([Cell::new(Ink::Dim, format!("  {name}")), Cell::new(ink, value.as_str())]);
    }
    table.render(style)
}

/// The sub-tasks and how each went, with a blank line before them; nothing where none is done.
pub fn render_tasks(job: &Picture, style: &Style) -> String {
    let tasks = job.object("task_results");
    if tasks.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["  SUB-TASK", "STATUS", "#CHANGES", "#TOOK"]);
    for (task, result) in tasks {
        let changes = result["changes"].as_u64().map(screen::thousands).unwrap_or_default();
        let took = result["duration_seconds"].as_f64().map(screen::duration).unwrap_or_default();
        table.row([
            format!("  {task}").into(),
            result["status"].as_str().unwrap_or_default().into(),
            changes.into(),
            took.into(),
        ]);
    }
    format!("\n{}", table.render(style))
}

/// Warnings as a list, with a blank line before them; nothing where there are none.
pub fn render_warnings(warnings: &[String], style: &Style) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["", ""]);
    for warning in warnings {
        table.row([Cell::new(Ink::Yellow, "  !"), warning.as_str().into()]);
    }
    format!("\n{}\n{}", style.paint(Ink::Bold, "Warnings"), table.render(style))
}

fn status_ink(job: &Picture) -> Ink {
    match job.status() {
        Some(JobStatus::Completed) if job.list("held_universes").is_empty() => Ink::Green,
        Some(JobStatus::Completed | JobStatus::Retrying) => Ink::Yellow,
        Some(JobStatus::Failed) => Ink::Red,
        Some(JobStatus::Queued | JobStatus::Running | JobStatus::Cancelled) | None => Ink::Plain,
    }
}

/// How long it took, or has been taking until `now`.
fn took(job: &Picture, now: DateTime<Utc>) -> String {
    let so_far = || {
        let start = job.time("start_time").filter(|_| !job.is_final())?;
        Some((now - start).num_milliseconds() as f64 / 1000.0)
    };
    let seconds = job.get("duration_seconds").parse().ok().or_else(so_far);
    seconds.map(screen::duration).unwrap_or_default()
}

/// How many memberships it changed; nothing to say before its end.
fn changes(job: &Picture) -> String {
    if job.is_final() { screen::thousands(job.number("total_changes")) } else { String::new() }
}

/// The most important thing to know of a job, in one line.
fn note(job: &Picture) -> String {
    let held = job.list("held_universes");
    let warnings = job.list("warnings").len();
    if !job.get("error").is_empty() {
        job.get("error").to_owned()
    } else if !held.is_empty() {
        format!("held: {}", held.join(", "))
    } else if warnings > 0 {
        screen::counted(warnings, "warning", "warnings")
    } else {
        job.get("current_task").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::task::Mode;
    use crate::wire::status::StatusHash;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    /// A job that has just been accepted.
    fn queued(job_id: &str) -> StatusHash {
        StatusHash {
            mode: Some(Mode::Full),
            total_items: 5,
            triggered_by: "eod_import".to_owned(),
            created_at: Some(at("2026-01-09T21:10:00Z")),
            updated_at: Some(at("2026-01-09T21:10:00Z")),
            ..StatusHash::new(JobId::parse(job_id).expect("a job id"), JobStatus::Queued, 1)
        }
    }

    /// A job at its second sub-task.
    fn running() -> StatusHash {
        StatusHash {
            status: JobStatus::Running,
            attempt: 1,
            start_time: Some(at("2026-01-09T21:39:57Z")),
            ..queued("fourth")
        }
    }

    /// A job that did its work, with a universe held.
    fn completed() -> StatusHash {
        let tasks = json!({"market_cap_recalculation": {"status": "completed", "changes": 1249, "duration_seconds": 0.218}});
        StatusHash {
            status: JobStatus::Completed,
            completed: 5,
            as_of: "2026-01-09".parse().ok(),
            attempt: 1,
            start_time: Some(at("2026-01-09T21:10:01Z")),
            end_time: Some(at("2026-01-09T21:10:02.212Z")),
            duration_ms: Some(1_212),
            worker: Some("alpha-71-9f3b".to_owned()),
            warnings: vec!["held: large_cap: 31 of 712 would change".to_owned()],
            seq: 1_000_031,
            total_changes: 1_249,
            universes_updated: vec!["all_stocks".to_owned(), "top_100".to_owned()],
            held_universes: vec!["large_cap".to_owned()],
            task_results: serde_json::from_value(tasks).expect("results"),
            ..queued("eod-2026-01-09")
        }
    }

    fn failed() -> StatusHash {
        StatusHash {
            status: JobStatus::Failed,
            attempt: 5,
            duration_ms: Some(1_299_000),
            error: "active_drop: 3,100 active stocks, 5,600 in the last good run".to_owned(),
            ..queued("second")
        }
    }

    #[test]
    fn jobs_are_listed_a_line_each() {
        let now = at("2026-01-09T21:40:00Z");
        let jobs = [running(), queued("third"), failed(), completed()].map(|status| Picture::of(&status));
        insta::assert_snapshot!(render_jobs(&jobs, now, &Style { width: 140, ..Style::PLAIN }), @r"
        JOB             MODE  STATUS     AS OF       ASKED FOR   BY                 TOOK  CHANGES  NOTE
        fourth          full  running                30 min ago  eod_import        3.0 s
        third           full  queued                 30 min ago  eod_import
        second          full  failed                 30 min ago  eod_import  21 min 39 s        0  active_drop: 3,100 active stocks, 5,600 in the
                                                                                                   last good run
        eod-2026-01-09  full  completed  2026-01-09  30 min ago  eod_import        1.2 s    1,249  held: large_cap
        ");
        assert_eq!(
            render_jobs(&[], now, &Style::PLAIN),
            "No jobs yet; ask for one with: cache-sync submit\n"
        );
    }

    #[test]
    fn a_status_shows_what_is_known_and_nothing_else() {
        let now = at("2026-01-09T21:40:00Z");
        insta::assert_snapshot!(render_status(&Picture::of(&completed()), now, &Style::PLAIN), @r"
        Job eod-2026-01-09: completed

          mode       full
          as of      2026-01-09
          asked for  30 min ago by eod_import
          attempt    1, by alpha-71-9f3b
          took       1.2 s
          changes    1,249 in 2 universes
          updated    all_stocks, top_100
          held       large_cap

          SUB-TASK                  STATUS     CHANGES  TOOK
          market_cap_recalculation  completed    1,249  218 ms

        Warnings
          !  held: large_cap: 31 of 712 would change
        ");
        insta::assert_snapshot!(render_status(&Picture::of(&queued("third")), now, &Style::PLAIN), @r"
        Job third: queued

          mode       full
          asked for  30 min ago by eod_import
        ");
    }

    #[test]
    fn json_has_the_fields_of_the_status_hash_with_their_types() {
        insta::assert_snapshot!(format!("{:#}", Picture::of(&completed()).to_json()), @r#"
        {
          "job_id": "eod-2026-01-09",
          "mode": "full",
          "status": "completed",
          "phase": "cache_sync",
          "current_task": null,
          "completed": 5,
          "total_items": 5,
          "percentage": 100,
          "attempt": 1,
          "worker": "alpha-71-9f3b",
          "triggered_by": "eod_import",
          "run_id": null,
          "as_of": "2026-01-09",
          "created_at": "2026-01-09T21:10:00.000Z",
          "start_time": "2026-01-09T21:10:01.000Z",
          "end_time": "2026-01-09T21:10:02.212Z",
          "updated_at": "2026-01-09T21:10:00.000Z",
          "duration_seconds": 1.212,
          "total_changes": 1249,
          "universes_updated": [
            "all_stocks",
            "top_100"
          ],
          "held_universes": [
            "large_cap"
          ],
          "task_results": {
            "market_cap_recalculation": {
              "status": "completed",
              "changes": 1249,
              "duration_seconds": 0.218
            }
          },
          "warnings": [
            "held: large_cap: 31 of 712 would change"
          ],
          "error": null,
          "replay_of": null,
          "seq": 1000031
        }
        "#);
    }

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
