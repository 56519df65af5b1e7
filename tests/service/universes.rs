//! What a sync makes of the universes, ours and foreign ones.

use crate::world::{World, background, stock};

#[tokio::test]
async fn a_first_sync_fills_the_universes_and_their_history() {
    let world = World::new().await;
    world.list(stock("NEWT").cap("12.4B")).await;
    let status = world.sync("job").await;
    assert!(world.universe("large_cap").await.contains(&"NEWT".to_owned()));
    assert!(!world.universe("mid_cap").await.contains(&"NEWT".to_owned()));
    let top: Vec<String> = world.universe("top_100").await;
    assert_eq!((top.len(), top[0].clone(), top[1].clone()), (100, background(1), background(2)));
    assert_eq!(world.history("large_cap", "NEWT").await, ["2026-03-02 - first_fill -"]);
    assert_eq!(status["as_of"], "2026-03-02");
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_sync_that_changes_nothing_writes_no_universe_and_says_so() {
    let world = World::filled().await;
    world.close_next_day(&[]).await;
    let (rows, memberships) = (
        world.entries_fingerprint().await,
        world.ask("select id, xmin from universe_membership order by id").await,
    );
    let status = world.sync("second").await;
    assert_eq!(status["total_changes"], "0");
    assert_eq!(status["universes_updated"], "[]");
    assert_eq!(status["as_of"], "2026-03-03");
    assert_eq!(world.entries_fingerprint().await, rows);
    assert_eq!(world.ask("select id, xmin from universe_membership order by id").await, memberships);
    assert!(!world.event_names("second").await.contains(&"universe_updated".to_owned()));
}

#[tokio::test]
async fn a_stock_that_grows_out_of_its_tier_leaves_it_and_joins_the_next() {
    let world = World::filled().await;
    // The first below 200 billion.
    let grown = background(13);
    let before = world.entries_fingerprint().await;
    world.close_next_day(&[(&grown, 1.1)]).await;
    let status = world.sync("second").await;

    assert!(world.universe("mega_cap").await.contains(&grown));
    assert!(!world.universe("large_cap").await.contains(&grown));
    assert_eq!(world.history("large_cap", &grown).await, ["2026-03-02 2026-03-03 first_fill rule"]);
    assert_eq!(world.history("mega_cap", &grown).await, ["2026-03-03 - rule -"]);
    assert_eq!(status["universes_updated"], r#"["large_cap","mega_cap"]"#);
    let changed = |name: &str, rows: &[String]| rows.iter().find(|row| row.starts_with(name)).cloned();
    let after = world.entries_fingerprint().await;
    assert_ne!(changed("mega_cap", &after), changed("mega_cap", &before));
    assert_eq!(changed("small_cap", &after), changed("small_cap", &before), "others are not written");
    let audit =
        "select action, universe, reason from cache_sync_changes where job_id = 'second' order by universe";
    assert_eq!(world.ask(audit).await, ["removed large_cap rule", "added mega_cap rule"]);
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn rows_that_stood_there_before_are_adopted() {
    let world = World::new().await;
    let (stays, goes) = (background(1), background(50));
    world
        .sql(&format!(
            "insert into cache_entries (universe, cache_type, content) values
             ('mega_cap', 'market_cap', '{{\"symbols\": [\"{stays}\", \"{goes}\"], \"count\": 2}}')"
        ))
        .await;
    world.sync("job").await;
    assert_eq!(world.universe("mega_cap").await.len(), 12);
    assert_eq!(world.history("mega_cap", &stays).await, ["2026-03-02 - adopted -"]);
    assert_eq!(world.history("mega_cap", &background(2)).await, ["2026-03-02 - rule -"]);
    let events = world.events("job").await;
    let update = events.iter().find(|told| told.data["payload"]["universe"] == "mega_cap").unwrap();
    assert_eq!(
        (&update.data["payload"]["added"], &update.data["payload"]["removed"]),
        (&11.into(), &1.into())
    );
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_row_of_ours_that_was_deleted_or_edited_is_restored_without_a_change_of_members() {
    let world = World::filled().await;
    let (mega, large) = (world.universe("mega_cap").await, world.universe("large_cap").await);
    world.sql("delete from cache_entries where universe = 'mega_cap'").await;
    world
        .sql("update cache_entries set content = content || '{\"symbols\": [\"HACK\"]}' where universe = 'large_cap'")
        .await;
    world.sql("update cache_entries set content = '[]' where universe = 'mid_cap'").await;
    let status = world.sync("second").await;
    assert_eq!(world.universe("mega_cap").await, mega);
    assert_eq!(world.universe("large_cap").await, large);
    assert_eq!(status["total_changes"], "0");
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_row_in_another_spelling_stays_the_row_that_its_digest_tells() {
    let world = World::new().await;
    world.list(stock("BRK/B").cap("900B")).await;
    world.sync("first").await;
    world.sql("update symbols set symbol = 'BRK.B' where symbol = 'BRK/B'").await;
    world.sql("update ohlcv_daily set symbol = 'BRK.B' where symbol = 'BRK/B'").await;
    assert_eq!(world.sync("second").await["total_changes"], "0");
    assert!(world.universe("mega_cap").await.contains(&"BRK.B".to_owned()));
    // As store::read::snapshot says: of the sorted symbols, each with the end of a line.
    let untold = "
        select m.universe
        from cache_entries_metadata m
        join cache_entries e on e.universe = m.universe
        cross join lateral (
            select coalesce(string_agg(symbol || E'\\n', '' order by symbol collate \"C\"), '') as lines
            from jsonb_array_elements_text(e.content -> 'symbols') as symbols (symbol)
        ) as written
        where m.members_digest <> left(encode(sha256(convert_to(written.lines, 'UTF8')), 'hex'), 16)";
    assert_eq!(world.ask(untold).await, [""; 0]);
}

#[tokio::test]
async fn a_delisted_stock_leaves_every_universe_and_foreign_rows_but_not_protected_ones() {
    let world = World::filled().await;
    let gone = background(20);
    let kept = r#"{"symbols": ["BG020", "ELSE"], "count": 2}"#;
    world
        .sql(&format!(
            "insert into cache_entries (universe, cache_type, content, updated_at) values
             ('watchlist', 'custom', '{{\"symbols\": [\"{gone}\", \"BG021\", 7, \"ELSE\"], \"count\": 4, \"note\": \"x\"}}', '2020-01-01'),
             ('settings', 'app_settings', '{kept}', '2020-01-01'),
             ('odd_list', 'custom', '[\"{gone}\"]', '2020-01-01'),
             ('odd_text', 'custom', '\"{gone}\"', '2020-01-01'),
             ('calm', null, '{{\"symbols\": [\"BG021\"], \"count\": 9}}', '2020-01-01')"
        ))
        .await;
    let untouched = "select universe, xmin, content from cache_entries
                     where universe in ('settings', 'odd_list', 'odd_text', 'calm') order by universe";
    let before = world.ask(untouched).await;
    world.delist(&gone).await;
    world.close_next_day(&[]).await;
    let listener = world.listen().await;
    let status = world.sync("second").await;

    for universe in ["large_cap", "top_100", "top_500", "all_stocks"] {
        assert!(!world.universe(universe).await.contains(&gone), "{universe}");
        assert_eq!(
            world.history(universe, &gone).await,
            ["2026-03-02 2026-03-03 first_fill delisted"],
            "{universe}"
        );
    }
    assert_eq!(
        world.ask("select content from cache_entries where universe = 'watchlist'").await,
        [r#"{"note": "x", "count": 3, "symbols": ["BG021", 7, "ELSE"]}"#]
    );
    assert_eq!(world.ask(untouched).await, before);
    let audit = "select action, reason, task from cache_sync_changes where universe = 'watchlist'";
    assert_eq!(world.ask(audit).await, ["removed delisted delisted_cleanup"]);
    let warnings = &status["warnings"];
    assert!(warnings.contains("foreign_malformed: 2 foreign rows"), "{warnings}");
    assert!(warnings.contains("odd_list, odd_text"), "{warnings}");
    let heard = listener.hear_end_of("second").await;
    let cleanup = heard.iter().find(|heard| heard.channel == "tickstock:cache:delisting_cleanup").unwrap();
    assert_eq!(cleanup.message["payload"]["symbols"], serde_json::json!([gone]));
    assert_eq!(cleanup.message["payload"]["removed_count"], 1);
    assert!(
        !heard.iter().any(|heard| heard.message["payload"]["universe"] == "watchlist"),
        "foreign rows have no event"
    );
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_new_listing_joins_with_its_own_reason_and_an_old_stock_with_the_rule_s() {
    let world = World::filled().await;
    world.list(stock("NEWT").cap("12.4B").listed_days_ago(3)).await;
    world.list(stock("OLDT").cap("12.4B")).await;
    world.close_next_day(&[]).await;
    world.sync("second").await;
    assert_eq!(world.history("large_cap", "NEWT").await, ["2026-03-03 - listing -"]);
    assert_eq!(world.history("large_cap", "OLDT").await, ["2026-03-03 - rule -"]);
}

#[tokio::test]
async fn a_stock_that_comes_back_begins_a_second_membership() {
    let world = World::filled().await;
    let stock = background(20);
    world.delist(&stock).await;
    world.close_next_day(&[]).await;
    world.sync("second").await;
    world.sql(&format!("update symbols set active = true where symbol = '{stock}'")).await;
    world.close_next_day(&[]).await;
    world.sync("third").await;
    assert_eq!(
        world.history("large_cap", &stock).await,
        ["2026-03-02 2026-03-03 first_fill delisted", "2026-03-04 - return -"]
    );
    world.assert_history_is_consistent().await;
}
