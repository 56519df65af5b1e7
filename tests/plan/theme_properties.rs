//! What holds for themes, new listings and funds in every market, tried on many made ones.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cache_sync::domain::change::{EntryReason, UniverseStatus};
use cache_sync::domain::security::{Close, Security};
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::{Mode, SyncTask};
use cache_sync::domain::universe::CacheType;
use cache_sync::plan::Order;
use cache_sync::plan::given::policy::Policy;
use cache_sync::plan::given::snapshot::Snapshot;
use cache_sync::plan::result::Plan;
use chrono::{NaiveDate, TimeDelta};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use crate::world;

const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 7, 21).expect("a date");

/// The shipped rules with few seats, so that they are fought over.
static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let mut policy = world::shipped_policy();
    policy.themes.themes.iter_mut().for_each(|theme| theme.max_members = 4);
    policy
});

fn config() -> ProptestConfig {
    let given = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { 400 };
    ProptestConfig { cases, ..given }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn themes_stay_within_their_seats_and_take_nobody_who_is_denied_or_too_small(was in market(), now in market()) {
        let (first, second) = two_days(&was, &now);
        for plan in [first, second] {
            for theme in &POLICY.themes.themes {
                let planned = plan.universes.iter().find(|planned| planned.name == theme.universe);
                let members = &planned.expect("every theme is planned").members;
                prop_assert!(members.len() <= theme.max_members);
                let distinct: BTreeSet<&Symbol> = members.iter().collect();
                prop_assert_eq!(distinct.len(), members.len());
                for symbol in members {
                    prop_assert!(!theme.deny.contains(&*symbol.key()), "{} in {}", symbol, theme.universe);
                }
            }
        }
    }

    #[test]
    fn eligible_seeds_sit_first(rows in market()) {
        let plan = planned(&snapshot(&rows), Mode::Themes, true);
        let theme = POLICY.themes.themes.iter().find(|theme| theme.universe.as_str() == "biotech_innovators");
        let theme = theme.expect("a theme");
        let members = &plan.universes.iter().find(|planned| planned.name == theme.universe).expect("planned").members;
        let is_seed = |security: &&Security| {
            theme.seeds.contains(&*security.symbol.key())
                && security.active == Some(true)
                && &*security.kind == "CS"
                && security.stored_cap.value().is_some_and(|cap| cap >= Decimal::from(theme.entry_floor))
        };
        let seeds = rows.iter().filter(is_seed).count();
        let seated = members.iter().filter(|symbol| theme.seeds.contains(&*symbol.key())).count();
        prop_assert_eq!(seated, seeds.min(theme.max_members));
    }

    #[test]
    fn planning_themes_and_funds_again_changes_nothing(was in market(), now in market()) {
        let first = snapshot(&was);
        let second = world::applied(&first, &planned(&first, Mode::Full, true), now.clone());
        let third = world::applied(&second, &planned(&second, Mode::Full, true), now);
        for mode in [Mode::Full, Mode::Ipos, Mode::Themes, Mode::Etfs] {
            let again = planned(&third, mode, false);
            for universe in &again.universes {
                prop_assert!(
                    !universe.rewrite && universe.joined.is_empty() && universe.left.is_empty() && universe.hold.is_none(),
                    "{} {:?}", mode, universe
                );
            }
        }
    }

    #[test]
    fn the_order_of_rows_never_matters_to_themes_and_funds((now, shuffled) in shuffled_market(), was in market()) {
        let first = snapshot(&was);
        let first_plan = planned(&first, Mode::Full, true);
        let plans = [now, shuffled].map(|rows| {
            planned(&world::applied(&first, &first_plan, rows), Mode::Full, true)
        });
        prop_assert_eq!(&plans[0], &plans[1]);
    }

    #[test]
    fn the_modes_one_after_another_make_full_with_themes_and_funds(
        (was, now) in prop_oneof![calm_days(), (market(), market())]
    ) {
        let first = snapshot(&was);
        let second = of_strangers(world::applied(&first, &planned(&first, Mode::Full, true), now.clone()));
        let full = planned(&second, Mode::Full, true);
        let mut state = second.clone();
        let mut changes = 0;
        for mode in [Mode::MarketCap, Mode::Ipos, Mode::Delisted, Mode::Themes, Mode::Etfs] {
            let plan = planned(&state, mode, true);
            state = of_strangers(world::applied(&state, &plan, now.clone()));
            changes += plan.total_changes();
            let by_task: usize = plan.tasks.iter().map(|report| report.changes).sum();
            prop_assert_eq!(by_task, plan.total_changes());
        }
        prop_assert_eq!(state.universes, world::applied(&second, &full, Vec::new()).universes);
        prop_assert_eq!(changes, full.total_changes());
        let by_task: usize = full.tasks.iter().map(|report| report.changes).sum();
        prop_assert_eq!(by_task, full.total_changes());
    }

    #[test]
    fn a_mode_touches_its_own_universes_and_ipos_only_lets_new_listings_in(was in market(), now in market()) {
        let first = snapshot(&was);
        let second = world::applied(&first, &planned(&first, Mode::Full, true), now);
        let kinds = |mode: Mode| planned(&second, mode, true).universes;
        prop_assert!(kinds(Mode::Themes).iter().all(|universe| universe.cache_type == CacheType::Theme));
        prop_assert!(kinds(Mode::Etfs).iter().all(|universe| universe.cache_type == CacheType::Etf));
        for universe in kinds(Mode::Ipos) {
            if universe.cache_type == CacheType::Ipo {
                continue;
            }
            prop_assert_eq!(universe.cache_type, CacheType::Theme);
            prop_assert!(universe.left.is_empty() && !universe.joined.is_empty());
            for joined in &universe.joined {
                prop_assert_eq!((joined.reason, joined.task), (EntryReason::Listing, SyncTask::IpoAssignment));
            }
        }
    }

    #[test]
    fn explain_agrees_with_membership_in_themes_and_funds_too(
        (was, now) in prop_oneof![calm_days(), (market(), market())]
    ) {
        let first = snapshot(&was);
        let before = of_strangers(world::applied(&first, &planned(&first, Mode::Full, true), now.clone()));
        let plan = planned(&before, Mode::Full, true);
        agrees(&before, &plan)?;
        agrees(&of_strangers(world::applied(&before, &plan, now)), &plan)?;
    }

    #[test]
    fn new_listings_are_told_of_once_for_each_universe(was in market(), now in market()) {
        let (_, plan) = two_days(&was, &now);
        let told: Vec<(&str, &str)> = plan
            .new_listings()
            .iter()
            .map(|listing| (listing.universe.as_str(), listing.joined.symbol.as_str()))
            .collect();
        prop_assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len());
        let recent = plan.universes.iter().find(|universe| universe.cache_type == CacheType::Ipo).expect("planned");
        let joined = recent.joined.iter().filter(|joined| joined.reason == EntryReason::Listing);
        prop_assert_eq!(joined.count(), told.iter().filter(|(universe, _)| *universe == "recent_ipos").count());
    }

    #[test]
    fn a_fund_is_in_etf_all_and_in_one_category_at_most(rows in market()) {
        let plan = planned(&snapshot(&rows), Mode::Etfs, true);
        let members = world::members(&plan);
        let mut categorised: Vec<&String> =
            members.iter().filter(|(name, _)| *name != "etf_all").flat_map(|(_, members)| members).collect();
        let all = categorised.len();
        categorised.sort_unstable();
        categorised.dedup();
        prop_assert_eq!(categorised.len(), all);
        prop_assert!(categorised.iter().all(|symbol| members["etf_all"].contains(symbol)));
    }
}

/// Members are those of the universes; what is wanted, by outlook and by checks, is what `plan` has made.
fn agrees(snapshot: &Snapshot, plan: &Plan) -> Result<(), TestCaseError> {
    world::explained(snapshot, &POLICY, TODAY, |explanation, verdict| {
        let key = explanation.subject.symbol.key();
        let holds = |members: &[Symbol]| members.iter().any(|member| member.key() == key);
        let is_member = holds(&snapshot.universes[&verdict.universe].members);
        prop_assert_eq!(verdict.is_member, is_member, "{} {:?}", key, verdict);
        let planned = plan.universes.iter().find(|planned| planned.name == verdict.universe);
        let planned = planned.expect("every universe is planned");
        let is_wanted = holds(&planned.members);
        prop_assert_eq!(verdict.outlook.is_wanted(), is_wanted, "{} {:?}", key, verdict);
        if planned.status != UniverseStatus::NoSourceData {
            let are_met = verdict.checks.iter().all(|check| check.is_met);
            prop_assert_eq!(are_met, is_wanted, "{} {:?}", key, verdict);
        }
        Ok(())
    })
}

fn planned(snapshot: &Snapshot, mode: Mode, accept_churn: bool) -> Plan {
    let order = Order { mode, accept_churn, as_of: TODAY };
    cache_sync::plan::plan(snapshot, &POLICY, &order, &mut |_| {}).expect("nothing to refuse")
}

fn two_days(was: &[Security], now: &[Security]) -> (Plan, Plan) {
    let first = snapshot(was);
    let first_plan = planned(&first, Mode::Full, true);
    let second = world::applied(&first, &first_plan, now.to_vec());
    let second_plan = planned(&second, Mode::Full, true);
    (first_plan, second_plan)
}

/// Nothing is known of who anybody was: made companies change their CIK from day to day, and only a full sync takes a
/// ticker for reused.
fn of_strangers(snapshot: Snapshot) -> Snapshot {
    Snapshot { instruments: Vec::new(), ..snapshot }
}

fn snapshot(rows: &[Security]) -> Snapshot {
    Snapshot { securities: rows.to_vec(), ..Snapshot::default() }
}

fn market() -> impl Strategy<Value = Vec<Security>> {
    prop::collection::btree_map(symbol(), any_security(), 5..60).prop_map(|rows| {
        let named = |(symbol, security): (String, Security)| Security {
            symbol: Symbol::parse(&symbol).expect("a symbol"),
            ..security
        };
        rows.into_iter().map(named).collect()
    })
}

/// A market and the same with a few securities changed, so that the guards have something to believe.
fn calm_days() -> impl Strategy<Value = (Vec<Security>, Vec<Security>)> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any_security()), 0..8);
    (market(), changes).prop_map(|(was, changes)| {
        let mut now = was.clone();
        for (place, security) in changes {
            let old = &mut now[place.index(was.len())];
            *old = Security { symbol: old.symbol.clone(), kind: old.kind.clone(), ..security };
        }
        (was, now)
    })
}

fn shuffled_market() -> impl Strategy<Value = (Vec<Security>, Vec<Security>)> {
    market().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
}

/// Seeds, denied ones, and others.
fn symbol() -> impl Strategy<Value = String> {
    let seeds =
        ["MSFT", "NVDA", "COIN", "PYPL", "FSLR", "VRTX", "REGN", "AMGN", "GILD", "ALNY", "KO", "PG", "BF/B"];
    let denied = ["PFE", "XOM", "V", "SLG", "AIO", "LMT"];
    let known = seeds.into_iter().chain(denied).map(ToOwned::to_owned).collect::<Vec<_>>();
    prop_oneof![2 => select(known), 3 => "[A-D]{2}"]
}

fn any_security() -> impl Strategy<Value = Security> {
    let kind = prop_oneof![8 => Just("CS"), 1 => Just("PFD"), 3 => Just("ETF")];
    let active = prop_oneof![9 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)];
    let sic = select(
        &[None, Some("2836"), Some("2834"), Some("7372"), Some("3674"), Some("4991"), Some("6770")][..],
    );
    let industry = select(&[None, Some("Biotechnology"), Some("Software"), Some("Blank Checks")][..]);
    let name = select(
        &[
            "Alder Therapeutics",
            "Cloud Payments Inc",
            "Solar AI Holdings",
            "Bitcoin Growth Fund",
            "Gold Trust",
            "Ultra Bull 2x Bond ETF",
            "Short-Term Bond ETF",
            "S&P 500 ETF",
            "Plain Company",
        ][..],
    );
    let sector = select(&[None, Some("Technology"), Some("Utilities"), Some("Energy")][..]);
    let cap = select(
        &[None, Some(150), Some(400), Some(499), Some(900), Some(3_000), Some(9_000), Some(40_000)][..],
    );
    let more_cap = 0..50_i64;
    let listed = select(&[None, Some(-1), Some(0), Some(3), Some(30), Some(31), Some(4_000)][..]);
    let extras = (
        prop::option::weighted(0.1, 20..30_i32),
        prop::option::weighted(0.2, 1..100_i64),
        select(&[None, Some("1"), Some("01"), Some("2")][..]),
        prop::option::weighted(0.3, 1..900_i64),
    );
    (kind, active, sic, industry, name, sector, (cap, more_cap), listed, extras).prop_map(
        |(kind, active, sic, industry, name, sector, (cap, more), listed, (years, esg, cik, aum))| Security {
            active,
            sic_code: sic.map(Into::into),
            industry: industry.map(Into::into),
            name: Some(name.into()),
            sector: sector.map(Into::into),
            stored_cap: cap
                .map(|millions| Decimal::from(millions * 1_000_000 + more).into())
                .unwrap_or_default(),
            list_date: listed.map(|days_ago| TODAY - TimeDelta::days(days_ago)),
            dividend_growth_years: years,
            esg_score: esg.map(|score| Decimal::from(score).into()).unwrap_or_default(),
            cik: cik.map(Into::into),
            aum_millions: aum.map(|aum| Decimal::from(aum).into()).unwrap_or_default(),
            close: Some(Close { date: TODAY, price: Decimal::ONE.into() }),
            ..Security::new(Symbol::parse("X").expect("a symbol"), kind)
        },
    )
}
