//! Past days decided again are decided as they were, and nothing is written by looking.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::{World, background, stock};

/// A change of a membership: `date universe symbol action reason`.
type Changes = BTreeSet<String>;

impl World {
    /// What a replay says of each day, and its summary last.
    async fn replay(&self, args: &[&str]) -> Vec<Value> {
        let ran = self.run_command(&[&["replay", "--json"], args].concat()).await;
        assert_eq!(ran.code, 0, "{}", ran.remarks);
        ran.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every table of ours to the last byte, with who wrote each row.
    async fn all_tables(&self) -> Vec<String> {
        let tables = "select tablename from pg_tables where schemaname = 'public' order by tablename";
        let mut contents = Vec::new();
        for table in self.ask(tables).await {
            let sql = format!(
                "select '{table}', count(*), md5(coalesce(string_agg(concat(t.xmin, t.ctid, t::text), ',' order by t.ctid), ''))
                 from \"{table}\" t"
            );
            contents.extend(self.ask(&sql).await);
        }
        contents
    }

    /// What the syncs from a date on changed, as the audit has it.
    async fn recorded(&self, from: &str) -> Changes {
        let sql = format!(
            "select as_of, universe, symbol, action, reason from cache_sync_changes
             where as_of >= '{from}' and action <> 'held'"
        );
        self.ask(&sql).await.into_iter().collect()
    }

    /// The universes that the syncs from a date on held, by date.
    async fn recorded_holds(&self, from: &str) -> Vec<String> {
        self.ask(&format!(
            "select as_of, universe from cache_sync_changes where as_of >= '{from}' and action = 'held' order by 1, 2"
        ))
        .await
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

/// What a replay with `--all` says that the days changed.
fn replayed(days: &[Value]) -> Changes {
    let mut changes = Changes::new();
    for day in days {
        for universe in day["universes"].as_array().unwrap() {
            for change in universe["changes"].as_array().unwrap() {
                changes.insert(format!(
                    "{} {} {} {} {}",
                    text(day, "date"),
                    text(universe, "universe"),
                    text(change, "symbol"),
                    text(change, "action"),
                    text(change, "reason")
                ));
            }
        }
    }
    changes
}

fn replayed_holds(days: &[Value]) -> Vec<String> {
    let held = days.iter().flat_map(|day| {
        let universes = day["held_universes"].as_array().unwrap().iter();
        universes.map(|universe| format!("{} {}", text(day, "date"), universe.as_str().unwrap()))
    });
    held.collect()
}

/// Without quarantine, so that it is the guards that do not believe a crash.
const BELIEVING: [(&str, &str); 1] = [("guards.quarantine", "false")];

/// A week in which stocks rise and fall over the bounds of tiers, one is delisted and one leaves its window as a new
/// listing; on one day a dozen of large ones fall so far that the guards don't believe it, and on the next they are back.
async fn an_eventful_week(world: &World) -> Vec<String> {
    world.list(stock("NEWT").cap("12B").listed_days_ago(28)).await;
    world.list(stock("OLDT").cap("30B")).await;
    world.sql("update symbols set delisted_date = '2026-03-05' where symbol = 'OLDT'").await;
    world.sync("day-0").await;
    let mut days = vec![world.today().await.to_string()];
    let fallen: Vec<String> = (1..=12).map(background).collect();
    let up: Vec<(&str, f64)> = vec![("BG061", 1.1), ("BG013", 1.2)];
    let down: Vec<(&str, f64)> = vec![("BG060", 0.8), ("BG014", 0.56)];
    let crash: Vec<(&str, f64)> = fallen.iter().map(|symbol| (symbol.as_str(), 0.2)).collect();
    let back: Vec<(&str, f64)> = fallen.iter().map(|symbol| (symbol.as_str(), 5.0)).collect();
    for moves in [up, down, Vec::new(), crash, back, vec![("BG030", 1.3)]] {
        days.push(world.close_next_day(&moves).await.to_string());
        world.sync(&format!("day-{}", days.len() - 1)).await;
    }
    days
}

#[tokio::test]
async fn days_that_were_synced_one_by_one_are_replayed_to_the_same_history() {
    let world = World::with(&BELIEVING).await;
    let days = an_eventful_week(&world).await;
    let (first, last) = (&days[0], days.last().unwrap());
    assert!(!world.recorded_holds(first).await.is_empty(), "the crash was held");

    let mut told = world.replay(&["--from", first, "--to", last, "--all"]).await;
    let summary = told.pop().unwrap()["summary"].take();
    let dates: Vec<&str> = told.iter().map(|day| text(day, "date")).collect();
    assert_eq!(dates, days);
    assert_eq!(replayed(&told), world.recorded(first).await);
    assert_eq!(replayed_holds(&told), world.recorded_holds(first).await);
    assert_eq!((summary["planned"].as_u64(), summary["refused"].as_u64()), (Some(7), Some(0)));
    assert_eq!(summary["held"], 1, "{summary}");

    // From the middle on it begins with what history has of the evening before, the days since a hold included.
    for from in [&days[2], &days[5]] {
        let mut told = world.replay(&["--from", from, "--to", last, "--all"]).await;
        told.pop();
        assert_eq!(replayed(&told), world.recorded(from).await, "from {from}");
        assert_eq!(replayed_holds(&told), world.recorded_holds(from).await, "from {from}");
    }

    // Without the runs there is nothing but today's share counts, which here never changed.
    world.sql("delete from cache_sync_runs").await;
    let mut told = world.replay(&["--from", first, "--to", last, "--all"]).await;
    told.pop();
    assert_eq!(replayed(&told), world.recorded(first).await);
}

#[tokio::test]
async fn a_pin_counts_in_a_replay_from_the_day_on_that_it_was_made_on() {
    let world = World::filled().await;
    let (first, pinned) = (world.today().await.to_string(), background(130));
    let made = world.close_next_day(&[]).await.to_string();
    let ran = world.run_command(&["pin", &pinned, "top_100", "--reason", "watched"]).await;
    assert_eq!(ran.code, 0, "{}", ran.remarks);
    world.sync("second").await;
    let last = world.close_next_day(&[]).await.to_string();
    world.sync("third").await;

    let joining = format!("{made} top_100 {pinned} added pin");
    for (made_at, counts) in [(&made, true), (&last, false)] {
        // Days of the test are not those of the clock.
        world
            .sql(&format!("update cache_sync_pins set created_at = '{made_at} 09:00 America/New_York'"))
            .await;
        let mut told = world.replay(&["--from", &first, "--to", &last, "--all"]).await;
        told.pop();
        let changes = replayed(&told);
        assert_eq!(changes == world.recorded(&first).await, counts, "{changes:?}");
        assert_eq!(changes.contains(&joining), counts);
        assert_eq!(changes.contains(&joining.replace(&made, &last)), !counts);
    }
}

#[tokio::test]
async fn a_replay_writes_nothing_and_says_what_would_have_been_kept_back() {
    let world = World::with(&BELIEVING).await;
    let days = an_eventful_week(&world).await;
    // A day of which only part was imported, and one on which half of the market is gone.
    let part = world.close_part_of_next_day(60, &[]).await.to_string();
    let before = world.all_tables().await;
    let ran = world.run_command(&["replay", "--from", &days[0], "--to", "2026-12-31"]).await;
    assert_eq!((ran.code, ran.remarks.as_str()), (0, ""));
    assert_eq!(world.all_tables().await, before);
    for said in [
        "held: large_cap, mega_cap, micro_cap, mid_cap, small_cap: ",
        part.as_str(),
        "incomplete, so left out: 79 of 131 closes",
        "8 days: 7 planned; on 1 of them something held; 1 incomplete",
        "first fill: ",
        "nothing was written",
        &format!("Closes end on {part}"),
    ] {
        assert!(ran.output.contains(said), "{said:?} in {}", ran.output);
    }
}

#[tokio::test]
async fn what_the_guards_measured_agrees_with_what_they_kept_back() {
    let world = World::with(&BELIEVING).await;
    let days = an_eventful_week(&world).await;
    let crash = days[4].as_str();
    let told = world.replay(&["--from", &days[0], "--to", crash]).await;
    let exceeded = |day: &Value| -> Vec<String> {
        let measures = day["measures"].as_array().unwrap().iter();
        measures
            .filter(|measure| measure["exceeded"] == true)
            .map(|measure| format!("{} {}", text(measure, "guard"), text(measure, "universe")))
            .collect()
    };
    assert_eq!(exceeded(&told[4]), ["tier_churn mega_cap", "tier_churn large_cap"]);
    assert!(told[..4].iter().all(|day| exceeded(day).is_empty()));
    // With twice the bound for tiers half of it is believed, and with the guards open all.
    let wider = ["--from", crash, "--to", crash, "--set", "guards.tier_churn_pct=100"];
    let told = world.replay(&wider).await;
    assert_eq!(replayed_holds(&told[..1]), [""; 0]);
    let told = world.replay(&["--from", crash, "--to", crash, "--accept-churn"]).await;
    assert_eq!(replayed_holds(&told[..1]), [""; 0]);
    assert_eq!(exceeded(&told[0]).len(), 2, "what was too much is still told");
    let guard = &told[1]["summary"]["guards"]["tier_churn"];
    assert_eq!((guard["exceeded"].as_u64(), text(guard, "setting")), (Some(1), "guards.tier_churn_pct"));
}

#[tokio::test]
async fn a_day_that_would_be_refused_leaves_the_universes_to_the_next() {
    let world = World::filled().await;
    let first = world.today().await.to_string();
    let second = world.close_next_day(&[]).await.to_string();
    // Ten companies are delisted at once, and two days later it was a mistake for all of them.
    world.sql(&format!("update symbols set delisted_date = '{second}' where symbol > 'BG120'")).await;
    let told = world.replay(&["--from", &first, "--to", &second]).await;
    assert_eq!((text(&told[1], "status"), text(&told[1], "refusal")), ("refused", "active_drop"));
    assert_eq!(told[1]["measures"][0]["counted"], 10);
    assert_eq!(told[2]["summary"]["refused"], 1);
    assert_eq!(told[2]["summary"]["guards"]["active_drop"]["exceeded"], 1);
}

#[tokio::test]
async fn a_span_without_a_day_is_refused_in_a_sentence() {
    let world = World::new().await;
    for (from, to, said) in [
        ("2026-03-03", "2026-03-02", "--from 2026-03-03 is after --to 2026-03-02"),
        ("2026-02-28", "2026-03-01", "there is no trading day from 2026-02-28 to 2026-03-01"),
    ] {
        let ran = world.run_command(&["replay", "--from", from, "--to", to]).await;
        assert_eq!(ran.code, 2);
        assert!(ran.remarks.contains(said), "{}", ran.remarks);
    }
}

/// A world whose bars reach back a week before the first sync, and the session of each day.
async fn synced_after_a_week() -> (World, Vec<String>) {
    let world = World::new().await;
    world.list(stock("OLDT").cap("30B")).await;
    let mut days = vec![world.today().await.to_string()];
    for moves in [vec![("BG061", 1.1)], vec![("BG060", 0.8)], Vec::new(), vec![("BG013", 1.2)]] {
        days.push(world.close_next_day(&moves).await.to_string());
    }
    world
        .sql(&format!(
            "update symbols set active = false, delisted_date = '{}' where symbol = 'OLDT'",
            days[2]
        ))
        .await;
    world.sync("first").await;
    (world, days)
}

#[tokio::test]
async fn backfilled_days_are_history_that_says_of_itself_that_it_was_reconstructed() {
    let (world, days) = synced_after_a_week().await;
    let recorded = "select * from universe_membership where not reconstructed order by id";
    let (rows, memberships) = (world.entries_fingerprint().await, world.ask(recorded).await);
    let ran = world.run_command(&["replay", "--from", &days[0], "--to", &days[3], "--backfill"]).await;
    assert_eq!(ran.code, 0, "{}", ran.remarks);
    assert!(ran.output.contains("reconstructed memberships up to "), "{}", ran.output);

    // What was there is as it was.
    assert_eq!(world.entries_fingerprint().await, rows);
    assert_eq!(world.ask(recorded).await, memberships);
    world.assert_history_is_consistent().await;
    // A member throughout has two memberships without a gap; the delisted one has ended where it did.
    let begins = &days[4];
    assert_eq!(
        world.history("large_cap", &background(30)).await,
        [format!("{} {begins} first_fill rule", days[0]), format!("{begins} - first_fill -")]
    );
    assert_eq!(
        world.history("large_cap", "OLDT").await,
        [format!("{} {} first_fill delisted", days[0], days[2])]
    );
    // Each day gives the set that was decided for it.
    let large = |day: String| {
        let world = &world;
        async move {
            let ran = world.run_command(&["universes", "large_cap", "--as-of", &day, "--json"]).await;
            serde_json::from_str::<Value>(&ran.output).unwrap()
        }
    };
    let (first, second) = (large(days[0].clone()).await, large(days[1].clone()).await);
    assert_eq!((&first["reconstructed"], &second["reconstructed"]), (&true.into(), &true.into()));
    let has = |members: &Value, symbol: &str| members["symbols"].as_array().unwrap().contains(&symbol.into());
    assert!(!has(&first, "BG061") && has(&second, "BG061") && has(&second, "OLDT"));
    assert_eq!(large(begins.clone()).await["reconstructed"], false);
    let ran = world.run_command(&["history", "OLDT"]).await;
    assert!(ran.output.contains("first_fill (reconstructed)"), "{}", ran.output);

    // It is a job like others, with its audit.
    let jobs = world
        .ask("select job_id, mode, status, as_of from cache_sync_jobs where triggered_by = 'backfill'")
        .await;
    let [job] = jobs.as_slice() else { panic!("{jobs:?}") };
    let (id, rest) = job.split_once(' ').unwrap();
    assert_eq!(rest, format!("full completed {}", days[3]));
    let audit = format!(
        "select count(*) from cache_sync_changes where job_id = '{id}' and symbol = 'OLDT' and action = 'removed'
         and as_of = '{}' and after ->> 'reconstructed' = 'true'",
        days[2]
    );
    assert!(world.count(&audit).await > 0);
    assert!(world.run_command(&["jobs", "show", id]).await.output.contains("reconstructed 4 days"));
    let undo = world.run_command(&["revert", id]).await;
    assert_eq!(undo.code, 1, "no row was written that could come back");
    // The next sync goes on as if nothing had been.
    world.close_next_day(&[]).await;
    assert_eq!(world.sync("second").await["total_changes"], "0");
    world.assert_history_is_consistent().await;
}

#[tokio::test]
async fn what_history_tells_already_is_never_backfilled() {
    let world = World::new().await;
    let today = world.today().await.to_string();
    let args = ["replay", "--from", "2026-02-27", "--to", "2026-02-27", "--backfill"];
    let ran = world.run_command(&args).await;
    assert_eq!((ran.code, ran.output.as_str()), (1, ""));
    assert!(ran.remarks.contains("nothing is recorded yet"), "{}", ran.remarks);
    world.sync("first").await;

    let before = world.all_tables().await;
    let ran = world.run_command(&["replay", "--from", "2026-02-27", "--to", &today, "--backfill"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.remarks.contains("--to 2026-02-27 at the latest"), "{}", ran.remarks);
    let ran = world.run_command(&[&args[..], &["--mode", "themes"]].concat()).await;
    assert!(ran.code == 1 && ran.remarks.contains("only whole days"), "{}", ran.remarks);
    assert_eq!(world.all_tables().await, before);

    assert_eq!(world.run_command(&args).await.code, 0);
    let once = world.all_tables().await;
    let ran = world.run_command(&args).await;
    assert_eq!(ran.code, 1);
    assert!(ran.remarks.contains("history tells of 2026-02-27 and later already"), "{}", ran.remarks);
    assert_eq!(world.all_tables().await, once, "twice is once");
}

#[tokio::test]
async fn a_backfill_that_breaks_off_leaves_nothing() {
    let (world, days) = synced_after_a_week().await;
    // The last table that is written refuses.
    world
        .sql(
            "create function refuse() returns trigger language plpgsql as $$ begin raise 'the disk is full'; end $$;
             create trigger refuse before insert on cache_sync_changes execute function refuse()",
        )
        .await;
    let before = world.all_tables().await;
    let ran = world.run_command(&["replay", "--from", &days[0], "--to", &days[3], "--backfill"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.remarks.contains("write reconstructed history"), "{}", ran.remarks);
    assert_eq!(world.all_tables().await, before);
}
