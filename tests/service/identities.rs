//! Renamed companies and reused tickers, from the market to history, audit, events and commands.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::world::{World, background, stock};

impl World {
    /// A filled world whose stocks have FIGIs and CIKs, written down when they joined.
    async fn identified() -> Self {
        let world = Self::new().await;
        world
            .sql(
                "update symbols set share_class_figi = 'S' || symbol, composite_figi = 'C' || symbol,
                     cik = lpad(substring(symbol from 3), 10, '0')",
            )
            .await;
        world.sync("first").await;
        world
    }

    /// The source's way to rename: the old row is inactive, a new one has all that it had, and the closes of today.
    async fn rename(&self, old: &str, new: &str) {
        self.sql(&format!(
            "insert into symbols (symbol, name, exchange, type, active, weighted_shares_outstanding, sector, list_date,
                 cik, composite_figi, share_class_figi)
             select '{new}', name, exchange, type, true, weighted_shares_outstanding, sector,
                    (select max(date) from ohlcv_daily), cik, composite_figi, share_class_figi
             from symbols where symbol = '{old}'
             on conflict (symbol) do update set active = true;
             update symbols set active = false where symbol = '{old}';
             insert into ohlcv_daily (symbol, date, close, volume)
             select '{new}', date, close, volume from ohlcv_daily
             where symbol = '{old}' and date = (select max(date) from ohlcv_daily) on conflict do nothing"
        ))
        .await;
    }

    async fn printed(&self, args: &[&str]) -> String {
        let ran = self.run_command(args).await;
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran.output
    }

    async fn printed_json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.printed(args).await).unwrap()
    }

    /// `universe action symbol reason before after` of a job.
    async fn audit_of(&self, job: &str) -> Vec<String> {
        self.ask(&format!(
            "select universe, action, symbol, reason, before ->> 'symbol', after ->> 'symbol'
             from cache_sync_changes where job_id = '{job}' order by universe, action, symbol"
        ))
        .await
    }
}

fn list(status: &HashMap<String, String>, field: &str) -> Vec<String> {
    serde_json::from_str(&status[field]).unwrap()
}

#[tokio::test]
async fn a_renamed_company_is_one_change_in_each_of_its_universes() {
    let world = World::identified().await;
    let old = background(3);
    let universes =
        world.ask("select universe from universe_membership where symbol = 'BG003' order by 1").await;
    world.rename(&old, "ZETA").await;
    world.close_next_day(&[]).await;

    let plan = world.printed(&["plan"]).await;
    assert!(plan.contains("  ~ ZETA  was BG003 until now, same share-class FIGI; rank 3 of 100\n"), "{plan}");
    let summary = plan.lines().last().unwrap();
    assert!(
        summary.contains(&format!("0 to add, 0 to remove, {} to rename in", universes.len())),
        "{summary}"
    );

    let status = world.sync("second").await;
    assert_eq!(status["total_changes"], universes.len().to_string());
    assert_eq!(list(&status, "universes_updated"), universes);
    let audited = world.audit_of("second").await;
    let expected: Vec<String> = universes
        .iter()
        .map(|universe| format!("{universe} renamed ZETA share_class_figi BG003 ZETA"))
        .collect();
    assert_eq!(audited, expected);
    world.assert_history_is_consistent().await;

    let events = world.events("second").await;
    let names: Vec<&str> = events.iter().map(|told| told.event.as_str()).collect();
    assert!(!names.contains(&"ipo_assignment") && !names.contains(&"delisting_cleanup"), "{names:?}");
    let updates: Vec<&Value> = events
        .iter()
        .filter(|told| told.event == "universe_updated")
        .map(|told| &told.data["payload"])
        .collect();
    assert_eq!(updates.len(), universes.len());
    for update in updates {
        assert_eq!(
            (&update["added_symbols"], &update["removed_symbols"]),
            (&json!(["ZETA"]), &json!(["BG003"]))
        );
    }
    let digest = &events.last().unwrap().data["payload"]["digest"];
    assert!(digest.as_str().unwrap().contains("renamed BG003 to ZETA"), "{digest}");

    // What it came with goes on, and the past stays as it was saved.
    let kept = "select symbol, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry, evidence ->> 'renamed_from'
                from universe_membership where universe = 'top_100' and symbol in ('BG003', 'ZETA') order by valid_from";
    assert_eq!(
        world.ask(kept).await,
        ["BG003 2026-03-02 2026-03-03 first_fill missing 3 -", "ZETA 2026-03-03 - first_fill - 3 BG003"]
    );
    let then = world.printed_json(&["universes", "top_100", "--as-of", "2026-03-02", "--json"]).await;
    let now = world.printed_json(&["universes", "top_100", "--json"]).await;
    let has = |list: &Value, symbol: &str| list["symbols"].as_array().unwrap().contains(&json!(symbol));
    assert!(has(&then, "BG003") && !has(&then, "ZETA") && has(&now, "ZETA") && !has(&now, "BG003"));

    // The day after it is no new listing, though the source calls the day of the change its listing date.
    world.close_next_day(&[]).await;
    assert_eq!(world.sync("third").await["total_changes"], "0");
}

#[tokio::test]
async fn history_and_explain_follow_a_rename() {
    let world = World::identified().await;
    world.rename(&background(3), "ZETA").await;
    world.close_next_day(&[]).await;
    world.sync("second").await;
    for symbol in ["ZETA", "BG003"] {
        let told = world.printed(&["history", symbol]).await;
        let lines: Vec<&str> =
            told.lines().filter(|line| line.contains("BG003") || line.contains("ZETA")).collect();
        assert!(
            lines[0].starts_with("BG003 ") && lines[0].contains("2026-03-02  2026-03-03  SBG003"),
            "{told}"
        );
        assert!(
            lines[1].starts_with("ZETA ") && lines[1].contains("2026-03-03              SBG003"),
            "{told}"
        );
        let of_top_100: Vec<&&str> = lines.iter().filter(|line| line.starts_with("top_100 ")).collect();
        assert_eq!(of_top_100.len(), 2, "{told}");
    }
    let explained = world.printed_json(&["explain", "ZETA", "top_100", "--json"]).await;
    assert_eq!(explained["remarks"], json!(["until 2026-03-03 as BG003"]));
    let verdict = &explained["universes"][0];
    assert_eq!(
        (&verdict["valid_from"], &verdict["entry_reason"], &verdict["last_membership"]),
        (&json!("2026-03-02"), &json!("first_fill"), &Value::Null),
        "one membership, whatever the symbol"
    );
    let explained = world.printed_json(&["explain", "BG003", "top_100", "--json"]).await;
    assert_eq!(explained["remarks"], json!(["since 2026-03-03 it goes by ZETA"]));
}

#[tokio::test]
async fn a_reused_ticker_is_two_companies() {
    let world = World::identified().await;
    world.sql("update symbols set share_class_figi = 'NEW', composite_figi = 'NEWC', cik = '99', name = 'Newcomer' where symbol = 'BG070'").await;
    world.close_next_day(&[("BG070", 0.01)]).await;
    let status = world.sync("second").await;
    assert!(!status["warnings"].contains("rename"), "{}", status["warnings"]);
    world.assert_history_is_consistent().await;

    let kept = "select m.universe, m.valid_from, m.valid_to, m.exit_reason, i.share_class_figi
                from universe_membership m join cache_sync_instruments i on i.id = m.instrument_id
                where m.symbol = 'BG070' and m.universe in ('all_stocks', 'mid_cap', 'top_500') order by 1, 2";
    assert_eq!(
        world.ask(kept).await,
        [
            "all_stocks 2026-03-02 2026-03-03 missing SBG070",
            "all_stocks 2026-03-03 - - NEW",
            "mid_cap 2026-03-02 2026-03-03 missing SBG070",
            "top_500 2026-03-02 2026-03-03 missing SBG070",
            "top_500 2026-03-03 - - NEW",
        ]
    );
    let audited = world.audit_of("second").await;
    assert!(audited.contains(&"all_stocks added BG070 rule - -".to_owned()), "{audited:?}");
    assert!(audited.contains(&"all_stocks removed BG070 missing - -".to_owned()), "{audited:?}");
    let instruments = "select share_class_figi, valid_from, valid_to, lineage_id from cache_sync_instruments
                       where symbol = 'BG070' order by id";
    assert_eq!(world.ask(instruments).await, ["SBG070 2026-03-02 2026-03-03 -", "NEW 2026-03-03 - -"]);
    // Readers keep sets by symbol: where both companies are in, nothing is added or removed.
    let events = world.events("second").await;
    let all = events.iter().find(|told| told.data["payload"]["universe"] == "all_stocks").unwrap();
    let payload = &all.data["payload"];
    assert_eq!(
        (&payload["added"], &payload["removed"], &payload["count"]),
        (&json!(0), &json!(0), &json!(130))
    );

    let told = world.printed(&["history", "BG070"]).await;
    assert!(told.contains("SBG070  0000000070") && told.contains("NEW     99"), "{told}");
    let explained = world.printed_json(&["explain", "BG070", "mid_cap", "--json"]).await;
    assert_eq!(explained["remarks"], json!(["until 2026-03-03 this was the symbol of another company"]));
    assert_eq!(explained["universes"][0]["last_membership"], Value::Null, "that was the other one's");

    // The new owner is nobody who is back; its own prices are compared with nobody else's.
    world.close_next_day(&[("BG070", 100.0)]).await;
    world.sync("third").await;
    assert_eq!(world.history("mid_cap", "BG070").await[1], "2026-03-04 - rule -");
}

#[tokio::test]
async fn a_rename_that_is_undone_or_taken_back_on_the_same_day_leaves_history_as_it_was() {
    let world = World::identified().await;
    let before = world.ask("select universe, symbol, valid_from, valid_to, entry_reason, instrument_id from universe_membership order by 1, 2").await;
    let instruments = world.ask("select id, symbol, valid_to from cache_sync_instruments order by id").await;
    world.close_next_day(&[]).await;
    world.rename(&background(3), "ZETA").await;
    world.sync("second").await;
    assert!(world.universe("top_100").await.contains(&"ZETA".to_owned()));
    world.rename("ZETA", &background(3)).await;
    world.sync("third").await;
    let after = "select universe, symbol, valid_from, valid_to, entry_reason, instrument_id from universe_membership order by 1, 2";
    assert_eq!(world.ask(after).await, before);
    assert_eq!(
        world.ask("select id, symbol, valid_to from cache_sync_instruments order by id").await,
        instruments
    );
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn a_rename_and_a_delisting_of_one_day_are_told_apart_and_a_rename_after_a_revert_is_found_again() {
    let world = World::identified().await;
    world.list(stock("OTHER").cap("9B")).await;
    world.rename(&background(3), "ZETA").await;
    world.delist(&background(4)).await;
    world.close_next_day(&[]).await;
    world.sync("second").await;
    let events = world.events("second").await;
    let cleanup = events.iter().find(|told| told.event == "delisting_cleanup").unwrap();
    assert_eq!(cleanup.data["payload"]["symbols"], json!(["BG004"]));
    let renamed = "select count(distinct symbol), count(*) from cache_sync_changes where action = 'renamed'";
    let once = world.ask(renamed).await;

    let ran = world.run_command(&["revert", "second"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    world.run_once().await;
    assert!(world.universe("top_100").await.contains(&"BG003".to_owned()));
    world.close_next_day(&[]).await;
    world.sync("again").await;
    assert!(world.universe("top_100").await.contains(&"ZETA".to_owned()));
    let twice: Vec<String> = vec![once[0].replace("1 ", "")];
    let audited = world
        .ask("select count(*) from cache_sync_changes where action = 'renamed' and job_id = 'again'")
        .await;
    assert_eq!(audited, twice);
    world.assert_history_is_consistent().await;
    let lineages = "select count(distinct coalesce(lineage_id, id)) from cache_sync_instruments
                    where symbol in ('BG003', 'ZETA')";
    assert_eq!(world.ask(lineages).await, ["1"]);
}
