//! Cancelling a job: at once where no worker holds it, within a second where one does, and never by half.

use std::time::{Duration, Instant};

use cache_sync::domain::job::JobStatus;
use cache_sync::service::Cancellation;

use crate::world::{World, request, until};

/// From the wish to the end of a job at work: the second that is promised, and a good many for a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// The three seconds that whoever cancels waits for Redis, and some for a busy machine; less than the two times three that
/// the driver tries to connect for.
const BEFORE_THE_DRIVER: Duration = Duration::from_secs(6);
/// Confirmations so far apart that they are not what notices a wish: the longest that the settings allow.
const SLOW_HEARTBEAT: [(&str, &str); 2] =
    [("worker.heartbeat_seconds", "60"), ("worker.lease_seconds", "600")];

#[tokio::test]
async fn a_queued_job_is_cancelled_and_told_at_once_though_no_worker_runs() {
    let world = World::new().await;
    world.submit(&request("job")).await;
    let listener = world.listen().await;
    assert_eq!(world.cancel("job").await, Cancellation::Cancelled);

    let (status, job) = (world.status("job").await, world.job("job").await);
    assert_eq!((status["status"].as_str(), status["error"].as_str()), ("cancelled", "cancelled"));
    assert_eq!((job.status, job.attempt), (JobStatus::Cancelled, 0));
    let events = world.events("job").await;
    let end = events.last().unwrap();
    assert_eq!(end.event, "cache_sync_completed");
    assert_eq!(end.data["payload"]["status"], "failed");
    assert_eq!(end.data["payload"]["error"], "cancelled");
    listener.hear_end_of("job").await;
    assert_eq!(world.count("select count(*) from cache_sync_outbox where sent_at is null").await, 0);

    // Its entry is still there; a worker puts it away and does nothing.
    assert_eq!(world.entries().await.len(), 1);
    world.run_once().await;
    assert!(world.entries().await.is_empty());
    assert_eq!((world.job("job").await, world.status("job").await), (job, status));
    assert_eq!(world.events("job").await, events);
    assert_eq!(world.count("select count(*) from cache_entries").await, 0);
}

#[tokio::test]
async fn a_job_is_cancelled_without_waiting_for_a_redis_that_does_not_answer_and_told_by_the_next_worker() {
    let world = World::new().await;
    world.accept(&request("job")).await;
    world.redis.pause().unwrap();
    let asked = Instant::now();
    assert_eq!(world.cancel("job").await, Cancellation::Cancelled);
    assert!(asked.elapsed() < BEFORE_THE_DRIVER, "it took {:?}", asked.elapsed());
    assert_eq!(world.job("job").await.status, JobStatus::Cancelled);
    world.redis.resume().unwrap();
    world.run_once().await;
    assert_eq!(world.status("job").await["status"], "cancelled");
    assert_eq!(world.event_names("job").await, ["cache_sync_completed"]);
}

#[tokio::test]
async fn a_job_that_waits_for_its_import_is_cancelled_at_once_and_begins_no_more() {
    let world = World::filled_with(&[("sync_settings.eod_recheck_seconds", "1")]).await;
    let date = world.close_part_of_next_day(60, &[]).await;
    let rows = world.entries_fingerprint().await;
    let worker = world.start_worker();
    world.xadd(&[("job_id", "nightly"), ("triggered_by", "eod_import")]).await;
    until("the job to wait", async || {
        world.find_job("nightly").await.is_some_and(|job| job.status == JobStatus::Retrying)
    })
    .await;
    // It may be looking at the import at this very moment.
    let cancellation = world.cancel("nightly").await;
    assert!(matches!(cancellation, Cancellation::Cancelled | Cancellation::Requested), "{cancellation:?}");
    assert_eq!(world.ended("nightly").await["status"], "cancelled");
    let attempts = world.job("nightly").await.attempt;

    world.import_closes(date, 100).await;
    world.xadd(&[("job_id", "next"), ("mode", "delisted"), ("as_of", "2026-03-02")]).await;
    world.ended("next").await;
    worker.stop().await;
    let job = world.job("nightly").await;
    assert_eq!((job.status, job.attempt), (JobStatus::Cancelled, attempts));
    assert_eq!(world.entries_fingerprint().await, rows);
}

#[tokio::test]
async fn a_job_in_the_middle_of_a_long_statement_ends_within_a_second_and_is_rolled_back_as_a_whole() {
    let world = World::with(&SLOW_HEARTBEAT).await;
    let gate = world.gate("insert on cache_sync_changes").await;
    world.xadd(&[("job_id", "job")]).await;
    let worker = world.start_worker();
    gate.reached().await;
    let asked = Instant::now();
    assert_eq!(world.cancel("job").await, Cancellation::Requested);
    // Asking twice is harmless.
    let again = world.cancel("job").await;
    assert!(
        matches!(again, Cancellation::Requested | Cancellation::Ended(JobStatus::Cancelled)),
        "{again:?}"
    );
    let status = world.ended("job").await;
    assert!(asked.elapsed() < SOON, "it took {:?}", asked.elapsed());
    assert_eq!((status["status"].as_str(), status["error"].as_str()), ("cancelled", "cancelled"));
    // The statement itself was stopped, not only left behind.
    until("an empty gate", async || gate.waiting().await.is_empty()).await;
    gate.open().await;
    worker.stop().await;

    let ends = world.event_names("job").await;
    assert_eq!(ends.iter().filter(|name| *name == "cache_sync_completed").count(), 1);
    assert_eq!(world.count("select count(*) from universe_membership").await, 0);
    assert_eq!(world.count("select count(*) from cache_sync_changes").await, 0);
    assert_eq!(world.count("select count(*) from cache_entries").await, 0);
    assert!(world.entries().await.is_empty());
}

#[tokio::test]
async fn a_job_that_waits_in_line_behind_another_can_be_cancelled_without_waiting_for_it() {
    let world = World::with(&SLOW_HEARTBEAT).await;
    let lease = world.hold_lease().await;
    world.xadd(&[("job_id", "job")]).await;
    let worker = world.start_worker();
    world.reached_step("job", "lease").await;
    let asked = Instant::now();
    assert_eq!(world.cancel("job").await, Cancellation::Requested);
    assert_eq!(world.ended("job").await["status"], "cancelled");
    assert!(asked.elapsed() < SOON, "it took {:?}", asked.elapsed());
    lease.release().await;
    worker.stop().await;
}

#[tokio::test]
async fn a_job_in_its_commit_is_not_cancelled_but_found_completed() {
    let world = World::new().await;
    let gate = world.gate_in_commit().await;
    world.xadd(&[("job_id", "job")]).await;
    let worker = world.start_worker();
    gate.reached().await;
    let (cancellation, ()) = tokio::join!(world.cancel("job"), gate.open());
    assert_eq!(cancellation, Cancellation::Ended(JobStatus::Completed));
    assert_eq!(world.ended("job").await["status"], "completed");
    worker.stop().await;
}

#[tokio::test]
async fn a_job_ends_as_whoever_cancels_it_was_told_whatever_the_moment() {
    let world = World::new().await;
    let worker = world.start_worker();
    for number in 0..12 {
        let id = format!("job{number}");
        world.submit(&request(&id)).await;
        // Not waiting for anything: this is the moment.
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..250))).await;
        let cancellation = world.cancel(&id).await;
        let status = world.ended(&id).await;
        let expected = match cancellation {
            Cancellation::Cancelled | Cancellation::Requested => JobStatus::Cancelled,
            Cancellation::Ended(status) => status,
            Cancellation::Unknown => panic!("it was accepted"),
        };
        assert_eq!(status["status"], expected.as_str(), "{cancellation:?}, {}", status["error"]);
        let runs = world.count(&format!("select count(*) from cache_sync_runs where job_id = '{id}'")).await;
        assert_eq!(runs == 1, status["status"] == "completed");
        let ends = world.event_names(&id).await;
        assert_eq!(ends.iter().filter(|name| *name == "cache_sync_completed").count(), 1);
        assert_eq!(world.job(&id).await.status.as_str(), status["status"]);
    }
    // A job that was cancelled before its worker came to it leaves an entry, which is still to be read.
    world.stream_is_empty().await;
    worker.stop().await;
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn what_has_ended_or_was_never_there_can_not_be_cancelled() {
    let world = World::filled().await;
    let (job, status) = (world.job("first").await, world.status("first").await);
    assert_eq!(world.cancel("first").await, Cancellation::Ended(JobStatus::Completed));
    assert_eq!((world.job("first").await, world.status("first").await), (job, status));
    world.submit(&request("second")).await;
    world.cancel("second").await;
    assert_eq!(world.cancel("second").await, Cancellation::Ended(JobStatus::Cancelled));
    assert_eq!(world.cancel("nobody").await, Cancellation::Unknown);
}

#[tokio::test]
async fn a_cancelled_job_frees_its_dedupe_key() {
    let world = World::filled().await;
    let mut one = request("one");
    one.dedupe_key = Some("key".to_owned());
    world.submit(&one).await;
    world.cancel("one").await;
    world.xadd(&[("job_id", "two"), ("dedupe_key", "key"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let second = world.status("two").await;
    assert_eq!(second["status"], "completed");
    assert!(!second["warnings"].contains("duplicate_of"), "{}", second["warnings"]);
}
