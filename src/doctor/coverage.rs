//! Looks at the market that a sync would read: which facts it has, and how fresh it is.
//!
//! A universe is as good as the columns behind it. This part counts, over the active stocks, in how many of them each
//! fact is there, and compares the newest day of closes with the last session of the exchange.

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::calendar::{last_closed_session, sessions_between};
use crate::domain::sector::Sector;
use crate::domain::security::Security;
use crate::domain::universe::SECTOR_LEADERS;
use crate::domain::wording::first_few;
use crate::plan::given::date::{Coverage, closes_text};
use crate::plan::given::policy::Policy;
use crate::plan::market::{Market, Standing};

use super::Finding;

const SUBJECT: &str = "data";

/// What there is to say of these securities, read without a bound on the date of their closes, and of how far the
/// data reaches.
pub fn examine(
    securities: &[Security],
    coverage: &Coverage,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let newest = coverage.newest();
    let market = Market::new(securities, newest.unwrap_or_default(), policy);
    let stocks: Vec<u32> =
        (0..market.len() as u32).filter(|index| market.standing(*index) == Standing::Eligible).collect();
    let mut findings = vec![size(stocks.len(), securities.len(), policy)];
    if stocks.is_empty() {
        return findings;
    }
    findings.push(freshness(coverage, newest, now));
    findings.extend(facts(&market, &stocks));
    findings.extend(sectors_in_doubt(&market, policy));
    findings.extend(seeds_of_another_type(&market, policy));
    findings
}

/// Leaders of a sector by their text that belong to another one by their SIC code.
fn sectors_in_doubt(market: &Market<'_>, policy: &Policy) -> Option<Finding> {
    let leaders = Sector::ALL.iter().flat_map(|sector| market.ranked_in(*sector).iter().take(SECTOR_LEADERS));
    let doubtful: Vec<String> = leaders
        .filter_map(|index| {
            let security = market.security(*index);
            let (by_text, by_sic) = policy.sectors.text_against_sic(security)?;
            Some(format!("{} ({by_text}, by its SIC code {by_sic})", security.symbol))
        })
        .collect();
    (!doubtful.is_empty()).then(|| {
        Finding::warn(
            SUBJECT,
            format!(
                "leaders of sectors whose text and SIC code disagree, {} in all: {}",
                doubtful.len(),
                doubtful.join(", ")
            ),
            "see to which sector each belongs, and add it to [overrides] in sectors.toml",
        )
    })
}

/// Seeds of themes that trade, and whose type keeps them out of stock universes.
fn seeds_of_another_type(market: &Market<'_>, policy: &Policy) -> Option<Finding> {
    let themes = policy.themes.themes.iter().filter(|theme| theme.is_enabled);
    let listed: Vec<String> = themes
        .filter_map(|theme| {
            let seeds = theme.seeds.iter().filter_map(|key| market.find(key));
            let others: Vec<String> = seeds
                .filter(|index| matches!(market.standing(*index), Standing::OtherType | Standing::Fund))
                .map(|index| format!("{} ({})", market.security(index).symbol, market.security(index).kind))
                .collect();
            (!others.is_empty()).then(|| format!("{}: {}", theme.universe, first_few(others.iter())))
        })
        .collect();
    (!listed.is_empty()).then(|| {
        Finding::warn(
            SUBJECT,
            format!("on lists of themes, but of a type that can't count: {}", listed.join("; ")),
            "add the type to source.eligible_types, or take them off the lists in themes.toml",
        )
    })
}

fn size(stocks: usize, all: usize, policy: &Policy) -> Finding {
    let types: Vec<&str> = policy.eligible_types.iter().map(String::as_str).collect();
    let what = format!("{stocks} active stocks ({}) among {all} securities", types.join(", "));
    let fewest = policy.guards.min_active_stocks;
    if stocks == 0 || stocks < fewest {
        Finding::error(
            SUBJECT,
            what,
            format!(
                "load the market, and see source.eligible_types; a first sync wants {fewest} stocks \
                 (guards.min_active_stocks)"
            ),
        )
    } else {
        Finding::ok(SUBJECT, what)
    }
}

/// How far the newest day of closes is behind the exchange, and whether it is complete.
fn freshness(coverage: &Coverage, newest: Option<NaiveDate>, now: DateTime<Utc>) -> Finding {
    let Some(newest) = newest else {
        return Finding::error(SUBJECT, "no security has a close", "load daily bars into source.bars_table");
    };
    let expected = last_closed_session(now);
    let behind = sessions_between(newest, expected);
    let have = closes_text(coverage.closes(newest), coverage.usual(newest));
    let what = format!("the newest day is {newest} with {have}; the last closed session is {expected}");
    if behind > 0 {
        let sessions = if behind == 1 { "session" } else { "sessions" };
        Finding::warn(SUBJECT, format!("{what}, {behind} {sessions} later"), "see whether the import runs")
    } else if coverage.newest_complete() == Some(newest) {
        Finding::ok(SUBJECT, what)
    } else {
        Finding::warn(SUBJECT, format!("{what}, which is not complete"), "wait for the import to finish")
    }
}

/// Which facts the stocks have, and what is lost without them.
fn facts(market: &Market<'_>, stocks: &[u32]) -> Vec<Finding> {
    let count = |has: &dyn Fn(u32) -> bool| stocks.iter().filter(|index| has(**index)).count();
    let close = |index: u32| market.security(index).close_price().is_some();
    let cap = |index: u32| market.cap(index).is_some();
    let shares = |index: u32| market.security(index).shares.positive().is_some();
    let sector = |index: u32| market.sector(index).is_some();
    let list_date = |index: u32| market.security(index).list_date.is_some();
    [
        Fact {
            name: "a close of some date",
            count: count(&close),
            wanted_pct: 90.0,
            lost: "market caps from it",
        },
        Fact { name: "a market cap", count: count(&cap), wanted_pct: 90.0, lost: "tiers and rankings" },
        Fact {
            name: "shares outstanding",
            count: count(&shares),
            wanted_pct: 50.0,
            lost: "market caps of the day rather than stored ones",
        },
        Fact { name: "a known sector", count: count(&sector), wanted_pct: 50.0, lost: "leaders of sectors" },
        Fact { name: "a listing date", count: count(&list_date), wanted_pct: 50.0, lost: "new listings" },
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
                    "fill it in the source, or name its column in [source.columns]; without it, {lost} suffer"
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
    use crate::plan::given::policy::{FundRules, Guards, SectorTable, Stability, ThemeRules};
    use crate::store::read::coverage_of;
    use crate::store::read::snapshot::AppliedDates;

    fn policy() -> Policy {
        Policy {
            eligible_types: ["CS".to_owned()].into(),
            tier_floors: Vec::new(),
            rankings: Vec::new(),
            sectors: SectorTable::new([], [("tech".to_owned(), crate::domain::sector::Sector::Technology)]),
            themes: ThemeRules::default(),
            funds: FundRules::default(),
            guards: Guards::default(),
            stability: Stability::default(),
            adopt_existing: false,
            protected_types: std::collections::BTreeSet::new(),
        }
    }

    /// A stock with everything, its close on `date`.
    fn stock(number: usize, date: &str) -> Security {
        let price = Figure::Value(10.into());
        Security {
            shares: Figure::Value(1_000_000.into()),
            sector: Some("Tech".into()),
            list_date: date.parse().ok(),
            close: Some(Close { date: date.parse().expect("a date"), price }),
            ..Security::new(Symbol::parse(&format!("S{number}")).expect("a symbol"), "CS")
        }
    }

    fn lines(securities: &[Security], now: &str) -> String {
        let market = crate::store::read::source::SourceMarket {
            securities: securities.to_vec(),
            unreadable_symbols: Vec::new(),
        };
        let coverage = coverage_of(&market, AppliedDates::default(), &policy());
        let findings = examine(securities, &coverage, &policy(), now.parse().expect("a time"));
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
        ok the newest day is 2026-01-09 with 200 of 200 closes; the last closed session is 2026-01-09
        ok 100.0 % of the stocks have a close of some date (200 of 200)
        ok 100.0 % of the stocks have a market cap (200 of 200)
        ok 100.0 % of the stocks have shares outstanding (200 of 200)
        ok 100.0 % of the stocks have a known sector (200 of 200)
        ok 100.0 % of the stocks have a listing date (200 of 200)
        ");
        let saturday = lines(&securities, "2026-01-10T22:00:00Z");
        assert!(saturday.contains("ok the newest day is 2026-01-09"), "{saturday}");
    }

    #[test]
    fn a_market_with_holes_says_which_and_what_they_cost() {
        let mut securities: Vec<Security> = (0..200).map(|n| stock(n, "2026-01-07")).collect();
        // One stray close of a later day is no import.
        securities[0] = stock(0, "2026-01-09");
        for security in &mut securities[..150] {
            security.sector = Some("Miscellaneous".into());
            security.shares = Figure::Value(0.into());
            security.list_date = None;
        }
        securities.push(Security { active: None, ..stock(900, "2026-01-09") });
        securities.push(Security { kind: "PFD".into(), ..stock(901, "2026-01-09") });
        insta::assert_snapshot!(lines(&securities, FRIDAY), @r"
        ok 200 active stocks (CS) among 202 securities
        warn the newest day is 2026-01-07 with 200 of 200 closes; the last closed session is 2026-01-09, 2 sessions later
        ok 100.0 % of the stocks have a close of some date (200 of 200)
        warn 25.0 % of the stocks have a market cap (50 of 200)
        warn 25.0 % of the stocks have shares outstanding (50 of 200)
        warn 25.0 % of the stocks have a known sector (50 of 200)
        warn 25.0 % of the stocks have a listing date (50 of 200)
        ");
    }

    #[test]
    fn leaders_whose_text_and_code_disagree_are_listed() {
        let mut securities: Vec<Security> = (0..200).map(|n| stock(n, "2026-01-09")).collect();
        // The largest two are leaders: the code of one is gas transmission, of the other computers. So is that of the
        // smallest, who leads nothing.
        for (place, code, shares) in [(0, "4922", 9_000_000), (1, "3571", 8_000_000), (2, "4922", 1)] {
            securities[place].sic_code = Some(code.into());
            securities[place].shares = Figure::Value(shares.into());
        }
        let range = |text: &str| crate::domain::sic::SicRange::parse(text).expect("a range");
        let mut policy = policy();
        policy.sectors =
            policy.sectors.with_sic([(range("4922"), Sector::Energy), (range("3571"), Sector::Technology)]);
        let market = Market::new(&securities, "2026-01-09".parse().expect("a date"), &policy);
        let finding = sectors_in_doubt(&market, &policy).expect("a finding");
        assert_eq!(
            finding.what,
            "leaders of sectors whose text and SIC code disagree, 1 in all: S0 (technology, by its SIC code energy)"
        );
        policy.sectors = SectorTable::new([("S0".to_owned(), Sector::Energy)], []);
        assert_eq!(sectors_in_doubt(&market, &policy), None, "somebody has decided");
    }

    #[test]
    fn a_half_loaded_day_and_an_empty_market_are_seen() {
        let mut securities: Vec<Security> = (0..200).map(|n| stock(n, "2026-01-09")).collect();
        for security in &mut securities[..80] {
            security.close = stock(0, "2026-01-08").close;
        }
        let half = lines(&securities, FRIDAY);
        assert!(half.contains("warn the newest day is 2026-01-09 with 120 of 200 closes"), "{half}");
        assert_eq!(lines(&[], FRIDAY), "error 0 active stocks (CS) among 0 securities");
        let without_bars = [Security { close: None, ..stock(1, "2026-01-09") }];
        assert!(lines(&without_bars, FRIDAY).contains("error no security has a close"));
    }
}
