//! Past days: what is made of a source that is as it is today, and what the guards measured.

use cache_sync::domain::figure::Figure;
use cache_sync::domain::sector::Sector;
use cache_sync::domain::security::{Close, Security};
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::Mode;
use cache_sync::plan::given::snapshot::{RunState, StockState};
use cache_sync::plan::replay::{AppliedJob, Seen, as_they_were, states};
use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::world;

/// The last day of the data, a Friday.
const NEWEST: &str = "2026-07-31";
/// The day that is looked back at.
const THEN: &str = "2026-07-21";

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn symbol(text: &str) -> Symbol {
    Symbol::parse(text).expect("a symbol")
}

fn closed(at: &str, cents: i64) -> Close {
    Close { date: date(at), price: Decimal::new(cents, 2).into() }
}

/// A stock that closed at 20 dollars on the newest date.
fn stock(text: &str) -> Security {
    Security { close: Some(closed(NEWEST, 2_000)), ..Security::new(symbol(text), "CS") }
}

/// What is made of a stock on a day on which it had this close; `None` where it was not there.
fn looked_back(now: Security, then: Option<Close>, seen: Option<&RunState>) -> Option<Security> {
    // Somebody else's close says which date is the newest.
    let today = [now, stock("OTHER")];
    let mut rows = today.to_vec();
    rows[0].close = then;
    let seen = seen.map(Seen::by);
    let policy = world::policy();
    let made = as_they_were(&today, rows, seen.as_ref(), date(THEN), &policy);
    made.into_iter().find(|security| security.symbol == today[0].symbol)
}

#[test]
fn who_was_delisted_later_was_active_before() {
    for (delisted, is_active) in
        [(Some("2026-07-22"), Some(true)), (Some(THEN), Some(false)), (Some("2026-07-01"), Some(false))]
    {
        let gone = Security {
            active: Some(false),
            delisted_date: delisted.map(date),
            close: Some(closed("2026-07-22", 2_000)),
            ..stock("GONE")
        };
        let made = looked_back(gone, Some(closed(THEN, 2_000)), None).expect("it was there");
        assert_eq!(made.active, is_active, "{delisted:?}");
    }
}

#[test]
fn without_a_date_the_last_close_tells_when_somebody_went() {
    for (last, is_active) in [("2026-07-20", false), (THEN, true), ("2026-07-29", true), (NEWEST, false)] {
        let gone = Security { active: Some(false), close: Some(closed(last, 2_000)), ..stock("GONE") };
        let made = looked_back(gone, Some(closed("2026-07-20", 2_000)), None).expect("it was there");
        assert_eq!(made.active, Some(is_active), "{last}");
    }
    for active in [Some(true), None] {
        let made = looked_back(Security { active, ..stock("ACME") }, Some(closed(THEN, 2_000)), None);
        assert_eq!(made.expect("it was there").active, active);
    }
}

#[test]
fn who_was_listed_or_first_traded_later_was_not_there() {
    let listed = |day: Option<&str>| Security { list_date: day.map(date), ..stock("NEWT") };
    assert!(looked_back(listed(Some("2026-07-22")), None, None).is_none());
    assert!(looked_back(listed(None), None, None).is_none(), "its first close is its beginning");
    assert!(looked_back(listed(Some(THEN)), None, None).is_some(), "listed, not traded yet");
    assert!(looked_back(listed(Some("2026-07-22")), Some(closed(THEN, 2_000)), None).is_some(), "it traded");
    let never = Security { close: None, ..listed(None) };
    assert!(looked_back(never, None, None).is_some(), "nothing says that it was not there");
}

#[test]
fn a_stored_cap_moves_with_the_price() {
    let worth = |cap: Figure, then| looked_back(Security { stored_cap: cap, ..stock("ACME") }, then, None);
    let stored = Figure::Value(Decimal::from(1_000));
    assert_eq!(
        worth(stored, Some(closed(THEN, 1_000))).expect("there").stored_cap,
        Figure::Value(Decimal::from(500))
    );
    assert_eq!(worth(stored, Some(closed(THEN, 2_000))).expect("there").stored_cap, stored);
    assert_eq!(worth(Figure::Invalid, Some(closed(THEN, 1_000))).expect("there").stored_cap, Figure::Invalid);
}

#[test]
fn shares_sector_and_cap_are_those_that_the_kept_run_saw() {
    let now = Security {
        shares: Figure::Value(Decimal::from(200)),
        stored_cap: Figure::Value(Decimal::from(4_000)),
        sector: Some("Technology".into()),
        ..stock("ACME")
    };
    let state = StockState {
        symbol: symbol("ACME"),
        cap_cents: Some(100_000),
        close_dollars: Some(10.0),
        shares: Some(100.0),
        sector: Some(Sector::RealEstate),
    };
    let run = |as_of: &str| RunState {
        as_of: date(as_of),
        active_stocks: 1,
        stocks: vec![state.clone()],
        ..RunState::default()
    };
    let of_the_day = looked_back(now.clone(), Some(closed(THEN, 1_000)), Some(&run(THEN))).expect("there");
    assert_eq!(of_the_day.shares.value(), Some(Decimal::from(100)));
    assert_eq!(of_the_day.sector.as_deref(), Some("Real Estate"));
    assert_eq!(of_the_day.stored_cap.value(), Some(Decimal::from(1_000)));
    let of_the_day_before =
        looked_back(now.clone(), Some(closed(THEN, 1_200)), Some(&run("2026-07-20"))).expect("there");
    assert_eq!(of_the_day_before.stored_cap.value(), Some(Decimal::from(1_200)));
    // A stock that the run did not see is as it is today.
    let other =
        looked_back(Security { symbol: symbol("ELSE"), ..now }, Some(closed(THEN, 1_000)), Some(&run(THEN)));
    assert_eq!(other.expect("there").shares.value(), Some(Decimal::from(200)));
}

#[test]
fn jobs_tell_since_when_a_universe_is_held_and_when_it_was_applied() {
    let job = |mode, as_of: &str, held: &[&str]| AppliedJob {
        mode,
        as_of: date(as_of),
        held: held.iter().map(|name| (*name).to_owned()).collect(),
    };
    let jobs = [
        job(Mode::Full, "2026-07-30", &["top_100"]),
        job(Mode::Themes, "2026-07-29", &[]),
        job(Mode::MarketCap, "2026-07-29", &["top_100", "top_500"]),
        job(Mode::Full, "2026-07-28", &[]),
    ];
    let known = states(&world::shipped_policy(), &jobs);
    let state = |name: &str| {
        let state = known.get(name).expect("it was worked on");
        (state.last_as_of.to_string(), state.held_runs)
    };
    assert_eq!(state("top_100"), ("2026-07-28".to_owned(), 2));
    assert_eq!(state("top_500"), ("2026-07-30".to_owned(), 0));
    assert_eq!(state("green_energy"), ("2026-07-30".to_owned(), 0));
    let themes_only = states(&world::shipped_policy(), &jobs[1..2]);
    assert!(themes_only.contains_key("green_energy") && !themes_only.contains_key("top_100"));
}
