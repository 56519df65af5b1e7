//! Looking back: history gives what the rows gave on every date.

use cache_sync::domain::symbol::Symbol;
use cache_sync::store::Limits;
use cache_sync::store::history::{When, symbol_history, universe_members, universes_now};

use super::world::{World, date};

async fn members(world: &World, universe: &str, as_of: Option<&str>) -> Option<Vec<String>> {
    let mut client = world.dedicated().await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    let when = When { as_of: as_of.map(date), known_at: None };
    let members = universe_members(&tx, &world.entries, universe, when).await.unwrap()?;
    Some(members.into_iter().map(|member| member.symbol).collect())
}

#[tokio::test]
async fn history_replayed_gives_what_the_rows_were_after_every_sync() {
    let world = World::migrated().await;
    let days: [(&str, &[&str]); 6] = [
        ("2026-07-16", &["A", "B", "C"]),
        ("2026-07-17", &["C", "A"]),
        ("2026-07-20", &[]),
        ("2026-07-21", &["B", "D"]),
        ("2026-07-22", &["D", "B"]),
        ("2026-07-23", &["A", "B", "C", "D", "E"]),
    ];
    for (n, (day, wanted)) in days.iter().enumerate() {
        world.sync(&format!("job-{n}"), day, &[("top_100", *wanted)]).await;
        assert!(world.history_equals_entries("top_100").await, "{day}");
        assert_eq!(members(&world, "top_100", None).await.unwrap(), *wanted, "in the order of the row");
    }
    for (day, wanted) in days {
        let mut sorted: Vec<&str> = wanted.to_vec();
        sorted.sort_unstable();
        assert_eq!(members(&world, "top_100", Some(day)).await.unwrap(), sorted, "{day}");
    }
    assert_eq!(
        members(&world, "top_100", Some("2026-07-19")).await.unwrap(),
        ["A", "C"],
        "the sync before a Sunday"
    );
    assert_eq!(
        members(&world, "top_100", Some("2026-07-15")).await.unwrap(),
        [""; 0],
        "before the first sync"
    );
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_not_an_empty_universe() {
    let world = World::migrated().await;
    world.sync("job-1", "2026-07-20", &[("top_100", &[])]).await;
    assert_eq!(members(&world, "top_100", None).await, Some(Vec::new()));
    assert_eq!(members(&world, "top_100", Some("2026-07-20")).await, Some(Vec::new()));
    assert_eq!(members(&world, "top_10", None).await, None);
    assert_eq!(members(&world, "top_10", Some("2026-07-20")).await, None);
}

#[tokio::test]
async fn a_symbol_is_found_under_every_spelling_of_its_share_class() {
    let world = World::migrated().await;
    world.sync("job-1", "2026-07-20", &[("top_100", &["BRK/B", "A"]), ("top_500", &["BRK/B"])]).await;
    world.sync("job-2", "2026-07-21", &[("top_100", &["A"]), ("top_500", &["BRK/B"])]).await;
    let mut client = world.dedicated().await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    for spelling in ["BRK.B", "BRK-B", "BRK/B"] {
        let memberships = symbol_history(&tx, &Symbol::parse(spelling).unwrap(), None).await.unwrap();
        let told: Vec<_> = memberships.iter().map(|m| (m.universe.as_str(), m.valid_to)).collect();
        assert_eq!(told, [("top_100", Some(date("2026-07-21"))), ("top_500", None)], "{spelling}");
    }
    assert!(symbol_history(&tx, &Symbol::parse("BRKB").unwrap(), None).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_list_of_universes_has_the_names_of_the_columns() {
    let world = World::migrated().await;
    world.sync("job-1", "2026-07-20", &[("top_100", &["A", "B"])]).await;
    let mut client = world.dedicated().await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    let json = serde_json::to_value(universes_now(&tx).await.unwrap()).unwrap();
    assert_eq!(json[0]["universe"], "top_100");
    assert_eq!(json[0]["symbol_count"], 2);
    assert_eq!(json[0]["total_market_cap"], "2000.00");
    assert_eq!(json[0]["last_synced_at"], "2026-07-20T21:00:00.123Z");
}
