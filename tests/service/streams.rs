//! Redis loses entries, groups, everything, or itself: accepted jobs are done, once, and told in order.

use crate::world::{World, background, request, until};

#[tokio::test]
async fn an_accepted_job_without_an_entry_is_put_on_the_stream() {
    let world = World::new().await;
    world.accept(&request("job")).await;
    assert!(world.entries().await.is_empty());
    world.run_once().await;
    assert_eq!(world.status("job").await["status"], "completed");
    assert_eq!(world.job("job").await.attempt, 1);
    world.stream_is_empty().await;
}

#[tokio::test]
async fn redis_may_lose_everything_and_no_accepted_job_is_lost() {
    let world = World::new().await;
    let worker = world.start_worker();
    let gate = world.gate("insert on cache_sync_changes").await;
    world.submit(&request("at_work")).await;
    gate.reached().await;
    for id in ["waiting", "waiting_too"] {
        world.submit(&request(id)).await;
    }
    let _: () = world.ask_redis(&redis::cmd("FLUSHALL")).await;
    gate.open().await;
    for id in ["at_work", "waiting", "waiting_too"] {
        let status = world.ended(id).await;
        assert_eq!((status["status"].as_str(), status["attempt"].as_str()), ("completed", "1"), "{id}");
        let names = world.event_names(id).await;
        assert_eq!(names.iter().filter(|name| *name == "cache_sync_completed").count(), 1, "{id}");
    }
    // And the stream is in use again.
    world.xadd(&[("job_id", "bare"), ("triggered_by", "admin")]).await;
    assert_eq!(world.ended("bare").await["status"], "completed");
    // While somebody reads: an entry that the flush did not take may stand there beside one of the sweeper.
    world.stream_is_empty().await;
    worker.stop().await;
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_group_that_went_away_is_made_again_without_passing_over_a_job() {
    let world = World::new().await;
    let stream = world.names.job_stream();
    let mut destroy = redis::cmd("XGROUP");
    destroy.arg("DESTROY").arg(&stream).arg("cache-sync-workers");
    let worker = world.start_worker();
    until("the group", async || {
        let groups: redis::RedisResult<Vec<redis::Value>> =
            redis::cmd("XINFO").arg("GROUPS").arg(&stream).query_async(&mut world.connection()).await;
        groups.is_ok_and(|groups| !groups.is_empty())
    })
    .await;
    let _: i64 = world.ask_redis(&destroy).await;
    world.xadd(&[("job_id", "after_destroy"), ("triggered_by", "admin")]).await;
    assert_eq!(world.ended("after_destroy").await["status"], "completed");
    let _: i64 = world.ask_redis(redis::cmd("DEL").arg(&stream)).await;
    world.xadd(&[("job_id", "after_delete"), ("triggered_by", "admin")]).await;
    assert_eq!(world.ended("after_delete").await["status"], "completed");
    worker.stop().await;

    // Nobody reads meanwhile: what is added before the group is made again counts all the same.
    world.xadd(&[("job_id", "before"), ("triggered_by", "admin")]).await;
    let _: i64 = world.ask_redis(&destroy).await;
    world.xadd(&[("job_id", "behind"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    for id in ["before", "behind"] {
        assert_eq!(world.status(id).await["status"], "completed", "{id}");
    }
}

#[tokio::test]
async fn an_entry_that_was_deleted_under_way_leaves_a_trace_and_an_accepted_job_is_done_all_the_same() {
    let world = World::new().await;
    world.submit(&request("accepted")).await;
    let bare = world.xadd(&[("job_id", "bare")]).await;
    let stream = world.names.job_stream();
    let mut group = redis::cmd("XGROUP");
    let _: () = world.ask_redis(group.arg("CREATE").arg(&stream).arg("cache-sync-workers").arg("0")).await;
    let mut read = redis::cmd("XREADGROUP");
    // The name of a process that no longer runs would do as well; this one hands back what it never began.
    read.arg("GROUP").arg("cache-sync-workers").arg("handed-back").arg("STREAMS").arg(&stream).arg(">");
    let _: redis::Value = world.ask_redis(&read).await;
    for entry in world.entries().await {
        let _: i64 = world.ask_redis(redis::cmd("XDEL").arg(&stream).arg(entry)).await;
    }
    world.run_once().await;
    assert_eq!(world.status("accepted").await["status"], "completed");
    let [letter] = &world.dead_letters().await[..] else { panic!("one letter") };
    assert_eq!((letter["entry_id"].as_str(), letter["reason"].as_str()), (bare.as_str(), "deleted"));
    assert_eq!(world.pending().await, 0);
}

/// What must be so after a job whose end met no Redis.
async fn assert_told_in_order_once(world: &World, id: &str) {
    let status = world.ended(id).await;
    assert_eq!((status["status"].as_str(), status["attempt"].as_str()), ("completed", "1"));
    world.all_told().await;
    let owed =
        world.ask(&format!("select seq from cache_sync_outbox where job_id = '{id}' order by seq")).await;
    let told: Vec<String> = world.events(id).await.iter().map(|told| told.seq.to_string()).collect();
    assert!(owed.iter().all(|seq| told.contains(seq)), "{owed:?} of {told:?}");
    assert!(told.is_sorted_by_key(|seq| seq.parse::<i64>().unwrap()));
    let names = world.event_names(id).await;
    assert_eq!(names[0], "cache_sync_started");
    assert_eq!(names.iter().filter(|name| *name == "cache_sync_completed").count(), 1);
    world.stream_is_empty().await;
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_job_commits_while_redis_does_not_answer_and_is_told_afterwards() {
    let world = World::new().await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let worker = world.start_worker();
    world.xadd(&[("job_id", "job")]).await;
    gate.reached().await;
    world.redis.pause().unwrap();
    gate.open().await;
    until("the commit", async || world.job("job").await.status.is_final()).await;
    world.redis.resume().unwrap();
    assert_told_in_order_once(&world, "job").await;
    worker.stop().await;
}

#[tokio::test]
async fn a_job_commits_while_redis_is_dead_and_is_told_when_it_is_back() {
    let world = World::new().await;
    let gate = world.gate("insert on cache_sync_changes").await;
    let worker = world.start_worker();
    world.xadd(&[("job_id", "job")]).await;
    gate.reached().await;
    world.redis.kill_hard().unwrap();
    gate.open().await;
    until("the commit", async || world.job("job").await.status.is_final()).await;
    world.redis.restart().unwrap();
    assert_told_in_order_once(&world, "job").await;
    // The worker goes on with the next.
    world.xadd(&[("job_id", "next"), ("triggered_by", "admin")]).await;
    assert_eq!(world.ended("next").await["status"], "completed");
    worker.stop().await;
}

#[tokio::test]
async fn a_redis_that_is_full_is_waited_out_and_what_was_accepted_meanwhile_is_done() {
    let world = World::new().await;
    let limit = async |bytes: &str| {
        let mut command = redis::cmd("CONFIG");
        let _: () = world.ask_redis(command.arg("SET").arg("maxmemory").arg(bytes)).await;
    };
    let mut worker = world.spawn_worker();
    until("the worker", async || world.consumers().await.len() == 1).await;
    limit("1").await;
    world.accept(&request("job")).await;
    until("the worker to complain", async || worker.log().contains("OOM")).await;
    limit("0").await;
    assert_told_in_order_once(&world, "job").await;
    worker.signal("TERM");
    assert_eq!(worker.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_finished_job_that_redis_forgot_is_told_again_with_the_same_numbers_when_it_is_delivered_again() {
    let world = World::filled().await;
    let owed = "select seq from cache_sync_outbox where job_id = 'first' order by seq";
    let (job, seqs) = (world.job("first").await, world.ask(owed).await);
    let _: () = world.ask_redis(&redis::cmd("FLUSHALL")).await;
    world.close_next_day(&[(&background(13), 1.1)]).await;
    world.xadd(&[("job_id", "first"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    assert_eq!(world.status("first").await["status"], "completed");
    let told: Vec<String> = world.events("first").await.iter().map(|told| told.seq.to_string()).collect();
    assert_eq!(told, seqs);
    assert_eq!(world.job("first").await, job);
}

#[tokio::test]
async fn a_job_that_can_not_be_told_keeps_no_other_from_being_told() {
    let world = World::new().await;
    let key = "tickstock:jobs:cache_sync:events:odd";
    let _: () = world.ask_redis(redis::cmd("SET").arg(key).arg("somebody else's")).await;
    world.xadd(&[("job_id", "odd"), ("triggered_by", "admin")]).await;
    let worker = world.start_worker();
    until("the end of the odd job", async || {
        world.find_job("odd").await.is_some_and(|job| job.status.is_final())
    })
    .await;
    world.all_let_go().await;
    // Nobody but the relay's own round can tell this one.
    let gate = world.gate("delete on cache_sync_owners").await;
    let killed = world.spawn_worker();
    worker.stop().await;
    world.xadd(&[("job_id", "other"), ("triggered_by", "admin")]).await;
    gate.reached().await;
    killed.kill();
    gate.open().await;
    let _: i64 = world.ask_redis(redis::cmd("DEL").arg(world.names.job_stream())).await;
    let worker = world.start_worker();
    assert_eq!(world.ended("other").await["status"], "completed");
    // And the odd one is told as soon as it can be.
    let _: i64 = world.ask_redis(redis::cmd("DEL").arg(key)).await;
    assert_eq!(world.ended("odd").await["status"], "completed");
    worker.stop().await;
}
