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
    insta::assert_snapshot!(ran.output, @r#"
    BG013  Company 13
      as of   2026-03-03
      type    CS, an eligible stock, listed 2005-01-03
      cap     209.40B, close 110 of 2026-03-03 x 1,903,681,259 shares; rank 12 of 130
      sector  Utilities, by its text "Utilities"

    large_cap
      now       a member, place 1, since 2026-03-02 by first_fill: cap 190.36B, large_cap starts at 10B
      a sync    would remove it now
      why       209.40B, large_cap ends at 200B, 4.7 % above
      it takes  + active, type CS
                + cap 209.40B
                - 209.40B, large_cap ends at 200B, 4.7 % above
      to stay   a cap below 200B (4.5 % less)
    "#);
    let mega = verdict(&world, &grown, "mega_cap").await;
    assert_eq!((&mega["is_member"], &mega["outlook"]), (&json!(false), &json!("would_join")));

    world.sync("second").await;
    let ran = world.run_command(&["explain", &grown, "large_cap"]).await;
    let (_, verdict_now) = ran.output.split_once("\n\n").unwrap();
    insta::assert_snapshot!(verdict_now, @r"
    large_cap
      now       no member; it was one from 2026-03-02 to 2026-03-03 (rule)
      a sync    would not change that
      why       209.40B, large_cap ends at 200B, 4.7 % above
      it takes  + active, type CS
                + cap 209.40B
                - 209.40B, large_cap ends at 200B, 4.7 % above
      to join   a cap below 200B (4.5 % less)
    ");
    let mega = verdict(&world, &grown, "mega_cap").await;
    assert_eq!((&mega["is_member"], &mega["outlook"]), (&json!(true), &json!("stays_in")));
    assert_eq!((&mega["valid_from"], &mega["entry_reason"]), (&json!("2026-03-03"), &json!("rule")));
    assert_eq!(mega["entry_evidence"], "cap 209.40B, mega_cap starts at 200B");
}

#[tokio::test]
async fn all_universes_stand_in_a_table_with_those_it_is_in_first() {
    let world = World::filled().await;
    let ran = world.run_command(&["explain", &background(60)]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<&str> = ran.output.lines().collect();
    let from = lines.iter().position(|line| line.starts_with("UNIVERSE")).unwrap();
    insta::assert_snapshot!(lines[..from + 12].join("\n"), @r#"
    BG060  Company 60
      as of   2026-03-02
      type    CS, an eligible stock, listed 2005-01-03
      cap     10.38B, close 100 of 2026-03-02 x 103,897,082 shares; rank 60 of 130
      sector  Technology, by its text "Technology"

    UNIVERSE                        PLACE  SINCE       WHY
    large_cap                          48  2026-03-02  10.38B, large_cap starts at 10B, 3.9 % above
    top_100                            60  2026-03-02  rank 60, 12 times the cap of rank 101
    top_500                            60  2026-03-02  rank 60 of 130, the first 500 are taken
    top_1000                           60  2026-03-02  rank 60 of 130, the first 1,000 are taken
    top_2000                           60  2026-03-02  rank 60 of 130, the first 2,000 are taken
    all_stocks                         60  2026-03-02  eligible, rank 60 of 130
    technology_leaders                 12  2026-03-02  sector Technology; rank 12 of 12 candidates for 50 seats,
                                                       members stay down to rank 60
    mega_cap                       not in              10.38B, mega_cap starts at 200B, a 19th of that
    mid_cap                        not in              10.38B, mid_cap ends at 10B, 3.9 % above
    small_cap                      not in              10.38B, small_cap ends at 2B, 419.5 % above
    "#);
    let universes = world.count("select count(*) from cache_entries_metadata").await;
    let of_universes = lines[from + 1..].iter().filter(|line| !line.starts_with(' '));
    assert_eq!(of_universes.count(), usize::try_from(universes).unwrap(), "a line each");
}

#[tokio::test]
async fn a_universe_that_is_held_says_so_and_why() {
    let world = World::filled().await;
    let fallen: Vec<String> = (5..=12).map(background).collect();
    let moves: Vec<(&str, f64)> = fallen.iter().map(|symbol| (symbol.as_str(), 0.56)).collect();
    world.close_next_day(&moves).await;
    let ran = world.run_command(&["explain", &fallen[0], "mega_cap"]).await;
    let said = ran.output.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in ["would leave it in, though the rules want it out", "! mega_cap held: "] {
        assert!(said.contains(told), "{told}\n{}", ran.output);
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
