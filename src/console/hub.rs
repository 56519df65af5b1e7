//! What is sent to whoever watches: the part of a page that shows a job, made again whenever the job goes on.
//!
//! ```text
//!  watched thing ─► one reader ─► newest frame ─┬─► watcher
//!  (tonight, a job)  (every 0.3 s)              ├─► watcher    each has its place, and gets the newest
//!                                               └─► watcher
//! ```
//!
//! A frame is the whole of what is shown, so whoever lost the connection has missed nothing once the next one comes; its
//! id says which it is, and who comes back with that id is sent only a newer one. What is watched by two hundred costs
//! Redis what one costs: a few reads a second, and none while nobody watches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use maud::Markup;
use tokio::sync::watch;

use crate::domain::job::JobId;
use crate::failure::Failure;
use crate::redis::events::KeptEvent;
use crate::service::Service;
use crate::wire::status::StatusHash;
use crate::worker::shutdown::Shutdown;

/// The longest wait for Redis; Postgres knows the rest.
pub(super) const REDIS_WITHIN: Duration = Duration::from_millis(700);
/// How often what is watched is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// The most things that are watched at once: each costs a few reads a second.
const MAX_WATCHED: usize = 32;
/// The most watchers, who share the server's connections with everybody else.
const MAX_WATCHERS: usize = 384;
/// Events that are shown of a job, the newest.
pub(super) const MAX_EVENTS: usize = 60;

/// What can be watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Watched {
    /// The job that runs, else the newest.
    Tonight,
    /// One job.
    Job(JobId),
}

/// What is shown of it now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// Which it is; empty before the first.
    pub(super) id: String,
    /// The HTML.
    pub(super) html: String,
    /// Whether the job has ended: then more of the page has changed than this part.
    pub(super) has_ended: bool,
}

/// Draws a job: the console's path, its state, its newest events, now.
pub(super) type Render = fn(&str, &StatusHash, &[KeptEvent], DateTime<Utc>) -> Markup;

/// Has every watched thing looked at once, however many watch it.
pub(super) struct Hub {
    service: Service,
    shutdown: Shutdown,
    watched: Arc<Mutex<HashMap<Watched, watch::Sender<Frame>>>>,
}

impl Hub {
    pub(super) fn new(service: Service, shutdown: Shutdown) -> Self {
        Self { service, shutdown, watched: Arc::default() }
    }

    /// The frames of something; `None` where too much is watched already.
    pub(super) fn watch(&self, thing: Watched, render: Render, root: &str) -> Option<watch::Receiver<Frame>> {
        let mut watched = self.watched.lock().expect("nobody panics with it");
        let watchers: usize = watched.values().map(watch::Sender::receiver_count).sum();
        if watchers >= MAX_WATCHERS {
            return None;
        }
        if let Some(sender) = watched.get(&thing) {
            return Some(sender.subscribe());
        }
        if watched.len() >= MAX_WATCHED {
            return None;
        }
        let (sender, receiver) = watch::channel(Frame::default());
        watched.insert(thing.clone(), sender);
        let reading = Reading {
            service: self.service.clone(),
            shutdown: self.shutdown.clone(),
            watched: Arc::clone(&self.watched),
            thing,
            render,
            root: root.to_owned(),
        };
        tokio::spawn(reading.run());
        Some(receiver)
    }
}

/// One reader.
struct Reading {
    service: Service,
    shutdown: Shutdown,
    watched: Arc<Mutex<HashMap<Watched, watch::Sender<Frame>>>>,
    thing: Watched,
    render: Render,
    root: String,
}

impl Reading {
    /// Looks until nobody watches any more.
    async fn run(self) {
        loop {
            // What can't be read now is read in a moment; the page says that it shows an older state.
            if let Ok(Some(frame)) = self.look().await {
                if let Some(sender) = self.watched.lock().expect("nobody panics with it").get(&self.thing) {
                    sender.send_if_modified(|known| {
                        let is_news = known.id != frame.id;
                        *known = frame;
                        is_news
                    });
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.shutdown.asked.cancelled() => {}
            }
            let mut watched = self.watched.lock().expect("nobody panics with it");
            let is_watched = watched.get(&self.thing).is_some_and(|sender| sender.receiver_count() > 0);
            if !is_watched || self.shutdown.asked.is_cancelled() {
                watched.remove(&self.thing);
                return;
            }
        }
    }

    async fn look(&self) -> Result<Option<Frame>, Failure> {
        let (status, events) = match &self.thing {
            Watched::Tonight => (self.service.current().await?, Vec::new()),
            Watched::Job(id) => {
                let Some(status) = self.service.status(id).await? else { return Ok(None) };
                let events = self.service.newest_events(id, MAX_EVENTS).await.unwrap_or_default();
                (Some(status), events)
            }
        };
        let Some(status) = status else { return Ok(None) };
        let html = (self.render)(&self.root, &status, &events, Utc::now());
        Ok(Some(Frame {
            id: frame_id(&status),
            html: html.into_string(),
            has_ended: status.status.is_final(),
        }))
    }
}

/// What tells one state of a job from another.
pub(super) fn frame_id(status: &StatusHash) -> String {
    format!("{}/{}/{}", status.job_id, status.seq, status.status)
}
