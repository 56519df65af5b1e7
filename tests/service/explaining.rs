//! `explain` from outside: the command on a real database, before and after a sync.

use serde_json::{Value, json};

use crate::world::{World, background, stock};

/// What the command says of a symbol in a universe, for a program.
async fn verdict(world: &World, symbol: &str, universe: &str) -> Value {
    let ran = world.run_command(&["explain", symbol, universe, "--json"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let explanation: Value = serde_json::from_str(&ran.output).unwrap();
    explanation["universes"][0].clone()
}

#[tokio::test]
async fn what_a_sync_would_change_is_told_before_it_and_history_after_it() {
    let world = World::filled().await;
    // The first below 200 billion.
    let grown = background(13);
    world.close_next_day(&[(&grown, 1.1)]).await;
    let ran = world.run_command(&["explain", &grown, "large_cap"]).await;
    assert_eq!((ran.code, ran.remarks.as_str()), (0, ""));
    insta::assert_snapshot!(ran.output, @"");
    let mega = verdict(&world, &grown, "mega_cap").await;
    assert_eq!((&mega["is_member"], &mega["outlook"]), (&json!(false), &json!("would_join")));

    world.sync("second").await;
    let ran = world.run_command(&["explain", &grown, "large_cap"]).await;
    insta::assert_snapshot!(ran.output, @"");
    let mega = verdict(&world, &grown, "mega_cap").await;
    assert_eq!((&mega["is_member"], &mega["outlook"]), (&json!(true), &json!("stays_in")));
    assert_eq!((&mega["valid_from"], &mega["entry_reason"]), (&json!("2026-03-03"), &json!("rule")));
    assert_eq!(mega["entry_evidence"], "cap 209.42B, mega_cap starts at 200B");
}

#[tokio::test]
async fn all_universes_stand_in_a_table_with_those_it_is_in_first() {
    let world = World::filled().await;
    let ran = world.run_command(&["explain", &background(60)]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<&str> = ran.output.lines().collect();
    let from = lines.iter().position(|line| line.starts_with("UNIVERSE")).unwrap();
    insta::assert_snapshot!(lines[..from + 12].join("\n"), @"");
    let universes = world.count("select count(*) from cache_entries_metadata").await;
    assert_eq!(lines.len() - from - 1, usize::try_from(universes).unwrap(), "a line each");
}

#[tokio::test]
async fn a_universe_that_is_held_says_so_and_why() {
    let world = World::filled().await;
    let fallen: Vec<String> = (5..=12).map(background).collect();
    let moves: Vec<(&str, f64)> = fallen.iter().map(|symbol| (symbol.as_str(), 0.5)).collect();
    world.close_next_day(&moves).await;
    let ran = world.run_command(&["explain", &fallen[0], "mega_cap"]).await;
    for told in ["would leave it in, though the rules want it out", "! mega_cap held: 8 of 12 members"] {
        assert!(ran.output.contains(told), "{told}\n{}", ran.output);
    }
    let large = verdict(&world, &fallen[0], "large_cap").await;
    assert_eq!(large["outlook"], "held_out");
    assert!(large["hold"].as_str().unwrap().contains("--accept-churn"), "{large}");
}

#[tokio::test]
async fn a_symbol_without_a_row_is_explained_from_what_is_left_of_it() {
    let world = World::filled().await;
    let gone = background(20);
    world.sql(&format!("delete from symbols where symbol = '{gone}'")).await;
    let still = verdict(&world, &gone, "large_cap").await;
    assert_eq!((&still["why"], &still["outlook"]), (&json!("no row in symbols"), &json!("would_leave")));
    world.close_next_day(&[]).await;
    world.sync("second").await;
    let left = verdict(&world, &gone, "large_cap").await;
    assert_eq!((&left["is_member"], &left["outlook"]), (&json!(false), &json!("stays_out")));
    let last = json!({"valid_from": "2026-03-02", "valid_to": "2026-03-03", "exit_reason": "missing"});
    assert_eq!(left["last_membership"], last);
}

#[tokio::test]
async fn an_unknown_symbol_or_universe_ends_with_1_and_the_nearest_known() {
    let world = World::filled().await;
    world.list(stock("BRK/B").cap("900B")).await;
    for (args, code, said) in [
        (vec!["explain", "BRK.B", "mega_cap"], 0, ""),
        (
            vec!["explain", "bg013"],
            1,
            "neither the source nor history knows a symbol \"bg013\"; did you mean \"BG013\"?",
        ),
        (vec!["explain", "BRKB"], 1, "knows a symbol \"BRKB\"; did you mean \"BRK/B\"?"),
        (vec!["explain", "\u{7}"], 1, "knows a symbol \"\\u{7}\""),
        (
            vec!["explain", "BG013", "mega_caps"],
            1,
            "there is no universe \"mega_caps\" of ours; did you mean \"mega_cap\"?",
        ),
        (
            vec!["explain", "BG013", "stamps"],
            1,
            "there is no universe \"stamps\" of ours; `cache-sync universes` lists them all",
        ),
    ] {
        let ran = world.run_command(&args).await;
        assert_eq!(ran.code, code, "{args:?} {ran:?}");
        assert!(
            ran.remarks.contains(said) && ran.remarks.lines().count() == usize::from(code == 1),
            "{ran:?}"
        );
        assert_eq!(ran.output.is_empty(), code == 1, "{ran:?}");
    }
}
