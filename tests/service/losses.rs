//! Entries that Redis loses without a word are noticed, and nothing else is taken for a loss.

use cache_sync::doctor;
use chrono::Utc;

use crate::http::{metric, shown};
use crate::world::{World, background, request, until};

/// What `doctor` says of losses.
async fn findings(world: &World) -> Vec<String> {
    let report = doctor::examine(&world.settings(), Utc::now()).await;
    let found = report.findings.into_iter().map(|finding| format!("{} {}", finding.level, finding.what));
    found.filter(|line| line.contains("lost") || line.contains("gone")).collect()
}

#[tokio::test]
async fn entries_that_workers_took_off_are_no_loss_whatever_became_of_them_and_of_the_server() {
    let world = World::filled().await;
    for fields in [&[("job_id", "twice")][..], &[("job_id", "twice")], &[("mode", "nonsense")]] {
        world.xadd(fields).await;
    }
    world.submit(&request("accepted")).await;
    world.run_once().await;
    // The count is kept with the stream: over a crash, and while entries wait.
    world.redis.kill_hard().unwrap();
    world.redis.restart().unwrap();
    world.xadd(&[("job_id", "waiting")]).await;
    assert_eq!(findings(&world).await, ["ok no entry of the job stream was lost"]);
    assert_eq!(world.dead_letters().await.len(), 1);
    let serving = world.serve("api").await;
    assert_eq!(shown(&serving, "cache_sync_stream_lost_entries").await, Some(0.0));
    assert_eq!(shown(&serving, "cache_sync_stream_set_back").await, Some(0.0));
    world.run_once().await;
    assert_eq!(findings(&world).await, ["ok no entry of the job stream was lost"]);
}

#[tokio::test]
async fn entries_that_somebody_trims_below_what_was_read_are_counted_as_lost() {
    let world = World::filled().await;
    for number in 0..5 {
        world.xadd(&[("job_id", &format!("job{number}")), ("triggered_by", "admin")]).await;
    }
    let mut trim = redis::cmd("XTRIM");
    let trimmed: i64 = world.ask_redis(trim.arg(world.names.job_stream()).arg("MAXLEN").arg(2)).await;
    assert_eq!(trimmed, 3);
    let lost = "warn 3 entries of the job stream are gone that no worker took off: trimmed or deleted";
    assert_eq!(findings(&world).await, [lost]);
    world.run_once().await;
    assert_eq!(findings(&world).await, [lost], "what is worked on afterwards hides nothing");
    let serving = world.serve("api").await;
    assert_eq!(shown(&serving, "cache_sync_stream_lost_entries").await, Some(3.0));
}

#[tokio::test]
async fn a_stream_that_was_flushed_shows_until_and_after_new_jobs_have_come() {
    let world = World::filled().await;
    let serving = world.serve("api").await;
    let age = shown(&serving, "cache_sync_stream_age_seconds").await.unwrap();
    assert!((0.0..3_600.0).contains(&age), "{age}");
    let _: () = world.ask_redis(&redis::cmd("FLUSHALL")).await;
    let found = findings(&world).await;
    assert!(
        found.last().unwrap().starts_with("warn Redis has lost data: Postgres remembers entry "),
        "{found:?}"
    );
    until("metrics to show it", async || metric(&serving, "cache_sync_stream_set_back").await == Some(1.0))
        .await;

    world.close_next_day(&[(&background(13), 1.1)]).await;
    world.sync("second").await;
    let found = findings(&world).await;
    assert_eq!(found[0], "ok no entry of the job stream was lost");
    assert!(found[1].starts_with("warn Redis has lost the job stream, which was made anew at "), "{found:?}");
    until("metrics to show it", async || metric(&serving, "cache_sync_stream_set_back").await == Some(0.0))
        .await;
    // As the finding says.
    let mut forget = redis::cmd("XGROUP");
    forget.arg("DESTROY").arg(world.names.job_stream()).arg("cache-sync-workers.taken-off");
    let _: i64 = world.ask_redis(&forget).await;
    world.sync("third").await;
    assert_eq!(findings(&world).await, ["ok no entry of the job stream was lost"]);
}
