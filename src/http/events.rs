//! `GET .../events/{job_id}`: a job's events as server-sent events, from the first or from where a reader was, to the
//! end of the job.
//!
//! The id of an event is its place in the job's event stream, so a reader that lost its connection sends the last one
//! as `Last-Event-ID` and misses nothing; an `EventSource` does so by itself. It would also come back after the end,
//! which is why a reader that has seen it is answered 204: that tells it to stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::problem::Problem;
use super::{Api, MAX_STREAMS, REDIS_WITHIN, jobs};
use crate::domain::job::JobId;
use crate::failure::Failure;
use crate::redis::events::{self, EventId, Follower, KeptEvent};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How long one read waits for news; stopping waits for it at most.
const BLOCK: Duration = Duration::from_secs(1);
/// Silence after which a comment shows that somebody is there; proxies cut connections after 30 to 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The longest that one connection is followed. The reader comes back with its last id.
const MAX_FOLLOW: Duration = Duration::from_secs(15 * 60);
/// What every stream begins with: a reader that is cut off comes back after so many milliseconds.
const PREAMBLE: &str = "retry: 2000\n\n";

/// Follows a job.
pub(super) async fn events(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = jobs::job_id(path)?;
    let after = last_event_id(&headers)?;
    let Ok(permit) = Arc::clone(&api.streams).try_acquire_owned() else {
        return Err(Problem::unavailable(format!("{MAX_STREAMS} event streams are being followed already")));
    };
    let newest = within_redis_timeout(events::newest(&api.service.redis, &api.service.names, &id)).await?;
    match newest {
        Some(event) if event.is_last() && event.id <= after => {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
        Some(_) => {}
        None => expects_events(&api, &id).await?,
    }
    let (redis, names) = (&api.service.redis, &api.service.names);
    let follower = within_redis_timeout(Follower::new(redis, names, &id, after, BLOCK)).await?;
    let following = Following {
        follower,
        began: Instant::now(),
        quiet_since: Instant::now(),
        is_over: false,
        stopping: api.shutdown.asked.clone(),
        _permit: permit,
    };
    let kind = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        // nginx would hold events back until a buffer is full.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((kind, Body::from_stream(frames(following))).into_response())
}

/// The place behind which to go on; the beginning, where the header is missing or empty.
fn last_event_id(headers: &HeaderMap) -> Result<EventId, Problem> {
    let Some(given) = headers.get(LAST_EVENT_ID).filter(|given| !given.is_empty()) else {
        return Ok(EventId::default());
    };
    let parsed = given.to_str().ok().and_then(EventId::parse);
    parsed.ok_or_else(|| Problem::invalid("Last-Event-ID is no id of an event, such as 1000002-0"))
}

/// Whether a job without events will have some: it is known, and has not ended.
async fn expects_events(api: &Api, id: &JobId) -> Result<(), Problem> {
    let row = api.service.job(id).await?.ok_or_else(Problem::unknown_job)?;
    if row.status.is_final() {
        let message = "the job has ended, and its events are no longer kept; its status tells the result";
        return Err(Problem::not_found(message));
    }
    Ok(())
}

async fn within_redis_timeout<T>(asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Problem> {
    match tokio::time::timeout(REDIS_WITHIN, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Problem::unavailable("Redis, which has the events, does not answer")),
    }
}

/// A reader who is being told.
struct Following {
    follower: Follower,
    began: Instant,
    quiet_since: Instant,
    is_over: bool,
    stopping: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

/// What is sent, piece by piece, until the end of the job, of our patience with Redis, or of this process.
fn frames(following: Following) -> impl Stream<Item = Result<String, Infallible>> {
    let told = stream::unfold(following, async |mut following| {
        let piece = following.next().await?;
        Some((Ok(piece), following))
    });
    stream::StreamExt::chain(stream::iter([Ok(PREAMBLE.to_owned())]), told)
}

impl Following {
    async fn next(&mut self) -> Option<String> {
        while !self.is_over && self.began.elapsed() < MAX_FOLLOW {
            let read = tokio::select! {
                read = self.follower.next() => read,
                () = self.stopping.cancelled() => return None,
            };
            match read {
                Ok(events) if events.is_empty() => {
                    if self.quiet_since.elapsed() >= KEEP_ALIVE {
                        self.quiet_since = Instant::now();
                        return Some(": keep-alive\n\n".to_owned());
                    }
                }
                Ok(events) => {
                    self.quiet_since = Instant::now();
                    self.is_over = events.iter().any(KeptEvent::is_last);
                    return Some(events.iter().map(frame).collect());
                }
                Err(failure) => {
                    // The reader comes back by itself, and nothing it has not seen is lost.
                    debug!("an event stream ends: {failure}");
                    return None;
                }
            }
        }
        None
    }
}

/// An event as it goes over the wire. A carriage return would end a line too; an envelope of ours has neither.
fn frame(event: &KeptEvent) -> String {
    let name = event.name.replace(['\r', '\n'], "");
    let data: Vec<String> = event.data.split(['\r', '\n']).map(|line| format!("data: {line}\n")).collect();
    format!("id: {}\nevent: {name}\n{}\n", event.id, data.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_frame_whatever_it_holds() {
        let id = EventId::parse("1000001-0").expect("a place");
        let event = KeptEvent { id, name: "cache_sync_started".to_owned(), data: "{}".to_owned() };
        assert_eq!(frame(&event), "id: 1000001-0\nevent: cache_sync_started\ndata: {}\n\n");
        let odd = KeptEvent { id, name: "a\nid: 9".to_owned(), data: "x\n\ny\r".to_owned() };
        assert_eq!(frame(&odd), "id: 1000001-0\nevent: aid: 9\ndata: x\ndata: \ndata: y\ndata: \n\n");
    }

    #[test]
    fn a_reader_goes_on_where_it_was() {
        let with = |text: &'static str| {
            last_event_id(&HeaderMap::from_iter([(LAST_EVENT_ID, text.parse().expect("a header"))]))
        };
        assert_eq!(last_event_id(&HeaderMap::new()), Ok(EventId::default()));
        assert_eq!(with(""), Ok(EventId::default()));
        assert_eq!(with("1000001-0").map(|id| id.to_string()), Ok("1000001-0".to_owned()));
        assert!(with("$").is_err() && with("-1").is_err());
    }
}
