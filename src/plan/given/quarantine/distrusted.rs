//! A value that a person does not believe, and the good one to go by meanwhile.
//!
//! The rules doubt only what is wrong ten times as often as right. A person sees more: yesterday's value, the news, the
//! neighbour. Mostly the wrong value has been believed by a sync already, so the last run is no yardstick: the good
//! value is the last one that differs.

use chrono::NaiveDate;

use crate::domain::symbol::Symbol;

use super::ratio::magnitude;

/// Share counts that differ by less are the same one.
pub(crate) const SAME_SHARES: f64 = 1.1;
/// Prices of two nights that differ by less have moved as prices do.
pub(crate) const SAME_PRICE: f64 = 1.36;

/// Has the next run doubt the value of a stock.
#[derive(Debug, Clone, PartialEq)]
pub struct Distrusted {
    /// The stock.
    pub symbol: Symbol,
    /// The good value.
    pub good: TakenValue,
}

/// What a run took for the value of a stock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TakenValue {
    /// The date of the run.
    pub as_of: NaiveDate,
    /// The cap in whole cents.
    pub cap_cents: i64,
    /// The close in dollars.
    pub close_dollars: f64,
}

impl TakenValue {
    fn shares(&self) -> f64 {
        self.cap_cents as f64 / self.close_dollars
    }

    fn has_other_shares(&self, other: &Self) -> bool {
        magnitude(self.shares() / other.shares()) >= SAME_SHARES
    }

    fn has_another_price(&self, other: &Self) -> bool {
        magnitude(self.close_dollars / other.close_dollars) >= SAME_PRICE
    }
}

impl Distrusted {
    /// Doubts the first of `values`, which are those of one stock from the newest to the oldest: the good one is the last
    /// that had other shares, else the one before the last step of the price. None where neither has ever been.
    pub fn first_of(symbol: &Symbol, values: &[TakenValue]) -> Option<Self> {
        let newest = values.first()?;
        let by_shares = || values.iter().find(|value| value.has_other_shares(newest));
        let by_price =
            || values.windows(2).find(|pair| pair[1].has_another_price(&pair[0])).map(|pair| &pair[1]);
        let good = by_shares().or_else(by_price)?;
        Some(Self { symbol: symbol.clone(), good: *good })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(values: &[(&str, i64, f64)]) -> Vec<TakenValue> {
        let value = |(day, cap, close): &(&str, i64, f64)| TakenValue {
            as_of: day.parse().expect("a date"),
            cap_cents: cap * 100_000_000_000,
            close_dollars: *close,
        };
        values.iter().map(value).collect()
    }

    fn good(listed: &[(&str, i64, f64)]) -> Option<String> {
        let symbol = Symbol::parse("INTC").expect("a symbol");
        Distrusted::first_of(&symbol, &values(listed)).map(|distrusted| distrusted.good.as_of.to_string())
    }

    #[test]
    fn the_good_value_is_the_last_that_differs() {
        let believed_for_two_nights =
            [("2026-07-22", 5_600, 40.0), ("2026-07-21", 5_500, 39.0), ("2026-07-20", 175, 40.0)];
        assert_eq!(good(&believed_for_two_nights).as_deref(), Some("2026-07-20"));
        assert_eq!(
            good(&[("2026-07-22", 40, 4.0), ("2026-07-21", 400, 40.0)]).as_deref(),
            Some("2026-07-21")
        );
        assert_eq!(good(&[("2026-07-22", 400, 40.0), ("2026-07-21", 390, 39.0)]), None);
        assert_eq!(good(&[("2026-07-22", 400, 40.0)]), None);
        assert_eq!(good(&[]), None);
    }

    #[test]
    fn a_price_that_has_drifted_for_months_is_no_step() {
        let drifted: Vec<(String, i64, f64)> =
            (1..=20).map(|n| (format!("2026-07-{:02}", 21 - n), 100 - n, 100.0 - n as f64)).collect();
        let drifted: Vec<(&str, i64, f64)> =
            drifted.iter().map(|(d, cap, close)| (&**d, *cap, *close)).collect();
        assert_eq!(good(&drifted), None);
    }
}
