//! What holds for every market, tried on a thousand made ones each.

use std::collections::{BTreeMap, BTreeSet};

use cache_sync::domain::change::{EntryReason, ExitReason, UniverseStatus};
use cache_sync::domain::security::{Close, Security};
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::{Mode, SyncTask};
use cache_sync::plan::Order;
use cache_sync::plan::draft::measure::Guard;
use cache_sync::plan::given::notice::Refusal;
use cache_sync::plan::given::policy::Policy;
use cache_sync::plan::given::snapshot::{ForeignRow, Snapshot};
use cache_sync::plan::members::universes::Universe;
use cache_sync::plan::replay::history::Chronicle;
use cache_sync::plan::result::Plan;
use chrono::{Days, NaiveDate, TimeDelta};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use crate::oracle::{self, RANKINGS, Row};
use crate::world;

/// A Tuesday, as the oracle wants it.
pub(crate) const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 7, 21).expect("a date");

/// Dollars around which a cap decides something.
const BOUNDS: [i64; 6] =
    [50_000_000, 300_000_000, 2_000_000_000, 10_000_000_000, 200_000_000_000, 15_000_000_000_000];

/// A thousand markets each, unless `PROPTEST_CASES` says otherwise.
fn config() -> ProptestConfig {
    let given = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { 1_000 };
    ProptestConfig { cases, ..given }
}

fn policy() -> Policy {
    Policy { rankings: RANKINGS.map(world::ranking).into(), ..world::policy() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn members_are_those_of_the_oracle(rows in market()) {
        let plan = planned(&snapshot(&rows), Mode::Full, true);
        prop_assert_eq!(world::members(&plan), oracle::universes(&rows));
    }

    #[test]
    fn tiers_part_the_stocks_that_are_large_enough(rows in market()) {
        let plan = planned(&snapshot(&rows), Mode::Full, true);
        let members = world::members(&plan);
        let tiers = ["mega_cap", "large_cap", "mid_cap", "small_cap", "micro_cap"];
        let in_tiers: Vec<&String> = tiers.iter().flat_map(|tier| &members[*tier]).collect();
        let once: BTreeSet<&String> = in_tiers.iter().copied().collect();
        prop_assert_eq!(in_tiers.len(), once.len());
        let cap = |symbol: &String| {
            oracle::cap_cents(rows.iter().find(|row| row.symbol == *symbol).expect("a row"))
        };
        let enough: BTreeSet<&String> = members["all_stocks"]
            .iter()
            .filter(|symbol| cap(symbol).is_some_and(|cents| cents >= 5_000_000_000))
            .collect();
        prop_assert_eq!(once, enough);
        prop_assert_eq!(plan.counts.below_tiers + in_tiers.len(), plan.counts.ranked);
    }

    #[test]
    fn rankings_nest_and_begin_alike(rows in market()) {
        let members = world::members(&planned(&snapshot(&rows), Mode::Full, true));
        for pair in RANKINGS.windows(2) {
            let (smaller, larger) = (&members[&format!("top_{}", pair[0])], &members[&format!("top_{}", pair[1])]);
            prop_assert!(larger.starts_with(smaller));
            prop_assert!(members["all_stocks"].starts_with(larger));
        }
    }

    #[test]
    fn planning_what_was_applied_changes_nothing(rows in market(), next in market()) {
        let first = snapshot(&rows);
        let second = world::applied(&first, &planned(&first, Mode::Full, true), securities(&next));
        let third = world::applied(&second, &planned(&second, Mode::Full, true), securities(&next));
        for mode in [Mode::Full, Mode::MarketCap, Mode::Delisted] {
            let again = planned(&Snapshot { foreign: Vec::new(), ..third.clone() }, mode, false);
            prop_assert_eq!(again.total_changes(), 0);
            for universe in &again.universes {
                prop_assert!(!universe.rewrite && universe.joined.is_empty() && universe.hold.is_none());
            }
        }
    }

    #[test]
    fn the_order_of_rows_never_matters((rows, shuffled) in shuffled_market(), day_before in market()) {
        let first = snapshot(&day_before);
        let first_plan = planned(&first, Mode::Full, true);
        let plans = [rows, shuffled].map(|rows| {
            let second = world::applied(&first, &first_plan, securities(&rows));
            attempt(&second, Mode::Full, false)
        });
        prop_assert_eq!(&plans[0], &plans[1]);
    }

    #[test]
    fn changes_are_the_difference_with_the_reasons_of_the_oracle(was in market(), now in market()) {
        let first = snapshot(&was);
        let second = world::applied(&first, &planned(&first, Mode::Full, true), securities(&now));
        let plan = planned(&second, Mode::Full, true);
        let before = oracle::universes(&was);
        for universe in &plan.universes {
            let key = |text: &str| text.replace(['/', '-'], ".");
            let old: BTreeSet<String> = before[universe.name.as_str()].iter().map(|symbol| key(symbol)).collect();
            let new: BTreeSet<String> = universe.members.iter().map(|symbol| key(symbol.as_str())).collect();
            let joined: BTreeSet<String> = universe.joined.iter().map(|joined| key(joined.symbol.as_str())).collect();
            let left: BTreeSet<String> = universe.left.iter().map(|left| key(left.symbol.as_str())).collect();
            prop_assert_eq!(joined.len() + left.len(), universe.changes());
            prop_assert_eq!(joined, new.difference(&old).cloned().collect::<BTreeSet<_>>());
            prop_assert_eq!(left, old.difference(&new).cloned().collect::<BTreeSet<_>>());
            for joined in &universe.joined {
                prop_assert_eq!(&universe.members[joined.rank - 1], &joined.symbol);
            }
            for left in &universe.left {
                let expected = oracle::exit_reason(&now, universe.name.as_str(), left.symbol.as_str());
                prop_assert_eq!(left.reason.as_str(), expected);
                prop_assert_eq!(left.task == SyncTask::DelistedCleanup, left.reason == ExitReason::Delisted);
            }
        }
        let by_task: usize = plan.tasks.iter().map(|report| report.changes).sum();
        prop_assert_eq!(by_task, plan.total_changes());
    }

    #[test]
    fn guards_hold_and_refuse_exactly_what_the_oracle_does_not_believe((was, now) in calm_days()) {
        let first = yesterday(&snapshot(&was));
        let second = Snapshot { securities: securities(&now), ..first };
        let plan = attempt(&second, Mode::Full, false);
        prop_assert_eq!(plan.is_ok(), oracle::is_believed_as_a_whole(&was, &now), "{:?}", plan.err());
        let Ok(plan) = plan else { return Ok(()) };
        let (before, wanted) = (oracle::universes(&was), oracle::universes(&now));
        let verdict = |name: &String| oracle::is_believed(&now, name, &before[name], &wanted[name]);
        let sectors_believed = oracle::are_sectors_believed(&was, &now);
        let believed: BTreeMap<&String, bool> = wanted.keys().map(|name| (name, verdict(name))).collect();
        for universe in &plan.universes {
            let name = universe.name.as_str();
            let group = oracle::together_with(name);
            let by_sector = universe.cache_type.as_str() == "sector_leader";
            let sectors_hold = by_sector && !sectors_believed;
            let is_held = sectors_hold || !group.iter().all(|name| believed[name]);
            prop_assert_eq!(universe.status == UniverseStatus::Held, is_held, "{}: {:?}", name, universe.hold);
            prop_assert_eq!(universe.hold.is_some(), is_held);
            // What a guard measured says the same.
            let exceeds = |name: &String| {
                plan.measures.iter().any(|measure| {
                    measure.is_exceeded() && measure.universe.as_ref().is_some_and(|of| of.as_str() == *name)
                })
            };
            let sectors_exceed =
                plan.measures.iter().any(|measure| measure.guard == Guard::SectorsChanged && measure.is_exceeded());
            prop_assert_eq!((by_sector && sectors_exceed) || group.iter().any(exceeds), is_held, "{}", name);
        }
    }

    #[test]
    fn a_chronicle_has_on_every_day_the_members_of_that_day(markets in prop::collection::vec(market(), 1..4)) {
        let (mut state, mut chronicle, mut days) = (Snapshot::default(), Chronicle::default(), Vec::new());
        for (rows, later) in markets.iter().zip(0..) {
            state = Snapshot { securities: securities(rows), ..state };
            let order = Order { mode: Mode::Full, accept_churn: true, as_of: TODAY + Days::new(later) };
            let plan = cache_sync::plan::plan(&state, &policy(), &order, &mut |_| {}).expect("nothing is guarded");
            chronicle.add(&plan);
            state = world::applied(&state, &plan, Vec::new());
            days.push(plan);
        }
        let recorded = TODAY + Days::new(9);
        let history = chronicle.lead_up_to(recorded);
        prop_assert_eq!(history.days, days.len());
        let changes: usize = days.iter().map(Plan::total_changes).sum();
        prop_assert_eq!(history.changes.len(), changes);
        for plan in days {
            for universe in &plan.universes {
                let wanted: BTreeSet<String> = universe.members.iter().map(|symbol| symbol.key().into_owned()).collect();
                let found: Vec<String> = history.episodes.iter()
                    .filter(|episode| episode.universe == universe.name)
                    .filter(|episode| episode.valid_from <= plan.as_of && plan.as_of < episode.valid_to)
                    .map(|episode| episode.symbol.key().into_owned())
                    .collect();
                prop_assert_eq!(found.len(), wanted.len(), "no overlaps");
                prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted);
            }
        }
        for episode in &history.episodes {
            prop_assert!(episode.valid_from < episode.valid_to);
            prop_assert_eq!(episode.is_handed_over, episode.valid_to == recorded);
        }
    }

    #[test]
    fn a_held_universe_loses_the_delisted_and_nobody_else((was, now) in calm_days()) {
        let first = yesterday(&snapshot(&was));
        let second = Snapshot { securities: securities(&now), ..first };
        let Ok(plan) = attempt(&second, Mode::Full, false) else { return Ok(()) };
        for universe in plan.universes.iter().filter(|universe| universe.status == UniverseStatus::Held) {
            let prior = &second.universes[&universe.name].members;
            let is_delisted = |symbol: &&Symbol| {
                oracle::exit_reason(&now, universe.name.as_str(), symbol.as_str()) == "delisted"
            };
            let stay: Vec<&Symbol> = prior.iter().filter(|symbol| !is_delisted(symbol)).collect();
            prop_assert_eq!(universe.members.iter().collect::<Vec<_>>(), stay);
            prop_assert_eq!(universe.left.len(), prior.len() - universe.members.len());
            prop_assert!(universe.joined.is_empty());
            prop_assert_eq!(universe.rewrite, !universe.left.is_empty());
        }
    }

    #[test]
    fn the_modes_one_after_another_make_full(was in market(), now in market()) {
        let first = snapshot(&was);
        let second = world::applied(&first, &planned(&first, Mode::Full, true), securities(&now));
        let full = planned(&second, Mode::Full, true);
        let mut state = second.clone();
        let (mut foreign, mut changes) = (Vec::new(), 0);
        for mode in [Mode::MarketCap, Mode::Ipos, Mode::Delisted, Mode::Themes, Mode::Etfs] {
            let plan = planned(&state, mode, true);
            state = world::applied(&state, &plan, securities(&now));
            changes += plan.total_changes();
            foreign.extend(plan.foreign);
        }
        prop_assert_eq!(state.universes, world::applied(&second, &full, Vec::new()).universes);
        prop_assert_eq!(foreign, full.foreign.clone());
        prop_assert_eq!(changes, full.total_changes());
        prop_assert_eq!(state.last_run, Some(full.run));
    }

    #[test]
    fn a_row_that_was_there_is_adopted_without_guards(rows in market(), now in market()) {
        let mut found = snapshot(&now);
        found.universes = world::applied(&found, &planned(&snapshot(&rows), Mode::Full, true), Vec::new()).universes;
        for stored in found.universes.values_mut() {
            stored.state = None;
        }
        let plan = planned(&found, Mode::Full, false);
        prop_assert_eq!(world::members(&plan), oracle::universes(&now));
        for universe in &plan.universes {
            let adopted = universe.joined.iter().filter(|joined| joined.reason == EntryReason::Adopted).count();
            prop_assert_eq!(universe.joined.len(), universe.members.len());
            prop_assert_eq!(adopted + universe.left.len(), found.universes[&universe.name].members.len());
        }
    }

    #[test]
    fn explain_agrees_with_membership_for_every_symbol_and_universe(
        (was, now) in prop_oneof![4 => (market(), market()), 1 => calm_days()]
    ) {
        let before = yesterday(&snapshot(&was));
        let before = Snapshot { securities: securities(&now), ..before };
        agrees(&before, &now)?;
        let after = world::applied(&before, &planned(&before, Mode::Full, true), securities(&now));
        agrees(&after, &now)?;
    }
}

/// Members are those of the universes, and what is wanted, by outlook and by checks, is what the oracle wants.
fn agrees(snapshot: &Snapshot, now: &[Row]) -> Result<(), TestCaseError> {
    let wanted = oracle::universes(now);
    let holds = |symbols: &[String], symbol: &str| symbols.iter().any(|other| oracle::same(other, symbol));
    world::explained(snapshot, &policy(), TODAY, |explanation, verdict| {
        let (name, symbol) = (verdict.universe.as_str(), explanation.subject.symbol.as_str());
        let members: Vec<String> = snapshot.universes[name].members.iter().map(ToString::to_string).collect();
        prop_assert_eq!(verdict.is_member, holds(&members, symbol), "{} {}", symbol, name);
        let is_wanted = holds(&wanted[name], symbol);
        prop_assert_eq!(verdict.outlook.is_wanted(), is_wanted, "{} {:?}", symbol, verdict);
        let are_met = verdict.checks.iter().all(|check| check.is_met);
        prop_assert_eq!(are_met, is_wanted, "{} {:?}", symbol, verdict);
        Ok(())
    })
}

fn attempt(snapshot: &Snapshot, mode: Mode, accept_churn: bool) -> Result<Plan, Refusal> {
    let order = Order { mode, accept_churn, as_of: TODAY };
    cache_sync::plan::plan(snapshot, &policy(), &order, &mut |_| {})
}

fn planned(snapshot: &Snapshot, mode: Mode, accept_churn: bool) -> Plan {
    attempt(snapshot, mode, accept_churn).expect("nothing to refuse")
}

/// The state after a first sync of `first`, as if that had been on the session before.
fn yesterday(first: &Snapshot) -> Snapshot {
    let plan = planned(first, Mode::Full, true);
    let mut state = world::applied(first, &plan, Vec::new());
    let monday = TODAY - Days::new(1);
    for stored in state.universes.values_mut() {
        stored.state.as_mut().expect("ours").last_as_of = monday;
    }
    state.last_run.as_mut().expect("a run").as_of = monday;
    state
}

/// A market on a fresh database, beside a row that is not ours.
fn snapshot(rows: &[Row]) -> Snapshot {
    let symbols =
        rows.iter().map(|row| row.symbol.to_lowercase()).chain(rows.iter().map(|row| row.symbol.clone()));
    let foreign = ForeignRow { universe: "watchlist".to_owned(), symbols: Some(symbols.collect()) };
    Snapshot { securities: securities(rows), foreign: vec![foreign], ..Snapshot::default() }
}

pub(crate) fn securities(rows: &[Row]) -> Vec<Security> {
    rows.iter().map(security).collect()
}

fn security(row: &Row) -> Security {
    let day = |days_ago: i64| TODAY - TimeDelta::days(days_ago);
    let whole = |value: i64| Decimal::from(value).into();
    Security {
        active: row.active,
        delisted_date: row.delisted.map(day),
        close: row
            .close
            .map(|(days_ago, cents)| Close { date: day(days_ago), price: Decimal::new(cents, 2).into() }),
        shares: row.shares.map(whole).unwrap_or_default(),
        stored_cap: row.stored_dollars.map(whole).unwrap_or_default(),
        sector: row.sector.map(Into::into),
        list_date: row.listed.map(day),
        ..Security::new(Symbol::parse(&row.symbol).expect("a symbol"), row.kind)
    }
}

/// Up to fifty rows of every kind.
pub(crate) fn market() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::btree_map(symbol(), any_row(), 1..50)
        .prop_map(|rows| rows.into_iter().map(|(symbol, row)| Row { symbol, ..row }).collect())
}

fn shuffled_market() -> impl Strategy<Value = (Vec<Row>, Vec<Row>)> {
    market().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
}

/// Two days of a market that is large enough for the guards, with a few rows changed between them.
pub(crate) fn calm_days() -> impl Strategy<Value = (Vec<Row>, Vec<Row>)> {
    let stocks = prop::collection::vec(healthy_stock(), 100..140);
    let changes = prop::collection::vec((0..140_usize, healthy_stock(), what_changes()), 0..24);
    (stocks, changes).prop_map(|(stocks, changes)| {
        let was: Vec<Row> = stocks
            .into_iter()
            .enumerate()
            .map(|(place, row)| Row { symbol: format!("S{place:03}"), ..row })
            .collect();
        let mut now = was.clone();
        for (place, new, what) in changes {
            let place = place % now.len();
            change(&mut now, place, &new, what);
        }
        (was, now)
    })
}

fn change(rows: &mut [Row], place: usize, new: &Row, what: &str) {
    let row = &mut rows[place];
    match what {
        "cap" => row.shares = new.shares,
        "sector" => row.sector = new.sector,
        "listing" => (row.listed, row.shares) = (Some(3), new.shares),
        "delisting" => row.active = Some(false),
        "no cap" => row.shares = None,
        "end of a sector" => {
            rows.iter_mut().filter(|row| row.sector == Some("Energy")).for_each(|row| row.sector = None);
        }
        other => panic!("unknown change {other:?}"),
    }
}

fn what_changes() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        24 => Just("cap"),
        12 => Just("sector"),
        4 => Just("listing"),
        4 => Just("delisting"),
        2 => Just("no cap"),
        1 => Just("end of a sector"),
    ]
}

fn healthy_stock() -> impl Strategy<Value = Row> {
    // Prices are a dollar, so that shares are the cap: one to twelve stocks in the larger tiers, more in the others.
    let cap = prop_oneof![
        1 => 200_000_000_000..900_000_000_000_i64,
        2 => 10_000_000_000..200_000_000_000_i64,
        3 => 2_000_000_000..10_000_000_000_i64,
        3 => 300_000_000..2_000_000_000_i64,
        2 => 10_000_000..300_000_000_i64,
    ];
    let sector = prop_oneof![
        20 => Just(Some("Technology")),
        20 => Just(Some("Health Care")),
        10 => Just(None),
        1 => Just(Some("Energy")),
    ];
    (cap, sector).prop_map(|(shares, sector)| Row {
        symbol: String::new(),
        kind: "CS",
        active: Some(true),
        delisted: None,
        close: Some((0, 100)),
        shares: Some(shares),
        stored_dollars: None,
        sector,
        listed: None,
    })
}

fn symbol() -> impl Strategy<Value = String> {
    let plain = "[A-E]{1,2}";
    let classes = "BRK[./-][AB]";
    prop_oneof![4 => plain, 1 => classes]
}

fn any_row() -> impl Strategy<Value = Row> {
    let kind = prop_oneof![8 => Just("CS"), 1 => Just("PFD"), 1 => Just("ETF")];
    let active = prop_oneof![8 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)];
    let delisted = prop_oneof![9 => Just(None), 1 => (-1..=1_i64).prop_map(Some)];
    let listed = prop_oneof![Just(None), select(&[-1, 0, 30, 31, 400, 900][..]).prop_map(Some)];
    let sector = select(
        &[
            None,
            Some("Technology"),
            Some("Information Technology"),
            Some("Health Care"),
            Some("Energy"),
            Some("3674"),
        ][..],
    );
    (kind, active, delisted, worth(), sector, listed).prop_map(
        |(kind, active, delisted, (close, shares, stored_dollars), sector, listed)| Row {
            symbol: String::new(),
            kind,
            active,
            delisted,
            close,
            shares,
            stored_dollars,
            sector,
            listed,
        },
    )
}

type Worth = (Option<(i64, i64)>, Option<i64>, Option<i64>);

/// A close, shares and a stored cap, often right at a bound and often nonsense.
fn worth() -> impl Strategy<Value = Worth> {
    let age = select(&[-1, 0, 0, 0, 0, 1, 7, 8][..]);
    let at_a_bound =
        (select(&BOUNDS[..]), -1..=1_i64).prop_map(|(dollars, cents)| (dollars * 100 + cents, 1));
    let anything = (-1..3_000_i64, select(&[-1, 0, 1, 40_000_000, 900_000_000, 12_000_000_000][..]));
    let price_and_shares = prop_oneof![2 => at_a_bound, 3 => anything];
    let stored = prop_oneof![
        Just(None),
        (select(&BOUNDS[..]), -1..=1_i64).prop_map(|(dollars, more)| Some(dollars + more)),
        select(&[-5, 0, 35_000_000_000_000, 750_000_000][..]).prop_map(Some),
    ];
    (age, price_and_shares, any::<(bool, bool)>(), stored).prop_map(
        |(age, (price, shares), (has_close, has_shares), stored)| {
            (has_close.then_some((age, price)), has_shares.then_some(shares), stored)
        },
    )
}

#[test]
fn the_oracle_knows_every_universe_of_the_policy() {
    let of_policy: BTreeSet<String> =
        Universe::kinds_by_name(&policy()).keys().map(ToString::to_string).collect();
    let of_oracle: BTreeMap<String, Vec<String>> = oracle::universes(&[]);
    assert_eq!(of_policy, of_oracle.into_keys().collect());
}
