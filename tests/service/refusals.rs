//! Rights that are missing, connections that can't be had, and servers of another kind: nothing is lost, no attempt is
//! burned, and a sentence names what is missing.

use crate::world::{World, eventually, request, until};

/// The rules of a user that may do everything but what follows.
const ALL: [&str; 3] = ["~*", "&*", "+@all"];

fn all_but(rules: &[&'static str]) -> Vec<&'static str> {
    ALL.into_iter().chain(rules.iter().copied()).collect()
}

#[tokio::test]
async fn an_event_that_redis_lets_nobody_publish_stays_unsent_until_it_may_be() {
    // No channel at all is what a new user has since Redis 7.
    let world = World::new().await.limited_in_redis(&all_but(&["resetchannels"])).await;
    world.xadd(&[("job_id", "j1"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    assert_eq!(world.job("j1").await.status.as_str(), "completed");
    assert_eq!(world.event_names("j1").await, [""; 0], "nothing is kept as told that was not published");
    let unsent = "select count(*) from cache_sync_outbox where sent_at is null";
    assert!(world.count(unsent).await > 10);

    let listener = world.listen().await;
    world.set_rules(&["&*"]).await;
    world.run_once().await;
    world.all_told().await;
    let told = world.event_names("j1").await;
    assert_eq!(told.first().map(String::as_str), Some("cache_sync_started"));
    assert_eq!(told.last().map(String::as_str), Some("cache_sync_completed"));
    let heard = listener.hear_end_of("j1").await;
    assert!(heard.iter().any(|heard| heard.channel == "tickstock:universe:updated"));
}

#[tokio::test]
async fn one_channel_that_is_missing_is_named_and_nothing_after_it_is_told_before_it() {
    let rules = ["~*", "+@all", "resetchannels", "&tickstock:cache:*"];
    let world = World::new().await.limited_in_redis(&rules).await;
    let mut worker = world.spawn_worker();
    world.submit(&request("j1")).await;
    eventually("a completed job", async || {
        let job = world.find_job("j1").await?;
        (job.status.as_str() == "completed").then_some(())
    })
    .await;
    // Of universes nobody may hear, so what comes after the first of them waits.
    until("a word about the channel", async || {
        worker.log().contains("PUBLISH on channel tickstock:universe:updated")
    })
    .await;
    assert_eq!(
        world
            .event_names("j1")
            .await
            .iter()
            .filter(|name| *name != "cache_sync_progress")
            .collect::<Vec<_>>(),
        ["cache_sync_triggered", "cache_sync_started"]
    );
    world.set_rules(&["&*"]).await;
    world.all_told().await;
    assert_eq!(world.event_names("j1").await.last().map(String::as_str), Some("cache_sync_completed"));
    worker.signal("TERM");
    assert_eq!(worker.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_key_that_is_missing_is_named_and_the_end_is_told_once_it_may_be() {
    let rules = ["~tickstock:*", "&*", "+@all"];
    let world = World::new().await.limited_in_redis(&rules).await;
    let mut worker = world.spawn_worker();
    world.accept(&request("j1")).await;
    until("a word about the key", async || worker.log().contains("SET on key tickstock.jobs.status:j1"))
        .await;
    world.set_rules(&["~tickstock.*"]).await;
    world.ended("j1").await;
    world.all_told().await;
    worker.signal("TERM");
    assert_eq!(worker.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_job_that_may_not_be_announced_is_put_on_the_stream_by_nobody_and_the_note_says_why() {
    let world = World::new().await.limited_in_redis(&all_but(&["-publish"])).await;
    let ran = world.run_command(&["submit", "--job-id", "j1"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.remarks.contains("PUBLISH on channel tickstock:cache:sync_triggered"), "{ran:?}");
    assert_eq!(world.entries().await, [""; 0]);
    assert_eq!(world.event_names("j1").await, [""; 0]);
    assert!(world.status("j1").await.is_empty());
}
