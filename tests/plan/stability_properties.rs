//! What holds for every market whatever is switched on and whoever is pinned or banned, tried on many made ones.

use std::collections::{BTreeMap, BTreeSet};

use cache_sync::domain::change::{EntryReason, ExitReason};
use cache_sync::domain::pin::{Pin, PinKind};
use cache_sync::domain::security::{Security, Text};
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::Mode;
use cache_sync::domain::universe::{Tier, UniverseName};
use cache_sync::plan::Order;
use cache_sync::plan::given::policy::{Policy, ShareClasses, Stability};
use cache_sync::plan::given::snapshot::Snapshot;
use cache_sync::plan::members::universes::Universe;
use cache_sync::plan::result::Plan;
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use crate::oracle::{self, Row};
use crate::properties::{TODAY, calm_days, market, securities};
use crate::world;

const TIERS: [&str; 5] = ["mega_cap", "large_cap", "mid_cap", "small_cap", "micro_cap"];

/// A switchboard, two days of rows with company and volume each, and what people have decided.
#[derive(Debug, Clone)]
struct Case {
    stability: Stability,
    rankings: Vec<usize>,
    was: Vec<Row>,
    now: Vec<Row>,
    lines: Vec<(Option<u8>, Option<i64>)>,
    pins: Vec<(bool, usize, usize)>,
}

impl Case {
    fn policy(&self) -> Policy {
        let rankings = self.rankings.iter().copied().map(world::ranking).collect();
        Policy { rankings, stability: self.stability, ..world::policy() }
    }

    fn securities(&self, rows: &[Row]) -> Vec<Security> {
        let with_line = |(place, security): (usize, Security)| {
            let (company, volume) = self.lines[place % self.lines.len()];
            Security {
                cik: company.map(|company| format!("000{}", company + 1).into()),
                volume: volume.map(|volume| Decimal::from(volume).into()).unwrap_or_default(),
                ..security
            }
        };
        securities(rows).into_iter().enumerate().map(with_line).collect()
    }

    /// One decision for a symbol and universe; of two the first counts, as in the table.
    fn pins(&self, universes: &[UniverseName]) -> Vec<Pin> {
        let mut pins: Vec<Pin> = Vec::new();
        for (is_pin, row, universe) in &self.pins {
            let row = &self.now[row % self.now.len()];
            let pin = Pin {
                kind: if *is_pin { PinKind::Pin } else { PinKind::Ban },
                symbol: Symbol::parse(&row.symbol).expect("a symbol"),
                universe: universes[universe % universes.len()].clone(),
                reason: "so decided".to_owned(),
                until: None,
            };
            if !pins.iter().any(|known| known.universe == pin.universe && known.symbol == pin.symbol) {
                pins.push(pin);
            }
        }
        pins
    }

    /// The state before the second day, with what was decided since the first.
    fn before(&self, with_pins: bool) -> Snapshot {
        let first = Snapshot { securities: self.securities(&self.was), ..Snapshot::default() };
        let plan = planned(&first, &self.policy());
        let mut before = world::applied(&first, &plan, self.securities(&self.now));
        // Nothing is known of who anybody was, or every second one would be renamed: this is about who stays.
        before.instruments.clear();
        if with_pins {
            let universes: Vec<UniverseName> = Universe::kinds_by_name(&self.policy()).into_keys().collect();
            before.pins = self.pins(&universes);
        }
        before
    }
}

fn planned(snapshot: &Snapshot, policy: &Policy) -> Plan {
    let order = Order { mode: Mode::Full, accept_churn: true, as_of: TODAY };
    cache_sync::plan::plan(snapshot, policy, &order, &mut |_| {}).expect("nothing to refuse")
}

fn case() -> impl Strategy<Value = Case> {
    let stability = (
        select(&[0.0, 0.1, 5.0, 12.5, 50.0][..]),
        select(&[0.0, 5.0, 20.0, 34.0, 50.0][..]),
        select(&[10, 11, 14][..]),
        any::<bool>(),
    );
    let stability =
        stability.prop_map(|(tier_band_pct, rank_buffer_pct, sector_leader_keep, primary)| Stability {
            tier_band_pct,
            rank_buffer_pct,
            sector_leader_keep,
            share_classes: if primary { ShareClasses::Primary } else { ShareClasses::All },
        });
    let rankings =
        prop::collection::btree_set(1..40_usize, 1..5).prop_map(|sizes| sizes.into_iter().collect());
    // One day of a market that moves a little, or two that have nothing to do with each other.
    let moved = market().prop_flat_map(|was| {
        let steps = prop::collection::vec(90..=110_i64, was.len());
        (Just(was), steps).prop_map(|(was, steps)| {
            let step = |(row, percent): (&Row, i64)| Row {
                close: row.close.map(|(age, cents)| (age, cents.max(100) * percent / 100)),
                stored_dollars: row.stored_dollars.map(|dollars| dollars / 100 * percent),
                ..row.clone()
            };
            let now = was.iter().zip(steps).map(step).collect();
            (was, now)
        })
    });
    let days = prop_oneof![4 => moved, 2 => (market(), market()), 1 => calm_days()];
    let line = (prop::option::of(0..8_u8), prop::option::of(select(&[0, 100, 105, 110, 5_000][..])));
    let lines = prop::collection::vec(line, 1..40);
    let pins = prop::collection::vec((any::<bool>(), 0..50_usize, 0..60_usize), 0..12);
    (stability, rankings, days, lines, pins).prop_map(|(stability, rankings, (was, now), lines, pins)| Case {
        stability,
        rankings,
        was,
        now,
        lines,
        pins,
    })
}

/// So many cases each, unless `PROPTEST_CASES` says otherwise.
fn cases(cases: u32) -> ProptestConfig {
    let given = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { cases };
    ProptestConfig { cases, ..given }
}

/// The stocks of a plan in the global order, those of them that have a cap.
fn ranked(members: &BTreeMap<String, Vec<String>>, rows: &[Row]) -> Vec<String> {
    let has_cap = |symbol: &&String| {
        oracle::cap_cents(rows.iter().find(|row| row.symbol == **symbol).expect("a row")).is_some()
    };
    members["all_stocks"].iter().filter(has_cap).cloned().collect()
}

fn is_subsequence(part: &[String], whole: &[String]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|symbol| rest.any(|other| other == symbol))
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn within_their_bands_members_stay_and_all_others_have_the_tier_of_their_cap(case in case()) {
        let case = Case {
            stability: Stability { share_classes: ShareClasses::All, ..case.stability },
            ..case
        };
        let before = case.before(false);
        let members = world::members(&planned(&before, &case.policy()));
        let pct = Decimal::try_from(case.stability.tier_band_pct).expect("a percentage");
        let hundred = Decimal::from(100);
        for symbol in ranked(&members, &case.now) {
            let row = case.now.iter().find(|row| row.symbol == symbol).expect("a row");
            let cap = Decimal::from(oracle::cap_cents(row).expect("a cap"));
            let by_rule = oracle::tier(row);
            let was = TIERS.iter().find(|tier| {
                before.universes[**tier].members.iter().any(|member| oracle::same(member.as_str(), &symbol))
            });
            let kept = was.filter(|tier| {
                let (from, below) = oracle::tier_cents(tier);
                let below = below.map(|below| Decimal::from(below) * (hundred + pct) / hundred);
                cap >= Decimal::from(from) * (hundred - pct) / hundred && below.is_none_or(|below| cap < below)
            });
            let expected = kept.copied().or(by_rule);
            let found: Vec<&str> =
                TIERS.iter().copied().filter(|tier| members[*tier].contains(&symbol)).collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{} {:?}", symbol, row);
        }
    }

    #[test]
    fn members_keep_their_seats_within_the_buffer_and_all_seats_are_taken(case in case()) {
        let case = Case {
            stability: Stability { share_classes: ShareClasses::All, ..case.stability },
            ..case
        };
        let before = case.before(false);
        let members = world::members(&planned(&before, &case.policy()));
        let order = ranked(&members, &case.now);
        // By the slow way: whoever is far up, then members within the buffer, then the next; smaller rankings first.
        let mut seats: Vec<(String, usize, usize, Vec<String>)> = Vec::new();
        for limit in &case.rankings {
            let last = limit * (1000 + (case.stability.rank_buffer_pct * 10.0) as usize) / 1000;
            seats.push((format!("top_{limit}"), *limit, last, order.clone()));
        }
        for (universe, members) in members.iter().filter(|(name, _)| name.starts_with("top_10_")) {
            let of_sector = |symbol: &&String| {
                let row = case.now.iter().find(|row| row.symbol == **symbol).expect("a row");
                oracle::sector_universe(row) == Some(universe)
            };
            let order = order.iter().filter(of_sector).cloned().collect();
            seats.push((universe.clone(), 10, case.stability.sector_leader_keep, order));
            prop_assert!(members.len() <= 10);
        }
        for (universe, limit, last, order) in seats {
            let now = &members[&universe];
            prop_assert_eq!(now.len(), limit.min(order.len()), "{}", universe);
            prop_assert!(is_subsequence(now, &order), "{} {:?}", universe, now);
            let was = &before.universes[universe.as_str()].members;
            let is_member = |symbol: &String| was.iter().any(|member| oracle::same(member.as_str(), symbol));
            let first = (2 * limit).saturating_sub(last);
            let far_up: Vec<&String> = order.iter().take(first).collect();
            prop_assert!(far_up.iter().all(|symbol| now.contains(symbol)), "{} lacks one of {:?}", universe, far_up);
            // Whoever has a right in a smaller ranking, too, has its seat in this one before its members do.
            let smaller = members.iter().filter(|(name, _)| {
                universe.starts_with("top_") && !universe.starts_with("top_10_") && name.starts_with("top_")
                    && !name.starts_with("top_10_")
                    && name[4..].parse::<usize>().expect("a number") < limit
            });
            let newcomers = smaller.flat_map(|(_, members)| members).filter(|symbol| !is_member(symbol));
            let newcomers: BTreeSet<&String> =
                newcomers.chain(far_up.iter().copied().filter(|symbol| !is_member(symbol))).collect();
            let stay: Vec<&String> = order.iter().take(last).filter(|symbol| is_member(symbol)).collect();
            let left = stay.iter().filter(|symbol| !now.contains(symbol)).count();
            prop_assert!(left <= newcomers.len(), "{} loses {} of {:?}", universe, left, stay);
        }
    }

    #[test]
    fn rankings_nest_and_tiers_share_nobody_whatever_is_switched_on_or_decided(case in case()) {
        let before = case.before(true);
        let members = world::members(&planned(&before, &case.policy()));
        for pair in case.rankings.windows(2) {
            let (smaller, larger) = (&members[&format!("top_{}", pair[0])], &members[&format!("top_{}", pair[1])]);
            prop_assert!(is_subsequence(smaller, larger), "{:?} is not within {:?}", smaller, larger);
            prop_assert!(smaller.len() <= pair[0] && larger.len() <= pair[1]);
            prop_assert!(smaller.len() == pair[0] || smaller.len() <= larger.len());
        }
        let in_tiers: Vec<&String> = TIERS.iter().flat_map(|tier| &members[*tier]).collect();
        prop_assert_eq!(in_tiers.iter().collect::<BTreeSet<_>>().len(), in_tiers.len());
        for (universe, members) in &members {
            let distinct: BTreeSet<&String> = members.iter().collect();
            prop_assert_eq!(distinct.len(), members.len(), "{}", universe);
        }
    }

    #[test]
    fn pins_are_in_and_bans_are_out_or_somebody_is_told(case in case()) {
        let before = case.before(true);
        let plan = planned(&before, &case.policy());
        let idle = plan.warnings.iter().find(|warning| warning.code == "pin_without_effect");
        let mut missing = 0;
        for pin in &before.pins {
            let universe = plan.universes.iter().find(|planned| planned.name == pin.universe).expect("planned");
            let is_in = universe.members.iter().any(|member| member.is_spelling_of(&pin.symbol));
            match pin.kind {
                PinKind::Ban => prop_assert!(!is_in, "{:?}", pin),
                PinKind::Pin if is_in => {}
                PinKind::Pin => missing += 1,
            }
        }
        // Some that have no effect are members all the same, by the rule.
        prop_assert!(missing == 0 || idle.is_some());
        for universe in &plan.universes {
            let names: Vec<&Symbol> = before.pins.iter().filter(|pin| pin.kind == PinKind::Pin).map(|pin| &pin.symbol).collect();
            for joined in universe.joined.iter().filter(|joined| joined.reason == EntryReason::Pin) {
                prop_assert!(names.iter().any(|symbol| symbol.is_spelling_of(&joined.symbol)));
                prop_assert!(joined.why.contains("by hand: so decided"), "{}", joined.why);
            }
            for left in universe.left.iter().filter(|left| left.reason == ExitReason::Ban) {
                prop_assert!(left.why.contains("by hand: so decided"), "{}", left.why);
            }
        }
    }

    #[test]
    fn one_line_a_company_has_all_its_seats(case in case()) {
        let case = Case {
            stability: Stability { share_classes: ShareClasses::Primary, ..case.stability },
            ..case
        };
        let before = case.before(false);
        let members = world::members(&planned(&before, &case.policy()));
        let company = |symbol: &String| {
            before.securities.iter().find(|security| security.symbol.as_str() == symbol).and_then(|s| s.cik.clone())
        };
        let mut lines: BTreeMap<Text, String> = BTreeMap::new();
        let by_rank = members.iter().filter(|(name, _)| name.starts_with("top_") || Tier::from_text(name).is_some());
        for symbol in by_rank.flat_map(|(_, members)| members) {
            if let Some(cik) = company(symbol) {
                let line = lines.entry(cik).or_insert_with(|| symbol.clone());
                prop_assert_eq!(&*line, symbol);
            }
        }
    }

    #[test]
    fn planning_again_changes_nothing_whatever_is_switched_on_or_decided(case in case()) {
        let (before, policy) = (case.before(true), case.policy());
        let mut after = world::applied(&before, &planned(&before, &policy), before.securities.clone());
        if case.stability.share_classes == ShareClasses::Primary {
            // The line of a company that has fallen out of everything is forgotten, and the most traded class takes over.
            after = world::applied(&after, &planned(&after, &policy), before.securities.clone());
        }
        for universe in planned(&after, &policy).universes {
            prop_assert!(
                !universe.rewrite && universe.joined.is_empty() && universe.left.is_empty(),
                "{:?}", universe
            );
        }
    }

    #[test]
    fn the_order_of_rows_and_of_pins_never_matters_whatever_is_switched_on(case in case()) {
        let (before, policy) = (case.before(true), case.policy());
        let mut turned = before.clone();
        turned.securities.reverse();
        turned.pins.reverse();
        prop_assert_eq!(planned(&before, &policy), planned(&turned, &policy));
    }

}

proptest! {
    // Every symbol is explained in every universe, twice.
    #![proptest_config(cases(40))]

    #[test]
    fn explain_agrees_with_the_plan_whatever_is_switched_on_or_decided(case in case()) {
        let (before, policy) = (case.before(true), case.policy());
        let plan = planned(&before, &policy);
        agrees(&before, &policy, &plan)?;
        let after = world::applied(&before, &plan, before.securities.clone());
        agrees(&after, &policy, &planned(&after, &policy))?;
    }
}

fn agrees(snapshot: &Snapshot, policy: &Policy, plan: &Plan) -> Result<(), TestCaseError> {
    world::explained(snapshot, policy, TODAY, |explanation, verdict| {
        let planned =
            plan.universes.iter().find(|planned| planned.name == verdict.universe).expect("planned");
        let symbol = &explanation.subject.symbol;
        let is_wanted = planned.members.iter().any(|member| member.is_spelling_of(symbol));
        prop_assert_eq!(verdict.outlook.is_wanted(), is_wanted, "{} {:?}", symbol, verdict);
        let are_met = verdict.checks.iter().all(|check| check.is_met);
        prop_assert_eq!(are_met, is_wanted, "{} {:?}", symbol, verdict);
        Ok(())
    })
}
