//! What is common to all requests: an id, the key, a time limit, the access log.
//!
//! The log names the request's method and path, never its query nor its headers; a key shows as its name.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tracing::{debug, info, warn};

use super::problem::{Message, Problem};
use super::routes::OPEN_PATHS;
use super::{ANSWER_WITHIN, Api};

/// The header by which a request is found again in logs, the caller's and ours.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken over from a caller.
const MAX_REQUEST_ID_CHARS: usize = 64;
/// The most characters of a path in the log.
const MAX_PATH_CHARS: usize = 200;

/// Takes a request in, has it answered, and notes how.
pub(super) async fn handle(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let access = AccessLog::of(&request);
    let key = api.keys.holder(request.headers()).map(str::to_owned);
    let mut response = if key.is_none() && needs_key(request.uri().path()) {
        Problem::unauthorized().into_response()
    } else {
        answer(request, next).await
    };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, HeaderValue::from_str(&access.id).expect("an id is of letters and digits"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    access.log(key.as_deref(), &response, began.elapsed());
    api.metrics.count_request(&access.route, access.method, response.status(), began.elapsed());
    response
}

/// Whether a path is closed to whoever has no key. Routes are matched against the path as it was sent, so one that
/// is spelled otherwise, `/%61pi`, leads to none of them.
fn needs_key(path: &str) -> bool {
    path.starts_with("/api")
}

/// The handler's answer, or one in its place where it takes too long or breaks down.
async fn answer(request: Request, next: Next) -> Response {
    // The panic hook has said where.
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(ANSWER_WITHIN, handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Problem::internal().into_response(),
        Err(_) => {
            let seconds = ANSWER_WITHIN.as_secs_f64();
            let message = format!(
                "Postgres or Redis did not answer within {seconds} s; whatever was asked for may still happen, so \
                 ask for a job again only with a dedupe_key"
            );
            Problem::unavailable(message).into_response()
        }
    }
}

/// A request as the log and the counters know it.
struct AccessLog {
    id: String,
    method: &'static str,
    route: String,
    path: String,
}

impl AccessLog {
    fn of(request: &Request) -> Self {
        let matched = request.extensions().get::<MatchedPath>();
        Self {
            id: request_id(request.headers()),
            method: known_method(request.method()),
            route: matched.map_or("none", MatchedPath::as_str).to_owned(),
            path: request.uri().path().chars().take(MAX_PATH_CHARS).flat_map(char::escape_default).collect(),
        }
    }

    /// One line: probes only for the curious, failures of ours as warnings.
    fn log(&self, key: Option<&str>, response: &Response, took: Duration) {
        let Self { id, method, path, route } = self;
        let (status, ms) = (response.status().as_u16(), took.as_millis() as u64);
        let key = key.unwrap_or("none");
        let message = response.extensions().get::<Message>().map_or("", |message| message.0.as_str());
        if status >= 500 && route != "/ready" {
            warn!(request.id = id, status, ms, key, "{method} {path}: {status} in {ms} ms: {message}");
        } else if OPEN_PATHS.contains(&route.as_str()) {
            debug!(request.id = id, status, ms, key, "{method} {path}: {status} in {ms} ms");
        } else {
            info!(request.id = id, status, ms, key, "{method} {path}: {status} in {ms} ms");
        }
    }
}

/// The caller's id for the request if it is fit for logs, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let is_fit = |id: &&str| {
        (1..=MAX_REQUEST_ID_CHARS).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
    };
    given.filter(is_fit).map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

/// The method as a word of a small set: callers may invent others.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_api_is_closed_and_what_watches_is_open() {
        for path in ["/api", "/api/", "/api/processing/x", "/apis", "/api%2fprocessing"] {
            assert!(needs_key(path), "{path}");
        }
        for path in OPEN_PATHS {
            assert!(!needs_key(path), "{path}");
        }
    }

    #[test]
    fn a_callers_id_is_kept_only_where_it_can_stand_in_a_log() {
        let id_for = |given: &'static str| {
            request_id(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(given))]))
        };
        assert_eq!(id_for("page-7.1_a"), "page-7.1_a");
        for odd in ["", "a b", "a=b", "\u{7}"] {
            if let Ok(value) = HeaderValue::from_str(odd) {
                let headers = HeaderMap::from_iter([(REQUEST_ID, value)]);
                assert_eq!(request_id(&headers).len(), 36, "{odd:?}");
            }
        }
        assert_eq!(request_id(&HeaderMap::new()).len(), 36);
    }
}
