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
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::access::{Asked, Reader};
use super::problem::Problem;
use super::{Console, job, tonight};
use crate::domain::job::JobId;
use crate::failure::Failure;
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
/// Silence after which a comment shows that somebody is there; proxies cut connections after 30 to 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The longest that one connection is watched. The browser comes back, and is asked for its session again.
const MAX_WATCH: Duration = Duration::from_secs(10 * 60);
/// What every stream begins with: a browser that is cut off comes back after so many milliseconds.
const PREAMBLE: &str = "retry: 1000\n\n";

/// What can be watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Watched {
    /// The job that runs, else the newest.
    Tonight,
    /// One job.
    Job(JobId),
}

/// What is shown of it now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Frame {
    /// Which it is; empty before the first.
    id: String,
    /// The HTML.
    html: String,
    /// Whether the job has ended: then more of the page has changed than this part.
    has_ended: bool,
}

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
    fn watch(&self, thing: Watched, root: &str) -> Option<watch::Receiver<Frame>> {
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
        let (status, html) = match &self.thing {
            Watched::Tonight => {
                let Some(status) = self.service.current().await? else { return Ok(None) };
                let html = tonight::current(&self.root, &status, Utc::now());
                (status, html)
            }
            Watched::Job(id) => {
                let Some(status) = self.service.status(id).await? else { return Ok(None) };
                let events = self.service.newest_events(id, job::MAX_EVENTS).await.unwrap_or_default();
                let html = job::progress(&status, &events, Utc::now());
                (status, html)
            }
        };
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

/// What the page shows that asks to be kept up to date.
#[derive(Deserialize)]
pub(super) struct Seen {
    #[serde(default)]
    seen: String,
}

/// Whatever runs.
pub(super) async fn tonight(
    State(console): State<Arc<Console>>,
    reader: Reader,
    Asked(seen): Asked<Seen>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    follow(&console, reader, Watched::Tonight, seen, &headers)
}

/// One job.
pub(super) async fn job(
    State(console): State<Arc<Console>>,
    reader: Reader,
    Path(id): Path<String>,
    Asked(seen): Asked<Seen>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = JobId::parse(&id).ok_or_else(|| Problem::not_found("There is no such job."))?;
    follow(&console, reader, Watched::Job(id), seen, &headers)
}

fn follow(
    console: &Console,
    Reader(session): Reader,
    thing: Watched,
    Seen { seen }: Seen,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned);
    let Some(receiver) = console.live.watch(thing, &console.root) else {
        return Err(Problem::unavailable("Too many pages are being watched already."));
    };
    let left = (session.ends_at - Utc::now()).to_std().unwrap_or_default();
    let watching = Watching {
        receiver,
        seen: last.unwrap_or(seen),
        until: Instant::now() + left.min(MAX_WATCH),
        shutdown: console.shutdown.clone(),
    };
    let head = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        // nginx would hold events back until a buffer is full.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((StatusCode::OK, head, Body::from_stream(pieces(watching))).into_response())
}

/// Somebody who watches.
struct Watching {
    receiver: watch::Receiver<Frame>,
    seen: String,
    until: Instant,
    shutdown: Shutdown,
}

fn pieces(watching: Watching) -> impl futures_util::Stream<Item = Result<String, Infallible>> {
    let told = stream::unfold(watching, async |mut watching| {
        let piece = watching.next().await?;
        Some((Ok(piece), watching))
    });
    stream::StreamExt::chain(stream::iter([Ok(PREAMBLE.to_owned())]), told)
}

impl Watching {
    /// The next piece: a frame that was not seen yet, or a sign of life.
    async fn next(&mut self) -> Option<String> {
        loop {
            let frame = self.receiver.borrow_and_update().clone();
            if !frame.id.is_empty() && frame.id != self.seen {
                self.seen.clone_from(&frame.id);
                return Some(event(&frame));
            }
            let wait = tokio::time::timeout(KEEP_ALIVE, self.receiver.changed());
            tokio::select! {
                changed = wait => match changed {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return None,
                    Err(_) => return Some(": keep-alive\n\n".to_owned()),
                },
                () = tokio::time::sleep_until(self.until) => return None,
                () = self.shutdown.asked.cancelled() => return None,
            }
        }
    }
}

/// A frame as it goes over the wire.
fn event(frame: &Frame) -> String {
    let name = if frame.has_ended { "ended" } else { "state" };
    let data: Vec<String> = frame.html.split(['\r', '\n']).map(|line| format!("data: {line}\n")).collect();
    format!("id: {}\nevent: {name}\n{}\n", frame.id, data.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_event_whatever_it_holds() {
        let frame = Frame { id: "a/1/running".to_owned(), html: "<p>\n\nx".to_owned(), has_ended: false };
        assert_eq!(event(&frame), "id: a/1/running\nevent: state\ndata: <p>\ndata: \ndata: x\n\n");
        assert!(event(&Frame { has_ended: true, ..frame }).contains("event: ended\n"));
    }
}
