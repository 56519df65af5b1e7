//! Tells progress while a job is planned: best effort, and never in its way.
//!
//! A task of its own first relays what the job already owes (that it started), then tells each finished sub-task.
//! While an earlier event of the job is unsent nothing is told, for listeners would see it out of order; what is
//! missed is missed, since the end of the job tells all of it.

use std::time::Duration;

use chrono::Utc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tracing::debug;

use super::announce::{Announcer, Progress};
use super::relay::Relay;
use crate::domain::task::SyncTask;
use crate::store::jobs::JobRow;
use crate::wire::seq::Numbers;

/// How long the end of an attempt waits for progress that is being told, so that listeners see all of it where
/// Redis is quick.
const GRACE: Duration = Duration::from_millis(250);

/// Sub-tasks told of in one message, where they end faster than Redis answers: as many as a job has.
const AT_ONCE: usize = 5;

/// Tells progress of one attempt.
pub struct ProgressPublisher {
    reports: UnboundedSender<Finished>,
    task: JoinHandle<()>,
}

/// Hands over what was finished; usable from any thread.
#[derive(Clone)]
pub struct Reporter(UnboundedSender<Finished>);

struct Finished {
    task: SyncTask,
    total_symbols: u64,
}

impl ProgressPublisher {
    /// Starts telling for the claim in `row`.
    pub fn start(relay: Relay, row: JobRow) -> Self {
        let (reports, inbox) = unbounded_channel();
        let task = tokio::spawn(publish(relay, row, inbox));
        Self { reports, task }
    }

    /// What hands over to this announcer.
    pub fn reporter(&self) -> Reporter {
        Reporter(self.reports.clone())
    }

    /// Ends, giving what is on its way a moment.
    pub async fn finish(self) {
        drop(self.reports);
        let mut task = self.task;
        if tokio::time::timeout(GRACE, &mut task).await.is_err() {
            task.abort();
        }
    }
}

impl Reporter {
    /// A sub-task is decided.
    pub fn finished(&self, task: SyncTask, total_symbols: u64) {
        // Nobody listens any more once the attempt is over.
        let _ = self.0.send(Finished { task, total_symbols });
    }
}

async fn publish(relay: Relay, row: JobRow, mut inbox: UnboundedReceiver<Finished>) {
    let mut is_in_order = match relay.relay(row.id()).await {
        Ok(is_told) => is_told,
        Err(failure) => {
            debug!(job.id = %row.id(), "progress of job {} is not told: {failure}", row.id());
            false
        }
    };
    let mut numbers = Numbers::after_start(row.last_seq);
    let mut furthest = 0;
    let mut finished = Vec::with_capacity(AT_ONCE);
    while inbox.recv_many(&mut finished, AT_ONCE).await > 0 {
        let mut told = Vec::with_capacity(finished.len());
        for Finished { task, total_symbols } in finished.drain(..) {
            let completed = position(&row, task);
            // Planning again after a conflict must not show less than before.
            if !is_in_order || completed <= furthest {
                continue;
            }
            furthest = completed;
            let progress = Progress { task, completed, total_symbols };
            let announcer = Announcer { names: &relay.names, at: Utc::now() };
            let (event, status) = announcer.progressed(&row, numbers.take(), &progress);
            told.push(relay.progress(row.id(), event, status, total_symbols));
        }
        if !told.is_empty() {
            is_in_order = relay.publish_progress(&told).await.is_ok();
        }
    }
}

fn position(row: &JobRow, task: SyncTask) -> u32 {
    let tasks = row.request.mode.tasks();
    tasks.iter().position(|known| *known == task).map_or(0, |index| index as u32 + 1)
}
