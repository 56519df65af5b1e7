//! What may be asked for, how, and what becomes of everything else.

use crate::world::{World, request};

#[tokio::test]
async fn flat_fields_and_a_json_payload_ask_for_the_same() {
    let world = World::filled().await;
    world
        .xadd(&[
            ("job_id", "flat"),
            ("mode", "market_cap"),
            ("force", "true"),
            ("accept_churn", "0"),
            ("triggered_by", "admin"),
            ("run_id", "4711"),
            ("requested_at", "2026-03-02T21:30:00"),
            ("as_of", "2026-03-02"),
            ("colour", "red"),
        ])
        .await;
    let payload = r#"{"job_id": "json", "mode": "market_cap", "force": true, "accept_churn": 0,
        "triggered_by": "admin", "run_id": 4711, "requested_at": "2026-03-02T21:30:00Z", "as_of": "2026-03-02",
        "dedupe_key": null, "colour": ["red"]}"#;
    world.xadd(&[("payload", payload), ("mode", "themes")]).await;
    world.run_once().await;

    let (flat, json) = (world.job("flat").await, world.job("json").await);
    let mut renamed = json.request.clone();
    renamed.job_id = flat.request.job_id.clone();
    assert_eq!(renamed, flat.request);
    assert_eq!((flat.status, flat.attempt), (json.status, json.attempt));
    assert_eq!(world.status("json").await["total_items"], "1", "the payload wins over flat fields");
}

#[tokio::test]
async fn an_unknown_mode_is_a_dead_letter_and_a_failed_job_and_the_next_entry_is_done() {
    let world = World::new().await;
    let entry = world.xadd(&[("job_id", "bad"), ("mode", "nonsense"), ("run_id", "7")]).await;
    world.sync("good").await;

    let [letter] = &world.dead_letters().await[..] else { panic!("one letter") };
    assert_eq!(letter["entry_id"], entry);
    assert_eq!(letter["job_id"], "bad");
    assert_eq!(letter["reason"], "invalid_field");
    assert!(letter["error"].starts_with(r#"mode is "nonsense", not one of full, market_cap"#), "{letter:?}");
    assert_eq!(letter["attempts"], "0");
    assert_eq!(letter["original.mode"], "nonsense");
    assert_eq!(letter["original.run_id"], "7");

    let status = world.status("bad").await;
    assert_eq!(status["status"], "failed");
    assert!(status["error"].contains("nonsense"), "{}", status["error"]);
    assert_eq!(world.event_names("bad").await, ["cache_sync_error", "cache_sync_completed"]);
    assert!(world.entries().await.is_empty());
}

#[tokio::test]
async fn an_unknown_mode_under_a_known_id_leaves_that_job_alone() {
    let world = World::filled().await;
    let (job, status, events) =
        (world.job("first").await, world.status("first").await, world.events("first").await);
    world.xadd(&[("job_id", "first"), ("mode", "nonsense")]).await;
    world.run_once().await;
    assert_eq!(world.dead_letters().await.len(), 1);
    assert_eq!(world.job("first").await, job);
    assert_eq!(world.status("first").await, status);
    assert_eq!(world.events("first").await, events);
}

#[tokio::test]
async fn a_bare_entry_can_not_ask_for_a_revert() {
    let world = World::filled().await;
    let before = world.entries_fingerprint().await;
    world.xadd(&[("job_id", "undo"), ("mode", "revert"), ("revert_of", "first")]).await;
    world.run_once().await;
    assert_eq!(world.dead_letters().await[0]["reason"], "invalid_field");
    assert_eq!(world.status("undo").await["status"], "failed");
    assert_eq!(world.entries_fingerprint().await, before);
}

#[tokio::test]
async fn the_same_id_twice_is_one_job_and_the_first_request_counts() {
    let world = World::filled().await;
    world.close_next_day(&[]).await;
    world.xadd(&[("job_id", "twin"), ("mode", "market_cap")]).await;
    world.xadd(&[("job_id", "twin"), ("mode", "delisted")]).await;
    world.run_once().await;
    assert_eq!(world.status("twin").await["warnings"], "[]", "it was done before the second was read");
    let job = world.job("twin").await;
    assert_eq!((job.request.mode.as_str(), job.attempt), ("market_cap", 1));
    assert_eq!(world.count("select count(*) from cache_sync_runs where job_id = 'twin'").await, 1);
    let ends = world.event_names("twin").await;
    assert_eq!(ends.iter().filter(|name| *name == "cache_sync_completed").count(), 1);
    assert!(world.entries().await.is_empty());
}

#[tokio::test]
async fn a_job_that_is_asked_for_again_with_other_fields_before_it_begins_warns_of_it() {
    let world = World::filled().await;
    world.accept(&request("job")).await;
    world.xadd(&[("job_id", "job"), ("mode", "delisted"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let status = world.status("job").await;
    assert_eq!((status["status"].as_str(), status["mode"].as_str()), ("completed", "full"));
    assert!(status["warnings"].contains("id_known: "), "{}", status["warnings"]);
    assert!(status["warnings"].contains("another mode;"), "{}", status["warnings"]);
}

#[tokio::test]
async fn a_finished_job_that_is_delivered_again_does_no_work_and_says_nothing() {
    let world = World::filled().await;
    world.close_next_day(&[("BG013", 1.1)]).await;
    let (job, status, rows) =
        (world.job("first").await, world.status("first").await, world.entries_fingerprint().await);
    let listener = world.listen().await;
    world.xadd(&[("job_id", "first"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    assert_eq!(world.job("first").await, job);
    assert_eq!(world.status("first").await, status);
    assert_eq!(world.entries_fingerprint().await, rows);
    world.all_heard(&listener).await;
    assert_eq!(listener.heard(), []);
    assert!(world.entries().await.is_empty());
}

#[tokio::test]
async fn a_second_job_with_the_same_dedupe_key_ends_at_once_and_names_the_first() {
    let world = World::filled().await;
    let rows = world.entries_fingerprint().await;
    world.xadd(&[("job_id", "one"), ("dedupe_key", "eod:2026-03-02"), ("as_of", "2026-03-02")]).await;
    world.xadd(&[("job_id", "two"), ("dedupe_key", "eod:2026-03-02"), ("as_of", "2026-03-02")]).await;
    world.run_once().await;

    assert_eq!(world.status("one").await["status"], "completed");
    assert!(!world.status("one").await["warnings"].contains("duplicate_of"));
    let second = world.status("two").await;
    assert_eq!(second["status"], "completed");
    assert_eq!(second["total_changes"], "0");
    assert_eq!(second["warnings"], r#"["duplicate_of:one"]"#);
    assert_eq!(world.job("two").await.attempt, 0);
    assert_eq!(world.event_names("two").await, ["cache_sync_completed"]);
    assert_eq!(world.entries_fingerprint().await, rows);

    // Another date is another wish.
    world.close_next_day(&[]).await;
    world.xadd(&[("job_id", "three"), ("dedupe_key", "eod:2026-03-02"), ("as_of", "2026-03-03")]).await;
    world.run_once().await;
    assert!(!world.status("three").await["warnings"].contains("duplicate_of"));
    assert_eq!(world.status("three").await["as_of"], "2026-03-03");
}

#[tokio::test]
async fn a_second_job_with_the_key_of_one_at_work_ends_without_waiting_for_it() {
    let world = World::new().await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let (a, b) = (world.start_worker_named("a"), world.start_worker_named("b"));
    world.xadd(&[("job_id", "one"), ("dedupe_key", "key")]).await;
    gate.reached().await;
    world.xadd(&[("job_id", "two"), ("dedupe_key", "key")]).await;
    assert_eq!(world.ended("two").await["warnings"], r#"["duplicate_of:one"]"#);
    assert!(!world.job("one").await.status.is_final());
    gate.open().await;
    assert_eq!(world.ended("one").await["status"], "completed");
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn a_job_that_failed_frees_its_dedupe_key() {
    let world = World::filled().await;
    world.sql("alter table symbols rename to elsewhere").await;
    world.xadd(&[("job_id", "one"), ("dedupe_key", "key")]).await;
    world.run_once().await;
    assert_eq!(world.status("one").await["status"], "failed");
    world.sql("alter table elsewhere rename to symbols").await;
    world.xadd(&[("job_id", "two"), ("dedupe_key", "key")]).await;
    world.run_once().await;
    let second = world.status("two").await;
    assert_eq!(second["status"], "completed");
    assert!(!second["warnings"].contains("duplicate_of"));
}

#[tokio::test]
async fn whatever_stands_on_the_stream_ends_as_a_job_or_as_a_dead_letter() {
    let world = World::filled_with(&[("sync_settings.eod_wait_timeout_seconds", "0")]).await;
    let mut refused = Vec::new();
    for (fields, outcome) in corpus() {
        let fields: Vec<(&[u8], &[u8])> =
            fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let entry = world.xadd_bytes(&fields).await;
        if let Some(expected) = outcome.strip_prefix("refused ") {
            let words: Vec<String> = expected.split(' ').map(str::to_owned).collect();
            refused.push((entry, words[0].clone(), words[1].clone()));
        }
    }
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..100 {
        let name =
            random.choice(["payload", "mode", "job_id", "data", "as_of", "force", "dedupe_key"]).unwrap();
        let value: Vec<u8> = (0..random.usize(1..200)).map(|_| random.u8(..)).collect();
        world.xadd_bytes(&[(name.as_bytes(), &value), (&[random.u8(..)], &[0])]).await;
    }
    // One worker all the way.
    world.sync("last").await;

    assert!(world.entries().await.is_empty());
    assert_eq!(world.pending().await, 0);
    let letters = world.dead_letters().await;
    for (entry, reason, field) in refused {
        let letter = letters.iter().find(|letter| letter["entry_id"] == entry).expect("it is buried");
        assert_eq!(letter["reason"], reason);
        assert!(field == "-" || letter["error"].starts_with(&field), "{letter:?}");
        let kept: usize =
            letter.iter().filter(|(name, _)| name.starts_with("original")).map(|(_, v)| v.len()).sum();
        assert!(reason != "too_large" || kept < 5_000, "only the beginning is kept");
    }
    assert_eq!(world.count("select count(*) from cache_sync_jobs where end_time is null").await, 0);
    world.assert_history_is_consistent().await;
}

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// The files of `tests/corpus/entries`, whose README tells the format.
fn corpus() -> Vec<(Fields, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/entries");
    let paths = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let entries = paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    entries.map(|path| read_entry(&std::fs::read_to_string(path).unwrap())).collect()
}

fn read_entry(text: &str) -> (Fields, String) {
    let mut fields = Fields::new();
    let mut outcome = String::new();
    for line in text.lines() {
        let mut words = line.splitn(3, ' ');
        match (words.next(), words.next(), words.next()) {
            (Some("field"), Some(name), value) => {
                fields.push((unescaped(name), unescaped(value.unwrap_or_default())));
            }
            (Some("repeat"), Some(count), Some(piece)) => {
                let value = unescaped(piece).repeat(count.parse().unwrap());
                fields.last_mut().unwrap().1.extend(value);
            }
            (Some("#"), ..) => {}
            _ => line.clone_into(&mut outcome),
        }
    }
    (fields, outcome)
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    let mut is_literal = false;
    for piece in pieces {
        match (is_literal, piece.as_bytes()) {
            (true, plain) => bytes.extend(plain),
            (false, []) => bytes.push(b'\\'),
            (false, [b'n', rest @ ..]) => {
                bytes.push(b'\n');
                bytes.extend(rest);
            }
            (false, [b'x', rest @ ..]) => {
                bytes.push(u8::from_str_radix(std::str::from_utf8(&rest[..2]).unwrap(), 16).unwrap());
                bytes.extend(&rest[2..]);
            }
            (false, other) => panic!("unknown escape {other:?}"),
        }
        is_literal = !is_literal && piece.is_empty();
    }
    bytes
}
