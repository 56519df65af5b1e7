//! What is common to all requests for pages: who it is, the frame around a page, and the headers that keep a browser
//! from doing anything but show it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use chrono::Utc;

use super::layout::{Page, frame};
use super::problem::Problem;
use super::problem::SignIn;
use super::session::{COOKIE, Session};
use super::{Console, layout, sign_in};
use crate::http::middleware::SignedIn;

/// Nothing but what this server sends: no script or style in a page, no other server, no frame around it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer. With another referrer policy than `same-origin` browsers would not say where a form is from.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=()"),
];

/// Finds out who asks, has the page made, and puts the frame around it.
pub(super) async fn handle(
    State(console): State<Arc<Console>>,
    mut request: Request,
    next: Next,
) -> Response {
    let session = session_of(&console, request.headers());
    if let Some(session) = &session {
        request.extensions_mut().insert(session.clone());
    }
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = show(&console, session.as_ref(), &problem, &response);
    } else if let Some(page) = response.extensions_mut().remove::<Page>() {
        let page = Html(frame(&console, session.as_ref(), &page).into_string());
        response = (response.status(), page).into_response();
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if let Some(session) = session {
        response.extensions_mut().insert(SignedIn(session.name));
    }
    response
}

fn session_of(console: &Console, headers: &HeaderMap) -> Option<Session> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let cookie = pairs.find_map(|(name, value)| (name == COOKIE).then_some(value))?;
    console.sessions.open(cookie, &console.keys, Utc::now())
}

/// A problem as a page. Whoever asked for a page and is not signed in is led to the form.
fn show(console: &Console, session: Option<&Session>, problem: &Problem, as_was: &Response) -> Response {
    if let Some(SignIn { next: Some(next) }) = &problem.sign_in {
        return Redirect::to(&sign_in::address(console, next)).into_response();
    }
    let page = layout::of_problem(console, problem);
    let mut response = (problem.status, Html(frame(console, session, &page).into_string())).into_response();
    if let Some(after) = as_was.headers().get(header::RETRY_AFTER) {
        response.headers_mut().insert(header::RETRY_AFTER, after.clone());
    }
    response
}
