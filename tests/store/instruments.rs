//! Who goes by which symbol, as it is written down.

use cache_sync::domain::change::ExitReason;
use cache_sync::domain::identity::{Identity, SameBy};
use cache_sync::domain::symbol::Symbol;
use cache_sync::plan::market::identity::IdentityChange;
use cache_sync::plan::result::{Joined, Left, Plan, Renamed};

use super::world::{World, evening_of};

const D1: &str = "2026-07-20";
const D2: &str = "2026-07-21";
const D3: &str = "2026-07-22";

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).unwrap()
}

fn identity(figi: &str) -> Identity {
    Identity { share_class_figi: Some(figi.to_owned()), kind: "CS".to_owned(), ..Identity::default() }
}

/// Makes every join and leave between these two symbols of every universe a rename.
fn rename(plan: &mut Plan, from: &str, to: &str, figi: &str) {
    for universe in &mut plan.universes {
        let Some(at) = universe.left.iter().position(|left| left.symbol.as_str() == from) else { continue };
        universe.left.remove(at);
        let at = universe.joined.iter().position(|joined| joined.symbol.as_str() == to).unwrap();
        let Joined { symbol, rank, cap, why, .. } = universe.joined.remove(at);
        let from = Symbol::parse(from).unwrap();
        universe.renamed.push(Renamed { from, symbol, by: SameBy::ShareClassFigi, rank, cap, why });
    }
    plan.identities.push(IdentityChange::Renamed {
        from: symbol(from),
        symbol: symbol(to),
        identity: identity(figi),
    });
}

/// Ends and begins the membership of a symbol that has another owner now.
fn reuse(plan: &mut Plan, of: &str, figi: &str) {
    for universe in &mut plan.universes {
        if !universe.members.contains(&symbol(of)) {
            continue;
        }
        let (task, why) = (universe.task, "its ticker is another company's now".into());
        universe.left.push(Left { symbol: symbol(of), reason: ExitReason::Missing, task, cap: None, why });
        universe.joined.push(Joined {
            symbol: symbol(of),
            reason: cache_sync::domain::change::EntryReason::Rule,
            task,
            rank: 1,
            cap: None,
            why: "it is large".into(),
        });
    }
    plan.identities.push(IdentityChange::Reused { symbol: symbol(of), identity: identity(figi) });
}

impl World {
    /// `symbol figi from to lineage` by symbol and date.
    async fn instruments(&self) -> Vec<String> {
        self.ask(
            "select symbol, share_class_figi, valid_from, valid_to, coalesce(lineage_id, id)
             from cache_sync_instruments order by symbol, valid_from, id",
        )
        .await
    }
}

#[tokio::test]
async fn a_rename_ends_the_old_symbol_and_begins_the_new_one_in_one_lineage() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A", "B"]), ("top_500", &["A"])]).await;
    let applied = world
        .sync_with("job-2", D2, &[("top_100", &["C", "B"]), ("top_500", &["C"])], |plan| {
            rename(plan, "A", "C", "S1");
        })
        .await;
    assert_eq!((applied.renamed, applied.added, applied.removed), (2, 0, 0));
    assert_eq!((applied.opened, applied.closed), (2, 2));
    assert_eq!(
        world.intervals("top_100").await,
        [
            "A 2026-07-20 2026-07-21 first_fill missing",
            "B 2026-07-20 - first_fill -",
            "C 2026-07-21 - first_fill -"
        ]
    );
    assert_eq!(
        world.instruments().await,
        ["A - 2026-07-20 2026-07-21 1", "B - 2026-07-20 - 2", "C S1 2026-07-21 - 1"]
    );
    assert_eq!(
        world
            .ask(
                "select universe, symbol, action, reason, before, after from cache_sync_changes
                 where job_id = 'job-2' order by 1"
            )
            .await,
        [
            "top_100 C renamed share_class_figi {\"symbol\": \"A\"} {\"symbol\": \"C\"}",
            "top_500 C renamed share_class_figi {\"symbol\": \"A\"} {\"symbol\": \"C\"}"
        ]
    );
    assert_eq!(
        world
            .ask("select evidence from universe_membership where symbol = 'C' and universe = 'top_100'")
            .await,
        ["{\"why\": \"it is large\", \"renamed_from\": \"A\"}"]
    );
    assert_eq!(
        world
            .ask("select added, removed, last_changed_at = last_synced_at from cache_entries_metadata")
            .await,
        ["1 1 t", "1 1 t"]
    );
}

#[tokio::test]
async fn renamed_and_back_on_one_date_is_as_if_nothing_had_been() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A", "B"])]).await;
    let (intervals, instruments) = (world.intervals("top_100").await, world.instruments().await);
    world.sync_with("job-2", D2, &[("top_100", &["C", "B"])], |plan| rename(plan, "A", "C", "S1")).await;
    let later = evening_of(D2) + chrono::TimeDelta::minutes(1);
    world.sync_at("job-3", D2, later, &[("top_100", &["A", "B"])], |plan| rename(plan, "C", "A", "S1")).await;
    assert_eq!(world.intervals("top_100").await, intervals);
    let known: Vec<String> = instruments.iter().map(|line| line.replacen("A -", "A S1", 1)).collect();
    assert_eq!(world.instruments().await, known, "but for what is known of it now");
}

#[tokio::test]
async fn a_swap_exchanges_the_lineages_and_keeps_both_memberships() {
    for (days, to) in [([D1, D2], "2026-07-21"), ([D1, D1], "")] {
        let world = World::migrated().await;
        world.sync("job-1", days[0], &[("top_100", &["A", "B"]), ("top_500", &["A"])]).await;
        let swap = |plan: &mut Plan| {
            rename(plan, "A", "B", "S1");
            rename(plan, "B", "A", "S2");
            let both = &mut plan.universes[0];
            both.joined.clear();
            both.left.clear();
            for (from, to) in [("A", "B"), ("B", "A")] {
                both.renamed.push(Renamed {
                    from: symbol(from),
                    symbol: symbol(to),
                    by: SameBy::ShareClassFigi,
                    rank: 1,
                    cap: None,
                    why: "".into(),
                });
            }
        };
        let later = evening_of(days[1]) + chrono::TimeDelta::minutes(1);
        world.sync_at("job-2", days[1], later, &[("top_100", &["B", "A"]), ("top_500", &["B"])], swap).await;
        assert!(
            world.history_equals_entries("top_100").await && world.history_equals_entries("top_500").await
        );
        let now = world
            .ask(
                "select symbol, share_class_figi, coalesce(lineage_id, id) from cache_sync_instruments
                  where valid_to is null order by 1",
            )
            .await;
        assert_eq!(now, ["A S2 2", "B S1 1"], "{to}");
        let open = world
            .ask("select m.universe, m.symbol, i.share_class_figi from universe_membership m
                  join cache_sync_instruments i on i.id = m.instrument_id where m.valid_to is null order by 1, 2")
            .await;
        assert_eq!(open, ["top_100 A S2", "top_100 B S1", "top_500 B S1"], "{to}");
    }
}

#[tokio::test]
async fn a_reused_ticker_begins_anew_and_is_not_taken_up_again() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["A", "B"])]).await;
    world.sync_with("job-2", D2, &[("top_100", &["A", "B"])], |plan| reuse(plan, "A", "S9")).await;
    let expected = [
        "A 2026-07-20 2026-07-21 first_fill missing",
        "A 2026-07-21 - rule -",
        "B 2026-07-20 - first_fill -",
    ];
    assert_eq!(world.intervals("top_100").await, expected);
    assert_eq!(
        world.instruments().await,
        ["A - 2026-07-20 2026-07-21 1", "A S9 2026-07-21 - 3", "B - 2026-07-20 - 2"]
    );
    // Out and in on that date is the new one's, and the interval of the old one stays ended.
    world.sync("job-3", D2, &[("top_100", &["B"])]).await;
    world.sync("job-4", D2, &[("top_100", &["A", "B"])]).await;
    assert_eq!(world.intervals("top_100").await, expected);
    world
        .sync_with("job-5", D3, &[("top_100", &["A", "B"])], |plan| {
            let known = Identity { cik: Some("7".to_owned()), ..identity("S9") };
            plan.identities.push(IdentityChange::Completed { symbol: symbol("A"), identity: known });
            plan.identities
                .push(IdentityChange::Reorganised { symbol: symbol("B"), identity: identity("S2") });
        })
        .await;
    assert_eq!(
        world
            .ask(
                "select symbol, cik, figi, valid_from, coalesce(lineage_id, id) from cache_sync_instruments
                   where valid_to is null order by 1"
            )
            .await,
        ["A 7 S9 2026-07-21 3", "B - S2 2026-07-22 2"]
    );
}

#[tokio::test]
async fn one_that_joined_and_was_renamed_on_one_date_keeps_its_reason() {
    let world = World::migrated().await;
    world.sync("job-1", D1, &[("top_100", &["B"])]).await;
    world.sync("job-2", D2, &[("top_100", &["B", "A"])]).await;
    let later = evening_of(D2) + chrono::TimeDelta::minutes(1);
    world.sync_at("job-3", D2, later, &[("top_100", &["B", "C"])], |plan| rename(plan, "A", "C", "S1")).await;
    assert_eq!(world.intervals("top_100").await, ["B 2026-07-20 - first_fill -", "C 2026-07-21 - rule -"]);
    assert_eq!(world.instruments().await, ["B - 2026-07-20 - 1", "C S1 2026-07-21 - 2"]);
}
