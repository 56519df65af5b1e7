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

#[tokio::test]
async fn rows_that_a_policy_hides_are_an_error_that_names_it_and_no_membership_ends() {
    let world = World::filled().await.limited_in_postgres("").await;
    let hidden = world.universe("top_100").await[0].clone();
    world
        .sql(&format!(
            "alter table symbols enable row level security;
             create policy most on symbols using (symbol <> '{hidden}')"
        ))
        .await;
    let submitted = world.run_command(&["submit", "--job-id", "j2"]).await;
    assert_eq!(submitted.code, 0, "{submitted:?}");
    world.run_once().await;
    let status = world.status("j2").await;
    assert_eq!(status["status"], "failed", "{status:?}");
    assert!(
        status["error"].contains("row-level security") && status["error"].contains("\"symbols\""),
        "{status:?}"
    );
    assert!(status["error"].contains("bypassrls"), "{status:?}");
    assert_eq!(world.universe("top_100").await[0], hidden);
    let plan = world.run_command(&["plan"]).await;
    assert!(plan.code == 1 && plan.remarks.contains("row-level security"), "{plan:?}");
    let doctor = world.run_command(&["doctor", "--json"]).await;
    assert_eq!(doctor.code, 1);
    assert!(doctor.output.contains("row-level security hides rows of public.symbols"), "{doctor:?}");

    // As the operator mends it.
    world.sql_of_role("alter role {role} bypassrls").await;
    assert_eq!(world.run_command(&["submit", "--job-id", "j3"]).await.code, 0);
    world.run_once().await;
    assert_eq!(world.status("j3").await["status"], "completed");
}

#[tokio::test]
async fn a_connection_that_can_not_be_had_burns_no_attempt_and_the_job_is_done_when_it_can() {
    let world = World::new().await.limited_in_postgres("alter role {role} connection limit 1").await;
    let mut worker = world.spawn_worker();
    world.accept(&request("j1")).await;
    until("a word about connections", async || worker.log().contains("too many connections")).await;
    // What is read by then has been tried a few times over.
    let said = std::time::Instant::now();
    until("several tries", async || said.elapsed() > std::time::Duration::from_secs(6)).await;
    let job = world.job("j1").await;
    assert_eq!((job.attempt, job.status.is_final()), (0, false), "{job:?}");
    world.sql_of_role("alter role {role} connection limit 20").await;
    let status = world.ended("j1").await;
    assert_eq!((status["status"].as_str(), status["attempt"].as_str()), ("completed", "1"));
    worker.signal("TERM");
    assert_eq!(worker.end().await.code(), Some(0));
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn two_databases_on_one_prefix_are_told_apart_and_neither_does_the_jobs_of_the_other() {
    let world = World::new().await;
    world.sync("first").await;
    let other = vec![world.database_beside().await];
    let mut stranger = world.spawn_in(&["worker"], other.clone());
    until("a refusal", async || stranger.log().contains("belong to database")).await;
    assert!(stranger.log().contains("redis.prefix") && stranger.log().contains("XGROUP DESTROY"));
    world.xadd(&[("job_id", "bare"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    assert_eq!(world.status("bare").await["status"], "completed");
    assert_eq!(world.job("bare").await.attempt, 1, "this database's worker did it");

    let mut submit = world.spawn_in(&["submit", "--job-id", "theirs"], other.clone());
    assert_eq!(submit.end().await.code(), Some(0));
    assert!(submit.log().contains("belong to database"), "{}", submit.log());
    assert_eq!(world.entries().await, [""; 0], "an entry would be done here");
    let mut doctor = world.spawn_in(&["doctor", "--json"], other);
    assert_eq!(doctor.end().await.code(), Some(1));
    stranger.signal("TERM");
    assert_eq!(stranger.end().await.code(), Some(0));
}

#[tokio::test]
async fn what_a_role_lacks_is_found_by_doctor_with_the_statements_that_grant_it() {
    let world = World::new().await;
    world.sql_of_role("revoke temporary on database {database} from public").await;
    let world = world
        .limited_in_postgres(
            "revoke insert on cache_sync_changes from {role}; alter role {role} connection limit 2",
        )
        .await;
    let doctor = world.run_command(&["doctor", "--json"]).await;
    assert_eq!(doctor.code, 1, "{doctor:?}");
    for part in [
        "may make no temporary tables",
        "grant temporary on database",
        "may not insert on public.cache_sync_changes",
        "grant insert on public.cache_sync_changes to",
        "may have 2 connections, and a worker needs 3",
    ] {
        assert!(doctor.output.contains(part), "{part}: {}", doctor.output);
    }
    assert!(!doctor.output.contains("see that the server runs"), "{}", doctor.output);
}

#[tokio::test]
async fn what_a_user_of_redis_lacks_is_found_by_doctor_without_rights_of_an_administrator() {
    let rules = ["~tickstock:*", "&tickstock:cache:*", "+@all", "-info", "-@admin"];
    let world = World::new().await.limited_in_redis(&rules).await;
    let doctor = world.run_command(&["doctor", "--json"]).await;
    assert_eq!(doctor.code, 1, "{doctor:?}");
    for part in [
        "may not run PUBLISH on channel tickstock:errors",
        "may not run PUBLISH on channel tickstock:universe:updated",
        "+publish &tickstock:errors",
        "may not run SET on key tickstock.jobs.status:",
    ] {
        assert!(doctor.output.contains(part), "{part}: {}", doctor.output);
    }
    assert!(!doctor.output.contains("see that the server runs"), "{}", doctor.output);
    let well = World::new().await.limited_in_redis(&ALL).await.run_command(&["doctor", "--json"]).await;
    assert!(well.output.contains("this user of Redis has every right"), "{well:?}");
}

#[tokio::test]
async fn bars_without_an_index_are_said_before_they_are_read_with_the_statement_that_helps() {
    let world = World::new().await;
    let key = world
        .ask("select conname from pg_constraint where conrelid = 'ohlcv_daily'::regclass and contype = 'p'")
        .await;
    world
        .sql(&format!(
            "alter table ohlcv_daily drop constraint {}; create index on ohlcv_daily (date, symbol);
             insert into ohlcv_daily (symbol, date, close, volume)
             select 'GONE' || n % 10, date '2000-01-01' + n / 10, 1, 1 from generate_series(1, 400000) n;
             analyze ohlcv_daily; analyze symbols",
            key[0]
        ))
        .await;
    let doctor = world.run_command(&["doctor", "--json"]).await;
    assert!(doctor.output.contains("no index on public.ohlcv_daily"), "{doctor:?}");
    let statement = "create index concurrently on public.ohlcv_daily (symbol, date)";
    assert!(doctor.output.contains(statement), "{doctor:?}");
    let status = world.sync("slow").await;
    assert!(status["warnings"].contains("slow_source"), "{status:?}");
    world.sql(statement).await;
    let status = world.sync("fast").await;
    assert!(!status["warnings"].contains("slow_source"), "{status:?}");
}

#[tokio::test]
async fn a_role_whose_transactions_are_read_only_by_default_writes_and_doctor_finds_no_fault() {
    let world = World::new()
        .await
        .limited_in_postgres("alter role {role} set default_transaction_read_only = on")
        .await;
    let doctor = world.run_command(&["doctor", "--json"]).await;
    assert!(doctor.output.contains("read-only by default; those that write say so"), "{doctor:?}");
    let findings: serde_json::Value = serde_json::from_str(&doctor.output).unwrap();
    assert!(
        findings["findings"].as_array().unwrap().iter().all(|found| found["level"] != "error"),
        "{findings:#}"
    );
    world.sync("written").await;
}

#[tokio::test]
async fn a_worker_lives_through_a_hangup_and_one_that_ends_says_which_jobs_failed() {
    let world = World::new().await;
    let mut worker = world.spawn_worker();
    until("the worker to read", async || !world.consumers().await.is_empty()).await;
    worker.signal("HUP");
    until("a word about the signal", async || worker.log().contains("SIGHUP changes nothing")).await;
    world.xadd(&[("job_id", "after"), ("triggered_by", "admin")]).await;
    assert_eq!(world.ended("after").await["status"], "completed");
    worker.signal("TERM");
    assert_eq!(worker.end().await.code(), Some(0));

    world.sql("alter table cache_sync_approvals rename to gone").await;
    world.xadd(&[("job_id", "broken"), ("triggered_by", "admin")]).await;
    let ran = world.run_command(&["worker", "--once"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.remarks.contains("note: 1 job failed: broken: "), "{ran:?}");
}

#[tokio::test]
async fn whoever_waits_for_a_job_that_no_worker_reads_is_told_so() {
    let world = World::new().await;
    let waiting = world.run_command(&["submit", "--wait", "--timeout", "8"]).await;
    assert_eq!(waiting.code, 1, "{waiting:?}");
    assert!(waiting.remarks.contains("no worker reads the job stream"), "{waiting:?}");
}
