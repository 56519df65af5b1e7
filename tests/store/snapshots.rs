//! What a snapshot says of our universes, also where others meddled with their rows.

use cache_sync::domain::change::ExitReason;
use cache_sync::plan::given::snapshot::{StoredContent, StoredUniverse};
use cache_sync::plan::result::Plan;
use cache_sync::store::Limits;
use cache_sync::store::read::snapshot::read_applied;

use super::world::{World, date, symbols};

const D1: &str = "2026-07-20";
const D2: &str = "2026-07-21";

/// `top_100` with the members A, B and C, changed by `sql`, as the next snapshot has it.
async fn after(sql: &str) -> StoredUniverse {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["B", "A", "C"])]).await;
    world.sql(sql).await;
    let mut state = world.read_state(D2, &["top_100", "top_500"]).await;
    assert!(!state.universes.keys().any(|name| name.as_str() == "top_500"), "nobody knows top_500");
    state.universes.remove("top_100").unwrap()
}

#[tokio::test]
async fn a_row_that_nobody_touched_is_believed_in_its_order() {
    let universe = after("select 1").await;
    assert_eq!(universe.members, symbols(&["B", "A", "C"]));
    assert_eq!(universe.cache_type.as_deref(), Some("market_leader"));
    let state = universe.state.unwrap();
    assert_eq!((state.last_as_of, state.held_runs), (date(D1), 0));
    assert!(matches!(universe.content, Some(StoredContent::WellFormed { count: 3, .. })));
}

#[tokio::test]
async fn a_deleted_row_has_the_members_of_history() {
    let universe = after("delete from cache_entries").await;
    assert_eq!(universe.members, symbols(&["A", "B", "C"]));
    assert_eq!((universe.content, universe.cache_type), (None, None));
    assert!(universe.state.is_some());
}

#[tokio::test]
async fn an_edited_row_has_the_members_of_history_stored_ones_first() {
    for symbols_there in [r#"["X", "C", "A"]"#, r#"["C", "C", "A", "X"]"#, r#"["C", "A", "C", "B", "Z"]"#] {
        let universe = after(&format!(
            "update cache_entries set content = jsonb_set(content, '{{symbols}}', '{symbols_there}')"
        ))
        .await;
        let mut sorted = universe.members.clone();
        assert_eq!(sorted[..2], symbols(&["C", "A"]), "{symbols_there}");
        sorted.sort();
        assert_eq!(sorted, symbols(&["A", "B", "C"]), "{symbols_there}");
    }
}

#[tokio::test]
async fn a_malformed_row_has_the_members_of_history() {
    for content in ["null", "[]", "\"A\"", "{}", r#"{"symbols": ["A", 1, "B"], "count": 3}"#] {
        let universe = after(&format!("update cache_entries set content = '{content}'")).await;
        assert_eq!(universe.content, Some(StoredContent::Malformed), "{content}");
        assert_eq!(universe.members, symbols(&["A", "B", "C"]), "{content}");
    }
}

#[tokio::test]
async fn a_row_that_was_never_ours_is_taken_at_its_word() {
    let world = World::migrated().await;
    world
        .sql(
            r#"insert into cache_entries (universe, content, cache_type) values
               ('top_100', '{"symbols": ["B", "A", "B"], "count": 3, "last_updated": "x", "metadata": {}}', 'theme')"#,
        )
        .await;
    let state = world.read_state(D1, &["top_100"]).await;
    let universe = state.universes.values().next().unwrap();
    assert_eq!(universe.members, symbols(&["B", "A"]));
    assert_eq!((universe.state.clone(), universe.cache_type.as_deref()), (None, Some("theme")));
    assert_eq!(state.last_run, None);
}

#[tokio::test]
async fn a_row_of_another_shape_that_was_never_ours_still_tells_its_symbols() {
    let world = World::migrated().await;
    world
        .sql(
            r#"insert into cache_entries (universe, content) values
               ('top_100', '{"symbols": ["B", "A", 1], "note": "by hand"}'), ('top_500', '["A"]')"#,
        )
        .await;
    let state = world.read_state(D1, &["top_100", "top_500"]).await;
    let members: Vec<_> = state.universes.values().map(|universe| universe.members.clone()).collect();
    assert_eq!(members, [symbols(&["B", "A"]), symbols(&[])]);
    assert!(state.universes.values().all(|u| u.content == Some(StoredContent::Malformed)));
}

#[tokio::test]
async fn a_sync_that_finds_its_rows_as_it_left_them_does_not_read_history() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A"])]).await;
    // Nobody may read it now: reading it would be an error.
    world
        .sql(
            "create role reader login password 'reader'; grant select on all tables in schema public to reader;
             revoke select on universe_membership from reader",
        )
        .await;
    let reader = world.as_role("reader", "reader");
    assert_eq!(reader.read_state(D2, &["top_100"]).await.universes.len(), 1);
}

#[tokio::test]
async fn foreign_rows_come_with_their_texts_but_not_protected_ones() {
    let world = World::migrated().await;
    world
        .sql(
            r#"insert into cache_entries (universe, content, cache_type) values
               ('a:list', '{"symbols": ["A", 1, " B", null]}', 'custom'), ('bare', '["A"]', null),
               ('text', '{"symbols": "A"}', 'x'), ('settings', '{"symbols": ["A"]}', 'app_settings')"#,
        )
        .await;
    world.sync("job-1", D1, &[("top_100", &["A"])]).await;
    let mut foreign = world.read_state(D2, &["top_100"]).await.foreign;
    foreign.sort_by(|a, b| a.universe.cmp(&b.universe));
    let names: Vec<&str> = foreign.iter().map(|row| row.universe.as_str()).collect();
    assert_eq!(names, ["a:list", "bare", "text"]);
    assert_eq!(foreign[0].symbols, Some(vec!["A".to_owned(), " B".to_owned()]));
    assert_eq!((&foreign[1].symbols, &foreign[2].symbols), (&None, &None));
}

#[tokio::test]
async fn exits_are_remembered_for_five_sessions_and_only_those_of_the_security_itself() {
    let world = World::migrated().await;
    world.sync("job-1", "2026-07-10", &[("top_100", &["A", "B", "C"])]).await;
    let because = |reason: ExitReason| move |plan: &mut Plan| plan.universes[0].left[0].reason = reason;
    world.sync_with("job-2", "2026-07-14", &[("top_100", &["B", "C"])], because(ExitReason::Delisted)).await;
    world.sync_with("job-3", "2026-07-15", &[("top_100", &["C"])], because(ExitReason::NoCap)).await;
    world.sync_with("job-4", "2026-07-16", &[("top_100", &[])], because(ExitReason::Rule)).await;
    let exits = world.read_state("2026-07-22", &["top_100"]).await.recent_exits;
    let told: Vec<String> = exits.iter().map(|exit| format!("{} {}", exit.symbol, exit.reason)).collect();
    assert_eq!(told, ["B no_cap"], "2026-07-15 is five sessions back");
    assert_eq!(world.read_state("2026-07-21", &["top_100"]).await.recent_exits.len(), 2);
    assert!(world.read_state("2026-07-21", &["top_500"]).await.recent_exits.is_empty());
}

#[tokio::test]
async fn the_usual_number_of_closes_is_told_by_date_not_by_run() {
    let world = World::migrated().await;
    for (job, as_of, closes) in [("j1", D1, 100), ("j2", D1, 200), ("j3", D2, 300)] {
        world.sync_with(job, as_of, &[("top_100", &["A"])], |plan| plan.run.closes = closes).await;
    }
    let mut client = world.dedicated().await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    let applied = read_applied(&tx).await.unwrap();
    assert_eq!(applied.last, Some(date(D2)));
    assert_eq!(applied.recent_closes, [300, 200]);
}
