//! The table in `worker/steps.md`: a worker dies at each arrow of a job's way, and nothing is lost or done twice.
//!
//! The worker that dies is the program itself, killed while a gate holds it. Its follower runs in this process, on the
//! same host, and so knows of the death at once.

use std::time::Instant;

use cache_sync::domain::job::JobStatus;

use crate::world::{SHORT_LEASE, World, until};

/// A lease so long that nobody who waits for its end passes a test.
const LONG_LEASE: (&str, &str) = ("worker.lease_seconds", "600");

/// Everything that must be so after a job was done, however often it was begun.
async fn assert_done_once(world: &World, id: &str, attempts: i32) {
    let status = world.ended(id).await;
    assert_eq!(status["status"], "completed", "{}", status["error"]);
    // The end is told first, noted as told, and acknowledged then; by whoever is quicker.
    world.all_told().await;
    world.stream_is_empty().await;
    let job = world.job(id).await;
    assert_eq!((job.status, job.attempt), (JobStatus::Completed, attempts));
    assert_eq!(world.count(&format!("select count(*) from cache_sync_runs where job_id = '{id}'")).await, 1);
    let names = world.event_names(id).await;
    assert_eq!(names.iter().filter(|name| *name == "cache_sync_started").count(), attempts as usize);
    assert_eq!(names.iter().filter(|name| *name == "cache_sync_completed").count(), 1);
    assert_eq!(world.pending().await, 0);
    assert!(world.dead_letters().await.is_empty());
    world.assert_history_is_consistent().await;
}

async fn assert_nothing_is_written(world: &World) {
    for table in [
        "cache_entries",
        "cache_entries_metadata",
        "universe_membership",
        "cache_sync_changes",
        "cache_sync_runs",
    ] {
        assert_eq!(world.count(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_worker_that_dies_before_its_claim_leaves_the_entry_to_another() {
    let world = World::with(&[LONG_LEASE]).await;
    let gate = world.gate("insert on cache_sync_jobs").await;
    let worker = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    gate.reached().await;
    assert_eq!(world.pending().await, 1);
    worker.kill();
    gate.open().await;
    world.run_once().await;
    assert_done_once(&world, "job", 1).await;
}

#[tokio::test]
async fn a_worker_that_dies_after_its_claim_is_followed_by_a_second_attempt() {
    let world = World::with(&[LONG_LEASE]).await;
    let lease = world.hold_lease().await;
    let worker = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    world.reached_step("job", "lease").await;
    worker.kill();
    lease.release().await;
    world.run_once().await;
    assert_done_once(&world, "job", 2).await;
}

#[tokio::test]
async fn a_worker_that_dies_in_mid_transaction_leaves_nothing_half_written_and_nobody_waiting() {
    let world = World::with(&[LONG_LEASE]).await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let worker = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    let dead = gate.reached().await;
    let follower = world.start_worker();
    until("the follower", async || world.consumers().await.len() == 2).await;
    worker.kill();
    let died = Instant::now();
    until("the second attempt", async || world.job("job").await.attempt == 2).await;
    println!("taken over {:?} after the death", died.elapsed());
    let error = world.job("job").await.error.unwrap();
    assert!(error.starts_with("died: worker "), "{error}");
    assert_nothing_is_written(&world).await;
    // The follower comes to the same place although the dead worker's transaction still stood there.
    gate.reached_by_other_than(dead).await;
    assert!(!gate.waiting().await.contains(&dead), "its backend was ended");
    assert_nothing_is_written(&world).await;
    gate.open().await;
    assert_done_once(&world, "job", 2).await;
    follower.stop().await;
}

#[tokio::test]
async fn a_job_whose_worker_dies_inside_the_commit_is_done_once() {
    let world = World::with(&[LONG_LEASE]).await;
    let gate = world.gate_in_commit().await;
    let worker = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    gate.reached().await;
    worker.kill();
    gate.open().await;
    until("the commit", async || world.job("job").await.status.is_final()).await;
    world.run_once().await;
    assert_done_once(&world, "job", 1).await;
}

#[tokio::test]
async fn an_entry_is_acknowledged_only_after_the_commit_and_delivered_again_changes_nothing() {
    let world = World::with(&[LONG_LEASE]).await;
    let listener = world.listen().await;
    let before_commit = world.gate_in_commit().await;
    let after_commit = world.gate("delete on cache_sync_owners").await;
    let worker = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    before_commit.reached().await;
    assert_eq!((world.entries().await.len(), world.pending().await), (1, 1));
    // Or the round of the relay might tell the end as soon as it is committed.
    let untold = world.hold_relay_of("job").await;
    before_commit.open().await;
    after_commit.reached().await;
    assert!(world.job("job").await.status.is_final());
    assert_eq!((world.entries().await.len(), world.pending().await), (1, 1));
    assert!(!world.event_names("job").await.contains(&"cache_sync_completed".to_owned()), "not told yet");
    worker.kill();
    after_commit.open().await;
    untold.release().await;

    let (rows, job) = (world.entries_fingerprint().await, world.job("job").await);
    world.run_once().await;
    assert_done_once(&world, "job", 1).await;
    assert_eq!(world.entries_fingerprint().await, rows);
    assert_eq!(world.job("job").await, job);
    let heard = listener.hear_end_of("job").await;
    assert_eq!(heard.iter().filter(|heard| heard.channel == "tickstock:cache:completed").count(), 1);
}

#[tokio::test]
async fn what_a_dead_worker_told_already_is_not_told_again() {
    let world = World::with(&[LONG_LEASE]).await;
    let listener = world.listen().await;
    let is_end = "new.envelope ->> 'event' = 'cache_sync_completed'";
    let gate = world.gate_for("update on cache_sync_outbox", is_end).await;
    let worker = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    gate.reached().await;
    listener.hear_end_of("job").await;
    let told = world.events("job").await;
    worker.kill();
    gate.open().await;
    world.run_once().await;
    assert_done_once(&world, "job", 1).await;
    assert_eq!(world.events("job").await, told);
    let heard = listener.hear_end_of("job").await;
    assert_eq!(heard.iter().filter(|heard| heard.message["event"] == "cache_sync_completed").count(), 2);
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_given_up_with_the_step_it_came_to() {
    let world = World::with(&[LONG_LEASE, ("worker.max_attempts", "2")]).await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let entry = world.xadd(&[("job_id", "job"), ("run_id", "7")]).await;
    let first = world.spawn_worker();
    let backend = gate.reached().await;
    world.reached_step("job", "apply").await;
    first.kill();
    let second = world.spawn_worker();
    gate.reached_by_other_than(backend).await;
    world.reached_step("job", "apply").await;
    second.kill();
    world.run_once().await;

    let job = world.job("job").await;
    assert_eq!((job.status, job.attempt), (JobStatus::Failed, 2));
    let error = job.error.as_deref().unwrap();
    assert!(error.starts_with("gave up after 2 attempts: died: worker "), "{error}");
    assert!(error.contains("at step apply"), "{error}");
    let [letter] = &world.dead_letters().await[..] else { panic!("one letter") };
    for (field, text) in [
        ("entry_id", entry.as_str()),
        ("job_id", "job"),
        ("reason", "attempts_exhausted"),
        ("attempts", "2"),
        ("last_step", "apply"),
        ("original.run_id", "7"),
    ] {
        assert_eq!(letter[field], text, "{field}");
    }
    assert_eq!(world.ended("job").await["status"], "failed");
    world.stream_is_empty().await;
    gate.open().await;
    assert_nothing_is_written(&world).await;
}

#[tokio::test]
async fn a_worker_that_was_frozen_changes_nothing_when_it_wakes_and_then_goes_on() {
    let world = World::with(&SHORT_LEASE).await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let frozen = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    let backend = gate.reached().await;
    world.reached_step("job", "apply").await;
    frozen.signal("STOP");
    // Alive as far as anybody can tell: only the end of its lease sets the job free.
    let follower = world.start_worker();
    gate.reached_by_other_than(backend).await;
    let error = world.job("job").await.error.unwrap();
    assert!(error.starts_with("silent: worker ") && error.contains("at step apply"), "{error}");
    gate.open().await;
    assert_done_once(&world, "job", 2).await;
    follower.stop().await;
    let told = world.events("job").await;
    let warning = told.iter().find(|told| told.event == "cache_sync_error").unwrap();
    assert_eq!((&warning.data["category"], &warning.data["message"]), (&"takeover".into(), &error.into()));
    assert_eq!(world.status("job").await["error"], "", "what is over is no error any more");

    let (job, rows, events) =
        (world.job("job").await, world.entries_fingerprint().await, world.events("job").await);
    frozen.signal("CONT");
    world.xadd(&[("job_id", "next"), ("triggered_by", "admin")]).await;
    assert_eq!(world.ended("next").await["status"], "completed");
    assert_eq!(world.job("job").await, job);
    assert_eq!(world.entries_fingerprint().await, rows);
    assert_eq!(world.events("job").await, events);
}

#[tokio::test]
async fn a_job_that_is_cancelled_after_its_worker_died_is_told_as_cancelled() {
    let world = World::with(&[LONG_LEASE]).await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let worker = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    gate.reached().await;
    world.all_progress_told("job").await;
    worker.kill();
    world.cancel("job").await;
    world.run_once().await;
    assert_eq!(world.status("job").await["status"], "cancelled");
    assert_eq!(world.event_names("job").await.last().unwrap(), "cache_sync_completed");
    gate.open().await;
    assert_nothing_is_written(&world).await;
}
