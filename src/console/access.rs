//! Who may: [`Reader`] stands for somebody who is signed in, [`Change`] for an operator whose form this console made.
//!
//! A handler that takes neither is open to everybody; `tests/service/console.rs` asks every route without a session.

use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Console;
use super::problem::Problem;
use super::session::Session;

/// Somebody who is signed in.
pub(super) struct Reader(pub(super) Session);

/// What an operator asks for with a form of ours.
pub(super) struct Change<F> {
    pub(super) session: Session,
    pub(super) form: F,
}

/// What the query of a page asks for.
pub(super) struct Asked<Q>(pub(super) Q);

impl<Q: DeserializeOwned> FromRequestParts<Arc<Console>> for Asked<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, console: &Arc<Console>) -> Result<Self, Problem> {
        match Query::<Q>::from_request_parts(parts, console).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(_) => Err(Problem::invalid("The address asks for something that this page does not know.")),
        }
    }
}

/// A form without fields but the token.
#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
struct WithToken<F> {
    csrf: String,
    #[serde(flatten)]
    form: F,
}

impl FromRequestParts<Arc<Console>> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Console>) -> Result<Self, Problem> {
        let session = parts.extensions.get::<Session>().cloned();
        session.map(Self).ok_or_else(|| Problem::sign_in_needed(next_of(parts)))
    }
}

/// Where to go on after signing in: the page that was asked for; a form is not sent again.
fn next_of(parts: &Parts) -> Option<String> {
    let is_page = parts.method == Method::GET;
    let path = parts.uri.path_and_query().filter(|_| is_page)?;
    Some(path.as_str().to_owned())
}

impl<F: DeserializeOwned> FromRequest<Arc<Console>> for Change<F> {
    type Rejection = Problem;

    async fn from_request(request: Request, console: &Arc<Console>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Reader(session) = Reader::from_request_parts(&mut parts, console).await?;
        refuse_other_sites(&parts.headers)?;
        if !session.is_operator() {
            return Err(Problem::read_only());
        }
        let request = Request::from_parts(parts, body);
        let form = Form::<WithToken<serde_json::Value>>::from_request(request, console).await;
        let Form(WithToken { csrf, form }) = form.map_err(|_| Problem::forged())?;
        if !session.is_own_token(&csrf) {
            return Err(Problem::forged());
        }
        let form =
            serde_json::from_value(form).map_err(|_| Problem::invalid("A field of the form is missing."))?;
        Ok(Self { session, form })
    }
}

/// Refuses what a browser says comes from a page of others. Browsers that don't say it are held off by the token, and by
/// a cookie that they send along with our own pages only.
pub(super) fn refuse_other_sites(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    match site {
        Some(b"same-origin" | b"none") | None => Ok(()),
        Some(_) => Err(Problem::forged()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_site_sends_is_refused() {
        let from = |site: &'static str| {
            refuse_other_sites(&HeaderMap::from_iter([(
                "sec-fetch-site".parse().expect("a name"),
                site.parse().expect("a value"),
            )]))
        };
        assert!(
            from("same-origin").is_ok()
                && from("none").is_ok()
                && refuse_other_sites(&HeaderMap::new()).is_ok()
        );
        assert!(from("cross-site").is_err() && from("same-site").is_err() && from("").is_err());
    }
}
