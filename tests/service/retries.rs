//! What is tried again, what is not, and when a job is given up.

use std::time::Duration;

use crate::world::{World, background, until};

#[tokio::test]
async fn a_passing_failure_is_tried_again_after_a_while_and_succeeds() {
    let world = World::new().await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let worker = world.start_worker();
    world.xadd(&[("job_id", "job")]).await;
    let backend = gate.reached().await;
    world.sql(&format!("select pg_terminate_backend({backend})")).await;
    gate.open().await;
    let status = world.ended("job").await;
    assert_eq!((status["status"].as_str(), status["attempt"].as_str()), ("completed", "2"));
    assert_eq!(status["error"], "", "what is over is no error any more");
    worker.stop().await;

    let events = world.events("job").await;
    let warning = events.iter().find(|told| told.event == "cache_sync_error").unwrap();
    assert_eq!(warning.data["severity"], "warning");
    assert_eq!(warning.data["category"], "retry");
    let names: Vec<&str> = events.iter().map(|told| told.event.as_str()).collect();
    assert_eq!(names.iter().filter(|name| **name == "cache_sync_started").count(), 2);
    assert_eq!(names.iter().filter(|name| **name == "cache_sync_completed").count(), 1);
    assert!(world.dead_letters().await.is_empty());
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_failure_that_will_stay_ends_the_job_at_once_with_a_clear_sentence() {
    for (damage, sentence) in [
        ("alter table symbols drop column active", "active"),
        ("drop table ohlcv_daily", "ohlcv_daily"),
        ("alter table universe_membership drop column evidence", "evidence"),
    ] {
        let world = World::new().await;
        world.sql(damage).await;
        world.xadd(&[("job_id", "job")]).await;
        world.run_once().await;
        let job = world.job("job").await;
        assert_eq!((job.status.as_str(), job.attempt), ("failed", 1), "{damage}");
        let error = job.error.unwrap();
        assert!(error.starts_with("unable to ") && error.contains(sentence), "{damage}: {error}");
        assert!(!error.contains('\n') && error.len() < 300, "{error}");
        assert_eq!(world.status("job").await["error"], error);
        assert!(world.entries().await.is_empty());
        assert_eq!(world.count("select count(*) from cache_entries").await, 0);
    }
}

#[tokio::test]
async fn a_job_whose_attempts_are_used_up_is_a_dead_letter_with_the_step_it_came_to() {
    let world = World::with(&[("worker.max_attempts", "2")]).await;
    world
        .sql(
            "create function disk_is_full() returns trigger language plpgsql as
             $$ begin raise exception 'could not extend file' using errcode = 'disk_full'; end $$;
             create trigger disk_is_full before insert on cache_sync_changes
             for each statement execute function disk_is_full()",
        )
        .await;
    let entry = world.xadd(&[("job_id", "job"), ("run_id", "7")]).await;
    world.run_once().await;

    let job = world.job("job").await;
    assert_eq!((job.status.as_str(), job.attempt), ("failed", 2));
    let error = job.error.unwrap();
    assert!(error.starts_with("gave up after 2 attempts: temporarily unable to "), "{error}");
    assert!(error.contains("could not extend file"), "{error}");
    let [letter] = &world.dead_letters().await[..] else { panic!("one letter") };
    assert_ne!(letter["entry_id"], entry, "the entry of the second attempt");
    for (field, text) in [
        ("job_id", "job"),
        ("reason", "attempts_exhausted"),
        ("error", &error),
        ("attempts", "2"),
        ("last_step", "apply"),
        ("original.run_id", "7"),
    ] {
        assert_eq!(letter[field], text, "{field}");
    }
    assert_eq!(world.event_names("job").await.last().unwrap(), "cache_sync_completed");
    assert!(world.entries().await.is_empty());
    assert_eq!(world.count("select count(*) from universe_membership").await, 0);
}

#[tokio::test]
async fn a_job_that_another_writer_got_ahead_of_is_done_again_within_the_attempt() {
    let world = World::filled().await;
    world.close_next_day(&[(&background(13), 1.1)]).await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let worker = world.start_worker();
    world.xadd(&[("job_id", "job"), ("triggered_by", "admin")]).await;
    gate.reached().await;
    world.all_progress_told("job").await;
    world
        .sql("update cache_entries set content = content || '{\"note\": 1}' where universe = 'mega_cap'")
        .await;
    gate.open().await;
    let status = world.ended("job").await;
    assert_eq!((status["status"].as_str(), status["attempt"].as_str()), ("completed", "1"));
    assert!(world.universe("mega_cap").await.contains(&background(13)));
    let names = world.event_names("job").await;
    assert_eq!(names.iter().filter(|name| *name == "cache_sync_progress").count(), 5);
    worker.stop().await;
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_worker_whose_database_connections_all_break_goes_on() {
    let world = World::new().await;
    let worker = world.start_worker();
    until("the worker", async || world.consumers().await.len() == 1).await;
    for _ in 0..3 {
        world
            .sql(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()",
            )
            .await;
        world.xadd(&[("triggered_by", "admin")]).await;
    }
    until("three ended jobs", async || {
        world.count("select count(*) from cache_sync_jobs where status = 'completed'").await == 3
    })
    .await;
    // Its entry may stay with the worker for a moment, for what it could not write down when its connection broke.
    world.stream_is_empty().await;
    worker.stop().await;
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn an_attempt_that_does_not_get_on_although_its_worker_lives_is_called_hung_and_made_again() {
    let world = World::with(&[("worker.hung_after_seconds", "5"), ("worker.max_attempts", "100")]).await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let worker = world.start_worker();
    world.xadd(&[("job_id", "job")]).await;
    let hung = "hung: no progress at step apply for 5 s";
    until("the end of the attempt", async || {
        let job = world.find_job("job").await;
        job.is_some_and(|job| job.error.is_some_and(|error| error.starts_with(hung)))
    })
    .await;
    until("its telling", async || {
        world.status("job").await.get("error").is_some_and(|error| error.starts_with(hung))
    })
    .await;
    gate.open().await;
    let status = world.ended("job").await;
    assert_eq!((status["status"].as_str(), status["error"].as_str()), ("completed", ""));
    worker.stop().await;
    assert_eq!(world.count("select count(*) from cache_sync_runs").await, 1);
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_job_that_waits_its_turn_is_not_hung() {
    let world = World::with(&[("worker.hung_after_seconds", "10")]).await;
    let lease = world.hold_lease().await;
    let worker = world.start_worker();
    world.xadd(&[("job_id", "job")]).await;
    world.reached_step("job", "lease").await;
    let is_later =
        "select count(*) from cache_sync_jobs where start_time < clock_timestamp() - interval '12 seconds'";
    until("the end of that time", async || world.count(is_later).await == 1).await;
    lease.release().await;
    assert_eq!(world.ended("job").await["attempt"], "1");
    worker.stop().await;
}

#[tokio::test]
async fn a_job_over_its_deadline_fails_at_once_and_says_where_it_was() {
    let world = World::new().await;
    let gate = world.gate("insert on cache_sync_changes").await;
    world.xadd(&[("job_id", "job")]).await;
    world.run_once_within(Duration::from_secs(1)).await;
    let job = world.job("job").await;
    assert_eq!((job.status.as_str(), job.attempt), ("failed", 1));
    let error = job.error.unwrap();
    assert!(error.starts_with("timed_out: the job took longer than "), "{error}");
    assert_eq!(world.status("job").await["error"], error);
    gate.open().await;
    assert_eq!(world.count("select count(*) from cache_entries").await, 0);
}

#[tokio::test]
async fn a_result_that_cannot_be_read_is_an_error_and_no_dead_letter_is_lost() {
    let world = World::new().await;
    let entry = world.xadd(&[("job_id", "job")]).await;
    let spoilt = |result: &str| {
        format!(
            "insert into cache_sync_jobs (job_id, mode, status, triggered_by, requested_at, attempt, entry_id, error, \
             created_at, updated_at, end_time, result)
             values ('job', 'full', 'failed', 'a test', now(), 5, '{entry}', 'gave up', now(), now(), now(), '{result}')
             on conflict (job_id) do update set result = excluded.result"
        )
    };
    world.sql(&spoilt(r#"{"is_dead_letter": true, "total_changes": "many"}"#)).await;
    world.run_once().await;
    assert_eq!(world.pending().await, 1, "the entry waits until the row can be read");
    assert!(world.dead_letters().await.is_empty());

    world.sql(&spoilt(r#"{"is_dead_letter": true}"#)).await;
    world.run_once().await;
    let [letter] = &world.dead_letters().await[..] else { panic!("one letter") };
    assert_eq!((letter["job_id"].as_str(), letter["error"].as_str()), ("job", "gave up"));
    world.stream_is_empty().await;
}
