//! One symbol's bad value is kept out of the universes from run to run, until it is explained or approved.

use crate::world::{World, background};

/// A mega cap of 296 billion, the sixth largest of all.
const RANK: usize = 6;

impl World {
    /// Everything that `quarantine --json` says.
    async fn quarantine(&self) -> Vec<serde_json::Value> {
        let ran = self.run_command(&["quarantine", "--json"]).await;
        assert_eq!(ran.code, 0, "{}", ran.remarks);
        serde_json::from_str(&ran.output).unwrap()
    }

    /// The tiers that a symbol is in.
    async fn tiers(&self, symbol: &str) -> Vec<String> {
        self.ask(&format!(
            "select universe from universe_membership
             where symbol = '{symbol}' and valid_to is null and universe like '%\\_cap'"
        ))
        .await
    }

    async fn place_in_top_100(&self, symbol: &str) -> Option<usize> {
        self.universe("top_100").await.iter().position(|member| member == symbol).map(|place| place + 1)
    }
}

/// The price of a 10:1 split has come, the shares have not.
async fn price_is_split(world: &World) -> String {
    let symbol = background(RANK);
    world.close_next_day(&[(&symbol, 0.1)]).await;
    symbol
}

#[tokio::test]
async fn a_split_whose_shares_come_a_day_late_changes_no_tier_and_no_rank() {
    let world = World::filled().await;
    let symbol = price_is_split(&world).await;
    let listener = world.listen().await;
    let status = world.sync("split").await;
    assert_eq!(status["total_changes"], "0");
    assert!(status["warnings"].contains("quarantined: 1 value not believed"), "{}", status["warnings"]);
    assert_eq!(
        (world.tiers(&symbol).await, world.place_in_top_100(&symbol).await),
        (vec!["mega_cap".to_owned()], Some(RANK))
    );
    let heard = listener.hear_end_of("split").await;
    let payload = &heard.last().unwrap().message["payload"];
    let digest = payload["digest"].as_str().unwrap();
    assert!(digest.contains(&format!("not believed {symbol} (suspected split)")), "{digest}");
    assert!(payload["warnings"].to_string().contains("\"quarantined: 1 value not believed"), "{payload}");

    let entries = world.quarantine().await;
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(
        (entry["symbol"].as_str(), entry["anomaly"].as_str()),
        (Some(&*symbol), Some("suspected_split"))
    );
    assert_eq!((entry["since"].as_str(), entry["sessions_left"].as_u64()), (Some("2026-03-03"), Some(119)));
    let ran = world.run_command(&["explain", &symbol, "mega_cap"]).await;
    assert!(ran.output.contains("carried since 2026-03-03: suspected split"), "{}", ran.output);

    // Nothing has come in between: nothing is written anew.
    let kept = "select quarantine from cache_sync_runs order by id desc limit 1";
    let before = world.ask(kept).await;
    assert_eq!(world.sync("again").await["total_changes"], "0");
    assert_eq!(world.ask(kept).await, before);

    let shares =
        "update symbols set weighted_shares_outstanding = weighted_shares_outstanding * 10 where symbol = ";
    world.sql(&format!("{shares}'{symbol}'")).await;
    world.close_next_day(&[(&symbol, 1.01)]).await;
    let status = world.sync("shares").await;
    assert_eq!(status["total_changes"], "0");
    assert!(!status["warnings"].contains("quarantined"), "{}", status["warnings"]);
    assert_eq!(world.place_in_top_100(&symbol).await, Some(RANK));
    assert!(world.quarantine().await.is_empty());
    let ran = world.run_command(&["quarantine"]).await;
    assert!(ran.output.starts_with("Nothing is in quarantine: "), "{}", ran.output);
    world.assert_history_is_consistent().await;
}

/// Volumes of the newest date: so many times all shares of a symbol.
async fn trade(world: &World, symbol: &str, times: f64) {
    world
        .sql(&format!(
            "update ohlcv_daily b set volume = s.weighted_shares_outstanding * {times} from symbols s
             where s.symbol = b.symbol and b.symbol = '{symbol}' and b.date = (select max(date) from ohlcv_daily)"
        ))
        .await;
}

#[tokio::test]
async fn a_price_that_moved_while_the_company_was_traded_is_believed_by_the_volume_of_its_own_day() {
    let world = World::filled_with(&[("guards.merger_max_trade_growth", "0")]).await;
    let (surge, split) = (background(70), background(71));
    let day = world.close_next_day(&[(&surge, 5.0), (&split, 5.0)]).await.to_string();
    trade(&world, &surge, 0.16).await;
    trade(&world, &split, 0.14).await;
    // What is traded on the day after says nothing about the move.
    world.close_next_day(&[]).await;
    trade(&world, &surge, 0.0).await;
    trade(&world, &split, 50.0).await;
    world.xadd(&[("job_id", "move"), ("triggered_by", "admin"), ("as_of", &day)]).await;
    world.run_once().await;
    let in_quarantine = world.quarantine().await;
    assert_eq!(in_quarantine.len(), 1, "{in_quarantine:?}");
    assert_eq!(in_quarantine[0]["symbol"].as_str(), Some(&*split));
    assert_eq!(world.tiers(&surge).await, ["large_cap"]);
    assert_eq!(world.tiers(&split).await, ["mid_cap"]);

    // A replay of the day asks the same bars, and the next sync has nothing new to find.
    let ran = world.run_command(&["replay", "--from", &day, "--to", &day]).await;
    assert!(ran.output.contains(&format!("{split} carried at")), "{}", ran.output);
    assert!(!ran.output.contains(&format!("{surge} carried at")), "{}", ran.output);
    assert_eq!(world.sync("next").await["total_changes"], "0");
    assert_eq!(world.quarantine().await.len(), 1);
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn without_a_column_of_volumes_or_without_asking_the_price_alone_decides() {
    for (setting, change) in
        [("1", "alter table ohlcv_daily drop column volume"), ("0", "select"), ("1e6", "select")]
    {
        let world = World::filled_with(&[
            ("guards.merger_max_turnover", setting),
            ("guards.merger_max_trade_growth", "0"),
        ])
        .await;
        let symbol = background(70);
        world.close_next_day(&[(&symbol, 5.0)]).await;
        trade(&world, &symbol, 100.0).await;
        world.sql(change).await;
        world.sync("move").await;
        assert_eq!(world.quarantine().await.len(), 1, "{setting} {change}");
        assert_eq!(world.tiers(&symbol).await, ["mid_cap"]);
    }
}

#[tokio::test]
async fn who_knows_better_approves_and_the_next_sync_believes() {
    let world = World::filled().await;
    let symbol = price_is_split(&world).await;
    world.sync("split").await;
    let ran = world.run_command(&["approve", &symbol, "--by", "jane"]).await;
    assert_eq!((ran.code, ran.remarks.as_str()), (0, ""));
    assert!(ran.output.contains("the next sync takes "), "{}", ran.output);
    let again = world.run_command(&["approve", &symbol]).await;
    assert!(again.output.contains("approved already"), "{}", again.output);
    assert_eq!(world.tiers(&symbol).await, ["mega_cap"], "nothing changes before the next sync");
    assert_eq!(world.quarantine().await[0]["approved"], true);

    let status = world.sync("approved").await;
    assert!(!status["warnings"].contains("quarantined"), "{}", status["warnings"]);
    assert_eq!(world.tiers(&symbol).await, ["large_cap"]);
    assert!(world.quarantine().await.is_empty());
    assert_eq!(
        world.ask("select symbol, approved_by, used_by_job from cache_sync_approvals").await,
        [format!("{symbol} jane approved")]
    );
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn what_is_not_in_quarantine_is_not_approved_and_what_only_a_plan_shows_is() {
    let world = World::filled().await;
    for symbol in [background(1), "NOBODY".to_owned()] {
        let ran = world.run_command(&["approve", &symbol]).await;
        assert_eq!(ran.code, 1);
        assert!(ran.remarks.contains(&format!("{symbol:?} is not in quarantine")), "{}", ran.remarks);
    }
    let symbol = price_is_split(&world).await;
    let ran = world.run_command(&["plan"]).await;
    assert!(ran.output.contains("quarantine  1 value is not believed"), "{}", ran.output);
    assert_eq!(world.run_command(&["approve", &symbol]).await.code, 0);
    world.sync("approved").await;
    assert_eq!(world.tiers(&symbol).await, ["large_cap"]);
    assert!(world.quarantine().await.is_empty());
}

#[tokio::test]
async fn a_revert_takes_the_quarantine_back_too() {
    let world = World::filled().await;
    let symbol = price_is_split(&world).await;
    world.sync("split").await;
    let entries = world.quarantine().await;
    world.run_command(&["approve", &symbol]).await;
    world.sync("approved").await;
    assert!(world.quarantine().await.is_empty());
    world.run_command(&["revert", "approved"]).await;
    world.run_once().await;
    assert_eq!(world.tiers(&symbol).await, ["mega_cap"]);
    assert_eq!(without_approval(world.quarantine().await), without_approval(entries));
    // The approval has been used; the value is no better for that.
    world.sync("next").await;
    assert_eq!(world.tiers(&symbol).await, ["mega_cap"]);
    assert_eq!(world.quarantine().await.len(), 1);
}

fn without_approval(mut entries: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
    for entry in &mut entries {
        entry.as_object_mut().unwrap().remove("approved");
        // Counted from the date of the run that is looked at.
        entry.as_object_mut().unwrap().remove("sessions_left");
    }
    entries
}

#[tokio::test]
async fn switched_off_every_value_is_taken_as_found() {
    let world = World::filled_with(&[("guards.quarantine", "false")]).await;
    let symbol = price_is_split(&world).await;
    world.sync("split").await;
    assert_eq!(world.tiers(&symbol).await, ["large_cap"]);
    assert!(world.quarantine().await.is_empty());
}

#[tokio::test]
async fn what_hangs_on_a_value_is_shown_before_it_is_approved_and_an_approval_is_taken_back() {
    let world = World::filled().await;
    let symbol = price_is_split(&world).await;
    world.sync("split").await;
    let entry = world.quarantine().await.remove(0);
    assert!(entry["universes"].as_array().unwrap().iter().any(|name| name == "mega_cap"), "{entry}");
    assert!(entry["seats"].as_u64() > Some(0), "{entry}");
    let ran = world.run_command(&["approve", &symbol, "--dry-run"]).await;
    assert!(ran.output.contains("leaves mega_cap"), "{}", ran.output);
    assert!(ran.output.contains("joins large_cap"), "{}", ran.output);
    assert_eq!(world.ask("select symbol from cache_sync_approvals").await, [""; 0]);

    assert_eq!(world.run_command(&["approve", &symbol]).await.code, 0);
    let undone = world.run_command(&["approve", &symbol, "--undo"]).await;
    assert!(undone.output.contains("no longer approved"), "{} {}", undone.output, undone.remarks);
    let again = world.run_command(&["approve", &symbol, "--undo"]).await;
    assert_eq!(again.code, 1);
    assert!(again.remarks.contains("nothing to take back"), "{}", again.remarks);
    world.sync("next").await;
    assert_eq!(world.tiers(&symbol).await, ["mega_cap"], "it is still not believed");
}

#[tokio::test]
async fn a_value_that_was_believed_is_doubted_by_hand_until_it_is_back() {
    let world = World::filled().await;
    let symbol = background(RANK);
    // Shares multiply by less than what is doubted of a large company.
    let shares = async |factor: &str| {
        let column = "weighted_shares_outstanding";
        world
            .sql(&format!("update symbols set {column} = {column} * {factor} where symbol = '{symbol}'"))
            .await;
    };
    shares("0.55").await;
    world.close_next_day(&[]).await;
    world.sync("believed").await;
    assert_eq!(world.tiers(&symbol).await, ["large_cap"]);

    let nobody = world.run_command(&["distrust", "NOBODY", "--reason", "x"]).await;
    assert!(nobody.remarks.contains("the source has no symbol"), "{}", nobody.remarks);
    let other = world.run_command(&["distrust", &background(70), "--reason", "x"]).await;
    assert!(other.remarks.contains("has had this value for as long as runs are kept"), "{}", other.remarks);
    let without_reason = world.run_command(&["distrust", &symbol]).await;
    assert_eq!(without_reason.code, 2);

    let ran = world.run_command(&["distrust", &symbol, "--reason", "half its shares", "--by", "jane"]).await;
    assert_eq!((ran.code, ran.remarks.as_str()), (0, ""));
    assert!(ran.output.contains("the next sync goes by its value of 2026-03-02"), "{}", ran.output);
    assert!(ran.output.contains("leaves large_cap, joins"), "{}", ran.output);
    let undone = world.run_command(&["distrust", &symbol, "--undo"]).await;
    assert!(undone.output.contains("no longer doubted"), "{}", undone.output);
    assert_eq!(world.run_command(&["distrust", &symbol, "--reason", "half its shares"]).await.code, 0);

    world.sync("doubted").await;
    assert_eq!(world.tiers(&symbol).await, ["mega_cap"]);
    assert_eq!(world.quarantine().await[0]["anomaly"], "distrusted");
    let used = "select symbol, reason, used_by_job from cache_sync_distrusts";
    assert_eq!(world.ask(used).await, [format!("{symbol} half its shares doubted")]);
    assert_eq!(world.run_command(&["distrust", &symbol, "--undo"]).await.code, 1);

    shares("1.8181818").await;
    world.close_next_day(&[]).await;
    world.sync("back").await;
    assert_eq!(world.tiers(&symbol).await, ["mega_cap"]);
    assert!(world.quarantine().await.is_empty());
    world.assert_history_is_consistent().await;
}
