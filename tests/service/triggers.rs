//! What starts a sync by itself: one job a trading date, however many instances, signals, restarts and duplicates.

use std::time::Duration;

use cache_sync::redis::connection::Redis;
use cache_sync::settings::Secret;
use serde_json::json;

use crate::world::{Listener, TestClock, Triggering, World, complete, eod_completion, until};

const COMPLETION: &str = "tickstock:eod:completion";
const CONTROL: &str = "tickstock.jobs.control";
/// The next day of the made market, and the job that the clock asks for on it.
const DATE: &str = "2026-03-03";
const BY_CLOCK: &str = "eod-2026-03-03-schedule";
/// Half past four in New York on that day: the closes are there, and the clock waits for a signal.
const AFTERNOON: &str = "2026-03-03T21:30:00Z";

/// A world with three instances, in which the closes of the next day are there.
async fn afternoon() -> (World, TestClock, Triggering) {
    let world = World::filled().await;
    assert_eq!(world.close_next_day(&[]).await.to_string(), DATE);
    let clock = TestClock::at(AFTERNOON);
    let triggers = world.start_triggers(3, &clock).await;
    (world, clock, triggers)
}

/// Waits for the only automatic job, which completes; its id.
async fn the_only_job(world: &World) -> String {
    until("an automatic job", async || !world.automatic_jobs().await.is_empty()).await;
    let jobs = world.automatic_jobs().await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let id = jobs[0].split(' ').next().unwrap().to_owned();
    assert_eq!(world.ended(&id).await["status"], "completed");
    id
}

/// Asks for the end of all that instances are at, and whether they say that something starts nothing.
async fn complaints(world: &World, triggers: &Triggering, listener: &Listener) -> Vec<String> {
    world.all_have_followed(triggers, listener).await;
    let told = listener.heard().into_iter().filter(|heard| heard.channel == "tickstock:errors");
    let messages = told.map(|heard| heard.message["message"].as_str().unwrap().to_owned());
    messages.filter(|message| !message.contains("barrier-")).collect()
}

#[tokio::test]
async fn three_instances_that_hear_an_import_end_ask_for_one_job() {
    let (world, _clock, triggers) = afternoon().await;
    let (one, two) = (world.start_worker_named("one"), world.start_worker_named("two"));
    world.publish(COMPLETION, &eod_completion(&complete(DATE))).await;
    let id = the_only_job(&world).await;

    let job = world.job(&id).await;
    assert!(id.starts_with("eod-2026-03-03-"), "{id}");
    assert_eq!(job.request.dedupe_key.as_deref(), Some("eod:2026-03-03"));
    assert_eq!((job.request.triggered_by.as_str(), job.attempt), ("eod_import", 1));
    assert_eq!(job.as_of, DATE.parse().ok());
    assert!(job.warnings.iter().all(|warning| !warning.starts_with("no_signal")), "{:?}", job.warnings);
    let events = world.event_names(&id).await;
    assert_eq!(events.iter().filter(|event| *event == "cache_sync_triggered").count(), 1, "{events:?}");
    assert_eq!(events.first().map(String::as_str), Some("cache_sync_triggered"));

    triggers.stop().await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn processes_that_are_killed_and_started_again_ask_for_each_date_once() {
    let world = World::filled_with(&[("triggers.schedule", "false")]).await;
    world.close_next_day(&[]).await;
    let worker = world.start_worker();
    let mut processes: Vec<_> = (0..3).map(|_| world.spawn(&["serve", "--roles", "triggers"])).collect();
    until("all processes to listen", async || world.listeners_of(COMPLETION).await == 3).await;
    processes.pop().unwrap().kill();
    until("one to be gone", async || world.listeners_of(COMPLETION).await == 2).await;
    world.publish(COMPLETION, &eod_completion(&complete(DATE))).await;
    the_only_job(&world).await;
    for mut process in processes {
        process.signal("TERM");
        assert!(process.end().await.success(), "{}", process.log());
    }

    // All are down, and the next import ends.
    assert_eq!(world.close_next_day(&[]).await.to_string(), "2026-03-04");
    world.publish(COMPLETION, &eod_completion(&complete("2026-03-04"))).await;
    world.leave_latest_status(&complete("2026-03-04")).await;
    let processes: Vec<_> = (0..3).map(|_| world.spawn(&["serve", "--roles", "triggers"])).collect();
    until("the job of the next day", async || world.automatic_jobs().await.len() == 2).await;
    until("all processes to listen", async || world.listeners_of(COMPLETION).await == 3).await;
    let listener = world.listen().await;
    world.all_of_have_followed(processes.len(), &listener).await;
    // By the clock of today this data ends long ago, so the job is skipped, and frees its key, as soon as a worker has it.
    let jobs = world.automatic_jobs().await;
    assert!(jobs.len() == 2 && jobs[1].contains(" eod_import 2026-03-04 "), "{jobs:?}");
    worker.stop().await;
}

#[tokio::test]
async fn signals_of_one_date_are_one_job_whoever_tells_them_and_however_often() {
    let (world, clock, triggers) = afternoon().await;
    let (listener, worker) = (world.listen().await, world.start_worker());
    world
        .publish("tickstock:import:completed", &json!({"successful_symbols": "130", "failed_symbols": []}))
        .await;
    let id = the_only_job(&world).await;

    let status = json!({"event": "data_import_completed", "timestamp": AFTERNOON,
                        "payload": {"success_count": 130, "failed_symbols": 0, "success_rate": 100}});
    for _ in 0..3 {
        world.publish("tickstock:data:import:status", &status).await;
        world.publish(COMPLETION, &eod_completion(&complete(DATE))).await;
        world.publish(COMPLETION, &eod_completion(&complete("2026-02-27"))).await;
    }
    assert_eq!(complaints(&world, &triggers, &listener).await, [""; 0]);
    assert_eq!(
        world.automatic_jobs().await,
        [format!("{id} completed eod_import 2026-03-03 eod:2026-03-03")]
    );

    // The next day has a job of its own.
    let next = world.close_next_day(&[]).await.to_string();
    clock.set("2026-03-04T21:30:00Z").await;
    world.publish(COMPLETION, &eod_completion(&complete(&next))).await;
    until("the job of the next day", async || world.automatic_jobs().await.len() == 2).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_signal_that_was_missed_is_caught_up_at_the_start_and_once() {
    let world = World::filled().await;
    world.close_next_day(&[]).await;
    world.leave_latest_status(&complete(DATE)).await;
    let clock = TestClock::at(AFTERNOON);
    let (listener, worker) = (world.listen().await, world.start_worker());

    let triggers = world.start_triggers(3, &clock).await;
    let id = the_only_job(&world).await;
    assert_eq!(world.job(&id).await.as_of, DATE.parse().ok());
    triggers.stop().await;
    for _ in 0..2 {
        let triggers = world.start_triggers(3, &clock).await;
        world.all_have_followed(&triggers, &listener).await;
        triggers.stop().await;
    }
    assert_eq!(world.automatic_jobs().await.len(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn an_old_result_for_a_date_that_is_synced_starts_nothing() {
    let world = World::filled().await;
    let (listener, clock) = (world.listen().await, TestClock::at(AFTERNOON));
    for date in ["2026-02-27", "2026-03-02"] {
        world.leave_latest_status(&complete(date)).await;
        let triggers = world.start_triggers(3, &clock).await;
        world.all_have_followed(&triggers, &listener).await;
    }
    assert_eq!(world.automatic_jobs().await, [""; 0]);
}

#[tokio::test]
async fn without_a_signal_the_clock_asks_for_one_job_that_says_so() {
    let world = World::filled().await;
    world.close_next_day(&[]).await;
    let clock = TestClock::at("2026-03-03T21:00:00Z");
    let triggers = world.start_triggers(3, &clock).await;
    let worker = world.start_worker();
    for waiting in ["2026-03-03T21:10:00Z", "2026-03-03T22:09:59Z"] {
        clock.set(waiting).await;
        assert_eq!(world.automatic_jobs().await, [""; 0], "{waiting}");
    }
    clock.set("2026-03-03T22:10:00Z").await;
    assert_eq!(the_only_job(&world).await, BY_CLOCK);
    let job = world.job(BY_CLOCK).await;
    assert_eq!((job.request.triggered_by.as_str(), job.as_of), ("scheduler", DATE.parse().ok()));
    assert_eq!(job.request.dedupe_key.as_deref(), Some("eod:2026-03-03"));
    let warning = "no_signal: no import said until 2026-03-03T22:10:00Z that 2026-03-03 is complete; asked for by the clock";
    assert_eq!(job.warnings[0], warning);
    assert!(world.status(BY_CLOCK).await["warnings"].contains(warning));
    let end = world.events(BY_CLOCK).await.pop().unwrap();
    assert_eq!(end.data["payload"]["warnings"][0], warning);

    // A signal that comes late, a restart on the same evening, and the morning after are no second job.
    world.publish(COMPLETION, &eod_completion(&complete(DATE))).await;
    world.leave_latest_status(&complete(DATE)).await;
    triggers.stop().await;
    let triggers = world.start_triggers(3, &clock).await;
    for later in ["2026-03-03T23:00:00Z", "2026-03-04T13:00:00Z"] {
        clock.set(later).await;
    }
    assert_eq!(world.automatic_jobs().await.len(), 1);
    triggers.stop().await;
    worker.stop().await;
}

#[tokio::test]
async fn after_a_signal_the_clock_has_nothing_to_ask_for() {
    let (world, clock, _triggers) = afternoon().await;
    let worker = world.start_worker();
    world.publish(COMPLETION, &eod_completion(&complete(DATE))).await;
    let id = the_only_job(&world).await;
    clock.set("2026-03-03T22:10:00Z").await;
    assert_eq!(world.automatic_jobs().await.len(), 1);
    assert_ne!(id, BY_CLOCK);
    worker.stop().await;
}

#[tokio::test]
async fn the_job_of_the_clock_waits_for_an_import_that_is_late() {
    let world = World::filled_with(&[("sync_settings.eod_recheck_seconds", "1")]).await;
    let date = world.close_part_of_next_day(60, &[]).await;
    let clock = TestClock::at("2026-03-03T21:00:00Z");
    let _triggers = world.start_triggers(3, &clock).await;
    let worker = world.start_worker();
    clock.seen_by_all().await;
    clock.set("2026-03-03T22:10:00Z").await;
    until("the job to wait", async || {
        world.status(BY_CLOCK).await.get("status").is_some_and(|status| status == "retrying")
    })
    .await;
    // The import comes after all, and its end is told: the job that waits is the one.
    world.import_closes(date, 100).await;
    world.publish(COMPLETION, &eod_completion(&complete(DATE))).await;
    assert_eq!(the_only_job(&world).await, BY_CLOCK);
    assert!(world.job(BY_CLOCK).await.warnings[0].starts_with("no_signal: "));
    worker.stop().await;
}

#[tokio::test]
async fn an_evening_that_all_instances_missed_is_made_up_for_once_and_not_on_a_new_installation() {
    let missed = TestClock::at("2026-03-03T23:30:00Z");
    let new = World::new().await;
    new.close_next_day(&[]).await;
    let _triggers = new.start_triggers(3, &missed).await;
    missed.seen_by_all().await;
    assert_eq!(new.automatic_jobs().await, [""; 0]);

    let clock = TestClock::at("2026-03-03T23:30:00Z");
    let world = World::filled().await;
    world.close_next_day(&[]).await;
    let worker = world.start_worker();
    for _ in 0..2 {
        let triggers = world.start_triggers(3, &clock).await;
        assert_eq!(the_only_job(&world).await, BY_CLOCK);
        clock.seen_by_all().await;
        triggers.stop().await;
    }
    assert_eq!(world.automatic_jobs().await.len(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn an_import_that_failed_starts_nothing_and_that_is_told() {
    let (world, _clock, triggers) = afternoon().await;
    let listener = world.listen().await;
    let failed = json!({"status": "ERROR", "target_date": DATE, "error": "vendor timed out"});
    world.publish(COMPLETION, &eod_completion(&failed)).await;
    let mut incomplete = complete(DATE);
    incomplete["validation_status"] = json!("INCOMPLETE");
    world.publish(COMPLETION, &eod_completion(&incomplete)).await;
    let nothing =
        json!({"event": "import_completed", "payload": {"successful_symbols": 0, "failed_symbols": 130}});
    world.publish("tickstock:import:completed", &nothing).await;
    let said = complaints(&world, &triggers, &listener).await;
    assert_eq!(world.automatic_jobs().await, [""; 0]);

    for sentence in [
        "the import of 2026-03-03 failed, so no sync was started: eod:completion says: its status is ERROR: \"vendor timed out\"",
        "the import of 2026-03-03 is incomplete, so no sync was started: eod:completion says: its validation_status is \"INCOMPLETE\"",
        "the import of 2026-03-03 failed, so no sync was started: import:completed says: no symbol was loaded, 130 failed",
    ] {
        assert_eq!(said.iter().filter(|told| *told == sentence).count(), 3, "{said:#?}");
    }
    let told = listener.heard();
    let errors: Vec<_> = told.iter().filter(|heard| heard.message["message"] == json!(said[0])).collect();
    assert!(errors.iter().all(|heard| heard.message["error_id"] == errors[0].message["error_id"]));
    let first = &errors[0].message;
    assert_eq!((&first["event"], &first["severity"]), (&json!("cache_sync_error"), &json!("error")));
    assert_eq!((&first["component"], &first["category"]), (&json!("trigger"), &json!("import")));
    assert_eq!(first["context"], json!({"signal": "eod:completion", "as_of": DATE}));

    // Run again, it succeeds.
    let worker = world.start_worker();
    world.publish(COMPLETION, &eod_completion(&complete(DATE))).await;
    the_only_job(&world).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_job_that_failed_is_started_again_by_a_new_signal_and_by_nothing_old() {
    let (world, clock, triggers) = afternoon().await;
    let (listener, worker) = (world.listen().await, world.start_worker());
    world.sql("update symbols set active = false").await;
    let message = eod_completion(&complete(DATE));
    // All have looked for a result and found none before there is one.
    world.all_have_followed(&triggers, &listener).await;
    world.leave_latest_status(&complete(DATE)).await;
    world.publish(COMPLETION, &message).await;
    until("an automatic job", async || !world.automatic_jobs().await.is_empty()).await;
    let first = world.automatic_jobs().await[0].split(' ').next().unwrap().to_owned();
    assert_eq!(world.ended(&first).await["status"], "failed");
    world.sql("update symbols set active = true").await;

    // The same message again, a restart that finds the result, and the clock.
    world.publish(COMPLETION, &message).await;
    world.all_have_followed(&triggers, &listener).await;
    triggers.stop().await;
    let triggers = world.start_triggers(3, &clock).await;
    clock.seen_by_all().await;
    clock.set("2026-03-03T22:10:00Z").await;
    world.all_have_followed(&triggers, &listener).await;
    assert_eq!(world.automatic_jobs().await.len(), 1);

    // The import is run again.
    let mut again = message;
    again["timestamp"] = json!("2026-03-03T22:30:00Z");
    world.publish(COMPLETION, &again).await;
    until("a second job", async || world.automatic_jobs().await.len() == 2).await;
    let second = world.automatic_jobs().await[1].split(' ').next().unwrap().to_owned();
    assert_eq!(world.ended(&second).await["status"], "completed");
    worker.stop().await;
}

#[tokio::test]
async fn rubbish_on_every_channel_is_passed_over() {
    let (world, _clock, triggers) = afternoon().await;
    let worker = world.start_worker();
    let large = format!("{{\"x\": \"{}\"}}", "y".repeat(100_000));
    let deep = "[".repeat(50_000);
    for channel in ["tickstock:import:completed", "tickstock:data:import:status", COMPLETION, CONTROL] {
        for rubbish in [
            b"".as_slice(),
            b"\0\xff\xfe",
            b"null",
            b"[1]",
            b"{}",
            b"{\"job_id\": {}, \"action\": \"cancel\"}",
            b"{\"event\": 1e999, \"status\": [], \"target_date\": 7, \"results\": \"{\"}",
            b"{\"results\": {\"status\": \"COMPLETE\", \"target_date\": \"9999-12-31\"}}",
            b"{\"event\": \"import_completed\", \"successful_symbols\": \"NaN\"}",
            large.as_bytes(),
            deep.as_bytes(),
        ] {
            world.publish_bytes(channel, rubbish).await;
        }
    }
    let () = world.ask_redis(redis::cmd("HSET").arg("tickstock:eod:latest_status").arg("a").arg("b")).await;
    let listener = world.listen().await;
    world.all_have_followed(&triggers, &listener).await;
    assert_eq!(world.automatic_jobs().await, [""; 0]);
    triggers.stop().await;

    let triggers = world.start_triggers(3, &TestClock::at(AFTERNOON)).await;
    world.publish(COMPLETION, &eod_completion(&complete(DATE))).await;
    the_only_job(&world).await;
    triggers.stop().await;
    worker.stop().await;
}

#[tokio::test]
async fn a_job_is_cancelled_through_the_control_channel_and_stays_so() {
    let (world, clock, triggers) = afternoon().await;
    let listener = world.listen().await;
    world.all_have_followed(&triggers, &listener).await;
    world.leave_latest_status(&complete(DATE)).await;
    world.publish(COMPLETION, &eod_completion(&complete(DATE))).await;
    until("an automatic job", async || !world.automatic_jobs().await.is_empty()).await;
    let id = world.automatic_jobs().await[0].split(' ').next().unwrap().to_owned();

    world.publish(CONTROL, &json!({"job_id": id, "action": "pause"})).await;
    world.publish(CONTROL, &json!({"job_id": "of-another-program", "action": "cancel"})).await;
    world.all_have_followed(&triggers, &listener).await;
    assert_eq!(world.job(&id).await.status.as_str(), "queued");
    world.publish(CONTROL, &json!({"job_id": id, "action": "cancel"})).await;
    assert_eq!(world.ended(&id).await["status"], "cancelled");

    // Neither a restart nor the clock undoes what a person wanted.
    triggers.stop().await;
    let triggers = world.start_triggers(3, &clock).await;
    clock.seen_by_all().await;
    clock.set("2026-03-03T22:10:00Z").await;
    world.all_have_followed(&triggers, &listener).await;
    world.run_once().await;
    assert_eq!(
        world.automatic_jobs().await,
        [format!("{id} cancelled eod_import 2026-03-03 eod:2026-03-03")]
    );
}

#[tokio::test]
async fn a_restart_of_redis_is_survived_and_what_was_told_meanwhile_is_caught_up() {
    let (world, clock, triggers) = afternoon().await;
    let worker = world.start_worker();
    world.leave_latest_status(&complete(DATE)).await;
    world.redis.kill_hard().unwrap();
    world.redis.restart().unwrap();
    the_only_job(&world).await;
    until("all instances to listen again", async || world.listeners_of(COMPLETION).await == 3).await;

    world.close_next_day(&[]).await;
    clock.set("2026-03-04T21:30:00Z").await;
    world.publish(COMPLETION, &eod_completion(&complete("2026-03-04"))).await;
    until("the job of the next day", async || world.automatic_jobs().await.len() == 2).await;
    triggers.stop().await;
    worker.stop().await;
}

#[tokio::test]
async fn a_subscription_ends_when_its_server_freezes_without_a_word() {
    let world = World::new().await;
    let redis = Redis::new(&Secret::new(world.redis.url())).unwrap();
    let mut subscription = redis.subscribe(&["news".to_owned()]).await.unwrap();
    world.publish("news", &json!({})).await;
    let heard = subscription.next().await.unwrap();
    assert_eq!((heard.channel.as_str(), heard.payload.as_slice()), ("news", b"{}".as_slice()));
    world.redis.pause().unwrap();
    let next = tokio::time::timeout(Duration::from_secs(30), subscription.next()).await;
    assert_eq!(next.expect("it is noticed"), None);
    world.redis.resume().unwrap();
}

#[tokio::test]
async fn the_clock_asks_for_a_job_while_redis_is_away() {
    let (world, clock, triggers) = afternoon().await;
    world.redis.kill_hard().unwrap();
    clock.set("2026-03-03T22:10:00Z").await;
    until("an accepted job", async || world.automatic_jobs().await.len() == 1).await;
    world.redis.restart().unwrap();
    let worker = world.start_worker();
    assert_eq!(the_only_job(&world).await, BY_CLOCK);
    triggers.stop().await;
    worker.stop().await;
}

#[tokio::test]
async fn a_signal_is_followed_once_postgres_is_back() {
    let (world, _clock, triggers) = afternoon().await;
    let gate = world.gate("insert on cache_sync_jobs").await;
    world.publish(COMPLETION, &eod_completion(&complete(DATE))).await;
    // Whoever is in the middle of accepting the job loses its connection, as when a server restarts.
    for _ in 0..3 {
        let backend = gate.reached().await;
        world.sql(&format!("select pg_terminate_backend({backend})")).await;
        until("the end of the backend", async || !gate.waiting().await.contains(&backend)).await;
    }
    assert_eq!(world.automatic_jobs().await, [""; 0]);
    gate.open().await;
    let worker = world.start_worker();
    the_only_job(&world).await;
    worker.stop().await;
    triggers.stop().await;
}

#[tokio::test]
async fn signals_may_come_under_another_prefix_and_be_switched_off() {
    let world = World::filled_with(&[("redis.signals_prefix", "plant")]).await;
    world.close_next_day(&[]).await;
    let clock = TestClock::at(AFTERNOON);
    let triggers = world.start_triggers(3, &clock).await;
    assert_eq!(world.listeners_of(COMPLETION).await, 0);
    let worker = world.start_worker();
    world.publish("plant:eod:completion", &eod_completion(&complete(DATE))).await;
    the_only_job(&world).await;
    triggers.stop().await;
    worker.stop().await;

    let deaf = World::with(&[("triggers.signals", "false"), ("triggers.schedule", "false")]).await;
    deaf.leave_latest_status(&complete("2026-03-02")).await;
    let triggers = deaf.start_triggers(1, &clock).await;
    assert_eq!(deaf.listeners_of(COMPLETION).await, 0);
    deaf.submit(&crate::world::request("by-hand")).await;
    deaf.publish(CONTROL, &json!({"job_id": "by-hand", "action": "cancel"})).await;
    assert_eq!(deaf.ended("by-hand").await["status"], "cancelled");
    assert_eq!(deaf.automatic_jobs().await, [""; 0]);
    tokio::time::timeout(Duration::from_secs(5), triggers.stop()).await.expect("it stops at once");
}
