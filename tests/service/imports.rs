//! Which date is synced, and what becomes of a job whose import is not complete.

use crate::world::{World, background, eventually, request, until};

/// Looks at the import every second rather than every minute.
const IMPATIENT: (&str, &str) = ("sync_settings.eod_recheck_seconds", "1");

#[tokio::test]
async fn an_automatic_job_waits_for_its_import_without_burning_attempts_or_blocking_others() {
    let world = World::filled_with(&[IMPATIENT]).await;
    let date = world.close_part_of_next_day(60, &[]).await;
    let worker = world.start_worker();
    let asked_at = ("requested_at", "2026-03-03T21:10:00Z");
    world.xadd(&[("job_id", "nightly"), ("triggered_by", "eod_import"), asked_at]).await;
    let status = eventually("the job to wait", async || {
        let status = world.status("nightly").await;
        status.get("status").is_some_and(|status| status == "retrying").then_some(status)
    })
    .await;
    assert!(status["error"].contains("78 of 130 closes on 2026-03-03"), "{}", status["error"]);
    let held_locks = "select count(*) from pg_locks where relation = 'cache_sync_lease'::regclass
                      and mode = 'ExclusiveLock' and granted
                   and database = (select oid from pg_database where datname = current_database())";

    // Somebody else's job is done meanwhile, by the same worker.
    world.xadd(&[("job_id", "other"), ("triggered_by", "admin"), ("as_of", "2026-03-02")]).await;
    assert_eq!(world.ended("other").await["status"], "completed");
    assert!(!world.job("nightly").await.status.is_final());
    until("the lease to be free", async || world.count(held_locks).await == 0).await;

    world.import_closes(date, 100).await;
    let status = world.ended("nightly").await;
    assert_eq!((status["status"].as_str(), status["as_of"].as_str()), ("completed", "2026-03-03"));
    assert_eq!(status["attempt"], "1");
    worker.stop().await;
    assert_eq!(world.pending().await, 0);
}

#[tokio::test]
async fn an_automatic_job_for_which_there_is_nothing_to_do_completes_with_the_reason_unless_forced() {
    let world = World::filled().await;
    let rows = world.entries_fingerprint().await;
    let evening = ("requested_at", "2026-03-02T21:10:00Z");
    world.xadd(&[("job_id", "again"), ("triggered_by", "eod_import"), evening]).await;
    world.xadd(&[("job_id", "late"), ("triggered_by", "scheduler"), ("as_of", "2026-03-07"), evening]).await;
    world.xadd(&[("job_id", "by-hand"), ("triggered_by", "admin"), evening]).await;
    world.xadd(&[("job_id", "forced"), ("triggered_by", "eod_import"), ("force", "1"), evening]).await;
    world.run_once().await;
    let expected = [
        ("again", Some("already_done: ")),
        ("late", Some("market_closed: ")),
        ("by-hand", None),
        ("forced", None),
    ];
    for (id, warning) in expected {
        let status = world.status(id).await;
        assert_eq!((status["status"].as_str(), status["total_changes"].as_str()), ("completed", "0"), "{id}");
        assert_eq!(status["percentage"], "100");
        let has = |code: &str| status["warnings"].contains(&format!("\"{code}"));
        assert_eq!(["already_done: ", "market_closed: "].into_iter().find(|code| has(code)), warning, "{id}");
        assert_eq!(status["task_results"].contains("skipped"), warning.is_some(), "{id}");
    }
    assert_eq!(world.entries_fingerprint().await, rows);
}

#[tokio::test]
async fn a_job_that_was_skipped_because_the_data_ends_too_early_frees_its_dedupe_key() {
    let world = World::new().await;
    let late = ("requested_at", "2026-03-05T21:10:00Z");
    let key = ("dedupe_key", "eod:2026-03-05");
    world.xadd(&[("job_id", "early"), ("triggered_by", "eod_import"), key, late]).await;
    world.run_once().await;
    let status = world.status("early").await;
    assert_eq!((status["status"].as_str(), status["total_changes"].as_str()), ("completed", "0"));
    assert!(
        status["warnings"].contains("\"data_stale: the newest complete date is 2026-03-02"),
        "{status:?}"
    );
    world.xadd(&[("job_id", "by-hand"), ("triggered_by", "admin"), key]).await;
    world.run_once().await;
    let status = world.status("by-hand").await;
    assert_eq!(
        (status["status"].as_str(), status["total_changes"] == "0"),
        ("completed", false),
        "{status:?}"
    );
}

#[tokio::test]
async fn an_automatic_job_whose_import_never_comes_is_refused_with_the_figures() {
    let world = World::filled_with(&[IMPATIENT, ("sync_settings.eod_wait_timeout_seconds", "1")]).await;
    world.close_part_of_next_day(60, &[]).await;
    let rows = world.entries_fingerprint().await;
    world.xadd(&[("job_id", "nightly"), ("triggered_by", "scheduler")]).await;
    world.run_once().await;
    let job = world.job("nightly").await;
    assert_eq!((job.status.as_str(), job.attempt), ("failed", 1));
    assert!(job.error.as_deref().unwrap().contains("78 of 130 closes on 2026-03-03"), "{:?}", job.error);
    assert_eq!(world.entries_fingerprint().await, rows);
}

#[tokio::test]
async fn a_job_that_names_its_date_waits_for_it_whoever_asked() {
    let world = World::filled_with(&[IMPATIENT, ("sync_settings.eod_wait_timeout_seconds", "1")]).await;
    world.close_part_of_next_day(60, &[]).await;
    let mut wanted = request("named");
    wanted.as_of = Some("2026-03-03".parse().unwrap());
    world.submit(&wanted).await;
    world.run_once().await;
    assert_eq!(world.status("named").await["status"], "failed");
}

#[tokio::test]
async fn a_person_gets_the_newest_complete_date_with_a_warning() {
    let world = World::filled().await;
    world.close_part_of_next_day(60, &[]).await;
    let status = world.sync("manual").await;
    assert_eq!(status["as_of"], "2026-03-02");
    assert!(
        status["warnings"].contains("date_incomplete: 2026-03-03 has 78 of 130 closes"),
        "{}",
        status["warnings"]
    );
}

#[tokio::test]
async fn a_date_older_than_the_last_applied_one_is_refused() {
    let world = World::filled().await;
    world.close_next_day(&[]).await;
    world.sync("second").await;
    world.xadd(&[("job_id", "late"), ("as_of", "2026-03-02"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let job = world.job("late").await;
    assert_eq!(job.status.as_str(), "failed");
    assert!(job.error.as_deref().unwrap().starts_with("older_than_applied: "), "{:?}", job.error);
}

/// Bars of the newest date under another one, as an import brings them that has the year wrong.
async fn bars_of_a_date_that_never_was(world: &World, date: &str) {
    let sql = format!(
        "insert into ohlcv_daily (symbol, date, close, volume)
         select symbol, '{date}', close * 1.01, volume from ohlcv_daily where date = (select max(date) from ohlcv_daily)"
    );
    world.sql(&sql).await;
}

#[tokio::test]
async fn a_date_that_never_was_is_reverted_and_rejected_and_real_ones_are_synced_again() {
    let world = World::filled().await;
    // One leaves and one comes, so that history has an end and a beginning to take back.
    let newcomer = "insert into symbols (symbol, type, active, weighted_shares_outstanding)
                    select 'NEWCO', 'CS', true, 1000000000";
    world.sql(newcomer).await;
    let gone = background(40);
    world.sql(&format!("update symbols set active = false where symbol = '{gone}'")).await;
    bars_of_a_date_that_never_was(&world, "2027-03-02").await;
    world
        .sql("insert into ohlcv_daily (symbol, date, close, volume) values ('NEWCO', '2027-03-02', 50, 1000)")
        .await;
    assert_eq!(world.sync("phantom").await["as_of"], "2027-03-02");
    let stuck = world.run_command(&["reject", "2027-03-02", "--reason", "a wrong year"]).await;
    assert_eq!(stuck.code, 1);
    assert!(stuck.remarks.contains("revert it first: cache-sync revert phantom --wait"), "{}", stuck.remarks);

    assert_eq!(world.run_command(&["revert", "phantom"]).await.code, 0);
    world.run_once().await;
    let rejected =
        world.run_command(&["reject", "2027-03-02", "--reason", "a wrong year", "--by", "jane"]).await;
    assert_eq!((rejected.code, rejected.remarks.as_str()), (0, ""));
    let listed = world.run_command(&["reject"]).await;
    assert!(listed.output.contains("2027-03-02  by jane on "), "{}", listed.output);

    // Its bars are still there. They count for no date, neither as its own nor as those of a date before it.
    let status = world.sync("real").await;
    assert_eq!(status["as_of"], "2026-03-02", "{status:?}");
    world.xadd(&[("job_id", "named"), ("as_of", "2027-03-02"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let job = world.job("named").await;
    assert!(job.error.as_deref().unwrap().starts_with("date_rejected: "), "{:?}", job.error);
    world
        .sql(
            "insert into ohlcv_daily (symbol, date, close, volume)
             select symbol, '2026-03-03', close, 1000 from ohlcv_daily where date = '2026-03-02'",
        )
        .await;
    assert_eq!(world.sync("next").await["as_of"], "2026-03-03");
    world.assert_history_is_consistent().await;

    let undone = world.run_command(&["reject", "2027-03-02", "--undo"]).await;
    assert!(undone.output.contains("no longer rejected"), "{}", undone.output);
    assert_eq!(world.run_command(&["reject", "2027-03-02", "--undo"]).await.code, 1);
}

#[tokio::test]
async fn a_revert_lasts_where_its_date_is_rejected() {
    let world = World::filled().await;
    let symbol = background(6);
    world.close_next_day(&[(&symbol, 0.6)]).await;
    world.sync("bad").await;
    let tier = format!(
        "select universe from universe_membership
         where symbol = '{symbol}' and valid_to is null and universe like '%\\_cap'"
    );
    assert_eq!(world.ask(&tier).await, ["large_cap"]);
    let refused = world.run_command(&["reject", "2026-03-03", "--reason", "bad"]).await;
    assert!(refused.remarks.contains("cache-sync revert bad --wait"), "{}", refused.remarks);
    assert_eq!(world.run_command(&["revert", "bad"]).await.code, 0);
    world.run_once().await;
    assert_eq!(world.run_command(&["reject", "2026-03-03", "--reason", "bad"]).await.code, 0);
    let status = world.sync("again").await;
    assert_eq!(status["as_of"], "2026-03-02", "the closes of the rejected date don't count");
    assert_eq!(world.ask(&tier).await, ["mega_cap"]);
    world.close_next_day(&[]).await;
    assert_eq!(world.sync("next").await["as_of"], "2026-03-04");
    world.assert_history_is_consistent().await;
}
