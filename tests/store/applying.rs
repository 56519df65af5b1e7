//! Applying plans: what is written, and what is not touched.

use cache_sync::domain::change::UniverseStatus;
use cache_sync::failure::Failure;
use cache_sync::plan::given::snapshot::StockState;
use cache_sync::plan::result::{Hold, Plan};
use cache_sync::store::Limits;
use cache_sync::store::lease::Lease;

use super::world::{World, cleanup, date, symbols};

const D1: &str = "2026-07-20";
const D2: &str = "2026-07-21";
const D3: &str = "2026-07-22";

async fn audit(world: &World, job: &str) -> Vec<String> {
    world
        .ask(&format!(
            "select universe, symbol, action, reason, task, after from cache_sync_changes where job_id = '{job}' order by id"
        ))
        .await
}

#[tokio::test]
async fn a_first_fill_writes_rows_history_and_audit() {
    let world = World::migrated().await;
    world
        .sql(
            "insert into symbols (symbol, type, active, cik, composite_figi, share_class_figi)
             values ('A', 'CS', true, '320193', 'BBG1', 'BBG2'), ('B', 'CS', true, null, 'BBG3', null)",
        )
        .await;
    let applied = world.sync("job-1", D1, &[("top_100", &["B", "A", "C", "D"]), ("top_500", &[])]).await;
    assert_eq!((applied.added, applied.removed, applied.rewritten, applied.opened), (4, 0, 2, 4));

    assert_eq!(
        world.ask("select universe, cache_type, content, updated_at at time zone 'UTC' from cache_entries order by 1").await,
        [
            "top_100 market_leader {\"count\": 4, \"symbols\": [\"B\", \"A\", \"C\", \"D\"], \"metadata\": {\"limit\": 4}, \
             \"last_updated\": \"2026-07-20T21:00:00.123Z\"} 2026-07-20 21:00:00.123",
            "top_500 market_leader {\"count\": 0, \"symbols\": [], \"metadata\": {\"limit\": 0}, \
             \"last_updated\": \"2026-07-20T21:00:00.123Z\"} 2026-07-20 21:00:00.123",
        ]
    );
    assert_eq!(
        world
            .ask(
                "select m.symbol, rank_at_entry, cap_at_entry, evidence, job_id, i.cik, i.figi, i.valid_from
                 from universe_membership m join cache_sync_instruments i on i.id = instrument_id
                 order by rank_at_entry limit 2"
            )
            .await,
        [
            "B 1 1000.00 {\"why\": \"it is large\"} job-1 - BBG3 2026-07-20",
            "A 2 1000.00 {\"why\": \"it is large\"} job-1 320193 BBG2 2026-07-20",
        ]
    );
    assert_eq!(
        audit(&world, "job-1").await[0],
        "top_100 B added first_fill market_cap_recalculation {\"cap\": 1000.00, \"why\": \"it is large\", \"rank\": 1}"
    );
    assert_eq!(
        world
            .ask(
                "select symbol_count, added, removed, total_market_cap, average_market_cap, status, detail, last_as_of,
                     held_runs, last_changed_at = last_synced_at, last_job_id
                 from cache_entries_metadata order by universe"
            )
            .await,
        [
            "4 4 0 4000.00 1000.00 ok {} 2026-07-20 0 t job-1",
            "0 0 0 0 - ok {} 2026-07-20 0 t job-1"
        ]
    );
    assert_eq!(
        world.ask("select as_of, mode, previous_entries from cache_sync_runs").await,
        ["2026-07-20 full {\"top_100\": null, \"top_500\": null}"]
    );
}

#[tokio::test]
async fn an_ordinary_day_closes_and_opens_what_changed_and_nothing_else() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A", "B"]), ("top_500", &["A"])]).await;
    let untouched = "select ctid, xmin, * from cache_entries where universe = 'top_500'";
    let before = world.ask(untouched).await;
    let applied = world.sync("job-2", D2, &[("top_100", &["C", "A"]), ("top_500", &["A"])]).await;
    assert_eq!((applied.added, applied.removed, applied.rewritten), (1, 1, 1));
    assert_eq!((applied.opened, applied.closed), (1, 1));
    assert_eq!(world.ask(untouched).await, before);
    assert_eq!(world.stored("top_100").await, ["C", "A"]);
    assert_eq!(
        world.intervals("top_100").await,
        ["A 2026-07-20 - first_fill -", "B 2026-07-20 2026-07-21 first_fill rule", "C 2026-07-21 - rule -"]
    );
    assert_eq!(
        audit(&world, "job-2").await,
        [
            "top_100 B removed rule market_cap_recalculation {\"why\": \"it is small\"}",
            "top_100 C added rule market_cap_recalculation {\"cap\": 1000.00, \"why\": \"it is large\", \"rank\": 1}",
        ]
    );
    assert_eq!(
        world
            .ask(
                "select universe, last_changed_at = last_synced_at, added, removed from cache_entries_metadata order by 1"
            )
            .await,
        ["top_100 t 1 1", "top_500 f 0 0"]
    );
    let previous = world.ask("select previous_entries from cache_sync_runs where job_id = 'job-2'").await;
    assert!(
        previous[0].contains("\"symbols\": [\"A\", \"B\"]") && !previous[0].contains("top_500"),
        "{previous:?}"
    );
}

#[tokio::test]
async fn a_sync_that_changes_nothing_does_not_touch_entries_history_or_audit() {
    let world = World::migrated().await;
    let wanted: [(&str, &[&str]); 2] = [("top_100", &["A", "B"]), ("top_500", &[])];
    world.sync("job-1", D1, &wanted).await;
    let portrait = "select ctid::text, xmin::text, e::text from cache_entries e
                    union all select ctid::text, xmin::text, m::text from universe_membership m
                    union all select ctid::text, xmin::text, c::text from cache_sync_changes c
                    union all select ctid::text, xmin::text, i::text from cache_sync_instruments i order by 1, 2, 3";
    let before = world.ask(portrait).await;
    let applied = world.sync("job-2", D2, &wanted).await;
    assert_eq!((applied.added, applied.removed, applied.rewritten), (0, 0, 0));
    assert_eq!(world.ask(portrait).await, before);
    assert_eq!(
        world
            .ask(
                "select last_as_of, last_changed_at < last_synced_at, last_job_id from cache_entries_metadata
                 where universe = 'top_100'"
            )
            .await,
        ["2026-07-21 t job-2"]
    );
    assert_eq!(
        world.ask("select job_id, previous_entries from cache_sync_runs order by id").await[1],
        "job-2 {}"
    );
}

#[tokio::test]
async fn a_new_order_alone_rewrites_the_row_and_is_no_change() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A", "B"])]).await;
    let applied = world.sync("job-2", D2, &[("top_100", &["B", "A"])]).await;
    assert_eq!((applied.added, applied.removed, applied.rewritten), (0, 0, 1));
    assert_eq!(world.stored("top_100").await, ["B", "A"]);
    assert!(audit(&world, "job-2").await.is_empty());
}

#[tokio::test]
async fn in_and_out_on_one_date_leaves_no_interval_but_both_facts() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A"])]).await;
    world.sync("job-2", D2, &[("top_100", &["A", "B"])]).await;
    let applied = world.sync("job-3", D2, &[("top_100", &["A"])]).await;
    assert_eq!(applied.closed, 1);
    assert_eq!(world.intervals("top_100").await, ["A 2026-07-20 - first_fill -"]);
    assert_eq!(
        world.ask("select symbol, action from cache_sync_changes where symbol = 'B' order by id").await,
        ["B added", "B removed"]
    );
}

#[tokio::test]
async fn out_and_in_on_one_date_continues_the_interval() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A", "B"])]).await;
    world.sync("job-2", D2, &[("top_100", &["A"])]).await;
    let applied = world.sync("job-3", D2, &[("top_100", &["A", "B"])]).await;
    assert_eq!(applied.opened, 1);
    assert_eq!(
        world.intervals("top_100").await,
        ["A 2026-07-20 - first_fill -", "B 2026-07-20 - first_fill -"]
    );
    world.sync("job-4", D2, &[("top_100", &["A"])]).await;
    assert_eq!(world.intervals("top_100").await[1], "B 2026-07-20 2026-07-21 first_fill rule");
}

#[tokio::test]
async fn a_return_on_a_later_date_opens_a_second_interval_of_the_same_instrument() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A", "B"])]).await;
    world.sync("job-2", D2, &[("top_100", &["A"])]).await;
    world.sync("job-3", D3, &[("top_100", &["A", "B"])]).await;
    assert_eq!(
        world.intervals("top_100").await[1..],
        ["B 2026-07-20 2026-07-21 first_fill rule", "B 2026-07-22 - rule -"]
    );
    assert_eq!(
        world.ask("select count(distinct instrument_id) from universe_membership where symbol = 'B'").await,
        ["1"]
    );
}

#[tokio::test]
async fn rows_that_were_there_are_adopted_without_a_change_and_leavers_have_no_history() {
    let world = World::migrated().await;
    world
        .sql(
            "insert into cache_entries (universe, content, cache_type)
             values ('top_100', '{\"symbols\": [\"A\", \"X\", \"A\"]}', 'market_leader')",
        )
        .await;
    let applied = world.sync("job-1", D1, &[("top_100", &["A", "B"])]).await;
    assert_eq!((applied.added, applied.adopted, applied.removed), (1, 1, 1));
    assert_eq!((applied.opened, applied.closed), (2, 0));
    assert_eq!(world.intervals("top_100").await, ["A 2026-07-20 - adopted -", "B 2026-07-20 - rule -"]);
    assert_eq!(
        world.ask("select symbol, action, reason from cache_sync_changes order by id").await,
        ["X removed rule", "B added rule"]
    );
    assert_eq!(
        world.ask("select previous_entries -> 'top_100' -> 'content' from cache_sync_runs").await,
        ["{\"symbols\": [\"A\", \"X\", \"A\"]}"]
    );
}

#[tokio::test]
async fn a_held_universe_keeps_its_date_and_shows_the_proposal() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A"])]).await;
    let hold = |plan: &mut Plan| {
        let universe = &mut plan.universes[0];
        universe.status = UniverseStatus::Held;
        universe.hold = Some(Hold {
            reason: "added 9 of 100".to_owned(),
            runs: 2,
            would_join: symbols(&["B"]),
            would_leave: symbols(&["A"]),
        });
    };
    let applied = world.sync_with("job-2", D2, &[("top_100", &["A"])], hold).await;
    assert_eq!((applied.held, applied.added, applied.rewritten), (1, 0, 0));
    let proposal =
        "{\"runs\": 2, \"reason\": \"added 9 of 100\", \"would_join\": [\"B\"], \"would_leave\": [\"A\"]}";
    assert_eq!(
        audit(&world, "job-2").await,
        [format!("top_100 - held added 9 of 100 market_cap_recalculation {proposal}")]
    );
    assert_eq!(
        world.ask("select status, detail, last_as_of, held_runs from cache_entries_metadata").await,
        [format!("held {proposal} 2026-07-20 2")]
    );
    world.sync("job-3", D3, &[("top_100", &["A"])]).await;
    assert_eq!(
        world.ask("select status, detail, last_as_of, held_runs from cache_entries_metadata").await,
        ["ok {} 2026-07-22 0"]
    );
}

#[tokio::test]
async fn foreign_rows_lose_exactly_the_given_elements() {
    let world = World::migrated().await;
    let rows = [
        (
            "plain",
            r#"{"count": 4, "symbols": ["A", "GONE", "B", "GONE"], "note": "GONE"}"#,
            r#"{"note": "GONE", "count": 2, "symbols": ["A", "B"]}"#,
        ),
        (
            "mixed",
            r#"{"count": 99, "symbols": [1, null, ["GONE"], {"x": "GONE"}, " GONE ", "GONE", true, 1.50]}"#,
            r#"{"count": 99, "symbols": [1, null, ["GONE"], {"x": "GONE"}, " GONE ", true, 1.50]}"#,
        ),
        ("worded", r#"{"count": "1", "symbols": ["GONE"]}"#, r#"{"count": "1", "symbols": []}"#),
        ("uncounted", r#"{"symbols": ["GONE", "Ä\"'\\"]}"#, r#"{"symbols": ["Ä\"'\\"]}"#),
        ("fractional", r#"{"count": 1.0, "symbols": ["GONE"]}"#, r#"{"count": 0, "symbols": []}"#),
    ];
    let malformed = [
        ("bare", r#"["GONE"]"#),
        ("text", r#""GONE""#),
        ("nothing", "null"),
        ("object", r#"{"symbols": {"GONE": 1}}"#),
        ("bystander", r#"{"symbols": ["GONE"]}"#),
    ];
    for (name, content, _) in rows {
        world
            .sql(&format!(
                "insert into cache_entries (universe, content) values ('{name}', '{}')",
                content.replace('\'', "''")
            ))
            .await;
    }
    for (name, content) in malformed {
        world
            .sql(&format!("insert into cache_entries (universe, content) values ('{name}', '{content}')"))
            .await;
    }
    let untouched = "select ctid, xmin, e.* from cache_entries e
                     where universe in ('bare', 'text', 'nothing', 'object', 'bystander') order by universe";
    let before = world.ask(untouched).await;

    let wanted: [(&str, &[&str]); 1] = [("top_100", &["A"])];
    let clean = |plan: &mut Plan| {
        let to_clean =
            ["plain", "mixed", "worded", "uncounted", "fractional", "bare", "text", "nothing", "object"];
        plan.foreign = to_clean.map(|name| cleanup(name, &["GONE"])).to_vec();
    };
    let applied = world.sync_with("job-1", D1, &wanted, clean).await;
    assert_eq!(applied.foreign_removed, 9);
    assert_eq!(world.ask(untouched).await, before);
    for (name, _, after) in rows {
        let found = world
            .ask(&format!(
                "select content = '{}'::jsonb, content::text, updated_at at time zone 'UTC' from cache_entries
                 where universe = '{name}'",
                after.replace('\'', "''")
            ))
            .await;
        assert!(
            found[0].starts_with("t ") && found[0].ends_with("2026-07-20 21:00:00.123"),
            "{name}: {found:?}"
        );
    }
    assert_eq!(
        world
            .ask("select symbol, action, reason, task from cache_sync_changes where universe = 'plain'")
            .await,
        ["GONE removed delisted delisted_cleanup"]
    );
}

#[tokio::test]
async fn another_writer_of_a_row_makes_the_apply_a_conflict() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A"])]).await;
    let mut client = world.dedicated().await;
    let lease = Lease::acquire(&mut client, Limits::default()).await.unwrap();
    let snapshot = world.snapshot(lease.transaction(), D2, &[("top_100", &["B"])]).await;
    world.sql("update cache_entries set content = '{}' where universe = 'top_100'").await;
    let failure = world.try_apply(&lease, "job-2", &snapshot, D2, &[("top_100", &["B"])]).await.unwrap_err();
    assert!(matches!(failure, Failure::Conflict { .. }), "{failure:?}");
}

#[tokio::test]
async fn an_apply_that_is_not_committed_leaves_nothing() {
    let world = World::migrated().await;
    let mut client = world.dedicated().await;
    let lease = Lease::acquire(&mut client, Limits::default()).await.unwrap();
    let snapshot = world.snapshot(lease.transaction(), D1, &[("top_100", &["A"])]).await;
    world.try_apply(&lease, "job-1", &snapshot, D1, &[("top_100", &["A"])]).await.unwrap();
    drop(lease);
    drop(client);
    for table in ["cache_entries", "universe_membership", "cache_sync_changes", "cache_sync_runs"] {
        assert_eq!(world.ask(&format!("select count(*) from {table}")).await, ["0"], "{table}");
    }
}

#[tokio::test]
async fn thirty_runs_are_kept_and_what_they_saw_comes_back() {
    let world = World::migrated().await;
    let wanted: [(&str, &[&str]); 1] = [("top_100", &["A"])];
    for n in 0..33 {
        world.sync(&format!("job-{n}"), D1, &wanted).await;
    }
    assert_eq!(world.ask("select count(*), min(job_id) from cache_sync_runs").await, ["30 job-10"]);
    let stock = StockState {
        symbol: symbols(&["A"])[0].clone(),
        cap_cents: Some(1_500_000_000_000_000),
        close_dollars: Some(743_500.25),
        shares: None,
        sector: cache_sync::domain::sector::Sector::from_text("energy"),
    };
    let seen = |plan: &mut Plan| {
        plan.run.stocks = vec![stock.clone()];
        plan.run.closes = 4_321;
    };
    world.sync_with("job-x", D2, &wanted, seen).await;
    let run = world.read_state(D3, &["top_100"]).await.last_run.unwrap();
    assert_eq!((run.as_of, run.active_stocks, run.closes), (date(D2), 3, 4_321));
    assert_eq!(run.stocks, std::slice::from_ref(&stock));

    // A run that saw the same stocks has them too, and one that saw others has those.
    world.sync_with("job-y", D3, &wanted, seen).await;
    let run = world.read_state(D3, &["top_100"]).await.last_run.unwrap();
    assert_eq!((run.as_of, run.stocks), (date(D3), vec![stock.clone()]));
    world.sync_with("job-z", D3, &wanted, |plan| plan.run.stocks = vec![stock.clone(), stock.clone()]).await;
    assert_eq!(world.read_state(D3, &["top_100"]).await.last_run.unwrap().stocks.len(), 2);
}

#[tokio::test]
async fn more_changes_than_a_batch_holds_all_arrive() {
    let world = World::migrated().await;
    let many: Vec<String> = (0..1_000).map(|n| format!("S{n:04}")).collect();
    let members: Vec<&str> = many.iter().map(String::as_str).collect();
    let applied = world.sync("job-1", D1, &[("all_stocks", &members)]).await;
    assert_eq!((applied.added, applied.opened), (1_000, 1_000));
    assert!(world.history_equals_entries("all_stocks").await);
}
