//! What an error looks like: `{"success":false,"error":"a_word","message":"A sentence."}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::failure::Failure;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    error: &'static str,
    message: String,
}

/// The sentence of an error answer, for the log.
#[derive(Clone)]
pub(super) struct Message(pub(super) String);

impl Problem {
    fn new(status: StatusCode, error: &'static str, message: impl Into<String>) -> Self {
        Self { status, error, message: message.into() }
    }

    /// Its sentence.
    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// 400: the request says what it can't say.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// 401.
    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "a valid key is needed in the header X-API-Key")
    }

    /// 404: nothing is there.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 404: no such job. The id is not repeated: it may be anything.
    pub(super) fn unknown_job() -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_job", "there is no job of this id")
    }

    /// 404: no such symbol. Of what was asked nothing is repeated: it may be anything.
    pub(super) fn unknown_symbol(nearest: Option<&str>) -> Self {
        let message = "neither the source nor history knows such a symbol";
        Self::new(StatusCode::NOT_FOUND, "unknown_symbol", perhaps(message, nearest))
    }

    /// 404: no such universe.
    pub(super) fn unknown_universe(nearest: Option<&str>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown_universe", perhaps("there is no such universe", nearest))
    }

    /// 405.
    pub(super) fn method_not_allowed() -> Self {
        let message = "this path has no such method; the header Allow lists those it has";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    /// 409: the job has ended.
    pub(super) fn job_finished(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "job_finished", message)
    }

    /// 413.
    pub(super) fn too_large(limit_bytes: usize) -> Self {
        let message = format!("the body has more than {limit_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    /// 500: a mistake of ours.
    pub(super) fn internal() -> Self {
        let message = "this is a bug in cache-sync; its log says where";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// 503: a server behind this one is away, or this one is busy.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }
}

fn perhaps(message: &str, nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("{message}; did you mean {nearest:?}?"),
        None => message.to_owned(),
    }
}

impl From<Failure> for Problem {
    /// Also what trying again can't mend is 503: to a caller, a missing table and a missing server are the same.
    fn from(failure: Failure) -> Self {
        Self::unavailable(failure.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({"success": false, "error": self.error, "message": &self.message});
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            // A 401 has to name a scheme; there is no registered one for keys in a header of their own.
            let scheme = HeaderValue::from_static("ApiKey header=\"X-API-Key\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response.extensions_mut().insert(Message(self.message));
        response
    }
}
