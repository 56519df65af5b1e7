//! Bad input never becomes a bad universe.

use crate::world::{World, stock};

/// Twelve companies larger than all others, listed long ago: nobody believes them at once.
async fn twelve_giants_appear(world: &World) {
    for number in 0..12 {
        world.list(stock(&format!("GIANT{number}")).cap("900B")).await;
    }
    world.close_next_day(&[]).await;
}

#[tokio::test]
async fn an_unbelievable_change_is_held_told_and_kept_for_review() {
    let world = World::filled().await;
    let rows = world.ask("select universe, xmin from cache_entries where universe like 'top_100'").await;
    twelve_giants_appear(&world).await;
    let listener = world.listen().await;
    let status = world.sync("second").await;

    let held: Vec<String> = serde_json::from_str(&status["held_universes"]).unwrap();
    for universe in ["mega_cap", "micro_cap", "top_100", "top_500"] {
        assert!(held.contains(&universe.to_owned()), "{universe} in {held:?}");
    }
    assert_eq!(
        world.ask("select universe, xmin from cache_entries where universe like 'top_100'").await,
        rows
    );
    assert!(!world.universe("top_100").await.contains(&"GIANT0".to_owned()));
    assert!(status["warnings"].contains("held: "), "{}", status["warnings"]);

    let heard = listener.hear_end_of("second").await;
    let errors: Vec<_> = heard.iter().filter(|heard| heard.channel == "tickstock:errors").collect();
    assert_eq!(errors.len(), held.len());
    for error in errors {
        assert_eq!(error.message["severity"], "warning");
        assert_eq!(error.message["event"], "cache_sync_error");
        assert!(error.message["message"].as_str().unwrap().contains("is held: "));
    }
    assert_eq!(heard.last().unwrap().message["payload"]["status"], "completed");
    let proposal =
        "select status, detail #>> '{would_join,0}' from cache_entries_metadata where universe = 'top_100'";
    assert_eq!(world.ask(proposal).await, ["held GIANT0"]);
    let audit = "select count(*) from cache_sync_changes where job_id = 'second' and universe = 'top_100'
                 and action = 'held' and symbol is null and after is not null";
    assert_eq!(world.count(audit).await, 1);
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_job_that_only_takes_out_the_delisted_leaves_a_held_universe_held() {
    let world = World::filled().await;
    twelve_giants_appear(&world).await;
    world.sync("second").await;
    let fares =
        "select status, held_runs, last_as_of, detail from cache_entries_metadata where universe = 'top_100'";
    let held = world.ask(fares).await;
    world.xadd(&[("job_id", "third"), ("mode", "delisted")]).await;
    world.run_once().await;
    assert_eq!(world.status("third").await["status"], "completed");
    assert_eq!(world.ask(fares).await, held);
    assert!(held[0].starts_with("held 1 "), "{held:?}");
}

#[tokio::test]
async fn accept_churn_opens_the_size_guards_and_force_does_not() {
    let world = World::filled().await;
    twelve_giants_appear(&world).await;
    world.xadd(&[("job_id", "forced"), ("force", "true"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    assert!(world.status("forced").await["held_universes"].contains("top_100"));
    world.xadd(&[("job_id", "accepted"), ("accept_churn", "true"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let status = world.status("accepted").await;
    assert_eq!((status["status"].as_str(), status["held_universes"].as_str()), ("completed", "[]"));
    assert_eq!(world.universe("top_100").await[0], "GIANT0");
    assert_eq!(
        world.ask("select status, held_runs from cache_entries_metadata where universe = 'top_100'").await,
        ["ok 0"]
    );
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn what_is_held_for_the_third_time_is_told_as_critical() {
    let world = World::filled().await;
    twelve_giants_appear(&world).await;
    for (job, severity) in [("second", "warning"), ("third", "warning"), ("fourth", "critical")] {
        world.sync(job).await;
        let events = world.events(job).await;
        let error = events.iter().find(|told| told.event == "cache_sync_error").unwrap();
        assert_eq!(error.data["severity"], severity, "{job}");
    }
}

async fn assert_refused(world: &World, code: &str) {
    let rows = world.entries_fingerprint().await;
    let history = world.ask("select * from universe_membership order by id").await;
    world.xadd(&[("job_id", "refused"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let job = world.job("refused").await;
    assert_eq!((job.status.as_str(), job.attempt), ("failed", 1));
    assert!(job.error.as_deref().unwrap().starts_with(code), "{:?}", job.error);
    assert_eq!(world.status("refused").await["error"], job.error.unwrap());
    assert_eq!(world.entries_fingerprint().await, rows);
    assert_eq!(world.ask("select * from universe_membership order by id").await, history);
    assert_eq!(world.count("select count(*) from cache_sync_runs where job_id = 'refused'").await, 0);
    assert!(world.dead_letters().await.is_empty(), "a refusal is an answer, not a dead letter");
    assert_eq!(
        world.event_names("refused").await,
        ["cache_sync_started", "cache_sync_error", "cache_sync_completed"]
    );
}

#[tokio::test]
async fn an_empty_import_is_refused_at_once() {
    let world = World::filled().await;
    world.sql("delete from symbols").await;
    assert_refused(&world, "no_securities: ").await;
}

#[tokio::test]
async fn a_market_of_sixty_stocks_is_refused_on_a_first_run() {
    let world = World::new().await;
    world.sql("delete from symbols where symbol > 'BG060'").await;
    assert_refused(&world, "too_few_stocks: 60 active stocks of type CS").await;
}

#[tokio::test]
async fn a_market_that_lost_many_stocks_over_night_is_refused() {
    let world = World::filled().await;
    world.sql("update symbols set active = false where symbol > 'BG120'").await;
    world.close_next_day(&[]).await;
    assert_refused(&world, "active_drop: 120 active stocks, 130 on 2026-03-02").await;
}

#[tokio::test]
async fn a_row_of_our_name_that_somebody_else_uses_is_refused() {
    let world = World::new().await;
    world
        .sql("insert into cache_entries (universe, cache_type, content) values ('top_100', 'songs', '{\"symbols\": []}')")
        .await;
    assert_refused(&world, "foreign_cache_type: the row top_100").await;
}
