//! A security's past: daily bars that end at its present price.
//!
//! The walk goes backwards from the last close, so today's prices, and with them every cap and rank, do not depend
//! on how many days of history are asked for. Each security walks by a random generator of its own: bars can be made one
//! security at a time, in any order, without keeping a million of them in memory.

use chrono::NaiveDate;

use super::invent::bell;

/// The lowest price a made security can have: one cent, in ten-thousandths of a dollar.
pub const LOWEST_PRICE: i64 = 100;

/// One day of one security. Prices are in ten-thousandths of a dollar, which `numeric(14,4)` holds exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// The trading day.
    pub date: NaiveDate,
    /// First price of the day.
    pub open: i64,
    /// Highest price of the day.
    pub high: i64,
    /// Lowest price of the day.
    pub low: i64,
    /// Last price of the day.
    pub close: i64,
    /// Shares traded.
    pub volume: i64,
}

/// What a walk needs to know of its security.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Walk {
    /// Where its random numbers start.
    pub seed: u64,
    /// The close of the newest day, in ten-thousandths of a dollar.
    pub last_close: i64,
    /// Shares traded on a usual day.
    pub usual_volume: i64,
    /// How far a usual day moves the price, as a fraction.
    pub daily_move: f64,
}

impl Walk {
    /// Replaces `bars` by one bar for each of `sessions`, oldest first. `sessions` are in ascending order.
    pub fn fill(&self, sessions: &[NaiveDate], bars: &mut Vec<Bar>) {
        bars.clear();
        let mut rng = fastrand::Rng::with_seed(self.seed);
        let mut close = self.last_close;
        for &date in sessions.iter().rev() {
            let previous = moved(close, -self.daily_move * bell(&mut rng));
            bars.push(bar(&mut rng, date, previous, close, self.usual_volume));
            close = previous;
        }
        bars.reverse();
    }
}

/// A day that comes after a close of `previous` and ends at `close`.
pub fn bar(rng: &mut fastrand::Rng, date: NaiveDate, previous: i64, close: i64, usual_volume: i64) -> Bar {
    let open = moved(previous, 0.004 * bell(rng));
    let high = moved(open.max(close), 0.01 * rng.f64());
    let low = moved(open.min(close), -0.01 * rng.f64());
    let volume = (usual_volume as f64 * (0.6 + 0.8 * rng.f64())) as i64;
    Bar { date, open, high, low, close, volume }
}

/// `price` after a move by the fraction `by`, never below [`LOWEST_PRICE`]: in whole cents from a dollar up, as
/// exchanges quote it.
pub fn moved(price: i64, by: f64) -> i64 {
    let exact = price as f64 * (1.0 + by);
    let tick = if exact >= 10_000.0 { 100.0 } else { 1.0 };
    (((exact / tick).round() * tick) as i64).max(LOWEST_PRICE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(count: u64) -> Vec<NaiveDate> {
        let first = NaiveDate::from_ymd_opt(2025, 1, 1).expect("a date");
        (0..count).map(|day| first + chrono::Days::new(day)).collect()
    }

    fn walk(last_close: i64) -> Walk {
        Walk { seed: 9, last_close, usual_volume: 1_000_000, daily_move: 0.02 }
    }

    #[test]
    fn a_walk_ends_at_the_last_close_and_has_a_bar_for_every_day() {
        let sessions = days(250);
        let mut bars = Vec::new();
        walk(1_234_500).fill(&sessions, &mut bars);
        assert_eq!(bars.iter().map(|bar| bar.date).collect::<Vec<_>>(), sessions);
        assert_eq!(bars[249].close, 1_234_500);
    }

    #[test]
    fn every_price_is_positive_and_lies_between_low_and_high() {
        let mut bars = Vec::new();
        walk(LOWEST_PRICE).fill(&days(500), &mut bars);
        for bar in bars {
            assert!(bar.low >= LOWEST_PRICE && bar.volume > 0);
            assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close));
        }
    }

    #[test]
    fn a_shorter_history_is_the_end_of_a_longer_one() {
        let sessions = days(250);
        let (mut long, mut short) = (Vec::new(), Vec::new());
        walk(500_000).fill(&sessions, &mut long);
        walk(500_000).fill(&sessions[240..], &mut short);
        assert_eq!(long[240..], short);
    }
}
