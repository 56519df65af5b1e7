//! `submit`: asks for a job, and may wait for its end.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use serde_json::json;

use crate::domain::job::{JobId, JobRequest, JobStatus};
use crate::domain::task::Mode;

use crate::redis::stream_state;
use crate::service::{Service, Submitted};
use crate::wire::entry;
use crate::wire::event::Origin;

use super::exit::Exit;
use super::jobs::{look, show};
use super::picture::Picture;
use super::progress::{outcome, wait_for_end};
use super::{Context, now, screen};

/// How long a job may wait before somebody looks for a worker: one that lives takes it within a second.
const LOOK_OUT_AFTER: Duration = Duration::from_secs(3);

/// Asks for a sync and prints the job's id
///
/// The job is accepted once its id is printed: it will be done by the workers, whatever happens to Redis or to this
/// command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync submit --wait
  cache-sync submit --wait --fail-on-held --timeout 3600     (in a script: exit 1 unless all went well)
  cache-sync submit --mode ipos --as-of 2026-01-09
  cache-sync submit --accept-churn --wait --timeout 600     (after a look at: cache-sync plan)
  job=$(cache-sync submit --dedupe-key eod:2026-01-09)")]
pub struct SubmitArgs {
    /// What to do
    #[arg(long, default_value = "full", value_parser = mode_parser())]
    mode: Mode,
    /// Skip the checks that only save work; it opens no guard and changes no date
    #[arg(long)]
    force: bool,
    /// Believe changes that the size guards would hold back
    #[arg(long)]
    accept_churn: bool,
    /// The date to sync [default: the newest complete one]
    #[arg(long, value_name = "DATE")]
    as_of: Option<NaiveDate>,
    /// The job's id, 1 to 64 of A-Z a-z 0-9 _ . - [default: a new one]
    #[arg(long, value_name = "ID", value_parser = job_id)]
    job_id: Option<JobId>,
    /// One job per key while that one is unfinished or done for its date; a second request gets the first one's id
    #[arg(long, value_name = "KEY")]
    dedupe_key: Option<String>,
    /// A run of yours that the job belongs to; it is passed through to events and status
    #[arg(long, value_name = "RUN")]
    run_id: Option<String>,
    /// Who asks; eod_import and scheduler wait for a complete import and do nothing twice
    #[arg(long, value_name = "NAME", default_value = "cli", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    triggered_by: String,
    #[command(flatten)]
    following: Following,
}

/// What a command does once its job is accepted.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Following {
    /// Wait for the job's end and exit 0 only if it completed; Ctrl-C leaves the job alone
    #[arg(long)]
    pub wait: bool,
    /// Wait at most so many seconds
    #[arg(long, value_name = "SECONDS", requires = "wait")]
    timeout: Option<u64>,
    /// Exit 1 as well where a guard held a universe
    #[arg(long, requires = "wait")]
    fail_on_held: bool,
    /// Exit 1 as well where there is a warning
    #[arg(long, requires = "wait")]
    fail_on_warning: bool,
    /// Print a JSON object: job_id and duplicate, or with --wait the fields of the status hash
    #[arg(long)]
    pub json: bool,
}

impl Following {
    /// What is wrong with a job that completed, for whoever asked to hear of it.
    fn complaint(&self, picture: &Picture) -> Option<String> {
        let of = |is_asked: bool, field: &str| if is_asked { picture.list(field) } else { Vec::new() };
        let held = of(self.fail_on_held, "held_universes");
        let warnings = of(self.fail_on_warning, "warnings");
        let text = if !held.is_empty() {
            format!("held {}: {}", screen::counted(held.len(), "universe", "universes"), held.join(", "))
        } else if let Some(first) = warnings.first() {
            format!("has {}: {first}", screen::counted(warnings.len(), "warning", "warnings"))
        } else {
            return None;
        };
        Some(format!("job {} {text}", picture.get("job_id")))
    }

    /// The longest wait.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout.map(Duration::from_secs)
    }
}

impl SubmitArgs {
    /// What is asked for.
    pub fn request(&self, now: DateTime<Utc>) -> JobRequest {
        let job_id = self.job_id.clone().unwrap_or_else(JobId::fresh);
        JobRequest {
            force: self.force,
            accept_churn: self.accept_churn,
            run_id: self.run_id.clone(),
            dedupe_key: self.dedupe_key.clone(),
            as_of: self.as_of,
            ..JobRequest::new(job_id, self.mode, &self.triggered_by, now)
        }
    }
}

/// The modes that may be asked for; a revert has a command of its own.
pub fn mode_parser() -> impl TypedValueParser<Value = Mode> {
    let modes = Mode::ALL.iter().filter(|mode| **mode != Mode::Revert).map(|mode| mode.as_str());
    PossibleValuesParser::new(modes.collect::<Vec<_>>())
        .try_map(|text| Mode::from_text(&text).ok_or("it is no mode"))
}

fn job_id(text: &str) -> Result<JobId, String> {
    JobId::parse(text).ok_or_else(|| "a job id has 1 to 64 of A-Z a-z 0-9 _ . -".to_owned())
}

/// Runs `submit`.
pub async fn submit(args: &SubmitArgs, context: &Context) -> Result<(), Exit> {
    let request = args.request(now());
    entry::check(&request).map_err(|rejection| Exit::Usage(rejection.to_string()))?;
    let service = context.service()?;
    let submitted = service.submit(&request, Origin::Job, now()).await?;
    follow(&service, &submitted, &request, &args.following, context).await
}

/// Prints the id of a job that was asked for, or waits for its end and shows that.
pub async fn follow(
    service: &Service,
    submitted: &Submitted,
    request: &JobRequest,
    following: &Following,
    context: &Context,
) -> Result<(), Exit> {
    if let Some(note) = note(submitted, request) {
        screen::remark(&format!("note: {note}"));
    }
    if !following.wait {
        return if following.json {
            screen::print_json(&json!({"job_id": submitted.job_id, "duplicate": submitted.is_duplicate}))
        } else {
            screen::print(&format!("{}\n", submitted.job_id))
        };
    }
    wait(service, &submitted.job_id, following, context).await
}

async fn wait(
    service: &Service,
    job_id: &JobId,
    following: &Following,
    context: &Context,
) -> Result<(), Exit> {
    if !following.json {
        // At once: whoever breaks off the waiting has the id.
        screen::print(&format!("{job_id}\n"))?;
    }
    let mut lookout = Lookout::new();
    let look = async || {
        let picture = look(service, job_id).await?;
        lookout.look(service, &picture).await;
        Ok(picture)
    };
    let ended = wait_for_end(look, following.timeout()).await;
    if ended == Err(Exit::Interrupted) {
        screen::remark(&format!(
            "note: the job goes on; look again with: cache-sync status {job_id} --watch"
        ));
    }
    let picture = ended?;
    show(&picture, following.json, context)?;
    outcome(&picture)?;
    following.complaint(&picture).map_or(Ok(()), |complaint| Err(Exit::NotDone(complaint)))
}

/// Looks out for a worker while a job waits: without one it waits for ever.
struct Lookout {
    began: Instant,
    is_said: bool,
}

impl Lookout {
    fn new() -> Self {
        Self { began: Instant::now(), is_said: false }
    }

    /// Says once that nobody reads the job stream, where that is so.
    async fn look(&mut self, service: &Service, picture: &Picture) {
        let is_waiting = matches!(picture.status(), Some(JobStatus::Queued | JobStatus::Retrying));
        if self.is_said || !is_waiting || self.began.elapsed() < LOOK_OUT_AFTER {
            return;
        }
        let Ok(state) = stream_state::look(&service.redis, &service.names).await else { return };
        if state.living_readers().next().is_none() {
            self.is_said = true;
            screen::remark("note: no worker reads the job stream; start one with: cache-sync worker");
        }
    }
}

/// What the id alone does not say.
fn note(submitted: &Submitted, request: &JobRequest) -> Option<String> {
    let Submitted { job_id, is_duplicate, delayed } = submitted;
    if *is_duplicate {
        let why = match &request.dedupe_key {
            Some(key) if *job_id != request.job_id => format!("stands for the dedupe key {key:?}"),
            _ => "is known".to_owned(),
        };
        return Some(format!("job {job_id} {why} already; nothing was added"));
    }
    let failure = delayed.as_ref()?;
    Some(format!(
        "job {job_id} is accepted, but not on the stream yet ({failure}); a worker will put it there"
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: SubmitArgs,
    }

    fn parse(line: &str) -> Result<SubmitArgs, clap::Error> {
        let words = std::iter::once("submit").chain(line.split_whitespace());
        Line::try_parse_from(words).map(|line| line.args)
    }

    #[test]
    fn a_bare_submit_asks_for_everything_under_a_new_id() {
        let now = Utc::now();
        let request = parse("").expect("valid").request(now);
        assert_eq!(request, JobRequest::new(request.job_id.clone(), Mode::Full, "cli", now));
        assert_ne!(request.job_id, parse("").expect("valid").request(now).job_id);
    }

    #[test]
    fn every_flag_reaches_the_request() {
        let args = parse(
            "--mode ipos --force --accept-churn --as-of 2026-01-09 --job-id j1 --dedupe-key k --run-id r \
             --triggered-by scheduler --wait --timeout 60",
        )
        .expect("valid");
        let now = Utc::now();
        let request = args.request(now);
        assert_eq!(
            request,
            JobRequest {
                force: true,
                accept_churn: true,
                run_id: Some("r".to_owned()),
                dedupe_key: Some("k".to_owned()),
                as_of: NaiveDate::from_ymd_opt(2026, 1, 9),
                ..JobRequest::new(JobId::parse("j1").expect("an id"), Mode::Ipos, "scheduler", now)
            }
        );
        assert_eq!((args.following.wait, args.following.timeout()), (true, Some(Duration::from_secs(60))));
    }

    #[test]
    fn a_note_tells_what_the_id_alone_does_not() {
        let args = parse("--job-id j2 --dedupe-key k").expect("valid");
        let request = args.request(Utc::now());
        let told = |job_id: &str, is_duplicate, delayed| {
            let job_id = JobId::parse(job_id).expect("an id");
            note(&Submitted { job_id, is_duplicate, delayed }, &request)
        };
        assert_eq!(told("j2", false, None), None);
        assert_eq!(
            told("j1", true, None).as_deref(),
            Some("job j1 stands for the dedupe key \"k\" already; nothing was added")
        );
        assert_eq!(told("j2", true, None).as_deref(), Some("job j2 is known already; nothing was added"));
        let away = crate::failure::Failure::transient("put the job on the stream", "connection refused");
        assert_eq!(
            told("j2", false, Some(away)).as_deref(),
            Some(
                "job j2 is accepted, but not on the stream yet (temporarily unable to put the job on the stream: \
                 connection refused); a worker will put it there"
            )
        );
    }

    #[test]
    fn a_script_hears_of_held_universes_and_warnings_only_where_it_asks() {
        let completed =
            [("job_id", "j1"), ("held_universes", r#"["ai","top_100"]"#), ("warnings", r#"["held: ai"]"#)];
        let picture = Picture::of_fields(completed.map(|(name, text)| (name.to_owned(), text.to_owned())));
        let complaint = |line: &str| parse(line).expect("valid").following.complaint(&picture);
        assert_eq!(complaint("--wait"), None);
        assert_eq!(
            complaint("--wait --fail-on-held --fail-on-warning").as_deref(),
            Some("job j1 held 2 universes: ai, top_100")
        );
        assert_eq!(complaint("--wait --fail-on-warning").as_deref(), Some("job j1 has 1 warning: held: ai"));
        assert!(parse("--fail-on-held").is_err(), "there is nothing to hear without waiting");
    }

    #[test]
    fn what_can_not_be_asked_for_is_a_usage_error() {
        for line in ["--mode revert", "--mode FULL", "--as-of tomorrow", "--job-id a:b", "--timeout 5"] {
            assert_eq!(parse(line).expect_err(line).exit_code(), 2);
        }
    }
}
