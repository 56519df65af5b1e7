//! What an operator asks at the command line, and what is answered: who moved, what a job waits for, and what can't be
//! asked for.

use crate::world::{World, background, stock};

/// Looks at the import every second rather than every minute.
const IMPATIENT: (&str, &str) = ("sync_settings.eod_recheck_seconds", "1");

#[tokio::test]
async fn changes_are_named_by_job_by_date_and_by_universe_with_their_reasons() {
    let world = World::filled().await;
    world.list(stock("NEWT").cap("12.4B").listed_days_ago(3)).await;
    let date = world.close_next_day(&[(&background(13), 1.1)]).await.to_string();
    world.sync("second").await;
    for of in [&[][..], &["second"], &[date.as_str()], &["second", "recent_ipos"], &["--since", &date]] {
        let ran = world.run_command(&[&["changes"], of].concat()).await;
        assert_eq!(ran.code, 0, "{of:?}: {}", ran.remarks);
        assert!(ran.output.lines().next().is_some_and(|line| line.contains(&date)), "{of:?}: {}", ran.output);
        assert!(ran.output.contains("recent_ipos\n  + NEWT"), "{of:?}: {}", ran.output);
        assert_eq!(
            ran.output.contains("\nall_stocks\n"),
            of != ["second", "recent_ipos"],
            "{of:?}: {}",
            ran.output
        );
    }
    let ran = world.run_command(&["changes", "recent_ipos", "--json"]).await;
    let json: serde_json::Value = serde_json::from_str(&ran.output).unwrap();
    assert_eq!(json["jobs"][0]["job_id"], "second");
    assert_eq!(
        (&json["changes"][0]["symbol"], &json["changes"][0]["action"]),
        (&"NEWT".into(), &"added".into())
    );
    assert_eq!(json["changes"].as_array().map(Vec::len), Some(1));
    let ran = world.run_command(&["changes", "nobody"]).await;
    assert_eq!((ran.code, ran.output.as_str()), (1, ""));
    assert!(ran.remarks.contains("there is no job \"nobody\""), "{}", ran.remarks);
}

#[tokio::test]
async fn whoever_waits_is_told_what_the_job_waits_for_without_a_terminal_too() {
    let world = World::filled_with(&[IMPATIENT]).await;
    let date = world.close_part_of_next_day(60, &[]).await.to_string();
    let worker = world.start_worker();
    let ran = world.run_command(&["submit", "--as-of", &date, "--wait", "--timeout", "5"]).await;
    worker.stop().await;
    assert_eq!(ran.code, 1, "{}", ran.remarks);
    let reason = format!("waiting for the import: 78 of 130 closes on {date}, next look ");
    assert_eq!(ran.remarks.matches(&reason).count(), 1, "said once: {}", ran.remarks);
}

#[tokio::test]
async fn a_rule_that_workers_would_not_follow_is_refused_and_a_preview_says_how_to_make_it_last() {
    let world = World::filled().await;
    let set = "market_cap_thresholds.large_cap=12000000000";
    let ran = world.run_command(&["submit", "--wait", "--set", set]).await;
    assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{}", ran.remarks);
    assert!(
        ran.remarks.contains("workers decide by the rules of their own configuration"),
        "{}",
        ran.remarks
    );
    assert_eq!(world.count("select count(*) from cache_sync_jobs where triggered_by = 'cli'").await, 0);
    let keep = "write `large_cap = 12000000000` under [market_cap_thresholds]";
    let ran = world.run_command(&["plan", "--set", set]).await;
    assert_eq!(ran.code, 0, "{}", ran.remarks);
    assert!(ran.remarks.contains(keep), "{}", ran.remarks);
    // What is no rule is nobody else's business.
    let ran = world.run_command(&["submit", "--set", "sync_settings.timeout_minutes=29"]).await;
    assert!(!ran.remarks.contains("is a rule"), "{}", ran.remarks);
}

#[tokio::test]
async fn doctor_says_how_the_syncs_go() {
    let world = World::filled().await;
    let doctor = async || world.run_command(&["doctor"]).await.output;
    let quiet = doctor().await;
    assert!(quiet.contains("no worker reads the job stream"), "{quiet}");
    assert!(quiet.contains("the universes are those of 2026-03-02; the last closed session is "), "{quiet}");

    for number in 0..12 {
        world.list(stock(&format!("GIANT{number}")).cap("900B")).await;
    }
    world.close_next_day(&[]).await;
    world.sync("second").await;
    world.xadd(&[("job_id", "wrong"), ("as_of", "2026-01-05"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let held = doctor().await;
    assert!(held.contains("held as before: "), "{held}");
    assert!(held.contains("the last job failed: older_than_applied"), "{held}");

    let worker = world.spawn_worker();
    crate::world::eventually("doctor to see the worker", async || {
        doctor().await.contains("1 worker on the job stream: ").then_some(())
    })
    .await;
    drop(worker);
}
