//! Looks at the market that a sync would read: which facts it has, and how fresh it is.
//!
//! A universe is as good as the columns behind it. This part counts, over the active stocks, in how many of them each
//! fact is there, and compares the newest day of closes with the last session of the exchange.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::calendar::{last_closed_session, sessions_between};
use crate::domain::money::Usd;
use crate::domain::security::Security;
use crate::plan::policy::Policy;

use super::Finding;

/// A date with closes for fewer of the active stocks than this is a stray, not a day of trading.
const STRAY_PCT: f64 = 1.0;
/// A date with closes for fewer of the active stocks than this is not complete.
const COMPLETE_PCT: f64 = 90.0;
/// Closes that are further behind than this can't be used for a market cap.
const MAX_CLOSE_AGE_SESSIONS: u32 = 5;
const SUBJECT: &str = "data";

/// What there is to say of these securities, read without a bound on the date of their closes.
pub fn examine(securities: &[Security], policy: &Policy, now: DateTime<Utc>) -> Vec<Finding> {
    let stocks: Vec<&Security> = securities
        .iter()
        .filter(|security| security.active == Some(true) && policy.eligible_types.contains(&security.kind))
        .collect();
    let mut findings = vec![market(&stocks, securities.len(), policy)];
    if stocks.is_empty() {
        return findings;
    }
    let newest = newest_date(&stocks);
    findings.push(freshness(&stocks, newest, now));
    findings.extend(facts(&stocks, policy, newest));
    findings
}

fn market(stocks: &[&Security], all: usize, policy: &Policy) -> Finding {
    let types: Vec<&str> = policy.eligible_types.iter().map(String::as_str).collect();
    let types = types.join(", ");
    let what = format!("{} active stocks ({types}) among {all} securities", stocks.len());
    let fewest = policy.guards.min_active_stocks;
    if stocks.len() < fewest {
        Finding::error(
            SUBJECT,
            what,
            format!(
                "load the market; a first sync wants {fewest} (guards.min_active_stocks), with types in source.eligible_types"
            ),
        )
    } else {
        Finding::ok(SUBJECT, what)
    }
}

/// The newest date that is a day of trading rather than a stray.
fn newest_date(stocks: &[&Security]) -> Option<NaiveDate> {
    let mut by_date: BTreeMap<NaiveDate, usize> = BTreeMap::new();
    for close in stocks.iter().filter_map(|stock| stock.close) {
        *by_date.entry(close.date).or_default() += 1;
    }
    by_date
        .into_iter()
        .rev()
        .find(|(_, count)| percent(*count, stocks.len()) >= STRAY_PCT)
        .map(|(date, _)| date)
}

fn freshness(stocks: &[&Security], newest: Option<NaiveDate>, now: DateTime<Utc>) -> Finding {
    let Some(newest) = newest else {
        return Finding::error(SUBJECT, "no stock has a close", "load daily bars into source.bars_table");
    };
    let closes = stocks.iter().filter(|stock| stock.close.is_some_and(|close| close.date >= newest)).count();
    let share = percent(closes, stocks.len());
    let expected = last_closed_session(now);
    let behind = sessions_between(newest, expected);
    let what =
        format!("newest closes {newest}, of {share:.1} % of the stocks; last closed session {expected}");
    if behind > 0 {
        let sessions = if behind == 1 { "session" } else { "sessions" };
        Finding::warn(SUBJECT, format!("{what}: {behind} {sessions} behind"), "see whether the import runs")
    } else if share < COMPLETE_PCT {
        Finding::warn(SUBJECT, what, "wait for the import to finish, or see why it does not")
    } else {
        Finding::ok(SUBJECT, what)
    }
}

/// Which facts the stocks have, and what is lost without them.
fn facts(stocks: &[&Security], policy: &Policy, newest: Option<NaiveDate>) -> Vec<Finding> {
    let usable_close = |stock: &Security| match (stock.close, newest) {
        (Some(close), Some(newest)) => sessions_between(close.date, newest) <= MAX_CLOSE_AGE_SESSIONS,
        _ => false,
    };
    let sector =
        |stock: &Security| policy.sectors.sector(&stock.symbol.key(), stock.sector.as_deref()).is_some();
    let cap = |stock: &Security| {
        let computed = if usable_close(stock) {
            stock
                .close_price()
                .zip(stock.shares.positive())
                .and_then(|(price, shares)| Usd::product(price, shares))
        } else {
            None
        };
        let stored = stock.stored_cap.positive().and_then(Usd::from_decimal);
        [computed, stored].into_iter().flatten().any(Usd::is_market_cap)
    };
    let count = |has: &dyn Fn(&Security) -> bool| stocks.iter().filter(|stock| has(stock)).count();
    [
        Fact {
            name: "a recent close",
            count: count(&usable_close),
            wanted_pct: 90.0,
            lost: "market caps from it",
        },
        Fact { name: "a market cap", count: count(&cap), wanted_pct: 90.0, lost: "tiers and rankings" },
        Fact {
            name: "shares outstanding",
            count: count(&|stock| stock.shares.positive().is_some()),
            wanted_pct: 50.0,
            lost: "market caps of the day rather than stored ones",
        },
        Fact { name: "a known sector", count: count(&sector), wanted_pct: 50.0, lost: "leaders of sectors" },
        Fact {
            name: "a listing date",
            count: count(&|stock| stock.list_date.is_some()),
            wanted_pct: 50.0,
            lost: "new listings",
        },
    ]
    .map(|fact| fact.finding(stocks.len()))
    .into()
}

struct Fact {
    name: &'static str,
    count: usize,
    wanted_pct: f64,
    /// What suffers without it.
    lost: &'static str,
}

impl Fact {
    fn finding(&self, stocks: usize) -> Finding {
        let Self { name, count, wanted_pct, lost } = self;
        let share = percent(*count, stocks);
        let what = format!("{share:.1} % of the stocks have {name} ({count} of {stocks})");
        if share < *wanted_pct {
            Finding::warn(
                SUBJECT,
                what,
                format!(
                    "fill it in the source, or name its column in [source.columns]; without it {lost} are wanting"
                ),
            )
        } else {
            Finding::ok(SUBJECT, what)
        }
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::figure::Figure;
    use crate::domain::security::Close;
    use crate::domain::symbol::Symbol;
    use crate::plan::policy::{Guards, SectorTable};

    fn policy() -> Policy {
        Policy {
            eligible_types: ["CS".to_owned()].into(),
            tier_floors: Vec::new(),
            rankings: Vec::new(),
            sectors: SectorTable::new([], [("tech".to_owned(), crate::domain::sector::Sector::Technology)]),
            guards: Guards::default(),
            adopt_existing: false,
            protected_types: std::collections::BTreeSet::new(),
        }
    }

    /// A stock with everything, its close on `date`.
    fn stock(number: usize, date: &str) -> Security {
        let price = Figure::Value(10.into());
        Security {
            shares: Figure::Value(1_000_000.into()),
            sector: Some("Tech".to_owned()),
            list_date: date.parse().ok(),
            close: Some(Close { date: date.parse().expect("a date"), price }),
            ..Security::new(Symbol::parse(&format!("S{number}")).expect("a symbol"), "CS")
        }
    }

    fn lines(securities: &[Security], now: &str) -> String {
        let findings = examine(securities, &policy(), now.parse().expect("a time"));
        let lines: Vec<String> =
            findings.iter().map(|finding| format!("{} {}", finding.level, finding.what)).collect();
        lines.join("\n")
    }

    /// Friday evening, New York.
    const FRIDAY: &str = "2026-01-09T22:00:00Z";

    #[test]
    fn a_full_and_fresh_market_has_nothing_to_mend() {
        let securities: Vec<Security> = (0..200).map(|n| stock(n, "2026-01-09")).collect();
        insta::assert_snapshot!(lines(&securities, FRIDAY), @r"
        ok 200 active stocks (CS) among 200 securities
        ok newest closes 2026-01-09, of 100.0 % of the stocks; last closed session 2026-01-09
        ok 100.0 % of the stocks have a recent close (200 of 200)
        ok 100.0 % of the stocks have a market cap (200 of 200)
        ok 100.0 % of the stocks have shares outstanding (200 of 200)
        ok 100.0 % of the stocks have a known sector (200 of 200)
        ok 100.0 % of the stocks have a listing date (200 of 200)
        ");
        let saturday = lines(&securities, "2026-01-10T22:00:00Z");
        assert!(saturday.contains("ok newest closes 2026-01-09"), "{saturday}");
    }

    #[test]
    fn a_market_with_holes_says_which_and_what_they_cost() {
        let mut securities: Vec<Security> = (0..200).map(|n| stock(n, "2026-01-07")).collect();
        // One stray close of a later day is no import.
        securities[0] = stock(0, "2026-01-09");
        for security in &mut securities[..150] {
            security.sector = Some("Miscellaneous".to_owned());
            security.shares = Figure::Value(0.into());
            security.list_date = None;
        }
        securities.push(Security { active: None, ..stock(900, "2026-01-09") });
        securities.push(Security { kind: "PFD".to_owned(), ..stock(901, "2026-01-09") });
        insta::assert_snapshot!(lines(&securities, FRIDAY), @r"
        ok 200 active stocks (CS) among 202 securities
        warn newest closes 2026-01-07, of 100.0 % of the stocks; last closed session 2026-01-09: 2 sessions behind
        ok 100.0 % of the stocks have a recent close (200 of 200)
        warn 25.0 % of the stocks have a market cap (50 of 200)
        warn 25.0 % of the stocks have shares outstanding (50 of 200)
        warn 25.0 % of the stocks have a known sector (50 of 200)
        warn 25.0 % of the stocks have a listing date (50 of 200)
        ");
    }

    #[test]
    fn a_half_loaded_day_and_an_empty_market_are_seen() {
        let mut securities: Vec<Security> = (0..200).map(|n| stock(n, "2026-01-09")).collect();
        for security in &mut securities[..80] {
            security.close = stock(0, "2026-01-08").close;
        }
        let half = lines(&securities, FRIDAY);
        assert!(half.contains("warn newest closes 2026-01-09, of 60.0 % of the stocks"), "{half}");
        assert_eq!(lines(&[], FRIDAY), "error 0 active stocks (CS) among 0 securities");
        let without_bars = [Security { close: None, ..stock(1, "2026-01-09") }];
        assert!(lines(&without_bars, FRIDAY).contains("error no stock has a close"));
    }
}
