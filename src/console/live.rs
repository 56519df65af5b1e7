//! Sends whoever watches what is new, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
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
use super::hub::{Frame, Render, Watched};
use super::problem::Problem;
use super::{Console, job, tonight};
use crate::domain::job::JobId;
use crate::worker::shutdown::Shutdown;

/// Silence after which a comment shows that somebody is there; proxies cut connections after 30 to 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The longest that one connection is watched. The browser comes back, and is asked for its session again.
const MAX_WATCH: Duration = Duration::from_secs(10 * 60);
/// What every stream begins with: a browser that is cut off comes back after so many milliseconds.
const PREAMBLE: &str = "retry: 1000\n\n";

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
    let draw: Render = |root, status, _, now| tonight::current(root, status, now);
    follow(&console, reader, (Watched::Tonight, draw), seen, &headers)
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
    let draw: Render = |_, status, events, now| job::progress(status, events, now);
    follow(&console, reader, (Watched::Job(id), draw), seen, &headers)
}

fn follow(
    console: &Console,
    Reader(session): Reader,
    (thing, render): (Watched, Render),
    Seen { seen }: Seen,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(ToOwned::to_owned);
    let Some(receiver) = console.live.watch(thing, render, &console.root) else {
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
