//! Pins, bans and the switches of stability from outside: commands, syncs, and what history says afterwards.

use serde_json::{Value, json};

use crate::world::{World, background, stock};

/// Runs a command that has to succeed, and returns what it printed.
async fn said(world: &World, args: &[&str]) -> String {
    let ran = world.run_command(args).await;
    assert_eq!((ran.code, ran.remarks.as_str()), (0, ""), "{args:?} {ran:?}");
    ran.output
}

/// What `explain` says of a symbol in a universe.
async fn verdict(world: &World, symbol: &str, universe: &str) -> Value {
    let explanation: Value =
        serde_json::from_str(&said(world, &["explain", symbol, universe, "--json"]).await).unwrap();
    explanation["universes"][0].clone()
}

#[tokio::test]
async fn a_pin_takes_a_seat_from_the_next_sync_on_until_it_is_taken_back() {
    let world = World::filled().await;
    let (pinned, last) = (background(130), background(100));
    let args = ["pin", &pinned, "top_100", "--reason", "watched", "--until", "2099-12-31"];
    assert_eq!(
        said(&world, &args).await,
        "BG130 is pinned to top_100 until 2099-12-31: watched; it counts from the next sync on\n"
    );
    assert!(!world.universe("top_100").await.contains(&pinned), "not before a sync");
    world.close_next_day(&[]).await;
    let shown = said(&world, &["plan"]).await;
    assert!(shown.contains("pinned by hand until 2099-12-31: watched"), "{shown}");
    let before = verdict(&world, &pinned, "top_100").await;
    assert_eq!((&before["outlook"], &before["checks"][1]["check"]), (&json!("would_join"), &json!("pin")));

    world.sync("second").await;
    let members = world.universe("top_100").await;
    assert_eq!((members.len(), members.last()), (100, Some(&pinned)));
    assert!(!members.contains(&last), "the last one gives way");
    assert_eq!(world.history("top_100", &pinned).await, ["2026-03-03 - pin -"]);
    assert_eq!(world.history("top_100", &last).await, ["2026-03-02 2026-03-03 first_fill rule"]);
    let told = world.events("second").await;
    let completed = told.iter().find(|told| told.event == "cache_sync_completed").unwrap();
    let digest = completed.data["payload"]["digest"].as_str().unwrap().to_owned();
    assert!(digest.contains("by hand +BG130"), "{digest}");

    world.close_next_day(&[]).await;
    assert_eq!(world.sync("third").await["total_changes"], "0", "it stays");
    assert_eq!(
        said(&world, &["unpin", &pinned, "top_100"]).await,
        "BG130 is no longer pinned to top_100; from the next sync on the rules decide\n"
    );
    world.close_next_day(&[]).await;
    world.sync("fourth").await;
    assert_eq!(world.history("top_100", &pinned).await, ["2026-03-03 2026-03-05 pin rule"]);
    assert!(world.universe("top_100").await.contains(&last));
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn bans_are_no_churn_however_many_and_hold_for_smaller_rankings() {
    let world = World::filled().await;
    // Of twelve mega caps five are more than a guard would believe.
    let banned: Vec<String> = (1..=5).map(background).collect();
    for symbol in &banned {
        said(&world, &["ban", symbol, "mega_cap", "--reason", "shells"]).await;
        said(&world, &["ban", symbol, "top_500", "--reason", "shells"]).await;
    }
    world.close_next_day(&[]).await;
    let status = world.sync("second").await;
    assert_eq!(status["held_universes"], "[]");
    for universe in ["mega_cap", "top_500", "top_100"] {
        let members = world.universe(universe).await;
        assert!(banned.iter().all(|symbol| !members.contains(symbol)), "{universe} {members:?}");
        assert_eq!(world.history(universe, &banned[0]).await, ["2026-03-02 2026-03-03 first_fill ban"]);
    }
    assert!(world.universe("top_1000").await.contains(&banned[0]));
    assert!(!world.universe("large_cap").await.contains(&banned[0]), "in no tier");
    let large = verdict(&world, &banned[0], "mega_cap").await;
    assert_eq!((&large["outlook"], &large["why"]), (&json!("stays_out"), &json!("banned by hand: shells")));
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn what_is_over_counts_no_longer_and_stands_in_nobodys_way() {
    let world = World::filled().await;
    let pinned = background(60);
    world
        .sql(&format!(
            "insert into cache_sync_pins values
                 ('mega_cap', '{pinned}', 'pin', 'for a day', '2026-03-03', now(), 'mira')"
        ))
        .await;
    world.close_next_day(&[]).await;
    world.sync("second").await;
    assert!(world.universe("mega_cap").await.contains(&pinned), "the last day is one");
    assert!(!world.universe("large_cap").await.contains(&pinned));
    world.close_next_day(&[]).await;
    world.sync("third").await;
    assert!(world.universe("large_cap").await.contains(&pinned), "by the date of the sync it is over");
    let listed = said(&world, &["pins"]).await;
    assert!(listed.contains("2026-03-03, over"), "{listed}");
    let said = said(&world, &["ban", &pinned, "mega_cap", "--reason", "no longer"]).await;
    assert!(said.contains("in place of: pinned by hand until 2026-03-03: for a day"), "{said}");
}

#[tokio::test]
async fn names_that_nobody_knows_and_contradictions_are_refused_with_a_way_out() {
    let world = World::filled().await;
    world.list(stock("BRK/B").cap("900B")).await;
    assert_eq!(said(&world, &["pins"]).await, "nothing is pinned or banned\n");
    said(&world, &["pin", "BRK.B", "mega_cap", "--reason", "first"]).await;
    let pin = ["pin", "BG130", "top_100", "--reason", "r"];
    for (args, code, sentence) in [
        (vec!["pin", "bg013", "top_100", "--reason", "r"], 1, "no symbol \"bg013\"; did you mean \"BG013\"?"),
        (
            vec!["ban", "BG013", "top100", "--reason", "r"],
            1,
            "no universe \"top100\" of ours; did you mean \"top_100\"?",
        ),
        (
            vec!["ban", "BRK-B", "mega_cap", "--reason", "r"],
            1,
            "first take that back: cache-sync unpin BRK/B mega_cap",
        ),
        (
            vec!["pin", "BRK-B", "large_cap", "--reason", "r"],
            1,
            "first take that back: cache-sync unpin BRK/B mega_cap",
        ),
        (vec!["unpin", "BRK.B", "top_100"], 1, "BRK.B is not pinned to top_100; but pinned to mega_cap"),
        (vec!["unban", "BRK.B", "mega_cap"], 1, "BRK.B is not banned from mega_cap; but pinned to mega_cap"),
        (vec!["unban", "BG001", "mega_cap"], 1, "`cache-sync pins` lists what is"),
        ([&pin[..], &["--until", "2001-01-01"]].concat(), 2, "--until 2001-01-01 is over already"),
        (vec!["pin", "BG130", "top_100", "--reason", " "], 2, "--reason is empty"),
        (vec!["pin", "BG130", "top_100"], 2, "--reason"),
    ] {
        let ran = world.run_command(&args).await;
        assert_eq!((ran.code, ran.output.as_str()), (code, ""), "{args:?} {ran:?}");
        assert!(ran.remarks.contains(sentence), "{args:?} {ran:?}");
    }
    let listed: Value = serde_json::from_str(&said(&world, &["pins", "--json"]).await).unwrap();
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (
            &listed[0]["kind"],
            &listed[0]["symbol"],
            &listed[0]["universe"],
            &listed[0]["reason"],
            &listed[0]["until"]
        ),
        (&json!("pin"), &json!("BRK/B"), &json!("mega_cap"), &json!("first"), &Value::Null)
    );
    let idle = world.run_command(&["pin", "BRK.B", "etf_bonds", "--reason", "r"]).await;
    assert!(
        idle.code == 0 && idle.remarks.contains("no exchange-traded product; it has no effect"),
        "{idle:?}"
    );
}

#[tokio::test]
async fn within_its_band_a_stock_stays_in_its_tier_and_explain_tells_both_answers() {
    let world = World::filled_with(&[("stability.tier_band_pct", "5")]).await;
    // The first below 200 billion: 190.36.
    let grown = background(13);
    world.close_next_day(&[(&grown, 1.1)]).await;
    assert_eq!(world.sync("second").await["total_changes"], "0");
    assert!(world.universe("large_cap").await.contains(&grown));
    let large = verdict(&world, &grown, "large_cap").await;
    assert_eq!(large["outlook"], "stays_in");
    assert_eq!(
        large["why"],
        "mega_cap by the rule, kept in large_cap: 209.40B is within 5 % of 200B, 0.3 % short of 210B, where it leaves"
    );
    world.close_next_day(&[(&grown, 1.01)]).await;
    world.sync("third").await;
    assert!(world.universe("mega_cap").await.contains(&grown));
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn the_most_traded_class_stands_for_its_company_in_what_goes_by_size() {
    let world = World::filled_with(&[("stability.share_classes", "primary")]).await;
    for symbol in ["TWIN.A", "TWIN.B"] {
        world.list(stock(symbol).cap("390B")).await;
        world.sql(&format!("update symbols set cik = '0000000007' where symbol = '{symbol}'")).await;
    }
    let trades = async |symbol: &str, volume: u32| {
        world.sql(&format!("update ohlcv_daily set volume = {volume} where symbol = '{symbol}'")).await;
    };
    trades("TWIN.B", 1_200).await;
    world.close_next_day(&[]).await;
    trades("TWIN.B", 1_200).await;
    world.sync("second").await;
    assert!(world.universe("mega_cap").await.contains(&"TWIN.B".to_owned()));
    assert!(!world.universe("mega_cap").await.contains(&"TWIN.A".to_owned()));
    assert!(world.universe("all_stocks").await.contains(&"TWIN.A".to_owned()));

    trades("TWIN.A", 1_300).await;
    world.close_next_day(&[]).await;
    world.sql("update ohlcv_daily set volume = 1319 where symbol = 'TWIN.A'").await;
    world.sql("update ohlcv_daily set volume = 1200 where symbol = 'TWIN.B'").await;
    assert_eq!(world.sync("third").await["total_changes"], "0", "9.9 % more is not enough");
    world.close_next_day(&[]).await;
    world.sql("update ohlcv_daily set volume = 1320 where symbol = 'TWIN.A'").await;
    world.sql("update ohlcv_daily set volume = 1200 where symbol = 'TWIN.B'").await;
    world.sync("fourth").await;
    assert!(world.universe("top_100").await.contains(&"TWIN.A".to_owned()));
    assert!(!world.universe("top_100").await.contains(&"TWIN.B".to_owned()));
    world.assert_history_is_consistent().await;
}
