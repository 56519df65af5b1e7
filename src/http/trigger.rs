//! `POST .../trigger`: asks for a job.
//!
//! The body's fields are read as those of a stream entry are, by the same code, so one request means the same
//! whichever way it comes. Other fields are ignored, as they are there. Only a `dedupe_key` has to be a text here: a
//! number has many spellings in JSON (`7`, `7.0`), and a key has one.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::problem::Problem;
use super::routes::MAX_BODY_BYTES;
use super::{Api, SERVER_WITHIN};
use crate::domain::job::{JobId, JobRequest};
use crate::wire::entry::{self, Rejection};
use crate::wire::event::Source;

/// Who asked, in the job's row and events.
const TRIGGERED_BY: &str = "api";
/// The fields of a body.
const FIELDS: [&str; 5] = ["mode", "force", "accept_churn", "as_of", "dedupe_key"];

/// Accepts a job: 202 with its id, or with the id of the job that stands for its dedupe key.
pub(super) async fn trigger(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let body = read_body(request).await?;
    let now = Utc::now();
    let request = asked(&body, JobId::fresh(), now)?;
    let submitted = api.service.submit(&request, Source::Api, now).await?;
    let id = submitted.job_id.as_str();
    let mut answer = json!({
        "success": true,
        "job_id": id,
        "run_id": id,
        "mode": request.mode.as_str(),
        "status_url": format!("/api/processing/cache-sync/status/{id}"),
        "message": "Cache synchronization started",
    });
    if submitted.is_duplicate {
        answer["duplicate"] = true.into();
        answer["message"] = "Another job stands for this dedupe_key already".into();
    }
    if let Some(failure) = submitted.delayed {
        tracing::warn!(job.id = id, "job {id} is accepted, but not on the stream yet: {failure}");
        answer["message"] = "Cache synchronization accepted; it starts once Redis is back".into();
    }
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

async fn read_body(request: Request) -> Result<Bytes, Problem> {
    match tokio::time::timeout(SERVER_WITHIN, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Problem::too_large(MAX_BODY_BYTES))
        }
        Ok(Err(_)) | Err(_) => Err(Problem::invalid("the body did not arrive as a whole")),
    }
}

/// What a body asks for; nothing, and JSON `null`, ask for everything.
fn asked(body: &[u8], job_id: JobId, now: DateTime<Utc>) -> Result<JobRequest, Problem> {
    let fields = fields(body)?;
    if fields.get("dedupe_key").is_some_and(|key| !key.is_string() && !key.is_null()) {
        return Err(Problem::invalid("dedupe_key is no text"));
    }
    if fields.get("mode").and_then(Value::as_str) == Some("revert") {
        return Err(invalid(&Rejection::of_bare_revert(job_id)));
    }
    let payload = Value::Object(fields).to_string().into_bytes();
    let parsed = entry::parse("0-1", &[(b"payload".to_vec(), payload)]).map_err(|fault| invalid(&fault))?;
    Ok(JobRequest {
        run_id: Some(job_id.to_string()),
        job_id,
        triggered_by: TRIGGERED_BY.to_owned(),
        requested_at: now,
        ..parsed.request
    })
}

fn fields(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|name, _| FIELDS.contains(&name.as_str()));
            Ok(fields)
        }
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(Problem::invalid("the body is JSON, but no object")),
        Err(error) => Err(Problem::invalid(format!("the body can't be read as JSON: {error}"))),
    }
}

fn invalid(rejection: &Rejection) -> Problem {
    Problem::invalid(rejection.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::task::Mode;
    use crate::hostile::{any_json, assert_is_a_sentence, corpus};

    fn id() -> JobId {
        JobId::parse("job-1").expect("valid")
    }

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_767_389_400_000).expect("in range")
    }

    fn plain() -> JobRequest {
        JobRequest { run_id: Some("job-1".to_owned()), ..JobRequest::new(id(), Mode::Full, "api", at()) }
    }

    fn problem(body: &str) -> String {
        format!("{:?}", asked(body.as_bytes(), id(), at()).expect_err(body))
    }

    #[test]
    fn no_body_asks_for_everything() {
        for body in ["", " \n", "null", "{}", r#"{"mode": null}"#] {
            assert_eq!(asked(body.as_bytes(), id(), at()), Ok(plain()), "{body:?}");
        }
    }

    #[test]
    fn every_field_of_the_contract_is_read_and_others_are_ignored() {
        let body = r#"{"mode": "ipos", "force": true, "accept_churn": 1, "as_of": "2026-01-02", "dedupe_key": "k",
            "job_id": "a b", "triggered_by": "eod_import", "run_id": [], "revert_of": "x", "colour": {}}"#;
        let wanted = JobRequest {
            mode: Mode::Ipos,
            force: true,
            accept_churn: true,
            as_of: chrono::NaiveDate::from_ymd_opt(2026, 1, 2),
            dedupe_key: Some("k".to_owned()),
            ..plain()
        };
        assert_eq!(asked(body.as_bytes(), id(), at()), Ok(wanted));
    }

    #[test]
    fn what_can_not_be_asked_for_is_refused_with_the_field() {
        for (body, words) in [
            (r#"{"mode": "FULL"}"#, "mode is"),
            (r#"{"mode": "revert"}"#, "only the command"),
            (r#"{"mode": "revert", "revert_of": "x"}"#, "only the command"),
            (r#"{"force": "maybe"}"#, "force is"),
            (r#"{"as_of": "tomorrow"}"#, "as_of is"),
            (r#"{"dedupe_key": ["k"]}"#, "dedupe_key is no text"),
            (r#"{"dedupe_key": 7}"#, "dedupe_key is no text"),
            ("[]", "no object"),
            ("{", "can't be read as JSON"),
            ("\u{feff}{}", "can't be read as JSON"),
        ] {
            assert!(problem(body).contains(words), "{}", problem(body));
        }
    }

    fn assert_is_read(body: &[u8]) {
        match asked(body, id(), at()) {
            Ok(request) => assert_eq!((request.job_id, request.triggered_by.as_str()), (id(), "api")),
            Err(problem) => assert_is_a_sentence(problem.message()),
        }
    }

    #[test]
    fn every_body_of_the_corpus_is_a_request_or_a_sentence() {
        for (name, body) in corpus("http_bodies") {
            println!("{name}");
            assert_is_read(&body);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_body_is_a_request_or_a_sentence(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            value in any_json(&["mode", "force", "accept_churn", "as_of", "dedupe_key", "full", "revert", "2026-01-02"]),
        ) {
            assert_is_read(&bytes);
            assert_is_read(value.to_string().as_bytes());
        }
    }
}
