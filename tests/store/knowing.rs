//! What history knew when: the application's screens of the past, and sets that a backtest may use.

use std::collections::BTreeMap;

use cache_sync::domain::change::UniverseStatus;
use cache_sync::domain::symbol::Symbol;
use cache_sync::plan::result::{Hold, Plan};
use cache_sync::store::Limits;
use cache_sync::store::history::{When, overlapping, symbol_history, universe_members};
use chrono::{DateTime, Days, TimeDelta, Utc};

use super::world::{World, date, evening_of};

const UNIVERSES: [&str; 2] = ["top_100", "top_500"];
const SYMBOLS: [&str; 6] = ["A", "B", "C", "D", "E", "F"];

/// Numbers that are the same at every run of a test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        // The constants of Knuth's MMIX; its high bits are good enough to shuffle a test.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn some_symbols(&mut self) -> Vec<&'static str> {
        SYMBOLS.into_iter().filter(|_| self.below(2) == 0).collect()
    }
}

async fn members(world: &World, universe: &str, when: When) -> Vec<String> {
    let mut client = world.dedicated().await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    let members = universe_members(&tx, &world.entries, universe, when).await.unwrap().unwrap_or_default();
    members.into_iter().map(|member| member.symbol).collect()
}

fn known_at(moment: DateTime<Utc>) -> When {
    When { as_of: None, known_at: Some(moment) }
}

fn held(plan: &mut Plan) {
    let universe = &mut plan.universes[1];
    universe.status = UniverseStatus::Held;
    let hold =
        Hold { reason: "doubtful".to_owned(), runs: 1, would_join: Vec::new(), would_leave: Vec::new() };
    universe.hold = Some(hold);
}

/// What stood in the rows after each run and after the last run of each day, whatever happened since.
async fn tell_what_was_shown(seed: u64) {
    let world = World::migrated().await;
    let mut dice = Dice(seed);
    let mut day = date("2026-07-20");
    let mut now = evening_of("2026-07-20");
    let mut jobs: Vec<String> = Vec::new();
    let mut shown: Vec<(DateTime<Utc>, &str, Vec<String>)> = Vec::new();
    let mut saved: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    for run in 0..24 {
        let job = format!("job-{run}");
        now += TimeDelta::seconds(7);
        let is_new_day = dice.below(3) == 0;
        if is_new_day {
            day = day + Days::new(1);
            now = evening_of(&day.to_string());
        }
        let as_of = day.to_string();
        if !jobs.is_empty() && !is_new_day && dice.below(4) == 0 {
            let target = jobs[dice.below(jobs.len() as u64) as usize].clone();
            if world.revert_at(&job, &target, now).await {
                world.note_job(&job, &as_of, now).await;
                jobs.push(job);
            }
        } else {
            let (first, second) = (dice.some_symbols(), dice.some_symbols());
            let kept: Vec<String> = world.stored("top_500").await;
            let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
            let is_held = !jobs.is_empty() && dice.below(4) == 0;
            let second = if is_held { &kept[..] } else { &second[..] };
            let wanted = [("top_100", &first[..]), ("top_500", second)];
            let adjust = |plan: &mut Plan| {
                if is_held {
                    held(plan);
                }
            };
            world.sync_at(&job, &as_of, now, &wanted, adjust).await;
            world.note_job(&job, &as_of, now).await;
            jobs.push(job);
        }
        for universe in UNIVERSES {
            let mut stored = world.stored(universe).await;
            stored.sort();
            shown.push((now, universe, stored.clone()));
            saved.insert((as_of.clone(), universe), stored);
        }
    }
    for (moment, universe, stored) in &shown {
        let known = members(&world, universe, known_at(*moment)).await;
        assert_eq!(&known, stored, "{universe} at {moment}, seed {seed}");
        let mut by_symbol = Vec::new();
        let mut client = world.dedicated().await;
        let tx = client.begin_read_only(Limits::default()).await.unwrap();
        for symbol in SYMBOLS {
            let symbol = Symbol::parse(symbol).unwrap();
            let memberships = symbol_history(&tx, &symbol, Some(*moment)).await.unwrap();
            let is_open = memberships.iter().any(|m| m.universe == *universe && m.valid_to.is_none());
            by_symbol.extend(is_open.then(|| symbol.to_string()));
        }
        assert_eq!(&by_symbol, stored, "by symbol, {universe} at {moment}, seed {seed}");
    }
    for ((day, universe), stored) in &saved {
        let when = When { as_of: Some(date(day)), known_at: None };
        assert_eq!(&members(&world, universe, when).await, stored, "{universe} as of {day}, seed {seed}");
    }
    let mut client = world.dedicated().await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    assert!(overlapping(&tx, 5).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_shown_after_every_run_and_saved_on_every_day_is_known_for_ever() {
    for seed in 1..=6 {
        tell_what_was_shown(seed).await;
    }
}

#[tokio::test]
async fn an_end_without_a_time_has_that_of_the_audit_of_its_job() {
    let world = World::migrated().await;
    world.sync("job-1", "2026-07-20", &[("top_100", &["A", "B"])]).await;
    world.sync("job-2", "2026-07-21", &[("top_100", &["A"])]).await;
    // As the version before wrote it.
    world.sql("update universe_membership set exit_recorded_at = null").await;
    let evening = evening_of("2026-07-21");
    let before = known_at(evening - TimeDelta::seconds(1));
    assert_eq!(members(&world, "top_100", before).await, ["A", "B"]);
    assert_eq!(members(&world, "top_100", known_at(evening)).await, ["A"]);
}

#[tokio::test]
async fn a_date_as_it_was_known_before_it_was_corrected() {
    let world = World::migrated().await;
    let evening = evening_of("2026-07-21");
    world.sync("job-1", "2026-07-20", &[("top_100", &["A", "B"])]).await;
    world.sync("job-2", "2026-07-21", &[("top_100", &["A"])]).await;
    let later = evening + TimeDelta::hours(1);
    world.sync_at("job-3", "2026-07-21", later, &[("top_100", &["B", "C"])], |_| {}).await;
    let on = |day: &str, moment| When { as_of: Some(date(day)), known_at: Some(moment) };
    assert_eq!(members(&world, "top_100", on("2026-07-21", evening)).await, ["A"]);
    assert_eq!(members(&world, "top_100", on("2026-07-21", later)).await, ["B", "C"]);
    assert_eq!(members(&world, "top_100", on("2026-07-20", evening)).await, ["A", "B"]);
    let long_ago = evening_of("2026-07-19");
    assert!(members(&world, "top_100", known_at(long_ago)).await.is_empty());
}

#[tokio::test]
async fn rows_grow_with_changes_and_not_with_days() {
    let world = World::migrated().await;
    let count = "select (select count(*) from universe_membership), (select count(*) from cache_sync_changes),
                        (select count(*) from cache_sync_retractions), (select count(*) from cache_sync_instruments)";
    world.sync("job-0", "2026-07-01", &[("top_100", &["A", "B"])]).await;
    let once = world.ask(count).await;
    for day in 2..=20 {
        world.sync(&format!("job-{day}"), &format!("2026-07-{day:02}"), &[("top_100", &["B", "A"])]).await;
    }
    assert_eq!(world.ask(count).await, once);
    world.sync("job-x", "2026-07-21", &[("top_100", &["A", "C"])]).await;
    assert_eq!((once[0].as_str(), world.ask(count).await[0].as_str()), ("2 2 0 2", "3 4 0 3"));
}

#[tokio::test]
async fn a_backtest_gets_the_set_of_the_session_before() {
    let world = World::migrated().await;
    let days: [(&str, &[&str]); 4] = [
        ("2026-07-20", &["A", "B"]),
        ("2026-07-21", &["B", "C"]),
        ("2026-07-22", &[]),
        ("2026-07-23", &["A"]),
    ];
    for (n, (day, wanted)) in days.iter().enumerate() {
        world.sync(&format!("job-{n}"), day, &[("top_100", *wanted), ("top_500", &["Z"])]).await;
    }
    let expected = [
        ("2026-07-20", ""),
        ("2026-07-21", "A B"),
        ("2026-07-22", "B C"),
        ("2026-07-23", ""),
        ("2026-07-24", "A"),
        ("2026-07-27", "A"),
    ];
    for (session, wanted) in expected {
        let wanted: Vec<&str> = wanted.split_whitespace().collect();
        let called = format!("select symbol from universe_members_before('top_100', '{session}')");
        assert_eq!(world.ask(&called).await, wanted, "{session}");
        let viewed = format!(
            "select symbol from universe_sessions where universe = 'top_100' and sessions @> date '{session}' order by 1"
        );
        assert_eq!(world.ask(&viewed).await, wanted, "{session}");
    }
    assert_eq!(
        world
            .ask("select symbol, sessions from universe_sessions where universe = 'top_100' order by 1, 2")
            .await,
        [
            "A [2026-07-21,2026-07-22)",
            "A [2026-07-24,)",
            "B [2026-07-21,2026-07-23)",
            "C [2026-07-22,2026-07-23)"
        ]
    );
}

#[tokio::test]
async fn function_and_view_find_our_tables_from_every_schema() {
    let world = World::with_market().await;
    let mine = world.in_schema("mine");
    mine.migrate().await.unwrap();
    world.sql(
        "insert into mine.universe_membership (universe, symbol, instrument_id, valid_from, entry_reason, job_id, recorded_at)
         values ('top_100', 'A', 1, '2026-07-20', 'rule', 'job', now())",
    )
    .await;
    world.sql("create table universe_membership (universe text, symbol text)").await;
    let called = "select symbol from mine.universe_members_before('top_100', '2026-07-21')";
    assert_eq!(world.ask(called).await, ["A"]);
    assert_eq!(world.ask("select symbol, sessions from mine.universe_sessions").await, ["A [2026-07-21,)"]);
}

#[tokio::test]
async fn overlaps_that_another_hand_made_are_found() {
    let world = World::migrated().await;
    world.sync("job-1", "2026-07-20", &[("top_100", &["A", "B"])]).await;
    world.sync("job-2", "2026-07-22", &[("top_100", &["A"])]).await;
    world.sync("job-3", "2026-07-23", &[("top_100", &["A", "B"])]).await;
    let mut client = world.dedicated().await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    assert!(overlapping(&tx, 5).await.unwrap().is_empty(), "an end and a beginning may touch");
    drop(tx);
    world.sql("update universe_membership set valid_to = '2026-07-24' where symbol = 'B' and valid_to is not null").await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    assert_eq!(overlapping(&tx, 5).await.unwrap(), ["B in top_100 from 2026-07-20 beyond 2026-07-23"]);
}
