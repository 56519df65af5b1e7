//! A table that the job before us filled: what it leaves behind, and how that goes and comes back.

use cache_sync::doctor;
use chrono::Utc;
use serde_json::Value;

use crate::appv2::{AppRow, readers};
use crate::world::{KEYS, REBUILT, World, background};

/// The rows that stay whatever is asked for: settings, selections of developers, other environments.
const KEPT: &str = "select xmin, e::text from cache_entries e
    where type in ('app_settings', 'cache_config', 'priority_stocks', 'setting') or key like 'dev\\_%'
       or environment not in ('DEFAULT', 'DROPDOWN') order by id";

async fn rebuilt() -> World {
    let world = World::appv2(KEYS[0], &[]).await;
    world.sql(REBUILT).await;
    world.sync("first").await;
    world
}

fn is_read(rows: &[AppRow]) -> Result<(), String> {
    readers::end_of_day(rows).map(|_| ())
}

#[tokio::test]
async fn what_the_job_before_left_is_listed_removed_and_put_back() {
    let world = rebuilt().await;
    let all = "select e::text from cache_entries e order by id";
    let (before, kept) = (world.ask(all).await, world.ask(KEPT).await);
    assert!(is_read(&world.rows().await).is_err(), "a bare list of the old job stops the end-of-day reader");

    let planned = world.run_command(&["adopt", "--plan", "--json"]).await;
    assert_eq!(planned.code, 0, "{planned:?}");
    let plan: Value = serde_json::from_str(&planned.output).unwrap();
    let places: Vec<String> = plan["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            format!(
                "{}/{}/{}",
                row["type"].as_str().unwrap(),
                row["name"].as_str().unwrap(),
                row["key"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            "etf_universe/Factor ETFs/etf_factor",
            "stock_universe/Complete/all_stocks",
            "stock_universe/complete/all_etfs",
            "stock_universe/complete/all_stocks_detailed",
            "stock_universe/industry/banks",
            "stock_universe/industry/software",
            "stock_universe/themes/ai",
            "themes/Ai/list",
            "themes/Cloud/list",
            "themes/Cybersecurity/list",
        ]
    );
    let breaking = plan["rows"].as_array().unwrap().iter().filter(|row| !row["breaks"].is_null());
    assert_eq!(breaking.count(), 3);
    assert_eq!(world.ask(all).await, before, "a plan writes nothing");

    let applied = world.run_command(&["adopt", "--apply"]).await;
    assert!(applied.code == 0 && applied.output.contains("10 rows and 0 groups removed"), "{applied:?}");
    is_read(&world.rows().await).unwrap();
    readers::all_can_read(&world.rows().await).unwrap();
    assert_eq!(world.ask(KEPT).await, kept);
    assert_eq!(world.sync("again").await["total_changes"], "0");
    let nothing = world.run_command(&["adopt", "--plan"]).await;
    assert_eq!(nothing.output, "Every row of a universe is kept by somebody.\n");

    let undone = world.run_command(&["adopt", "--undo"]).await;
    assert_eq!((undone.code, undone.output.as_str()), (0, "10 rows of cache_entries stand there again.\n"));
    assert_eq!(world.ask(all).await, before);
    let again = world.run_command(&["adopt", "--undo"]).await;
    assert_eq!(again.code, 1, "{again:?}");

    // The statement that is printed does the same.
    world.sql(plan["statement"].as_str().unwrap()).await;
    is_read(&world.rows().await).unwrap();
    assert_eq!(world.ask(KEPT).await, kept);
}

#[tokio::test]
async fn a_sync_over_what_the_job_before_filled_touches_our_rows_only() {
    let world = World::appv2(KEYS[0], &[]).await;
    world.sql(REBUILT).await;
    let others = "select xmin, ctid, e::text from cache_entries e where id <= 17 order by id";
    let before = world.ask(others).await;
    world.sync("first").await;
    assert_eq!(world.ask(others).await, before);
    assert!(world.members_in_history("mega_cap").await.contains(&background(2)));
    let all = "select xmin, ctid, e::text from cache_entries e order by id";
    let portrait = world.ask(all).await;
    assert_eq!(world.sync("again").await["total_changes"], "0");
    assert_eq!(world.ask(all).await, portrait);
}

#[tokio::test]
async fn plan_and_doctor_say_that_nobody_keeps_them() {
    let world = rebuilt().await;
    let plan = world.run_command(&["plan"]).await;
    let sentence =
        "10 rows of cache_entries look like universes and are kept by nobody, 3 of them stop a reader";
    let shown: Vec<&str> = plan.output.split_whitespace().collect();
    assert!(shown.join(" ").contains(sentence), "{plan:?}");
    let report = doctor::examine(&world.settings(), Utc::now()).await;
    let finding = report.findings.iter().find(|finding| finding.what.contains("kept by nobody")).unwrap();
    assert!(finding.what.contains("Complete / all_stocks: a bare list"), "{}", finding.what);
    assert!(finding.remedy.contains("delete from public.cache_entries where environment = 'DEFAULT'"));
}

#[tokio::test]
async fn in_the_universe_layout_there_is_nothing_to_adopt() {
    let world = World::filled().await;
    let planned = world.run_command(&["adopt", "--plan"]).await;
    assert_eq!(
        (planned.code, planned.output.as_str()),
        (0, "Every row of a universe is kept by somebody.\n")
    );
}
