//! The HTTP API through its door: the real program, real servers, and a client that holds every answer to its time.
//!
//! What is answered is held against the schemas of the `OpenAPI` document that the program itself serves.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::{
    Answer, CALLS, Flow, KEY, SHORT_LEASE, Sent, Serving, Tap, World, background, eventually, key_variable,
    request, stock, until,
};

/// The document that a program serves, ready to judge.
struct Document(Value);

impl Document {
    async fn of(serving: &Serving) -> Self {
        Self(serving.ask(Method::GET, "/openapi.json", &[], "").await.json())
    }

    /// Panics unless `body` is what the document calls a `name`.
    fn hold(&self, name: &str, body: &Value) {
        let place = "http://localhost/openapi.json";
        let mut compiler = boon::Compiler::new();
        compiler.enable_format_assertions();
        compiler.add_resource(place, self.0.clone()).unwrap();
        let mut schemas = boon::Schemas::new();
        let index = compiler
            .compile(&format!("{place}#/components/schemas/{name}"), &mut schemas)
            .unwrap_or_else(|error| panic!("{error:#}"));
        schemas.validate(body, index).unwrap_or_else(|error| panic!("{error:#}\n{body:#}"));
    }
}

/// The job's status, once it has ended.
async fn ended(serving: &Serving, id: &str) -> Value {
    eventually(&format!("the end of job {id}"), async || {
        let status = serving.get(&format!("status/{id}")).await.json();
        status["end_time"].is_string().then_some(status)
    })
    .await
}

/// The value of a metric: `cache_sync_jobs_total{mode="full",outcome="completed"}`.
pub(crate) async fn metric(serving: &Serving, name: &str) -> Option<f64> {
    let text = serving.ask(Method::GET, "/metrics", &[], "").await.text;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map(|value| value.parse().unwrap())
}

/// The same once there is one: what comes from a server is missing where that did not answer in time.
pub(crate) async fn shown(serving: &Serving, name: &str) -> Option<f64> {
    Some(eventually(name, async || metric(serving, name).await).await)
}

#[tokio::test]
async fn a_job_that_is_triggered_shows_in_status_history_statistics_and_events() {
    let world = World::new().await;
    let serving = world.serve("worker,api").await;
    let document = Document::of(&serving).await;

    let answer = serving.trigger(r#"{"mode": "market_cap", "force": true}"#).await;
    assert_eq!(answer.status, 202);
    let body = answer.json();
    document.hold("Triggered", &body);
    let id = body["job_id"].as_str().unwrap().to_owned();
    assert_eq!(
        body,
        json!({
            "success": true, "job_id": id, "run_id": id, "mode": "market_cap",
            "status_url": format!("{CALLS}/status/{id}"), "message": "Cache synchronization started",
        })
    );

    let status = ended(&serving, &id).await;
    document.hold("Status", &status);
    assert_eq!((&status["status"], &status["triggered_by"]), (&json!("completed"), &json!("api")));
    assert_eq!((&status["progress"], &status["error_details"]), (&Value::Null, &Value::Null));

    let history = serving.get("history?limit=10&offset=0").await.json();
    document.hold("History", &history);
    assert_eq!(
        (&history["total"], &history["limit"], &history["offset"]),
        (&json!(1), &json!(10), &json!(0))
    );
    let mut line = history["jobs"][0].clone();
    assert_eq!(line.as_object_mut().unwrap().remove("has_errors"), Some(json!(false)));
    for (field, value) in line.as_object().unwrap() {
        assert_eq!(value, &status[field], "{field}");
    }

    let week = serving.get("stats").await.json();
    document.hold("Stats", &week);
    let universes = week["universes"].as_array().unwrap();
    let mega = universes.iter().find(|universe| universe["universe"] == "mega_cap").unwrap();
    assert_eq!((&mega["type"], &mega["symbol_count"]), (&json!("market_cap"), &json!(12)));
    let week = &week["job_statistics"];
    assert_eq!((&week["total_jobs_7d"], &week["successful_jobs_7d"]), (&json!(1), &json!(1)));
    assert!(week["avg_duration_seconds"].as_f64().unwrap() > 0.0);

    let events = serving.follow(&id, None).await.read_out().await;
    assert_eq!(events[0].event, "cache_sync_triggered");
    assert_eq!(events[0].data["source"], "cache_sync_api");
    assert_eq!(events.last().unwrap().event, "cache_sync_completed");
    assert_is_told(&world, &id, &events).await;
    serving.stop().await;
}

/// Panics unless these are the events that Redis keeps of a job.
async fn assert_is_told(world: &World, id: &str, events: &[Sent]) {
    let kept: Vec<Sent> = world
        .events(id)
        .await
        .into_iter()
        .map(|told| Sent { id: format!("{}-0", told.seq), event: told.event, data: told.data })
        .collect();
    assert_eq!(events, kept);
}

#[tokio::test]
async fn a_job_by_http_leaves_what_the_same_job_by_xadd_leaves() {
    let by_http = World::filled().await;
    let by_xadd = World::filled().await;
    let moves = [(background(13), 1.1), (background(12), 0.9)];
    let moves: Vec<(&str, f64)> = moves.iter().map(|(symbol, factor)| (symbol.as_str(), *factor)).collect();
    for world in [&by_http, &by_xadd] {
        world.close_next_day(&moves).await;
        world.delist(&background(77)).await;
    }
    let serving = by_http.serve("api").await;
    let id = serving.accepted(r#"{"mode": "full", "force": true, "as_of": "2026-03-03"}"#).await;
    by_http.run_once_telling_all(&id).await;
    by_xadd.xadd(&[("job_id", "xadd"), ("force", "true"), ("as_of", "2026-03-03")]).await;
    by_xadd.run_once_telling_all("xadd").await;

    let (http, xadd) = (traces(&by_http, &id).await, traces(&by_xadd, "xadd").await);
    assert!(http.rows.len() > 100 && http.rows == xadd.rows, "{:?}\n{:?}", http.rows, xadd.rows);
    assert_eq!(http.hash, xadd.hash);
    assert_eq!(http.events[0], ("cache_sync_triggered".to_owned(), Value::Null));
    assert_eq!(http.events[1..], xadd.events);
    assert_eq!(by_http.job(&id).await.request.run_id.as_deref(), Some(id.as_str()));
}

/// What a job leaves, without ids, times and who asked.
struct Traces {
    hash: BTreeMap<String, String>,
    events: Vec<(String, Value)>,
    rows: Vec<String>,
}

async fn traces(world: &World, id: &str) -> Traces {
    let differ = "job_id run_id triggered_by worker created_at start_time end_time updated_at duration_seconds task_results";
    let hash: HashMap<String, String> = world.status(id).await;
    let hash = hash.into_iter().filter(|(field, _)| !differ.split(' ').any(|own| own == field)).collect();
    let events = world.events(id).await.into_iter().map(|told| {
        let mut payload = told.data["payload"].clone();
        for field in ["job_id", "run_id", "duration_seconds", "task_results"] {
            payload.as_object_mut().unwrap().remove(field);
        }
        let is_triggered = told.event == "cache_sync_triggered";
        (told.event, if is_triggered { Value::Null } else { payload })
    });
    let mut rows = Vec::new();
    for sql in [
        "select universe, cache_type, content - 'last_updated' from cache_entries order by universe",
        "select universe, symbol, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry, cap_at_entry
         from universe_membership order by universe, symbol, valid_from",
        "select as_of, universe, symbol, action, reason, task, before, after from cache_sync_changes
         order by as_of, universe, symbol, action",
        "select universe, symbol_count, added, removed, status, detail, last_as_of from cache_entries_metadata
         order by universe",
        "select as_of, mode, active_stocks, closes, symbols, caps_cents from cache_sync_runs order by as_of",
    ] {
        rows.extend(world.ask(sql).await);
    }
    rows.extend(
        world
            .ask(&format!(
                "select mode, status, as_of, attempt, lease_number, dedupe_key, error, warnings, force, accept_churn,
                 requested_as_of, result #- '{{task_results}}' from cache_sync_jobs where job_id = '{id}'"
            ))
            .await,
    );
    Traces { hash, events: events.collect(), rows }
}

#[tokio::test]
async fn a_symbol_is_explained_as_the_command_explains_it() {
    let world = World::filled().await;
    world.list(stock("BRK/B").cap("900B")).await;
    world.close_next_day(&[(&background(13), 1.1)]).await;
    world.delist(&background(20)).await;
    let serving = world.serve("api").await;
    let document = Document::of(&serving).await;
    for (symbol, path) in [("BRK/B", "BRK%2FB"), ("BRK-B", "BRK-B"), ("BG013", "BG013"), ("BG020", "BG020")] {
        let answer = serving.get(&format!("explain/{path}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        document.hold("Explanation", &answer.json());
        let ran = world.run_command(&["explain", symbol, "--json"]).await;
        assert_eq!(answer.json(), serde_json::from_str::<Value>(&ran.output).unwrap());
    }
    let one = serving.get("explain/BG013?universe=mega_cap").await.json();
    document.hold("Explanation", &one);
    let universes = one["universes"].as_array().unwrap();
    assert_eq!(universes.len(), 1);
    assert_eq!(
        (&universes[0]["universe"], &universes[0]["outlook"]),
        (&json!("mega_cap"), &json!("would_join"))
    );

    world.sql("delete from ohlcv_daily").await;
    let refused = serving.get("explain/BG013").await;
    assert_eq!((refused.status, refused.error().as_str()), (503, "unavailable"));
    assert!(refused.text.contains("no_closes"), "{refused:?}");
}

#[tokio::test]
async fn an_explanation_that_takes_too_long_is_not_waited_for() {
    let world = World::filled().await;
    let serving = world.serve("api").await;
    let gate = world.lock("lock table symbols in access exclusive mode").await;
    let answers = tokio::join!(
        serving.get("explain/BG013"),
        serving.get("explain/BG013"),
        serving.get("explain/BG013"),
        serving.get("stats")
    );
    assert_eq!(
        [answers.0.status, answers.1.status, answers.2.status, answers.3.status],
        [503, 503, 503, 200]
    );
    gate.release().await;
    assert_eq!(serving.get("explain/BG013").await.status, 200);
}

#[tokio::test]
async fn every_error_has_the_one_shape_and_its_own_status() {
    let world = World::new().await;
    let serving = world.serve("api").await;
    let document = Document::of(&serving).await;
    let large = format!(r#"{{"mode": "full", "filler": "{}"}}"#, "x".repeat(16 * 1024));
    let key = ("x-api-key", KEY);
    let calls = |call: &str| format!("{CALLS}/{call}");
    let cases = [
        (Method::GET, calls("history"), vec![], "", 401, "unauthorized"),
        (Method::GET, calls("history"), vec![("x-api-key", "wrong")], "", 401, "unauthorized"),
        (Method::GET, calls("history"), vec![key, key], "", 401, "unauthorized"),
        (Method::GET, calls("no/such/path"), vec![], "", 401, "unauthorized"),
        (Method::POST, calls("trigger"), vec![], &large, 401, "unauthorized"),
        (Method::GET, calls("no/such/path"), vec![key], "", 404, "not_found"),
        (Method::GET, "/api/processing/other".to_owned(), vec![key], "", 404, "not_found"),
        (Method::GET, "/elsewhere".to_owned(), vec![], "", 404, "not_found"),
        (Method::GET, "/%61pi/processing/cache-sync/history".to_owned(), vec![], "", 404, "not_found"),
        (Method::GET, calls("status/nobody"), vec![key], "", 404, "unknown_job"),
        (Method::GET, calls("status/%00%ff"), vec![key], "", 404, "unknown_job"),
        (Method::GET, calls("events/nobody"), vec![key], "", 404, "unknown_job"),
        (Method::DELETE, calls("nobody"), vec![key], "", 404, "unknown_job"),
        (Method::GET, calls("explain/BG013"), vec![], "", 401, "unauthorized"),
        (Method::GET, calls("explain/nobody"), vec![key], "", 404, "unknown_symbol"),
        (Method::GET, calls("explain/%00%ff"), vec![key], "", 404, "unknown_symbol"),
        (Method::GET, calls("explain/BG013?universe=mega"), vec![key], "", 404, "unknown_universe"),
        (Method::GET, calls("explain/BG013?universe=a&universe=b"), vec![key], "", 400, "invalid_request"),
        (Method::GET, calls("trigger"), vec![key], "", 405, "method_not_allowed"),
        (Method::PUT, calls("status/nobody"), vec![key], "", 405, "method_not_allowed"),
        (Method::POST, "/health".to_owned(), vec![], "", 405, "method_not_allowed"),
        (Method::POST, calls("trigger"), vec![key], &large, 413, "payload_too_large"),
        (Method::POST, calls("trigger"), vec![key], "{", 400, "invalid_request"),
        (Method::POST, calls("trigger"), vec![key], "[1]", 400, "invalid_request"),
        (Method::POST, calls("trigger"), vec![key], r#"{"mode": "FULL"}"#, 400, "invalid_request"),
        (Method::POST, calls("trigger"), vec![key], r#"{"mode": "revert"}"#, 400, "invalid_request"),
        (Method::GET, calls("history?limit=201"), vec![key], "", 400, "invalid_request"),
        (Method::GET, calls("history?limit=ten"), vec![key], "", 400, "invalid_request"),
        (Method::GET, calls("history?offset=-1"), vec![key], "", 400, "invalid_request"),
        (Method::GET, calls("events/x"), vec![key, ("last-event-id", "$")], "", 400, "invalid_request"),
    ];
    for (method, path, headers, body, status, error) in cases {
        let answer = serving.ask(method.clone(), &path, &headers, body).await;
        assert_eq!((answer.status, answer.error().as_str()), (status, error), "{method} {path} {answer:?}");
        document.hold("Error", &answer.json());
        assert_eq!(answer.header("www-authenticate").is_empty(), status != 401, "{answer:?}");
        assert_eq!(answer.header("allow").is_empty(), status != 405, "{answer:?}");
    }
    assert!(world.entries().await.is_empty());
    assert_eq!(world.count("select count(*) from cache_sync_jobs").await, 0);
}

#[tokio::test]
async fn a_body_that_never_arrives_keeps_nobody() {
    let world = World::new().await;
    let serving = world.serve("api").await;
    let answer = serving.ask_without_end().await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{answer:?}");
}

#[tokio::test]
async fn no_body_asks_for_everything_and_a_dedupe_key_for_one_job() {
    let world = World::new().await;
    let serving = world.serve("api").await;
    let plain = serving.accepted("").await;
    assert_eq!(world.job(&plain).await.request.mode.as_str(), "full");

    let body = r#"{"mode": "ipos", "dedupe_key": "eod:2026-03-02", "unknown": 1}"#;
    let first = serving.accepted(body).await;
    let second = serving.trigger(body).await;
    assert_eq!(second.status, 202);
    Document::of(&serving).await.hold("Triggered", &second.json());
    assert_eq!((&second.json()["job_id"], &second.json()["duplicate"]), (&json!(first), &json!(true)));
    assert_eq!(world.entries().await.len(), 2);
    assert_eq!(serving.get(&format!("status/{first}")).await.json()["status"], "pending");
}

#[tokio::test]
async fn a_reader_of_events_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let world = World::new().await;
    let serving = world.serve("worker,api").await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let id = serving.accepted("").await;
    let mut reader = serving.follow(&id, None).await;
    let mut heard = vec![reader.next().await.unwrap(), reader.next().await.unwrap()];
    assert_eq!(heard[1].event, "cache_sync_started");
    drop(reader);

    gate.reached().await;
    let running = serving.get(&format!("status/{id}")).await.json();
    Document::of(&serving).await.hold("Status", &running);
    assert_eq!(running["status"], "running");
    assert_eq!(running["progress"]["total_items"], 5);
    let reader = serving.follow(&id, Some(&heard[1].id)).await;
    gate.open().await;
    heard.extend(reader.read_out().await);
    assert_is_told(&world, &id, &heard).await;

    // The job has ended: once more from the beginning, from the middle, and from the end, where there is no more.
    assert_eq!(serving.follow(&id, None).await.read_out().await, heard);
    assert_eq!(serving.follow(&id, Some(&heard[2].id)).await.read_out().await, heard[3..]);
    let last = &heard.last().unwrap().id;
    let headers = [("x-api-key", KEY), ("last-event-id", last.as_str())];
    assert_eq!(serving.ask(Method::GET, &format!("{CALLS}/events/{id}"), &headers, "").await.status, 204);
}

#[tokio::test]
async fn no_more_streams_are_followed_than_there_is_room_for() {
    let world = World::new().await;
    let serving = world.serve("api").await;
    let id = serving.accepted("").await;
    let mut readers = Vec::new();
    for _ in 0..64 {
        readers.push(serving.follow(&id, None).await);
    }
    let refused = serving.get(&format!("events/{id}")).await;
    assert_eq!((refused.status, refused.error().as_str()), (503, "unavailable"));
    // A reader that goes away makes room.
    drop(readers.pop());
    until("room", async || serving.get("events/nobody").await.status == 404).await;
}

#[tokio::test]
async fn events_that_are_no_longer_kept_are_not_waited_for() {
    let world = World::filled().await;
    let serving = world.serve("api").await;
    let _: i64 = world.ask_redis(redis::cmd("DEL").arg("tickstock:jobs:cache_sync:events:first")).await;
    let answer = serving.get("events/first").await;
    assert_eq!((answer.status, answer.error().as_str()), (404, "not_found"));
}

#[tokio::test]
async fn a_job_is_cancelled_once_and_one_that_has_ended_is_not() {
    let world = World::new().await;
    let serving = world.serve("api").await;
    let document = Document::of(&serving).await;
    let id = serving.accepted("").await;
    let answer = serving.delete(&id).await;
    assert_eq!(answer.status, 202);
    document.hold("Cancelled", &answer.json());
    let status = ended(&serving, &id).await;
    document.hold("Status", &status);
    assert_eq!((&status["status"], &status["error_details"]), (&json!("failed"), &json!("cancelled")));
    let history = serving.get("history").await.json();
    document.hold("History", &history);
    assert_eq!(history["jobs"][0]["has_errors"], true);

    let again = serving.delete(&id).await;
    assert_eq!((again.status, again.error().as_str()), (409, "job_finished"));
    world.run_once().await;
    assert_eq!(world.count("select count(*) from cache_entries").await, 0);
}

#[tokio::test]
async fn a_job_at_work_is_cancelled_by_its_worker() {
    let world = World::with(&[("worker.heartbeat_seconds", "1")]).await;
    let serving = world.serve("worker,api").await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let id = serving.accepted("").await;
    gate.reached().await;
    assert_eq!(serving.delete(&id).await.status, 202);
    assert_eq!(ended(&serving, &id).await["error_details"], "cancelled");
    gate.open().await;
    assert_eq!(world.count("select count(*) from cache_entries").await, 0);
}

#[tokio::test]
async fn each_named_key_opens_and_the_log_names_keys_and_shows_no_secret() {
    let digest = |key: &str| {
        let bytes = Sha256::digest(key.as_bytes());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    };
    let (scanner, admin) = (digest("scanner's secret"), digest("admin's secret"));
    let world = World::with(&[("http.keys.scanner", &scanner), ("http.keys.admin", &admin)]).await;
    let database = world.database_url.replace("postgres@", "postgres:hunter2@");
    let serving = world.serve_in("worker,api", vec![("DATABASE_URL".to_owned(), database)]).await;
    for key in ["scanner's secret", "admin's secret", KEY] {
        let path = format!("{CALLS}/history?limit=1&api_key={KEY}");
        assert_eq!(serving.ask(Method::GET, &path, &[("x-api-key", key)], "").await.status, 200, "{key}");
    }
    for wrong in [scanner.as_str(), "Scanner's secret", "attempted key", ""] {
        let headers = [("x-api-key", wrong), ("x-request-id", "wrong-one")];
        let answer = serving.ask(Method::GET, &format!("{CALLS}/history"), &headers, "").await;
        assert_eq!((answer.status, answer.header("x-request-id")), (401, "wrong-one"));
    }
    let odd = [("x-api-key", KEY), ("x-request-id", "no good {}")];
    let made = serving.ask(Method::GET, &format!("{CALLS}/history"), &odd, "").await;
    assert_eq!(made.header("x-request-id").len(), 36);
    let id = serving.accepted("").await;
    ended(&serving, &id).await;
    let _ = serving.ask(Method::GET, "/no%1b%5b31m", &[], "").await;

    let log = serving.stop().await;
    for told in
        ["key=\"scanner\"", "key=\"admin\"", "key=\"api_key\"", "wrong-one", made.header("x-request-id")]
    {
        assert!(log.contains(told), "{told}\n{log}");
    }
    for secret in [KEY, "secret", "attempted", "hunter2", &scanner, &digest(KEY)] {
        assert!(!log.contains(secret), "{secret}\n{log}");
    }
}

/// What is said while a server is away, by call.
async fn statuses(serving: &Serving, id: &str) -> BTreeMap<&'static str, u16> {
    let mut statuses = BTreeMap::new();
    statuses.insert("status", serving.get(&format!("status/{id}")).await.status);
    statuses.insert("history", serving.get("history").await.status);
    statuses.insert("stats", serving.get("stats").await.status);
    statuses.insert("explain", serving.get("explain/BG013").await.status);
    statuses.insert("events", serving.get(&format!("events/{id}")).await.status);
    statuses.insert("trigger", serving.trigger("{}").await.status);
    statuses.insert("delete", serving.delete("nobody").await.status);
    statuses.insert("openapi", serving.ask(Method::GET, "/openapi.json", &[], "").await.status);
    statuses
}

async fn open_call(serving: &Serving, path: &str) -> Answer {
    serving.ask(Method::GET, path, &[], "").await
}

#[tokio::test]
async fn while_postgres_is_away_every_answer_comes_in_time_and_says_so() {
    let world = World::filled().await;
    let tap = Tap::open().await;
    let serving = world.serve_behind(&tap, "worker,api").await;
    let document = Document::of(&serving).await;
    until("readiness", async || open_call(&serving, "/ready").await.status == 200).await;
    for flow in [Flow::Silent, Flow::Closed] {
        tap.turn(flow);
        let expected = [
            ("delete", 503),
            ("events", 200),
            ("explain", 503),
            ("history", 503),
            ("openapi", 200),
            ("stats", 503),
            ("status", 200),
            ("trigger", 503),
        ];
        assert_eq!(statuses(&serving, "first").await, BTreeMap::from(expected), "{flow:?}");
        let refused = serving.get("stats").await;
        document.hold("Error", &refused.json());
        assert_eq!(refused.error(), "unavailable");

        let health = open_call(&serving, "/health").await;
        document.hold("Health", &health.json());
        let services = json!({"redis": "healthy", "database": "unhealthy", "api": "healthy"});
        assert_eq!((health.status, &health.json()["services"]), (200, &services));
        assert_eq!(health.json()["status"], "degraded");
        let ready = open_call(&serving, "/ready").await;
        document.hold("Ready", &ready.json());
        assert_eq!(ready.status, 503);
        assert_eq!(ready.json()["reasons"][0], "Postgres does not answer");
        until("metrics to show it", async || metric(&serving, "cache_sync_postgres_up").await == Some(0.0))
            .await;
        assert_eq!(metric(&serving, "cache_sync_redis_up").await, Some(1.0));
        assert_eq!(metric(&serving, "cache_sync_outbox_unsent_events").await, None, "nothing stale is shown");
    }
    tap.turn(Flow::Open);
    until("readiness", async || open_call(&serving, "/ready").await.status == 200).await;
    let id = serving.accepted("").await;
    assert_eq!(ended(&serving, &id).await["status"], "completed");
    assert_eq!(open_call(&serving, "/health").await.json()["status"], "healthy");
}

#[tokio::test]
async fn while_redis_is_away_jobs_are_accepted_all_the_same_and_done_when_it_is_back() {
    let world = World::filled().await;
    let serving = world.serve("worker,api").await;
    let document = Document::of(&serving).await;
    until("readiness", async || open_call(&serving, "/ready").await.status == 200).await;
    let mut accepted = Vec::new();
    for is_frozen in [true, false] {
        if is_frozen {
            world.redis.pause().unwrap();
        } else {
            world.redis.kill_hard().unwrap();
        }
        let expected = [
            ("delete", 404),
            ("events", 503),
            ("explain", 200),
            ("history", 200),
            ("openapi", 200),
            ("stats", 200),
            ("status", 200),
            ("trigger", 202),
        ];
        assert_eq!(statuses(&serving, "first").await, BTreeMap::from(expected), "frozen: {is_frozen}");
        let answer = serving.trigger("").await.json();
        document.hold("Triggered", &answer);
        accepted.push(answer["job_id"].as_str().unwrap().to_owned());
        let health = open_call(&serving, "/health").await.json();
        assert_eq!(
            health["services"],
            json!({"redis": "unhealthy", "database": "healthy", "api": "healthy"})
        );
        let ready = open_call(&serving, "/ready").await;
        assert_eq!((ready.status, &ready.json()["reasons"]), (503, &json!(["Redis does not answer"])));
        until("metrics to show it", async || metric(&serving, "cache_sync_redis_up").await == Some(0.0))
            .await;
        assert_eq!(metric(&serving, "cache_sync_queue_entries{state=\"pending\"}").await, None);
        let waiting = metric(&serving, "cache_sync_oldest_waiting_job_age_seconds").await;
        assert!(waiting.is_some_and(|seconds| seconds > 0.0), "{waiting:?}");
        if is_frozen { world.redis.resume().unwrap() } else { world.redis.restart().unwrap() }
    }
    for id in accepted {
        assert_eq!(ended(&serving, &id).await["status"], "completed");
    }
    until("readiness", async || open_call(&serving, "/ready").await.status == 200).await;
}

#[tokio::test]
async fn an_api_is_ready_once_a_worker_reads_and_stays_so_while_it_works() {
    let world = World::with(&SHORT_LEASE).await;
    let api = world.serve("api").await;
    let reasons = async |serving: &Serving| open_call(serving, "/ready").await.json()["reasons"].to_string();
    until("the lack to be noticed", async || reasons(&api).await.contains("no worker has started yet")).await;
    let serving = world.serve("worker,api").await;
    until("readiness", async || open_call(&serving, "/ready").await.status == 200).await;
    // A worker elsewhere is as good.
    until("readiness", async || open_call(&api, "/ready").await.status == 200).await;

    let gate = world.gate("insert on cache_sync_changes").await;
    let id = serving.accepted("").await;
    gate.reached().await;
    let first_end = world.ask("select expires_at from cache_sync_owners").await[0].clone();
    let is_over = format!(
        "select count(*) from cache_sync_owners where clock_timestamp() > '{first_end}'::timestamptz + '1 s'"
    );
    until("the end of the first lease", async || {
        // That a server did not answer in time may be said; of the worker nothing may.
        let said = reasons(&serving).await;
        assert!(!said.contains("read the job stream"), "{said}");
        world.count(&is_over).await == 1
    })
    .await;
    until("readiness", async || open_call(&serving, "/ready").await.status == 200).await;
    gate.open().await;
    ended(&serving, &id).await;

    serving.process.signal("STOP");
    until("the silence to be noticed", async || {
        reasons(&api).await.contains("no worker has read the job stream for")
    })
    .await;
    serving.process.signal("CONT");
    until("readiness", async || open_call(&api, "/ready").await.status == 200).await;
    world.sql("alter table cache_sync_migrations rename to elsewhere").await;
    until("the lack to be noticed", async || reasons(&api).await.contains("the tables are missing")).await;
}

#[tokio::test]
async fn metrics_count_jobs_whoever_did_them_and_show_the_universes() {
    let world = World::filled().await;
    let serving = world.serve("api").await;
    let done = r#"cache_sync_jobs_total{mode="full",outcome="completed"}"#;
    assert_eq!(metric(&serving, done).await, Some(0.0), "only what ends from now on");
    world.xadd(&[("job_id", "bad"), ("mode", "nonsense")]).await;
    world.sync("second").await;
    world.submit(&request("waiting")).await;
    // Until then both servers have to have answered in time.
    until("the job to be counted", async || {
        metric(&serving, done).await == Some(1.0)
            && metric(&serving, "cache_sync_dead_letters").await == Some(1.0)
    })
    .await;
    let text = open_call(&serving, "/metrics").await.text;
    for line in [
        r#"cache_sync_jobs_total{mode="full",outcome="failed"} 1"#,
        r#"cache_sync_job_attempts_total{mode="full"} 1"#,
        r#"cache_sync_job_duration_seconds_count{mode="full",outcome="completed"} 1"#,
        r#"cache_sync_universe_members{universe="mega_cap"} 12"#,
        r#"cache_sync_universe_held{universe="mega_cap"} 0"#,
        r#"cache_sync_open_jobs{status="queued"} 1"#,
        r#"cache_sync_queue_entries{state="undelivered"} 1"#,
        "cache_sync_dead_letters 1",
        "cache_sync_held_universes 0",
        "cache_sync_quarantined_symbols{kind=\"suspected_split\"} 0",
        "cache_sync_outbox_lag_seconds 0",
        r#"cache_sync_http_requests_total{method="GET",route="/metrics",status="200"}"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(shown(&serving, "cache_sync_last_good_sync_age_seconds").await < Some(600.0));
    assert!(shown(&serving, "cache_sync_oldest_waiting_job_age_seconds").await > Some(0.0));

    let words = |prefix: &str| -> BTreeSet<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(prefix));
        lines.map(|line| line.split([' ', '{']).next().unwrap().to_owned()).collect()
    };
    assert_eq!(words("# HELP "), words("# TYPE "), "each is described");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/operating.md")).unwrap();
    for name in words("# TYPE ") {
        assert!(page.contains(&format!("`{name}")), "deploy/operating.md does not list {name}");
    }
}

#[tokio::test]
async fn the_first_signal_ends_streams_and_finishes_the_job_at_hand() {
    let world = World::new().await;
    let mut serving = world.serve("worker,api").await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let id = serving.accepted("").await;
    gate.reached().await;
    let mut reader = serving.follow(&id, None).await;
    reader.next().await.unwrap();
    serving.process.signal("TERM");
    let heard = reader.read_out().await;
    assert!(heard.iter().all(|event| event.event != "cache_sync_completed"));
    gate.open().await;
    assert_eq!(serving.process.end().await.code(), Some(0));
    assert_eq!(world.job(&id).await.status.as_str(), "completed");
}

#[tokio::test]
async fn an_api_without_a_key_or_without_its_port_does_not_start() {
    let world = World::new().await;
    let mut keyless = world.spawn(&["serve", "--roles", "api"]);
    assert_eq!(keyless.end().await.code(), Some(2));
    assert!(
        keyless.log().contains("error: the roles api and console need a key: set CACHE_SYNC_API_KEY"),
        "{}",
        keyless.log()
    );

    let taken = world.serve("api").await;
    let listen = ("CACHE_SYNC__HTTP__LISTEN".to_owned(), taken.address.to_string());
    let mut second = world.spawn_in(&["serve", "--roles", "api"], vec![listen, key_variable()]);
    assert_eq!(second.end().await.code(), Some(2));
    assert!(second.log().contains("another program has this port"), "{}", second.log());
}

#[tokio::test]
async fn serving_begins_while_both_servers_are_away() {
    let world = World::new().await;
    let tap = Tap::open().await;
    tap.turn(Flow::Closed);
    world.redis.kill_hard().unwrap();
    let serving = world.serve_behind(&tap, "worker,api").await;
    assert_eq!(open_call(&serving, "/health").await.status, 200);
    assert_eq!(serving.trigger("").await.status, 503);
    tap.turn(Flow::Open);
    let id = serving.accepted("").await;
    world.redis.restart().unwrap();
    assert_eq!(ended(&serving, &id).await["status"], "completed");
}
