//! The closes that were read, beside those of the last run: whether a night repeats the last one, and whether the closes
//! of a date that was synced have been corrected since.
//!
//! An import that is asked for a night before its source has it sometimes brings the last night again under a new date:
//! 61 % of the stocks with the same close and the same volume, where honest nights have 0.3 %. Such closes are not counted,
//! so the date is incomplete until they are repaired. Volumes are read only where closes alone give reason to: of more
//! than a quarter of the stocks, where honest nights have at most 9 %.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::NaiveDate;
use rustc_hash::FxHashMap;

use super::snapshot::RunState;
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;

/// Fewer stocks than this say nothing: a market that hardly trades repeats itself.
const MIN_STOCKS: usize = 500;
/// So many stocks are enough to tell whether volumes repeat too.
const SAMPLE: usize = 200;
/// A correction that touches fewer of a hundred stocks is left to the next night.
const CORRECTED_PCT: usize = 1;

/// Stocks whose newest close is the one of the last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeats {
    /// The newest date.
    pub date: NaiveDate,
    /// The date of the last run.
    pub last: NaiveDate,
    /// How many there are.
    pub stocks: usize,
    /// Some of them, to look at their volumes.
    pub sample: BTreeSet<Symbol>,
}

/// The stocks of `securities` whose close of `newest` is the one that `last` saw on a date before, where they are so many
/// that their volumes have to be looked at.
pub fn suspected_repeats(securities: &[Security], last: &RunState, newest: NaiveDate) -> Option<Repeats> {
    if newest <= last.as_of || last.stocks.len() < MIN_STOCKS {
        return None;
    }
    let closes = closes_of(last);
    let (mut compared, mut same) = (0, Vec::new());
    for security in securities.iter().filter(|security| has_close_of(security, newest)) {
        let Some(before) = closes.get(&security.symbol.key()) else { continue };
        compared += 1;
        if security.close_dollars() == Some(*before) {
            same.push(&security.symbol);
        }
    }
    let are_many = compared >= MIN_STOCKS && same.len() * 4 > compared;
    are_many.then(|| Repeats {
        date: newest,
        last: last.as_of,
        stocks: same.len(),
        sample: same.into_iter().take(SAMPLE).cloned().collect(),
    })
}

impl Repeats {
    /// Whether most of the sample, read with the volumes of its last two bars, have the same volume too.
    pub fn are_confirmed_by(&self, securities: &[Security]) -> bool {
        let of_sample = securities.iter().filter(|security| self.sample.contains(&security.symbol));
        let repeats = of_sample.filter(|security| {
            security.volume.positive().is_some() && security.volume == security.previous_volume
        });
        repeats.count() * 2 > self.sample.len()
    }
}

/// Whether so many closes of the date that `last` was for are others by now that it should be synced again.
pub fn are_corrected(securities: &[Security], last: &RunState) -> bool {
    let closes = closes_of(last);
    let compared = securities.iter().filter(|security| has_close_of(security, last.as_of));
    let compared = compared
        .filter_map(|security| Some((security.close_dollars()?, *closes.get(&security.symbol.key())?)));
    let (mut all, mut others) = (0, 0);
    for (now, before) in compared {
        all += 1;
        others += usize::from((now / before - 1.0).abs() > f64::EPSILON);
    }
    others > 0 && others * 100 > all * CORRECTED_PCT
}

fn has_close_of(security: &Security, date: NaiveDate) -> bool {
    security.active == Some(true) && security.close.is_some_and(|close| close.date == date)
}

/// The closes that a run saw; of suspected splits it keeps others.
fn closes_of(last: &RunState) -> FxHashMap<Cow<'_, str>, f64> {
    let carried: BTreeSet<&Symbol> = last.quarantine.symbols.iter().map(|entry| &entry.symbol).collect();
    let seen = last.stocks.iter().filter(|stock| !carried.contains(&stock.symbol));
    seen.filter_map(|stock| Some((stock.symbol.key(), stock.close_dollars?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::figure::Figure;
    use crate::domain::security::Close;
    use crate::plan::given::date::Coverage;
    use crate::plan::given::snapshot::StockState;

    const MONDAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 7, 20).expect("a date");
    const TUESDAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 7, 21).expect("a date");

    fn symbol(place: i64) -> Symbol {
        Symbol::parse(&format!("S{place:03}")).expect("a symbol")
    }

    /// What a run saw on Monday: 600 stocks at 1 to 600 dollars.
    fn monday() -> RunState {
        let stocks = (1..=600).map(|place| StockState {
            symbol: symbol(place),
            cap_cents: None,
            close_dollars: Some(place as f64),
            shares: None,
            sector: None,
        });
        RunState { as_of: MONDAY, stocks: stocks.collect(), ..RunState::default() }
    }

    /// The same stocks, of which so many have the close of Monday, on `date`; and whether they have its volume.
    fn market(date: NaiveDate, same: i64, repeats_volume: bool) -> Vec<Security> {
        let stocks = (1..=600).map(|place| {
            let close = if place <= same { place } else { place + 1 };
            Security {
                close: Some(Close { date, price: Figure::Value(close.into()) }),
                volume: Figure::Value(1_000.into()),
                previous_volume: Figure::Value(if repeats_volume { 1_000 } else { 900 }.into()),
                ..Security::new(symbol(place), "CS")
            }
        });
        stocks.collect()
    }

    #[test]
    fn closes_that_repeat_with_their_volume_leave_a_date_incomplete() {
        let securities = market(TUESDAY, 366, true);
        let repeats = suspected_repeats(&securities, &monday(), TUESDAY).expect("61 % are many");
        assert_eq!((repeats.stocks, repeats.last, repeats.sample.len()), (366, MONDAY, SAMPLE));
        assert!(repeats.are_confirmed_by(&securities));
        let mut coverage = Coverage::of(&securities, &BTreeSet::from(["CS".to_owned()]));
        assert_eq!(coverage.newest_complete(), Some(TUESDAY));
        coverage.discount(&repeats);
        assert_eq!((coverage.closes(TUESDAY), coverage.closes(MONDAY)), (234, 600));
        assert_eq!(coverage.newest_complete(), Some(MONDAY));
    }

    #[test]
    fn a_quiet_night_and_another_volume_are_no_repeat() {
        assert_eq!(suspected_repeats(&market(TUESDAY, 150, true), &monday(), TUESDAY), None);
        assert_eq!(suspected_repeats(&market(MONDAY, 600, true), &monday(), MONDAY), None);
        let securities = market(TUESDAY, 600, false);
        let repeats = suspected_repeats(&securities, &monday(), TUESDAY).expect("all closes are the same");
        assert!(!repeats.are_confirmed_by(&securities));
    }

    #[test]
    fn closes_of_a_synced_date_are_corrected_from_one_in_a_hundred_on() {
        assert!(!are_corrected(&market(MONDAY, 600, true), &monday()));
        assert!(!are_corrected(&market(MONDAY, 594, true), &monday()));
        assert!(are_corrected(&market(MONDAY, 593, true), &monday()));
        assert!(!are_corrected(&market(TUESDAY, 0, true), &monday()));
    }

    #[test]
    fn only_eligible_stocks_are_counted_where_there_are_some() {
        let mut securities = market(TUESDAY, 600, true);
        let warrants = securities.iter_mut().skip(500);
        warrants.for_each(|security| (security.kind, security.close) = ("WARRANT".into(), None));
        let stocks = BTreeSet::from(["CS".to_owned()]);
        assert_eq!(Coverage::of(&securities, &stocks).active, 500);
        assert_eq!(Coverage::of(&securities, &BTreeSet::from(["ADRC".to_owned()])).active, 600);
    }
}
