//! What a page says that can't be shown, or a change that can't be made.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::failure::Failure;

/// That somebody has to sign in first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SignIn {
    /// Where to go on after it; none where nobody can be led back.
    pub(super) next: Option<String>,
}

/// Why there is no page. The frame around it is added by `handle`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) title: &'static str,
    pub(super) sentence: String,
    /// What signing in would do, where that is what is missing.
    pub(super) sign_in: Option<SignIn>,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, sentence: impl Into<String>) -> Self {
        Self { status, title, sentence: sentence.into(), sign_in: None }
    }

    /// Nobody is signed in.
    pub(super) fn sign_in_needed(next: Option<String>) -> Self {
        let sentence = "You are not signed in, or your session has ended.";
        Self { sign_in: Some(SignIn { next }), ..Self::new(StatusCode::UNAUTHORIZED, "Sign in", sentence) }
    }

    /// The form was not made by this console for this session.
    pub(super) fn forged() -> Self {
        let sentence = "This form is not one that the console made for your session, so nothing was changed. \
                        Open the page again and repeat what you did.";
        Self::new(StatusCode::FORBIDDEN, "Not accepted", sentence)
    }

    /// The key may not change anything.
    pub(super) fn read_only() -> Self {
        let sentence = "Your key may look, but change nothing.";
        Self::new(StatusCode::FORBIDDEN, "Not permitted", sentence)
    }

    /// The form or the query says what it can't say.
    pub(super) fn invalid(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Not understood", sentence)
    }

    /// Nothing is there.
    pub(super) fn not_found(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", sentence)
    }

    /// What was asked for can't be done as things stand.
    pub(super) fn conflict(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "Nothing was changed", sentence)
    }

    /// Too many wrong keys.
    pub(super) fn too_many_keys() -> Self {
        let sentence = "Too many wrong keys were tried. Wait a minute, then sign in again.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "Wait a minute", sentence)
    }

    /// A server behind this one is away, or this one is busy.
    pub(super) fn unavailable(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Not available now", sentence)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::unavailable(format!("cache-sync could not {failure}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("60"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
