//! Signing in with a key or with a ticket, and signing out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Form;
use axum::extract::{Extension, FromRequest, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::Utc;
use maud::html;
use serde::Deserialize;
use tracing::{info, warn};

use super::Console;
use super::access::{Asked, Reader, refuse_other_sites};
use super::layout::{Page, Section};
use super::problem::Problem;
use super::session::{COOKIE, Session};
use super::state::ROOT;
use crate::http::keys::Key;
use crate::http::server::Peer;

/// Characters of the path to go on with after signing in.
const MAX_NEXT_CHARS: usize = 500;

/// Where to go on.
#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// The address of the form, which leads on to `next`, a path of this console.
pub(super) fn address(console: &Console, next: &str) -> String {
    let encoded: String = next.bytes().map(percent_encoded).collect();
    console.at(&format!("/sign-in?next={encoded}"))
}

fn percent_encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-_./".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// Where `next` leads, if it is a page of this console; else to the start. A full address would lead elsewhere.
fn target(console: &Console, next: &str) -> String {
    let within = next.strip_prefix(&console.root).or_else(|| next.strip_prefix(ROOT)).unwrap_or(next);
    let is_ours = within.starts_with('/')
        && !within.starts_with("//")
        && within.len() <= MAX_NEXT_CHARS
        && within.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    console.at(if is_ours { within } else { "/" })
}

/// The form.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    session: Option<Extension<Session>>,
    Asked(Next { next }): Asked<Next>,
) -> Response {
    if session.is_some() {
        return Redirect::to(&target(&console, &next)).into_response();
    }
    form(&console, &next, None).into_response()
}

fn form(console: &Console, next: &str, problem: Option<&str>) -> Page {
    let body = html! {
        div.sign-in {
            h1 { "Sign in" }
            p.lead { "The console is for people who hold a key of this server’s API." }
            @if let Some(problem) = problem {
                p.notice.bad role="alert" { (problem) }
            }
            form method="post" action=(console.at("/sign-in")) {
                input type="hidden" name="next" value=(next);
                label for="key" { "API key" }
                input #key type="password" name="key" autocomplete="current-password" required autofocus
                    spellcheck="false" aria-describedby="key-help";
                p #key-help.hint {
                    "It is not kept in the browser. You stay signed in for twelve hours, or until the key is rotated."
                }
                button.primary type="submit" { "Sign in" }
            }
        }
    };
    Page::new(Section::SignIn, "Sign in", body)
}

/// What the form brings.
#[derive(Deserialize)]
struct Given {
    key: String,
    #[serde(default)]
    next: String,
}

/// Signs the holder of a key in.
pub(super) async fn sign_in(
    State(console): State<Arc<Console>>,
    Extension(Peer(address)): Extension<Peer>,
    request: Request,
) -> Result<Response, Problem> {
    refuse_other_sites(request.headers())?;
    let headers = request.headers().clone();
    let now = Instant::now();
    if !console.limiter.allows(address, now) {
        return Err(Problem::too_many_keys());
    }
    let given = Form::<Given>::from_request(request, &console).await;
    let Form(Given { key, next }) = given.map_err(|_| Problem::invalid("The form has no key."))?;
    let Some(key) = console.keys.of_secret(key.trim().as_bytes()) else {
        console.limiter.note_wrong(address, now);
        warn!(peer = %address, "somebody tried to sign in to the console with a wrong key");
        let page = form(&console, &next, Some("No key of this server is spelled like that."));
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    };
    Ok(welcome(&console, key, &target(&console, &next), &headers))
}

/// Signs the holder of a ticket in.
pub(super) async fn ticket(
    State(console): State<Arc<Console>>,
    Path(ticket): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let key = console.tickets.redeem(&ticket);
    match key.as_ref().and_then(|(name, fingerprint)| console.keys.named(name, fingerprint)) {
        Some(key) => Ok(welcome(&console, key, &console.at("/"), &headers)),
        None => Err(Problem::not_found("This link was used already, or is too old. Sign in with a key.")),
    }
}

fn welcome(console: &Console, key: &Key, target: &str, headers: &HeaderMap) -> Response {
    let (session, cookie) = console.sessions.begin(key, Utc::now());
    info!(key = session.name, "{} signed in to the console", session.name);
    let seconds = (session.ends_at - Utc::now()).num_seconds().max(0);
    with_cookie(console, Redirect::to(target).into_response(), &cookie, seconds, headers)
}

/// Ends the session.
pub(super) async fn sign_out(
    State(console): State<Arc<Console>>,
    Reader(session): Reader,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Problem> {
    refuse_other_sites(&headers)?;
    let form = Form::<HashMap<String, String>>::from_request(request, &console).await;
    let token = form.ok().and_then(|Form(mut fields)| fields.remove("csrf")).unwrap_or_default();
    if !session.is_own_token(&token) {
        return Err(Problem::forged());
    }
    console.sessions.end(&session, Utc::now());
    info!(key = session.name, "{} signed out of the console", session.name);
    let response = Redirect::to(&console.at("/sign-in")).into_response();
    Ok(with_cookie(&console, response, "", 0, &headers))
}

/// Sets the cookie: for this console only, out of reach of scripts, never sent along from another site's page, and over
/// TLS only where the proxy says that it was reached so.
fn with_cookie(
    console: &Console,
    mut response: Response,
    value: &str,
    seconds: i64,
    headers: &HeaderMap,
) -> Response {
    let is_tls = headers.get("x-forwarded-proto").is_some_and(|proto| proto.as_bytes() == b"https");
    let secure = if is_tls { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={value}; Path={}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
        console.root
    );
    let cookie = HeaderValue::from_str(&cookie).expect("a cookie of ours is of plain characters");
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}
