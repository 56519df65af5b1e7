//! What the world is told of a job, and in which words.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;

use crate::world::{Heard, World, request, stock};

/// The fields of the status hash.
const STATUS_FIELDS: &str = "job_id mode status phase current_task completed total_items percentage attempt worker \
    triggered_by run_id as_of created_at start_time end_time updated_at duration_seconds total_changes \
    universes_updated held_universes task_results warnings error replay_of seq";
/// The sub-tasks of a full sync, in order.
const TASKS: [&str; 5] = [
    "market_cap_recalculation",
    "ipo_assignment",
    "delisted_cleanup",
    "theme_rebalancing",
    "etf_universe_maintenance",
];

fn names_of(heard: &[Heard]) -> Vec<&str> {
    heard.iter().map(|heard| heard.message["event"].as_str().unwrap()).collect()
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.iter().any(holds_null),
        Value::Object(members) => members.values().any(holds_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn list(status: &HashMap<String, String>, field: &str) -> Vec<String> {
    serde_json::from_str(&status[field]).unwrap()
}

#[tokio::test]
async fn listeners_hear_a_job_begin_each_sub_task_each_changed_universe_and_the_end() {
    let world = World::new().await;
    let listener = world.listen().await;
    let status = world.sync_telling_all("job").await;
    let heard = listener.hear_end_of("job").await;

    assert_eq!(heard[0].channel, "tickstock:cache:started");
    let progress: Vec<&Heard> =
        heard.iter().filter(|heard| heard.channel == "tickstock:cache:progress").collect();
    let tasks: Vec<&str> =
        progress.iter().map(|heard| heard.message["payload"]["current_task"].as_str().unwrap()).collect();
    assert_eq!(tasks, TASKS);
    let percentages: Vec<i64> =
        progress.iter().map(|heard| heard.message["payload"]["percentage"].as_i64().unwrap()).collect();
    assert_eq!(percentages, [20, 40, 60, 80, 100]);

    let mut changed: Vec<String> = heard
        .iter()
        .filter(|heard| heard.channel == "tickstock:universe:updated")
        .map(|heard| heard.message["payload"]["universe"].as_str().unwrap().to_owned())
        .collect();
    let mut updated = list(&status, "universes_updated");
    changed.sort();
    updated.sort();
    assert_eq!(changed, updated);
    assert!(changed.contains(&"top_100".to_owned()));

    let [complete, completed] = &heard[heard.len() - 2..] else { panic!("two messages") };
    assert_eq!(complete.channel, "tickstock:cache:sync_complete");
    assert_eq!(completed.channel, "tickstock:cache:completed");
    assert_eq!(complete.message, completed.message);
    let ends = names_of(&heard).into_iter().filter(|name| *name == "cache_sync_completed").count();
    assert_eq!(ends, 2);
}

#[tokio::test]
async fn every_message_is_an_envelope_without_nulls_that_names_job_mode_and_place() {
    let world = World::new().await;
    let listener = world.listen().await;
    world.sync("job").await;
    for Heard { channel, message } in listener.hear_end_of("job").await {
        assert_eq!(message["source"], "daily_cache_sync_job", "{channel}");
        assert_eq!(message["version"], "1.0", "{channel}");
        assert!(DateTime::parse_from_rfc3339(message["timestamp"].as_str().unwrap()).is_ok(), "{channel}");
        assert_eq!(message["payload"]["mode"], "full", "{channel}");
        assert!(message["payload"]["seq"].is_i64(), "{channel}");
        assert!(!holds_null(&message), "{channel}: {message}");
    }
}

#[tokio::test]
async fn the_event_stream_of_a_job_has_all_that_was_heard_in_order_under_rising_numbers() {
    let world = World::new().await;
    let listener = world.listen().await;
    world.sync("job").await;
    let heard = listener.hear_end_of("job").await;
    let events = world.events("job").await;

    assert!(events.iter().zip(&events[1..]).all(|(one, next)| one.seq < next.seq));
    for told in &events {
        assert_eq!(told.data["payload"]["seq"], told.seq);
        assert_eq!(told.data["event"], told.event);
    }
    let kept: Vec<(&String, &Value)> =
        events.iter().flat_map(|told| told.channels.iter().map(|channel| (channel, &told.data))).collect();
    let heard: Vec<(&String, &Value)> = heard.iter().map(|heard| (&heard.channel, &heard.message)).collect();
    assert_eq!(kept, heard);
}

#[tokio::test]
async fn the_status_hash_has_every_field_and_outlives_the_end_by_seven_days() {
    let world = World::new().await;
    world
        .xadd(&[
            ("job_id", "job"),
            ("triggered_by", "admin"),
            ("run_id", "4711"),
            ("requested_at", "2026-03-02T21:30:00"),
        ])
        .await;
    world.run_once().await;
    let status = world.status("job").await;

    let mut fields: Vec<&str> = status.keys().map(String::as_str).collect();
    let mut expected: Vec<&str> = STATUS_FIELDS.split_whitespace().collect();
    fields.sort_unstable();
    expected.sort_unstable();
    assert_eq!(fields, expected);
    for (field, text) in [
        ("status", "completed"),
        ("mode", "full"),
        ("phase", "cache_sync"),
        ("current_task", ""),
        ("completed", "5"),
        ("total_items", "5"),
        ("percentage", "100"),
        ("attempt", "1"),
        ("triggered_by", "admin"),
        ("run_id", "4711"),
        ("as_of", "2026-03-02"),
        ("created_at", "2026-03-02T21:30:00.000Z"),
        ("held_universes", "[]"),
        ("error", ""),
        ("replay_of", ""),
    ] {
        assert_eq!(status[field], text, "{field}");
    }
    for field in ["start_time", "end_time", "updated_at"] {
        assert!(status[field].ends_with('Z'), "{field} {}", status[field]);
        assert!(DateTime::parse_from_rfc3339(&status[field]).is_ok(), "{field} {}", status[field]);
    }
    assert_eq!(status["duration_seconds"].split_once('.').unwrap().1.len(), 3);
    let tasks: HashMap<String, Value> = serde_json::from_str(&status["task_results"]).unwrap();
    assert_eq!(tasks.len(), TASKS.len());
    assert_eq!(tasks[TASKS[0]]["status"], "completed");
    assert_eq!(
        status["total_changes"],
        world.count("select count(*) from universe_membership").await.to_string()
    );
    let last = world.events("job").await.last().unwrap().seq;
    assert_eq!(status["seq"], last.to_string());

    for key in ["tickstock:jobs:cache_sync:status:job", "tickstock:jobs:cache_sync:events:job"] {
        let ttl: i64 = world.ask_redis(redis::cmd("TTL").arg(key)).await;
        assert!((604_700..=604_800).contains(&ttl), "{key} {ttl}");
    }
}

#[tokio::test]
async fn a_job_is_among_the_recent_ones_by_the_time_of_its_request() {
    let world = World::new().await;
    world.xadd(&[("job_id", "job"), ("requested_at", "2026-03-02T21:30:00")]).await;
    world.run_once().await;
    let recent: Vec<(String, i64)> = world
        .ask_redis(
            redis::cmd("ZRANGE").arg("tickstock:jobs:cache_sync:recent").arg(0).arg(-1).arg("WITHSCORES"),
        )
        .await;
    let requested: DateTime<chrono::Utc> = "2026-03-02T21:30:00Z".parse().unwrap();
    assert_eq!(recent, [("job".to_owned(), requested.timestamp_millis())]);
}

#[tokio::test]
async fn the_text_for_the_job_monitor_page_can_be_read_by_python() {
    let world = World::new().await;
    world.sync("job").await;
    let key = "tickstock.jobs.status:job";
    let text: String = world.ask_redis(redis::cmd("GET").arg(key)).await;
    let monitor: Value = serde_json::from_str(&text).unwrap();
    assert!(!holds_null(&monitor), "{text}");
    for field in ["timestamp", "started_at", "completed_at"] {
        let time = monitor[field].as_str().unwrap();
        // No offset, and three decimals: what every version of fromisoformat takes.
        assert_eq!(time.len(), "2026-03-02T21:30:00.000".len(), "{field} {time}");
        assert!(NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%.3f").is_ok(), "{field} {time}");
    }
    assert_eq!(monitor["status"], "completed");
    assert_eq!(monitor["progress"], 100);
    assert_eq!(monitor["total_symbols"], 130);
    assert_eq!(monitor["processed_symbols"], 130);
    assert!(!monitor["message"].as_str().unwrap().contains(['<', '>', '&', '"']));
    let ttl: i64 = world.ask_redis(redis::cmd("TTL").arg(key)).await;
    assert!((86_300..=86_400).contains(&ttl), "{ttl}");
    // Older pages ask for a single job under another name.
    let single: String = world.ask_redis(redis::cmd("GET").arg("job:status:job")).await;
    assert_eq!(single, text);
    let switched_off = World::with(&[("redis.job_monitor_keys", "false")]).await;
    switched_off.sync("job").await;
    for pattern in ["job:status:*", "tickstock.jobs.status:*"] {
        let keys: Vec<String> = switched_off.ask_redis(redis::cmd("KEYS").arg(pattern)).await;
        assert_eq!(keys, [""; 0]);
    }
}

#[tokio::test]
async fn without_notifications_only_pub_sub_is_silent() {
    let silent = World::with(&[("sync_settings.enable_notifications", "false")]).await;
    let listener = silent.listen().await;
    let status = silent.sync_telling_all("job").await;
    assert_eq!(status["percentage"], "100");
    let names = silent.event_names("job").await;
    assert_eq!(names.first().unwrap(), "cache_sync_started");
    assert_eq!(names.last().unwrap(), "cache_sync_completed");
    assert!(names.contains(&"cache_sync_progress".to_owned()));
    assert_eq!(silent.universe("top_100").await.len(), 100);

    silent.all_heard(&listener).await;
    assert_eq!(listener.heard(), []);
}

#[tokio::test]
async fn a_job_that_was_submitted_has_a_status_before_any_worker_reads_it() {
    let world = World::new().await;
    world.submit(&request("job")).await;
    assert_eq!(world.status("job").await["status"], "queued");
    assert_eq!(world.event_names("job").await, ["cache_sync_triggered"]);
    world.run_once().await;
    assert_eq!(world.status("job").await["status"], "completed");
}

#[tokio::test]
async fn a_new_listing_is_told_of_once_for_recent_ipos_and_once_for_a_theme() {
    let world = World::filled().await;
    world.close_next_day(&[]).await;
    world.list(stock("NEWT").cap("900M").listed_days_ago(3)).await;
    world.sql("alter table symbols add if not exists sic_code text").await;
    world.sql("update symbols set sic_code = '2836', sector = 'Health Care' where symbol = 'NEWT'").await;
    world.sync("job").await;
    let told = assignments(&world, "job").await;
    assert_eq!(told.len(), 2);
    for (payload, (universe, reason)) in told.iter().zip([
        ("biotech_innovators", "score 3 of 3: SIC 2836 3, cap 900.00M, place 1 of 60"),
        ("recent_ipos", "listed 2026-02-28, cap 900.00M"),
    ]) {
        assert_eq!(payload["symbol"], "NEWT");
        assert_eq!(payload["universe"], universe);
        assert_eq!(payload["reason"], reason);
        assert_eq!(payload["market_cap"], 900_000_000.0);
        assert_eq!(payload["sector"], "healthcare");
    }

    world.close_next_day(&[]).await;
    world.sync("next").await;
    assert!(assignments(&world, "next").await.is_empty());
}

/// The payloads of `ipo_assignment`, in order.
async fn assignments(world: &World, id: &str) -> Vec<Value> {
    let told = world.events(id).await.into_iter().filter(|told| told.event == "ipo_assignment");
    told.map(|told| told.data["payload"].clone()).collect()
}
