//! The files of `deploy/schemas`, held against what the service really says, and against spoilt copies of it.
//!
//! One [`story`] runs everything that a service tells of: a first sync, a day with delistings and universes held back,
//! jobs that are refused, stopped and given up. All tests look at what was told then.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use cache_sync::domain::job::{JobId, JobRequest, JobStatus};
use cache_sync::domain::money::Usd;
use cache_sync::domain::sector::Sector;
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::TaskStatus;
use cache_sync::domain::task::{Mode, SyncTask};
use cache_sync::domain::universe::{CacheType, UniverseName};
use cache_sync::wire::dead_letter::DeadReason;
use cache_sync::wire::entry;
use cache_sync::wire::event::{
    ErrorReport, EventName, IpoAssignment, MAX_IPO_EVENTS, Occasion, Severity, Source, UniverseAction,
    service_error,
};
use cache_sync::wire::names::Names;
use cache_sync::wire::status::StatusHash;
use chrono::Utc;
use redis::streams::StreamRangeReply;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use crate::world::{Heard, World, background, request, stock};

static STORY: OnceCell<Story> = OnceCell::const_new();

/// One file, ready to judge.
struct Schema {
    text: Value,
    compiled: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Schema {
    /// The schema in `deploy/schemas/<name>.schema.json`.
    fn open(name: &str) -> Self {
        let path = folder().join(format!("{name}.schema.json"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut reader = boon::Compiler::new();
        reader.enable_format_assertions();
        reader.enable_content_assertions();
        let mut compiled = boon::Schemas::new();
        let index =
            reader.compile(path.to_str().unwrap(), &mut compiled).unwrap_or_else(|error| panic!("{error:#}"));
        Self { text: serde_json::from_str(&text).unwrap(), compiled, index }
    }

    fn of_event(name: &str) -> Self {
        Self::open(&format!("events/{name}"))
    }

    fn judge(&self, message: &Value) -> Result<(), String> {
        self.compiled.validate(message, self.index).map_err(|error| format!("{error:#}\n{message:#}"))
    }

    fn accepts(&self, message: &Value) -> bool {
        self.judge(message).is_ok()
    }

    /// Takes `message` as it is, and refuses each of its spoilt copies.
    fn hold_against(&self, message: &Value) {
        self.judge(message).unwrap_or_else(|error| panic!("{error}"));
        for (change, spoilt) in spoilt_copies(message) {
            if !is_harmless(&change) {
                assert!(!self.accepts(&spoilt), "{change} is let through: {spoilt:#}");
            }
        }
    }
}

/// Whether a change of [`spoilt_copies`] leaves a message as good as it was: what may be missing, and an error's context,
/// which is free.
fn is_harmless(change: &str) -> bool {
    let unknown = ["without /payload/total_symbols", "without /payload/market_cap"];
    let is_task =
        change.strip_prefix("without /payload/task_results/").is_some_and(|task| !task.contains('/'));
    let is_context = change.contains(" /context") && !change.starts_with("null at");
    let is_whole_context = ["without /context", "retyped /context"].contains(&change);
    unknown.contains(&change) || is_task || (is_context && !is_whole_context)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/schemas")
}

/// The words that a schema lists at `pointer`.
fn words<'a>(schema: &'a Schema, pointer: &str) -> Vec<&'a str> {
    let list = schema
        .text
        .pointer(pointer)
        .and_then(Value::as_array)
        .unwrap_or_else(|| panic!("nothing at {pointer}"));
    list.iter().map(|word| word.as_str().unwrap()).collect()
}

fn members(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Copies of `message` with one thing wrong, each with a name: a null, a number below zero, a number that is a text or the
/// reverse, a member too few, a member too many.
fn spoilt_copies(message: &Value) -> Vec<(String, Value)> {
    let with = |pointer: &str, change: &dyn Fn(&mut Value)| {
        let mut copy = message.clone();
        change(copy.pointer_mut(pointer).unwrap());
        copy
    };
    let mut copies = Vec::new();
    for (pointer, value) in places(message, String::new()) {
        copies.push((format!("null at {pointer}"), with(&pointer, &|value| *value = Value::Null)));
        let retyped = match value {
            Value::String(_) => json!(7),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                json!("odd")
            }
        };
        copies.push((format!("retyped {pointer}"), with(&pointer, &|value| *value = retyped.clone())));
        if value.is_number() {
            copies.push((format!("negative {pointer}"), with(&pointer, &|value| *value = json!(-1))));
        }
        let Value::Object(members) = value else { continue };
        copies
            .push((format!("more in {pointer}"), with(&pointer, &|object| object["colour"] = json!("red"))));
        for name in members.keys() {
            let without = with(&pointer, &|object| {
                object.as_object_mut().unwrap().remove(name);
            });
            copies.push((format!("without {pointer}/{name}"), without));
        }
    }
    copies
}

/// Every value within `value`, itself included, under its JSON pointer.
fn places(value: &Value, pointer: String) -> Vec<(String, &Value)> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let deeper: Vec<_> =
        inner.into_iter().flat_map(|(name, value)| places(value, format!("{pointer}/{name}"))).collect();
    [(pointer, value)].into_iter().chain(deeper).collect()
}

/// What was told and kept while a service lived through its days.
#[derive(Default)]
struct Story {
    heard: Vec<Heard>,
    statuses: Vec<Value>,
    monitors: Vec<Value>,
    letters: Vec<Value>,
    requests: Vec<Value>,
}

async fn story() -> &'static Story {
    STORY.get_or_init(Story::live).await
}

impl Story {
    async fn live() -> Self {
        let world = World::with(&[("worker.max_attempts", "2")]).await;
        let listener = world.listen().await;
        let mut story = Self::default();

        world.submit(&JobRequest { run_id: Some("4711".to_owned()), ..request("first") }).await;
        story.look(&world, "first").await;
        story.requests = entries(&world).await;
        let gate = world.gate("insert on cache_sync_changes").await;
        let worker = world.start_worker();
        gate.reached().await;
        world.all_progress_told("first").await;
        story.look(&world, "first").await;
        gate.open().await;
        world.ended("first").await;
        worker.stop().await;
        story.look(&world, "first").await;

        world.delist(&background(20)).await;
        for number in 0..12 {
            world.list(stock(&format!("GIANT{number}")).cap("900B")).await;
        }
        world.list(stock("NEWT").cap("12.4B").listed_days_ago(3)).await;
        world.close_next_day(&[(&background(40), 1.01)]).await;
        world.sync("second").await;

        world.submit(&request("stopped")).await;
        world.cancel("stopped").await;
        world.xadd(&[("job_id", "bad"), ("mode", "nonsense")]).await;
        world.xadd(&[("job_id", "torn"), ("payload", "{")]).await;
        world.xadd(&[("job_id", "large"), ("payload", &"x".repeat(70_000))]).await;
        world.xadd(&[("job_id", "a b")]).await;
        world.run_once().await;

        world
            .sql(
                "create function disk_is_full() returns trigger language plpgsql as
                 $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$;
                 create trigger disk_is_full before insert on cache_sync_runs
                 for each statement execute function disk_is_full()",
            )
            .await;
        world.xadd(&[("job_id", "given_up"), ("triggered_by", "admin")]).await;
        world.run_once().await;
        world.sql("delete from symbols").await;
        world.xadd(&[("job_id", "refused"), ("mode", "market_cap"), ("triggered_by", "admin")]).await;
        world.run_once().await;

        for job in ["second", "stopped", "bad", "torn", "large", "given_up", "refused"] {
            story.look(&world, job).await;
            listener.hear_end_of(job).await;
        }
        story.letters = world.dead_letters().await.into_iter().map(object).collect();
        story.heard = listener.heard();
        story
    }

    /// Takes note of a job's status and of its text for the job monitor page.
    async fn look(&mut self, world: &World, id: &str) {
        self.statuses.push(object(world.status(id).await));
        let key = world.names.job_monitor(&job(id));
        let text: String = world.ask_redis(redis::cmd("GET").arg(key)).await;
        self.monitors.push(serde_json::from_str(&text).unwrap());
    }

    fn events(&self, name: EventName) -> Vec<&Heard> {
        self.heard.iter().filter(|heard| heard.message["event"] == name.as_str()).collect()
    }
}

/// The requests on the stream.
async fn entries(world: &World) -> Vec<Value> {
    let mut command = redis::cmd("XRANGE");
    let range: StreamRangeReply =
        world.ask_redis(command.arg(world.names.job_stream()).arg("-").arg("+")).await;
    let fields = range.ids.into_iter().map(|entry| {
        let text = |name: &String| (name.clone(), entry.get::<String>(name).unwrap());
        object(entry.map.keys().map(text).collect())
    });
    fields.collect()
}

fn object(fields: HashMap<String, String>) -> Value {
    fields.into_iter().collect()
}

fn job(id: &str) -> JobId {
    JobId::parse(id).unwrap()
}

fn texts_at(list: &[Value], field: &str) -> BTreeSet<String> {
    list.iter().map(|object| object[field].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_event_has_a_schema_that_names_it_and_its_channels_and_no_other_has() {
    let names = Names::default();
    for event in EventName::ALL {
        let schema = Schema::of_event(event.as_str());
        assert_eq!(schema.text["properties"]["event"]["const"], event.as_str());
        assert_eq!(schema.text["x-channels"], json!(names.channels(*event)), "{event}");
    }
    let files = fs::read_dir(folder().join("events")).unwrap();
    assert_eq!(files.count(), EventName::ALL.len());
}

#[test]
fn every_schema_says_where_to_find_what_it_describes() {
    let names = Names::default();
    for (schema, key) in [
        ("job_request", names.job_stream()),
        ("dead_letter", names.dead_stream()),
        ("status_hash", names.status(&job("ID")).replace("ID", "<job_id>")),
        ("job_monitor", names.job_monitor(&job("ID")).replace("ID", "<job_id>")),
    ] {
        let text = Schema::open(schema).text;
        assert_eq!(text["x-key"], key);
        assert!(text["title"].is_string() && text["description"].is_string(), "{schema}");
    }
}

#[test]
fn the_words_of_the_schemas_are_those_of_the_service() {
    fn all(words: &[impl ToString]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }
    let or_empty = |words: &[String]| [words, &[String::new()]].concat();
    let tasks = all(SyncTask::ALL);
    let payload = "/properties/payload/properties";
    let reasons = [tasks.as_slice(), &[Mode::Revert.to_string()]].concat();
    for (file, pointer, expected) in [
        ("status_hash", "/properties/status/enum".to_owned(), all(JobStatus::ALL)),
        ("status_hash", "/properties/mode/enum".to_owned(), or_empty(&all(Mode::ALL))),
        ("status_hash", "/properties/current_task/enum".to_owned(), or_empty(&tasks)),
        ("status_hash", "/$defs/task_result/properties/status/enum".to_owned(), all(TaskStatus::ALL)),
        ("job_monitor", "/properties/current_symbol/enum".to_owned(), or_empty(&tasks)),
        ("dead_letter", "/properties/reason/enum".to_owned(), all(DeadReason::ALL)),
        ("events/cache_sync_triggered", "/properties/source/enum".to_owned(), all(Source::ALL)),
        ("events/cache_sync_progress", format!("{payload}/current_task/enum"), tasks.clone()),
        ("events/universe_updated", format!("{payload}/action/enum"), all(UniverseAction::ALL)),
        ("events/universe_updated", format!("{payload}/cache_type/enum"), all(CacheType::ALL)),
        ("events/universe_updated", format!("{payload}/reason/enum"), reasons),
        ("events/ipo_assignment", format!("{payload}/sector/enum"), or_empty(&all(Sector::ALL))),
        (
            "events/cache_sync_completed",
            "/$defs/task_result/properties/status/enum".to_owned(),
            all(TaskStatus::ALL),
        ),
        ("events/cache_sync_error", "/$defs/severity/enum".to_owned(), all(Severity::ALL)),
        ("events/cache_sync_error", format!("{payload}/mode/enum"), or_empty(&all(Mode::ALL))),
    ] {
        assert_eq!(words(&Schema::open(file), &pointer), expected, "{file} {pointer}");
    }
    for event in EventName::ALL.iter().filter(|event| **event != EventName::Error) {
        let schema = Schema::of_event(event.as_str());
        assert_eq!(words(&schema, &format!("{payload}/mode/enum")), all(Mode::ALL), "{event}");
    }
}

#[tokio::test]
async fn every_message_that_is_heard_is_as_its_schema_says() {
    let story = story().await;
    let mut judged = BTreeMap::new();
    for Heard { channel, message } in &story.heard {
        let name = message["event"].as_str().unwrap();
        let schema = judged.entry(name).or_insert_with(|| Schema::of_event(name));
        assert!(words(schema, "/x-channels").contains(&channel.as_str()), "{name} on {channel}");
        schema.judge(message).unwrap_or_else(|error| panic!("{error}"));
    }
    for name in EventName::ALL {
        // New listings are tried below.
        assert!(
            judged.contains_key(name.as_str()) || *name == EventName::IpoAssignment,
            "{name} is never said"
        );
    }
    let ends = story.events(EventName::Completed);
    assert!(ends.iter().any(|end| end.message["payload"]["error"] == "cancelled"));
    assert!(ends.iter().any(|end| end.message["payload"]["held_universes"] != json!([])));
    let errors: Vec<Value> =
        story.events(EventName::Error).iter().map(|error| error.message.clone()).collect();
    for category in ["guard", "job", "retry"] {
        assert!(texts_at(&errors, "category").contains(category), "no error about {category}");
    }
}

#[tokio::test]
async fn a_message_with_a_null_a_gap_or_a_surplus_is_refused() {
    let story = story().await;
    for name in EventName::ALL {
        let schema = Schema::of_event(name.as_str());
        // The largest has the most to spoil.
        let said = story.events(*name).into_iter().max_by_key(|heard| heard.message.to_string().len());
        if let Some(Heard { message, .. }) = said {
            schema.hold_against(message);
        }
    }
}

#[tokio::test]
async fn a_message_that_contradicts_itself_is_refused() {
    let story = story().await;
    let update = story.events(EventName::UniverseUpdated)[0].message.clone();
    let end = story.events(EventName::Completed)[0].message.clone();
    let progress = story.events(EventName::Progress)[0].message.clone();
    let cleanup = story.events(EventName::DelistingCleanup)[0].message.clone();
    for (message, field, value) in [
        (&update, "action", json!("removed")),
        (&update, "added", json!(0)),
        (&update, "universe", json!("a:b")),
        (&update, "added_symbols", json!(vec!["A"; 101])),
        (&end, "status", json!("cancelled")),
        (&end, "error", json!("it completed nevertheless")),
        (&end, "duration_seconds", json!(-1)),
        (&end, "task_results", json!({ "tea": {} })),
        (&progress, "percentage", json!(101)),
        (&progress, "percentage", json!(33.3)),
        (&progress, "seq", json!(0)),
        (&progress, "job_id", json!("")),
        (&cleanup, "symbols", json!([])),
        (&cleanup, "symbols", json!(vec!["A"; 101])),
        (&update, "removed_symbols", json!(vec!["A"; 101])),
        (&update, "added_symbols", json!([""])),
    ] {
        let schema = Schema::of_event(message["event"].as_str().unwrap());
        assert!(schema.accepts(message));
        let mut odd = message.clone();
        odd["payload"][field] = value;
        assert!(!schema.accepts(&odd), "{odd:#}");
    }
    for (field, value) in [
        ("event", json!("cache_sync_ended")),
        ("version", json!("2.0")),
        ("source", json!("somebody")),
        ("timestamp", json!("2026-03-02T21:30:00.000")),
        ("timestamp", json!("2026-03-02T21:30:00+00:00")),
    ] {
        let mut odd = end.clone();
        odd[field] = value;
        assert!(!Schema::of_event("cache_sync_completed").accepts(&odd), "{odd:#}");
    }
}

#[test]
fn new_listings_are_told_one_by_one_or_summed_up() {
    let schema = Schema::of_event("ipo_assignment");
    let (names, id, universe) = (Names::default(), job("job"), UniverseName::known("recent_ipos"));
    let occasion = Occasion { names: &names, job_id: &id, mode: Mode::Full, seq: 1, at: Utc::now() };
    let symbol = Symbol::parse("BRK/B").unwrap();
    let known = IpoAssignment {
        symbol: &symbol,
        universe: &universe,
        reason: "listed 3 days ago",
        market_cap: Some(Usd::dollars(12_400_000_000)),
        sector: Some(Sector::Energy),
    };
    let unknown = IpoAssignment { market_cap: None, sector: None, ..known };
    let one_by_one = occasion.ipo_assignments(&[known, unknown]);
    let summary = occasion.ipo_assignments(&vec![known; MAX_IPO_EVENTS + 1]);
    assert_eq!((one_by_one.len(), summary.len()), (2, 1));
    for event in one_by_one.iter().chain(&summary) {
        schema.hold_against(&event.envelope);
    }
    let mut long = summary[0].envelope.clone();
    long["payload"]["symbols"] = json!(vec!["A"; 101]);
    assert!(!schema.accepts(&long));
    let mut both = one_by_one[0].envelope.clone();
    both["payload"]["count"] = json!(1);
    both["payload"]["symbols"] = json!(["BRK/B"]);
    assert!(!schema.accepts(&both));
}

#[test]
fn an_error_of_no_job_has_no_place_and_an_error_of_a_job_has_one() {
    let schema = Schema::of_event("cache_sync_error");
    let (names, id) = (Names::default(), job("job"));
    let mut context = Map::new();
    context.insert("unknown".to_owned(), Value::Null);
    context.insert("url".to_owned(), json!({ "host": "localhost", "ports": [1, 2] }));
    let report = ErrorReport {
        severity: Severity::Critical,
        message: "the database is gone",
        category: "database",
        component: "worker",
        context,
    };
    let (_, of_service) = service_error(&names, &report, Utc::now());
    schema.hold_against(&of_service);
    let occasion = Occasion { names: &names, job_id: &id, mode: Mode::Full, seq: 1, at: Utc::now() };
    let of_job = occasion.error(&report).envelope;
    schema.hold_against(&of_job);

    let mut placed = of_service.clone();
    placed["payload"]["seq"] = json!(1);
    let mut nameless = of_job.clone();
    nameless["payload"]["job_id"] = json!("");
    let mut deep_null = of_job;
    deep_null["context"]["url"]["ports"] = json!([1, null]);
    for odd in [placed, nameless, deep_null] {
        assert!(!schema.accepts(&odd), "{odd:#}");
    }
}

#[tokio::test]
async fn every_status_hash_is_as_its_schema_says_and_a_spoilt_one_is_refused() {
    let schema = Schema::open("status_hash");
    let statuses = &story().await.statuses;
    for status in statuses {
        schema.hold_against(status);
    }
    let seen = texts_at(statuses, "status");
    for state in ["queued", "running", "completed", "failed", "cancelled"] {
        assert!(seen.contains(state), "no job was {state}");
    }
    let ended = statuses.iter().find(|status| status["held_universes"] != "[]").unwrap();
    for (field, text) in [
        ("job_id", ""),
        ("job_id", "a b"),
        ("mode", "Full"),
        ("status", "done"),
        ("current_task", "ipo_assignment"),
        ("completed", "-1"),
        ("completed", ""),
        ("percentage", "101"),
        ("percentage", "33.3"),
        ("as_of", "03/02/2026"),
        ("start_time", "2026-03-02T21:30:00"),
        ("end_time", ""),
        ("duration_seconds", "1.25"),
        ("duration_seconds", "NaN"),
        ("universes_updated", ""),
        ("universes_updated", "{}"),
        ("universes_updated", "[null]"),
        ("held_universes", "[top_100]"),
        ("task_results", "[]"),
        ("task_results", r#"{"ipo_assignment": {"status": "done", "changes": 0, "duration_seconds": 0}}"#),
        (
            "task_results",
            r#"{"ipo_assignment": {"status": "completed", "changes": null, "duration_seconds": 0}}"#,
        ),
        ("warnings", "[1]"),
        ("seq", "NaN"),
    ] {
        let mut odd = ended.clone();
        odd[field] = json!(text);
        assert!(!schema.accepts(&odd), "{field} {text:?}");
    }
}

#[tokio::test]
async fn what_the_json_texts_of_a_status_hold_is_judged_as_well() {
    let schema = Schema::open("status_hash");
    let ended = story().await.statuses.iter().find(|status| status["held_universes"] != "[]").unwrap();
    for field in ["universes_updated", "held_universes", "task_results", "warnings"] {
        let inner: Value = serde_json::from_str(ended[field].as_str().unwrap()).unwrap();
        assert!(places(&inner, String::new()).len() > 1, "{field} is empty");
        for (change, spoilt) in spoilt_copies(&inner) {
            let mut odd = ended.clone();
            odd[field] = json!(spoilt.to_string());
            // A job that does not run all sub-tasks has no result of the others.
            let is_task = change.strip_prefix("without /").is_some_and(|task| !task.contains('/'));
            assert_eq!(schema.accepts(&odd), is_task, "{field}: {change}");
        }
    }
}

#[test]
fn the_schema_of_the_status_has_the_fields_that_are_written_and_no_other() {
    let schema = Schema::open("status_hash");
    let waiting =
        StatusHash { status: JobStatus::Retrying, ..StatusHash::queued(&request("job"), 1, Utc::now()) };
    let refused = StatusHash::refused(job("job"), "mode is \"Full\"", Utc::now());
    for status in [waiting, refused] {
        let status = status.to_json();
        assert_eq!(members(&status), members(&schema.text["properties"]));
        assert_eq!(members(&status), words(&schema, "/required").into_iter().collect());
        schema.hold_against(&status);
    }
}

#[tokio::test]
async fn every_text_of_the_job_monitor_page_is_as_its_schema_says_and_a_spoilt_one_is_refused() {
    let schema = Schema::open("job_monitor");
    let monitors = &story().await.monitors;
    for monitor in monitors {
        schema.hold_against(monitor);
    }
    assert_eq!(texts_at(monitors, "status").len(), 4);
    for (field, value) in [
        ("status", json!("cancelled")),
        ("progress", json!(33.3)),
        ("progress", json!(101)),
        ("message", json!("<b>")),
        ("message", json!("x".repeat(301))),
        ("message", json!("\"")),
        ("timestamp", json!("2026-03-02T21:30:00.000Z")),
        ("current_symbol", json!("AAPL")),
    ] {
        let mut odd = monitors.last().unwrap().clone();
        odd[field] = value;
        assert!(!schema.accepts(&odd), "{odd:#}");
    }
    let mut early = monitors[0].clone();
    early["completed_at"] = early["timestamp"].clone();
    assert!(!schema.accepts(&early), "a job that waits has no end");
}

#[tokio::test]
async fn every_dead_letter_is_as_its_schema_says_and_a_spoilt_one_is_refused() {
    let schema = Schema::open("dead_letter");
    let letters = &story().await.letters;
    for letter in letters {
        schema.judge(letter).unwrap_or_else(|error| panic!("{error}"));
        for (change, spoilt) in spoilt_copies(letter) {
            let is_original = change.starts_with("without /original.");
            assert_eq!(schema.accepts(&spoilt), is_original, "{change}: {spoilt:#}");
        }
    }
    let reasons = texts_at(letters, "reason");
    assert_eq!(reasons.len(), DeadReason::ALL.len() - 1, "all but a deleted one: {reasons:?}");
    for (field, text) in [
        ("entry_id", "1"),
        ("job_id", "a b"),
        ("reason", "tired"),
        ("error", ""),
        ("attempts", "-1"),
        ("failed_at", "2026-03-02"),
        ("original_bytes", "70000"),
    ] {
        let mut odd = letters[0].clone();
        assert_ne!(odd["reason"], "too_large");
        odd[field] = json!(text);
        assert!(!schema.accepts(&odd), "{field} {text:?}");
    }
}

#[tokio::test]
async fn what_we_put_on_the_stream_is_a_request_and_every_field_of_it_is_described() {
    let schema = Schema::open("job_request");
    let [submitted] = &story().await.requests[..] else { panic!("one request") };
    schema.judge(submitted).unwrap_or_else(|error| panic!("{error}"));

    let everything = JobRequest {
        run_id: Some("4711".to_owned()),
        dedupe_key: Some("key".to_owned()),
        as_of: "2026-03-02".parse().ok(),
        revert_of: JobId::parse("job-0"),
        replay_of: Some("job-0".to_owned()),
        ..request("job")
    };
    let written: BTreeSet<&str> = entry::to_fields(&everything).into_iter().map(|(name, _)| name).collect();
    let mut described = members(&schema.text["properties"]);
    for payload in ["payload", "job_data", "data"] {
        assert!(described.remove(payload), "{payload}");
    }
    assert_eq!(described, written);
}

#[test]
fn a_request_that_the_schema_takes_is_taken_by_the_service_and_what_it_refuses_is_refused_or_odd() {
    let schema = Schema::open("job_request");
    for (request, is_fit) in [
        (json!({}), true),
        (json!({ "job_id": "A-z_0.9", "mode": "full", "force": true, "accept_churn": "0" }), true),
        (json!({ "job_id": 12345, "force": 1, "run_id": 4711, "triggered_by": "eod_import" }), true),
        (json!({ "job_id": null, "mode": "", "force": null, "as_of": null, "revert_of": null }), true),
        (json!({ "requested_at": "2026-03-02T21:30:00", "as_of": "2024-02-29", "colour": ["red"] }), true),
        (json!({ "requested_at": "2026-03-02T16:30:00.5-05:00", "dedupe_key": "\u{e9}".repeat(200) }), true),
        (json!({ "requested_at": "2026-03-02 22:30:00+01" }), true),
        (json!({ "requested_at": "2026-03-02" }), true),
        (json!({ "requested_at": "yesterday" }), false),
        (json!({ "requested_at": 1_690_000_000 }), false),
        (json!({ "job_id": "a b" }), false),
        (json!({ "job_id": "x".repeat(65) }), false),
        (json!({ "job_id": 1.5 }), false),
        (json!({ "job_id": true }), false),
        (json!({ "mode": "Full" }), false),
        (json!({ "mode": ["full"] }), false),
        (json!({ "mode": "full", "revert_of": "job-0" }), false),
        (json!({ "force": "yes" }), false),
        (json!({ "force": 2 }), false),
        (json!({ "as_of": "2026-02-29" }), false),
        (json!({ "as_of": "2026-1-2" }), false),
        (json!({ "as_of": 20_260_302 }), false),
        (json!({ "run_id": "x".repeat(201) }), false),
        (json!({ "run_id": "a\nb" }), false),
        (json!({ "dedupe_key": "\u{202e}txt" }), false),
        (json!({ "triggered_by": "x".repeat(51) }), false),
        (json!({ "triggered_by": {} }), false),
    ] {
        let payload = request.to_string();
        let parsed = entry::parse("1-0", &[(b"payload".to_vec(), payload.clone().into_bytes())]);
        assert_eq!(
            parsed.is_ok_and(|parsed| parsed.warnings.is_empty()),
            is_fit,
            "the service and {request}"
        );
        assert_eq!(schema.accepts(&request), is_fit, "the schema and {request}");
        assert_eq!(
            schema.accepts(&json!({ "data": payload, "mode": "themes" })),
            is_fit,
            "{request} as a payload"
        );
    }
    for odd in [
        json!([]),
        json!("full"),
        json!({ "payload": {} }),
        json!({ "payload": "[]" }),
        json!({ "payload": "{" }),
        json!({ "payload": "{}", "data": "{}" }),
        json!({ "mode": "revert", "revert_of": "job-0" }),
    ] {
        assert!(!schema.accepts(&odd), "{odd}");
    }
}
