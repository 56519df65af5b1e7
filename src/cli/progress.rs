//! Waits for a job's end: with a bar on a terminal, else with a line for each change.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressStyle};

use crate::domain::job::JobStatus;
use crate::worker::announce::NEXT_ATTEMPT;

use super::exit::Exit;
use super::picture::Picture;
use super::{now, screen};

/// Time between two looks: quick to the eye, and nothing to the servers.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// How long a server may be away before the waiting ends. The job itself does not mind.
const RECONNECT_FOR: Duration = Duration::from_secs(30);

/// Looks at a job until it has ended, and returns its last picture. The job goes on whatever happens here.
///
/// # Errors
/// [`Exit::Interrupted`] on Ctrl-C, [`Exit::NotDone`] after `timeout`, and what `look` returns; a server that is away
/// is given half a minute.
pub async fn wait_for_end(
    mut look: impl AsyncFnMut() -> Result<Picture, Exit>,
    timeout: Option<Duration>,
) -> Result<Picture, Exit> {
    let mut bar = Bar::new();
    let began = Instant::now();
    let mut last_seen = began;
    let mut job_id = String::new();
    loop {
        match look().await {
            Ok(picture) if picture.is_final() => return Ok(picture),
            Ok(picture) => {
                last_seen = Instant::now();
                picture.get("job_id").clone_into(&mut job_id);
                bar.show(&picture);
            }
            Err(Exit::OutOfReach(_)) if last_seen.elapsed() < RECONNECT_FOR => {
                bar.say("out of reach, looking again", None);
            }
            Err(exit) => return Err(exit),
        }
        if timeout.is_some_and(|timeout| began.elapsed() >= timeout) {
            return Err(Exit::NotDone(format!(
                "the job has not ended within {} s and goes on; look again with: cache-sync status {job_id}",
                timeout.unwrap_or_default().as_secs()
            )));
        }
        tokio::select! {
            () = tokio::time::sleep(BETWEEN_LOOKS) => {}
            _ = tokio::signal::ctrl_c() => return Err(Exit::Interrupted),
        }
    }
}

/// The exit of a command that waited for this job.
pub fn outcome(picture: &Picture) -> Result<(), Exit> {
    let job_id = picture.get("job_id");
    match picture.status() {
        Some(JobStatus::Failed) => {
            Err(Exit::NotDone(format!("job {job_id} failed: {}", picture.get("error"))))
        }
        Some(JobStatus::Cancelled) => Err(Exit::NotDone(format!("job {job_id} was cancelled"))),
        _ => Ok(()),
    }
}

/// A bar on standard error; where that is no terminal, a line whenever the job is at something else.
struct Bar {
    shown: ProgressBar,
    last: String,
    is_terminal: bool,
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(100);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:30} {percent:>3}%  {msg}  {elapsed}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { shown: bar, last: String::new(), is_terminal: io::stderr().is_terminal() }
    }

    fn show(&mut self, picture: &Picture) {
        self.shown.set_position(picture.number("percentage"));
        self.say(&state(picture), next_look(picture));
    }

    /// What the job is at is told once; when it goes on, beside it.
    fn say(&mut self, state: &str, next_look: Option<String>) {
        let line = next_look.map_or_else(|| state.to_owned(), |next| format!("{state}, {next}"));
        // A job that waits runs for a moment at each look, and is at nothing yet.
        if !self.is_terminal && self.last != state && state != JobStatus::Running.as_str() {
            screen::remark(&screen::printable(&line));
            state.clone_into(&mut self.last);
        }
        self.shown.set_message(line);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.shown.finish_and_clear();
    }
}

/// What a job is at, in a few words. One that is to be looked at again waits: the error says what for.
fn state(picture: &Picture) -> String {
    let task = picture.get("current_task").replace('_', " ");
    match (picture.status(), waits_for(picture).0) {
        (Some(JobStatus::Running), _) if !task.is_empty() => format!("running: {task}"),
        (Some(JobStatus::Retrying), "") => "waiting".to_owned(),
        (Some(JobStatus::Retrying), reason) if reason.starts_with("waiting") => reason.to_owned(),
        (Some(JobStatus::Retrying), reason) => format!("waiting to try again: {reason}"),
        _ => picture.get("status").to_owned(),
    }
}

/// When a job that waits is looked at again, as far as that is known.
fn next_look(picture: &Picture) -> Option<String> {
    let at = waits_for(picture).1.filter(|_| picture.status() == Some(JobStatus::Retrying))?;
    Some(format!("next look {}", screen::when(at, now())))
}

/// What a job waits for, and until when: the status says both in one sentence.
fn waits_for(picture: &Picture) -> (&str, Option<DateTime<Utc>>) {
    let error = picture.get("error");
    let parts = error.rsplit_once(NEXT_ATTEMPT).map(|(reason, at)| (reason, at.parse()));
    match parts {
        Some((reason, Ok(at))) => (reason, Some(at)),
        Some((_, Err(_))) | None => (error, None),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    fn picture(fields: &[(&str, &str)]) -> Picture {
        Picture::of_fields(fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    async fn wait(looks: Vec<Result<Picture, Exit>>, timeout: Option<Duration>) -> Result<Picture, Exit> {
        let mut looks = VecDeque::from(looks);
        wait_for_end(async || looks.pop_front().expect("nobody looks after the end"), timeout).await
    }

    #[tokio::test]
    async fn waiting_ends_with_the_job_and_survives_a_server_that_is_away() {
        let completed = picture(&[("status", "completed")]);
        let looks = vec![
            Ok(picture(&[("status", "queued")])),
            Err(Exit::OutOfReach("connection refused".to_owned())),
            Ok(completed.clone()),
        ];
        assert_eq!(wait(looks, None).await, Ok(completed));
    }

    #[tokio::test]
    async fn waiting_ends_with_an_error_that_stays_and_at_the_timeout() {
        let unknown = Exit::NotDone("no such job".to_owned());
        assert_eq!(wait(vec![Err(unknown.clone())], None).await, Err(unknown));
        let running = Ok(picture(&[("job_id", "j1"), ("status", "running")]));
        let exit = wait(vec![running], Some(Duration::ZERO)).await.expect_err("it is over");
        assert_eq!(
            exit.message(),
            Some("the job has not ended within 0 s and goes on; look again with: cache-sync status j1")
        );
    }

    #[test]
    fn a_job_that_failed_or_was_cancelled_is_not_done() {
        let failed = picture(&[("job_id", "j1"), ("status", "failed"), ("error", "no closes")]);
        assert_eq!(outcome(&failed), Err(Exit::NotDone("job j1 failed: no closes".to_owned())));
        assert_eq!(outcome(&picture(&[("status", "cancelled")])).expect_err("cancelled").code(), 1);
        assert_eq!(outcome(&picture(&[("status", "completed")])), Ok(()));
    }

    #[test]
    fn what_the_job_is_at_is_said_in_a_few_words() {
        let running = picture(&[("status", "running"), ("current_task", "ipo_assignment")]);
        assert_eq!(state(&running), "running: ipo assignment");
        let waits = |error| picture(&[("status", "retrying"), ("error", error)]);
        let import = "waiting for the import: 3,412 of 5,600 closes on 2026-01-09";
        assert_eq!(state(&waits(import)), import);
        assert_eq!(state(&waits("Redis is away")), "waiting to try again: Redis is away");
        assert_eq!((state(&waits("")), next_look(&waits(""))), ("waiting".to_owned(), None));
        assert_eq!(state(&picture(&[("status", "queued")])), "queued");
        let in_a_minute = screen::iso(now() + chrono::TimeDelta::milliseconds(59_900));
        let again = waits(&format!("{import}; next attempt at {in_a_minute}"));
        assert_eq!(
            (state(&again).as_str(), next_look(&again).as_deref()),
            (import, Some("next look in 59 s"))
        );
    }
}
