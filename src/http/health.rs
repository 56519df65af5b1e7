//! `GET /health`: this process lives, and whom it reaches. `GET /ready`: jobs will be worked on.
//!
//! Both need no key, so they say no more than an orchestrator needs; `cache-sync doctor` says the rest.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Api, SERVER_WITHIN};
use crate::failure::Failure;
use crate::redis::stream_state::{self, Reader, StreamState};
use crate::store::migrations;

/// Always 200: a process that answers is alive, whoever else is away.
pub(super) async fn health(State(api): State<Arc<Api>>) -> Json<Value> {
    let redis = async {
        let pong: redis::RedisResult<String> =
            redis::cmd("PING").query_async(&mut api.service.redis.shared()).await;
        pong.is_ok()
    };
    let database = async { api.service.database.client().await.is_ok() };
    let (redis, database) = tokio::join!(within(redis), within(database));
    let (redis, database) = (redis.unwrap_or(false), database.unwrap_or(false));
    let word = |is_well: bool| if is_well { "healthy" } else { "unhealthy" };
    Json(json!({
        "status": if redis && database { "healthy" } else { "degraded" },
        "services": {"redis": word(redis), "database": word(database), "api": word(true)},
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

/// 200 if nothing keeps jobs from being worked on, else 503 with the reasons.
pub(super) async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, Json<Value>) {
    let tables = within(migrations::check(&api.service.database, &api.service.entries));
    let stream = within(stream_state::look(&api.service.redis, &api.service.names));
    let (tables, stream) = tokio::join!(tables, stream);
    let mut reasons = Vec::new();
    reasons.extend(against_postgres(tables.as_ref()));
    reasons.extend(match stream {
        Some(Ok(stream)) => against_readers(&stream, api.own_worker.as_deref(), api.lease),
        Some(Err(_)) | None => Some("Redis does not answer".to_owned()),
    });
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": reasons.is_empty(), "reasons": reasons})))
}

async fn within<T>(asked: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(SERVER_WITHIN, asked).await.ok()
}

fn against_postgres(checked: Option<&Result<(), Failure>>) -> Option<String> {
    match checked {
        Some(Ok(())) => None,
        Some(Err(Failure::Permanent { .. })) => {
            Some("the tables are missing or can't be used; cache-sync doctor says more".to_owned())
        }
        Some(Err(Failure::Transient { .. } | Failure::Conflict { .. })) | None => {
            Some("Postgres does not answer".to_owned())
        }
    }
}

/// Why nobody would read a job now: there is no group, or whoever should read it has gone silent.
fn against_readers(stream: &StreamState, own: Option<&str>, lease: Duration) -> Option<String> {
    if !stream.has_group {
        return Some("the consumer group does not exist: no worker has started yet".to_owned());
    }
    let is_meant = |reader: &&Reader| own.is_none_or(|own| reader.name == own);
    let who = if own.is_some() { "the worker of this process" } else { "no worker" };
    match stream.readers.iter().filter(is_meant).map(|reader| reader.silent_for).min() {
        Some(silent_for) if silent_for <= lease => None,
        Some(silent_for) => {
            let verb = if own.is_some() { "has not read" } else { "has read" };
            Some(format!("{who} {verb} the job stream for {} s", silent_for.as_secs()))
        }
        None if own.is_some() => Some(format!("{who} has not read the job stream yet")),
        None => Some(format!("{who} is in the consumer group")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::consumer::Backlog;

    const LEASE: Duration = Duration::from_secs(15);

    fn stream(readers: &[(&str, u64)]) -> StreamState {
        let reader = |(name, silent): &(&str, u64)| Reader {
            name: (*name).to_owned(),
            silent_for: Duration::from_secs(*silent),
        };
        StreamState {
            has_group: true,
            backlog: Backlog { undelivered: 0, pending: 0 },
            oldest_undelivered_at: None,
            readers: readers.iter().map(reader).collect(),
            dead_letters: 0,
            lost: Some(0),
            counted_since: None,
            newest: None,
        }
    }

    #[test]
    fn somebody_has_to_read_and_where_a_worker_is_inside_it_has_to_be_that_one() {
        let stream = stream(&[("a", 1), ("b", 40)]);
        for (own, reason) in [
            (None, None),
            (Some("a"), None),
            (Some("b"), Some("the worker of this process has not read the job stream for 40 s")),
            (Some("c"), Some("the worker of this process has not read the job stream yet")),
        ] {
            assert_eq!(against_readers(&stream, own, LEASE).as_deref(), reason, "{own:?}");
        }
    }

    #[test]
    fn without_readers_or_group_nobody_is_ready() {
        let none = StreamState { has_group: false, ..stream(&[]) };
        assert!(against_readers(&none, None, LEASE).is_some_and(|reason| reason.contains("group")));
        let reason = against_readers(&stream(&[]), None, LEASE);
        assert_eq!(reason.as_deref(), Some("no worker is in the consumer group"));
        let reason = against_readers(&stream(&[("a", 16), ("b", 90)]), None, LEASE);
        assert_eq!(reason.as_deref(), Some("no worker has read the job stream for 16 s"));
    }
}
