//! Workers beside each other, and workers that stop.

use crate::world::{SHORT_LEASE, World, background, until};

#[tokio::test]
async fn a_worker_that_is_told_to_stop_finishes_its_job_leaves_the_group_and_exits_well() {
    let world = World::new().await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let mut worker = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    gate.reached().await;
    world.xadd(&[("job_id", "later")]).await;
    // A supervisor may tell the process and its group at the same moment: one wish. Both wait until it may go on.
    worker.signal("STOP");
    worker.signal("TERM");
    worker.signal("INT");
    worker.signal("CONT");
    until("the worker to hear it", async || worker.log().contains("stopping")).await;
    gate.open().await;
    assert_eq!(worker.end().await.code(), Some(0));
    assert_eq!(world.ended("job").await["attempt"], "1");
    assert!(world.find_job("later").await.is_none(), "nothing new is read");
    assert!(world.consumers().await.is_empty());
    assert_eq!((world.entries().await.len(), world.pending().await), (1, 0));
}

#[tokio::test]
async fn a_worker_that_can_not_finish_in_time_hands_its_job_back_without_counting_the_attempt() {
    let world = World::with(&[("worker.drain_seconds", "1")]).await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let mut worker = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    gate.reached().await;
    worker.signal("TERM");
    assert_eq!(worker.end().await.code(), Some(0));
    let job = world.job("job").await;
    assert_eq!((job.status.as_str(), job.attempt), ("queued", 0));
    assert_eq!(world.status("job").await["status"], "queued");
    assert!(world.consumers().await.is_empty());
    assert_eq!(world.count("select count(*) from cache_sync_owners").await, 0);

    gate.open().await;
    world.run_once().await;
    assert_eq!(world.ended("job").await["status"], "completed");
    assert_eq!(world.job("job").await.attempt, 1);
}

#[tokio::test]
async fn a_worker_that_waits_in_line_hands_its_job_back_at_once() {
    let world = World::with(&[("worker.drain_seconds", "3600")]).await;
    let lease = world.hold_lease().await;
    let mut worker = world.spawn_worker();
    world.xadd(&[("job_id", "job")]).await;
    world.reached_step("job", "lease").await;
    worker.signal("TERM");
    assert_eq!(worker.end().await.code(), Some(0));
    assert_eq!(world.job("job").await.attempt, 0);
    lease.release().await;
}

#[tokio::test]
async fn a_second_signal_ends_a_worker_at_once_and_another_does_the_job() {
    for second in ["TERM", "INT"] {
        let world = World::with(&[("worker.lease_seconds", "600")]).await;
        let gate = world.gate("insert on cache_sync_changes").await;
        let mut worker = world.spawn_worker();
        world.xadd(&[("job_id", "job")]).await;
        gate.reached().await;
        worker.signal("TERM");
        until("the worker to hear it", async || worker.log().contains("stopping")).await;
        assert_eq!(worker.signal_until_it_ends(second).await.code(), Some(130));
        gate.open().await;
        world.run_once().await;
        assert_eq!(world.ended("job").await["status"], "completed");
    }
}

#[tokio::test]
async fn two_jobs_in_two_workers_are_done_one_after_the_other() {
    let world = World::filled().await;
    let (grown, shrunk) = (background(13), background(12));
    world.close_next_day(&[(&grown, 1.1), (&shrunk, 0.9)]).await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let (a, b) = (world.start_worker_named("a"), world.start_worker_named("b"));
    world.xadd(&[("job_id", "one"), ("triggered_by", "admin")]).await;
    gate.reached().await;
    world.xadd(&[("job_id", "two"), ("triggered_by", "admin")]).await;
    world.reached_step("two", "lease").await;
    let holders = "select count(*) from pg_locks where relation = 'cache_sync_lease'::regclass
                   and mode = 'ExclusiveLock' and granted
                   and database = (select oid from pg_database where datname = current_database())";
    assert_eq!(world.count(holders).await, 1);
    assert_eq!(gate.waiting().await.len(), 1);
    gate.open().await;

    let (one, two) = (world.ended("one").await, world.ended("two").await);
    assert_eq!((one["status"].as_str(), two["status"].as_str()), ("completed", "completed"));
    assert_ne!(one["worker"], two["worker"]);
    assert_eq!((one["total_changes"].as_str(), two["total_changes"].as_str()), ("4", "0"));
    assert_eq!((one["attempt"].as_str(), two["attempt"].as_str()), ("1", "1"));
    world.assert_history_is_consistent().await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn many_jobs_for_three_workers_are_each_done_once() {
    let world = World::filled().await;
    let workers = ["a", "b", "c"].map(|name| world.start_worker_named(name));
    let modes = ["full", "market_cap", "delisted", "full", "market_cap", "full"];
    for (number, mode) in modes.iter().enumerate() {
        world.close_next_day(&[(&background(12 + number), 1.1)]).await;
        let id = format!("job{number}");
        world.xadd(&[("job_id", &id), ("mode", mode), ("triggered_by", "admin")]).await;
        world.xadd(&[("job_id", &id), ("mode", mode), ("triggered_by", "admin")]).await;
    }
    for number in 0..modes.len() {
        let id = format!("job{number}");
        let status = world.ended(&id).await;
        assert_eq!(status["status"], "completed", "{}", status["error"]);
        assert_eq!(
            world.count(&format!("select count(*) from cache_sync_runs where job_id = '{id}'")).await,
            1
        );
    }
    world.stream_is_empty().await;
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(world.pending().await, 0);
    assert!(world.consumers().await.is_empty());
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn an_entry_of_a_silent_worker_elsewhere_is_taken_after_its_lease() {
    let world = World::with(&SHORT_LEASE).await;
    world.xadd(&[("job_id", "job")]).await;
    let stream = world.names.job_stream();
    let _: () = world
        .ask_redis(redis::cmd("XGROUP").arg("CREATE").arg(&stream).arg("cache-sync-workers").arg("0"))
        .await;
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP")
        .arg("cache-sync-workers")
        .arg("elsewhere-1-abcdefabcdef")
        .arg("STREAMS")
        .arg(&stream)
        .arg(">");
    let _: redis::Value = world.ask_redis(&read).await;
    assert_eq!(world.pending().await, 1);
    let worker = world.start_worker();
    assert_eq!(world.ended("job").await["attempt"], "1");
    worker.stop().await;
    assert_eq!(world.pending().await, 0);
}

#[tokio::test]
async fn a_job_that_takes_longer_than_a_lease_stays_with_its_living_worker() {
    let world = World::with(&SHORT_LEASE).await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let a = world.start_worker_named("a");
    world.xadd(&[("job_id", "job")]).await;
    gate.reached().await;
    let first_end = world.ask("select expires_at from cache_sync_owners").await[0].clone();
    let b = world.start_worker_named("b");
    let is_over = format!("select count(*) from cache_sync_owners where clock_timestamp() > '{first_end}'");
    until("the end of the first lease", async || world.count(&is_over).await == 1).await;
    assert_eq!(gate.waiting().await.len(), 1);
    gate.open().await;
    assert_eq!(world.ended("job").await["attempt"], "1");
    world.stream_is_empty().await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn a_worker_waits_for_a_redis_that_is_not_there_yet() {
    let world = World::new().await;
    world.redis.kill_hard().unwrap();
    world.accept(&crate::world::request("job")).await;
    let mut worker = world.spawn_worker();
    until("the worker to complain", async || worker.log().contains("trying again")).await;
    world.redis.restart().unwrap();
    assert_eq!(world.ended("job").await["status"], "completed");
    worker.signal("TERM");
    assert_eq!(worker.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_worker_that_works_once_ends_well_also_where_a_job_failed() {
    let world = World::new().await;
    world.sql("drop table ohlcv_daily").await;
    world.xadd(&[("job_id", "job")]).await;
    world.xadd(&[("job_id", "odd"), ("mode", "nonsense")]).await;
    let mut worker = world.spawn(&["worker", "--once"]);
    assert_eq!(worker.end().await.code(), Some(0));
    assert_eq!(world.status("job").await["status"], "failed");
    assert_eq!(world.dead_letters().await.len(), 1);
    world.stream_is_empty().await;
}
