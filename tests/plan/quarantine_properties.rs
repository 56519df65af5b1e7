//! What holds for values that are not believed, night after night, tried on made markets.

use cache_sync::domain::calendar::{next_session, sessions_between};
use cache_sync::domain::figure::Figure;
use cache_sync::domain::security::{Close, Security};
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::Mode;
use cache_sync::plan::given::policy::{Guards, Policy};
use cache_sync::plan::given::snapshot::Snapshot;
use cache_sync::plan::market::Market;
use cache_sync::plan::market::screening::{Anomaly, in_doubt};
use cache_sync::plan::result::Plan;
use cache_sync::plan::{Order, market_of};
use chrono::NaiveDate;
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use crate::world;

const FIRST: NaiveDate = NaiveDate::from_ymd_opt(2026, 7, 1).expect("a date");

fn config() -> ProptestConfig {
    let given = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { 64 };
    ProptestConfig { cases, ..given }
}

/// What a stock does in a night: price and shares in thousandths of what they were, whether it has shares, whether the
/// source stores a cap that agrees, and how many tenths of its shares are traded.
type Move = (i64, i64, bool, bool, Option<i64>);

fn any_tenths() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![1 => Just(None), 2 => (0..20_i64).prop_map(Some), 2 => (0..200_i64).prop_map(Some)]
}

fn any_move() -> impl Strategy<Value = Move> {
    let price = prop_oneof![
        4 => 800..1_250_i64,
        1 => select(&[100, 50, 333, 500, 400, 2_000, 3_000, 10_000, 20_000][..]),
    ];
    let shares = prop_oneof![4 => Just(1_000_i64), 1 => select(&[100, 300, 500, 667, 1_500, 2_000, 3_000, 10_000][..])];
    (price, shares, prop::bool::weighted(0.9), prop::bool::weighted(0.3), any_tenths())
}

fn calm_move() -> impl Strategy<Value = Move> {
    (750..1_330_i64, 900..1_100_i64, any_tenths())
        .prop_map(|(price, shares, tenths)| (price, shares, true, false, tenths))
}

/// Nights of up to eight stocks, the first of which never does anything that can't be believed.
fn nights() -> impl Strategy<Value = Vec<(Move, Vec<Move>)>> {
    prop::collection::vec((calm_move(), prop::collection::vec(any_move(), 7)), 2..16)
}

/// The markets that these moves lead through.
fn markets(nights: &[(Move, Vec<Move>)]) -> Vec<Vec<Security>> {
    let mut worth: Vec<(Decimal, Decimal)> =
        (1..=8).map(|n| (Decimal::new(5_000 * n, 2), Decimal::from(100_000_000))).collect();
    let mut day = FIRST;
    let mut markets = Vec::new();
    for (calm, wild) in nights {
        let moves = std::iter::once(calm).chain(wild);
        let securities = worth.iter_mut().zip(moves).enumerate().map(|(place, ((price, shares), moved))| {
            let (price_factor, shares_factor, has_shares, is_stored, tenths) = *moved;
            // As prices and share counts are: four decimals, and none.
            *price = (*price * Decimal::new(price_factor, 3)).round_dp(4).max(Decimal::new(1, 1));
            *shares = (*shares * Decimal::new(shares_factor, 3))
                .round()
                .clamp(1_000_000.into(), 10_000_000_000_u64.into());
            *price = (*price).min(Decimal::from(900));
            Security {
                close: Some(Close { date: day, price: (*price).into() }),
                shares: if has_shares { (*shares).into() } else { Figure::default() },
                stored_cap: if is_stored { (*price * *shares).into() } else { Figure::default() },
                volume: tenths.map_or(Figure::Missing, |tenths| (*shares * Decimal::new(tenths, 1)).into()),
                ..Security::new(Symbol::parse(&format!("S{place}")).expect("a symbol"), "CS")
            }
        });
        markets.push(securities.collect());
        day = next_session(day);
    }
    markets
}

fn policy() -> Policy {
    let mut policy = world::policy();
    policy.guards.quarantine = true;
    policy
}

fn planned(snapshot: &Snapshot, as_of: NaiveDate) -> Plan {
    let order = Order { mode: Mode::Full, accept_churn: true, as_of };
    cache_sync::plan::plan(snapshot, &policy(), &order, &mut |_| {}).expect("nothing to refuse")
}

/// A price in cents that moves as by a split, shares that stay, and how many of them are traded at the new price.
#[derive(Debug, Clone)]
struct Moved {
    before: i64,
    after: i64,
    shares: i64,
    volume: Option<i64>,
}

impl Moved {
    /// The securities of one of the two nights.
    fn market(&self, date: NaiveDate, cents: i64, volume: Option<i64>) -> Vec<Security> {
        let figure = |value: i64| Figure::Value(value.into());
        vec![Security {
            close: Some(Close { date, price: Decimal::new(cents, 2).into() }),
            shares: figure(self.shares),
            volume: volume.map_or(Figure::Missing, figure),
            ..Security::new(Symbol::parse("S").expect("a symbol"), "CS")
        }]
    }

    /// Whether a split is suspected where so many quarters of the company may be traded, in whole numbers.
    fn is_suspected(&self, quarters: i64) -> bool {
        let Self { before, after, shares, volume } = *self;
        let is_near = |n: &i64| 10 * (before - n * after).abs() <= n * after;
        let ratio = [3, 4, 5, 10, 15, 20, 25, 50].into_iter().find(is_near);
        let is_large = before * shares >= 1_000_000_000_000;
        let is_fall = ratio.is_some_and(|n| is_large || (n >= 4 && before >= 4_000));
        let is_suspicious = after > before || is_fall;
        let company = i128::from(before.max(after)) * i128::from(shares);
        let traded = volume.map_or(0, |volume| i128::from(volume) * i128::from(after));
        is_suspicious && (quarters == 0 || 4 * traded <= i128::from(quarters) * company)
    }
}

/// Moves between 3.03x and 32x, traded so that it is just the company, a share more or less, or anything.
fn moved_as_by_a_split() -> impl Strategy<Value = (Moved, i64)> {
    let move_of_price = (30..5_000_i64, 3..=30_i64, 101..=107_i64, any::<bool>());
    let delta = prop_oneof![Just(None), (-1..=1_i64).prop_map(Some)];
    (move_of_price, 1_000_000..50_000_000_i64, select(&[0, 2, 4, 8][..]), delta, any_tenths()).prop_map(
        |((low, n, percent, rises), shares, quarters, delta, tenths)| {
            let high = low * n * percent / 100;
            let (before, after) = if rises { (low, high) } else { (high, low) };
            let just = quarters * high * shares / (4 * after);
            let anything = tenths.map(|tenths| shares * tenths / 10);
            let volume = delta.map(|delta| (just + delta).max(0)).or(anything);
            (Moved { before, after, shares, volume }, quarters)
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_split_is_suspected_unless_more_than_the_company_was_traded((moved, quarters) in moved_as_by_a_split()) {
        let bound = quarters as f64 / 4.0;
        let guards = Guards { split_max_turnover: bound, merger_max_turnover: bound, ..policy().guards };
        let policy = Policy { guards, ..policy() };
        let planned = |snapshot: &Snapshot, as_of| {
            let order = Order { mode: Mode::Full, accept_churn: true, as_of };
            cache_sync::plan::plan(snapshot, &policy, &order, &mut |_| {}).expect("nothing to refuse")
        };
        let day_two = next_session(FIRST);
        let first = Snapshot { securities: moved.market(FIRST, moved.before, None), ..Snapshot::default() };
        let plan = planned(&first, FIRST);
        let second = world::applied(&first, &plan, moved.market(day_two, moved.after, moved.volume));
        let quarantine = planned(&second, day_two).run.quarantine;
        let is_suspected = quarantine.symbols.iter().any(|entry| entry.anomaly == Anomaly::SuspectedSplit);
        prop_assert_eq!(is_suspected, moved.is_suspected(quarters));
    }

    #[test]
    fn the_volumes_of_those_in_doubt_decide_as_much_as_all(nights in nights()) {
        let mut state = Snapshot::default();
        let mut day = FIRST;
        for securities in markets(&nights) {
            let doubted = in_doubt(&securities, state.last_run.as_ref(), &policy().guards);
            let tonight = Snapshot { securities, ..state };
            let plan = planned(&tonight, day);
            let mut sparing = tonight.clone();
            for security in sparing.securities.iter_mut().filter(|security| !doubted.contains(&security.symbol)) {
                security.volume = Figure::Missing;
            }
            prop_assert_eq!(&planned(&sparing, day), &plan);
            state = world::applied(&tonight, &plan, Vec::new());
            day = next_session(day);
        }
    }

    #[test]
    fn a_second_sync_changes_nothing_and_the_order_of_rows_nothing_either(nights in nights()) {
        let mut state = Snapshot::default();
        let mut day = FIRST;
        for securities in markets(&nights) {
            let tonight = Snapshot { securities: securities.clone(), ..state.clone() };
            let plan = planned(&tonight, day);
            let backwards = Snapshot { securities: securities.iter().rev().cloned().collect(), ..state };
            prop_assert_eq!(&planned(&backwards, day), &plan);
            state = world::applied(&tonight, &plan, securities);
            let again = planned(&state, day);
            prop_assert_eq!((again.total_changes(), &again.run), (0, &plan.run));
            prop_assert!(again.released.is_empty());
            day = next_session(day);
        }
    }

    #[test]
    fn what_is_not_in_quarantine_is_as_found_and_nothing_stays_in_it_for_ever(nights in nights()) {
        let mut state = Snapshot::default();
        let mut day = FIRST;
        for securities in markets(&nights) {
            let tonight = Snapshot { securities: securities.clone(), ..state };
            let literal = Market::new(&tonight.securities, day, &policy());
            let market = market_of(&tonight, day, &policy());
            let plan = planned(&tonight, day);
            for index in 0..securities.len() as u32 {
                prop_assert_eq!(market.found_cap(index), literal.cap(index));
                match market.quarantined_at(index) {
                    None => prop_assert_eq!(market.cap(index), literal.cap(index)),
                    Some(entry) => {
                        prop_assert_eq!(market.cap(index), Some(entry.cap()));
                        let longest = match (entry.anomaly, entry.turnover) {
                            (Anomaly::SuspectedSplit, Some(_)) | (Anomaly::Distrusted, _) => 120,
                            (Anomaly::SuspectedSplit, None) | (Anomaly::UnexplainedJump, _) => 5,
                            (Anomaly::Vanished, _) => 10,
                        };
                        prop_assert!(sessions_between(entry.since, day) < longest, "{:?}", entry);
                    }
                }
            }
            let first_is_in = plan.run.quarantine.symbols.iter().any(|entry| entry.symbol.as_str() == "S0");
            prop_assert!(!first_is_in, "{:?}", plan.run.quarantine);
            state = world::applied(&tonight, &plan, Vec::new());
            day = next_session(day);
        }
    }

    #[test]
    fn without_an_anomaly_a_plan_is_the_one_without_the_feature(
        nights in prop::collection::vec(prop::collection::vec(calm_move(), 8), 2..8)
    ) {
        let nights: Vec<(Move, Vec<Move>)> =
            nights.into_iter().map(|night| (night[0], night[1..].to_vec())).collect();
        let (mut with, mut without) = (Snapshot::default(), Snapshot::default());
        let mut day = FIRST;
        for securities in markets(&nights) {
            (with.securities, without.securities) = (securities.clone(), securities);
            let plan = planned(&with, day);
            let order = Order { mode: Mode::Full, accept_churn: true, as_of: day };
            let literal =
                cache_sync::plan::plan(&without, &world::policy(), &order, &mut |_| {}).expect("a plan");
            prop_assert!(plan.run.quarantine.symbols.is_empty());
            let run = cache_sync::plan::given::snapshot::RunState {
                quarantine: plan.run.quarantine.clone(),
                ..literal.run.clone()
            };
            prop_assert_eq!(&plan, &Plan { run, ..literal.clone() });
            (with, without) = (world::applied(&with, &plan, Vec::new()), world::applied(&without, &literal, Vec::new()));
            day = next_session(day);
        }
    }
}
