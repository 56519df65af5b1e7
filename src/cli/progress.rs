//! Waits for a job's end, with a bar on a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::domain::job::JobStatus;

use super::exit::Exit;
use super::picture::Picture;

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
    let bar = Bar::new();
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
                bar.say("out of reach, looking again");
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

/// A bar on standard error; nothing where that is no terminal.
struct Bar(ProgressBar);

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(100);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bar:30} {percent:>3}%  {msg}  {elapsed}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    fn show(&self, picture: &Picture) {
        self.0.set_position(picture.number("percentage"));
        self.0.set_message(line(picture));
    }

    fn say(&self, text: &'static str) {
        self.0.set_message(text);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What a job is at, in a few words.
fn line(picture: &Picture) -> String {
    let task = picture.get("current_task").replace('_', " ");
    match picture.get("status") {
        "running" if !task.is_empty() => format!("running: {task}"),
        "retrying" if !picture.get("error").is_empty() => format!("retrying: {}", picture.get("error")),
        status => status.to_owned(),
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
    fn the_bar_says_what_the_job_is_at() {
        let running = picture(&[("status", "running"), ("current_task", "ipo_assignment")]);
        assert_eq!(line(&running), "running: ipo assignment");
        let waiting = picture(&[("status", "retrying"), ("error", "3,412 of 5,600 closes")]);
        assert_eq!(line(&waiting), "retrying: 3,412 of 5,600 closes");
        assert_eq!(line(&picture(&[("status", "queued")])), "queued");
    }
}
