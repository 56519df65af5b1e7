//! Whether a price has moved as by a split whose shares have not come yet.
//!
//! Feeds bring the price of a split a day or more before its shares, and a company of 473 billion is one of 47 for a
//! night. A crash and a rise look alike in the price, but not in what was traded: a split moves a price without anybody
//! trading. What tells them apart was measured on 62 nights with 134 splits; `config/cache_sync.toml` has the figures
//! beside each bound.
//!
//! | | a split of n:1 | a merger of shares 1:n |
//! |---|---|---|
//! | price | within a tenth of a real ratio | up by 2.7x or more |
//! | share before | dear, or of a large company | at any price |
//! | traded, of the company | little of its last good cap | little of its cap as found |
//! | traded, against the session before | | not many times as much |
//!
//! # Why the ratio of a merger is no matter
//! Companies merge their shares by 1:14 and 1:57, and lose or gain a third of their worth on that day. A real ratio is
//! near to almost any rise, so it would tell nothing.
//!
//! # Why a split 2:1 is suspected only of a large company
//! Shares of small companies halve in a session on hardly any trade. Those of large ones don't.
//!
//! # Where no volume is known
//! the price alone decides, and time releases the stock after some sessions.

use crate::plan::given::policy::Guards;

use super::comparison::Comparison;
use super::ratio::{SplitRatio, magnitude};

/// Shares that move by more have moved with the price.
const STILL: f64 = 1.3;
/// The smallest split that is suspected of a company of any size.
const SMALLEST_RATIO: f64 = 4.0;
/// The smallest rise that is suspected as a merger of shares: of 1:3, on a day that takes a tenth of it back.
const SMALLEST_MERGER: f64 = 2.7;
/// Moves of the price by less are no split.
pub(super) const SMALLEST_MOVE: f64 = 1.7;

/// Whether a price moved by as much as by the smallest merger of shares, up or down.
pub(super) fn is_large_move(price: f64) -> bool {
    magnitude(price) >= SMALLEST_MERGER
}

/// What speaks for a split.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    /// What was traded as a share of the company; none where no volume is known.
    pub(super) turnover: Option<f64>,
}

/// Whether the shares stayed and the price moved as by a split.
pub(super) fn is_suspected(comparison: &Comparison, guards: &Guards) -> Option<Evidence> {
    let (price, shares) = (comparison.price?, comparison.shares?);
    if magnitude(shares) >= STILL || magnitude(price) < SMALLEST_MOVE {
        return None;
    }
    if price < 1.0 { as_split(comparison, guards, price) } else { as_merger(comparison, guards, price) }
}

fn as_split(comparison: &Comparison, guards: &Guards, price: f64) -> Option<Evidence> {
    let last_cap = comparison.last_cap?;
    let ratio = SplitRatio::near(price)?;
    let is_dear = comparison.stock.close_dollars.is_some_and(|close| close >= guards.split_min_close as f64);
    let is_large = last_cap >= guards.split_large_cap as f64 * 100.0;
    let is_likely = is_large || (is_dear && ratio.n >= SMALLEST_RATIO);
    let turnover = comparison.traded.map(|traded| traded / last_cap);
    (is_likely && is_within(turnover, guards.split_max_turnover)).then_some(Evidence { turnover })
}

fn as_merger(comparison: &Comparison, guards: &Guards, price: f64) -> Option<Evidence> {
    let cap = comparison.cap?;
    let turnover = comparison.traded.map(|traded| traded / cap);
    let is_likely = price >= SMALLEST_MERGER
        && is_within(turnover, guards.merger_max_turnover)
        && is_within(comparison.growth_of_trade(), guards.merger_max_trade_growth);
    is_likely.then_some(Evidence { turnover })
}

/// Whether what was measured is within its bound; 0 is no bound, and what is unknown is within any.
fn is_within(measured: Option<f64>, bound: f64) -> bool {
    bound <= 0.0 || measured.is_none_or(|measured| measured <= bound)
}
