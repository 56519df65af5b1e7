//! A Redis behind Sentinel: the primary dies, a replica that lacks its last writes is promoted, and jobs go on.

use crate::world::{World, request, until};

#[tokio::test]
async fn a_promoted_replica_that_lacks_the_last_writes_loses_and_doubles_no_accepted_job() {
    let (world, watched) = World::behind_sentinel(&[]).await;
    // The replica has neither stream nor group: all that Redis will be told is lost.
    watched.let_replica_fall_behind(&world.redis).await;
    let mut worker = world.spawn_worker();
    world.submit(&request("done")).await;
    assert_eq!(world.ended("done").await["status"], "completed");
    world.all_let_go().await;
    let gate = world.gate("delete on cache_sync_owners").await;
    // Or a sweep of the relay might tell its end to the primary that is about to die.
    let untold = world.hold_relay_of("committed").await;
    world.submit(&request("committed")).await;
    gate.reached().await;
    world.submit(&request("waiting")).await;

    world.redis.kill_hard().unwrap();
    gate.open().await;
    watched.fail_over().await;
    drop(untold);
    for id in ["committed", "waiting"] {
        let status = world.ended(id).await;
        assert_eq!((status["status"].as_str(), status["attempt"].as_str()), ("completed", "1"), "{id}");
        let names = world.event_names(id).await;
        assert_eq!(names.iter().filter(|name| *name == "cache_sync_completed").count(), 1, "{id}");
    }
    // By a bare XADD, and so through the group that was made again.
    world.xadd(&[("job_id", "bare"), ("triggered_by", "admin")]).await;
    assert_eq!(world.ended("bare").await["status"], "completed");
    world.stream_is_empty().await;
    world.all_told().await;
    assert_eq!(world.count("select count(*) from cache_sync_runs").await, 4);
    world.assert_history_is_consistent().await;
    assert!(world.dead_letters().await.is_empty());

    let doctor = world.run_command(&["doctor", "--json"]).await;
    assert!(doctor.output.contains("Redis has lost the job stream"), "{}\n{}", doctor.output, doctor.remarks);
    let shown = world.run_command(&["status", "committed"]).await;
    assert_eq!(shown.code, 0, "{}", shown.remarks);
    worker.signal("TERM");
    assert_eq!(worker.end().await.code(), Some(0));
}

#[tokio::test]
async fn without_a_sentinel_that_knows_the_primary_a_command_says_so_and_a_worker_waits() {
    let world = World::with(&[("redis.sentinels", "[\"127.0.0.1:1\"]")]).await;
    let ran = world.run_command(&["jobs"]).await;
    assert_eq!(ran.code, 0, "Postgres knows the jobs: {}", ran.remarks);
    let ran = world.run_command(&["dead", "list"]).await;
    assert_eq!(ran.code, 3, "{}", ran.remarks);
    let mut worker = world.spawn_worker();
    until("the worker to complain", async || worker.log().contains("trying again")).await;
    assert!(worker.log().contains("mymaster/0, by Sentinel at 127.0.0.1:1"), "{}", worker.log());
    worker.signal("TERM");
    assert_eq!(worker.end().await.code(), Some(0));
}
