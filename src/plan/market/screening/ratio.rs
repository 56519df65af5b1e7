//! Factors between two nights: how large they are, and which of them are ratios of splits.

use std::fmt;

/// The ratios by which boards split shares or merge them; others are as rare as the days on which a price moves so.
const REAL: [f64; 10] = [2.0, 3.0, 4.0, 5.0, 10.0, 15.0, 20.0, 25.0, 50.0, 100.0];
/// How far from n:1 the close may be: the stock itself moves on the day, too.
const TOLERANCE: f64 = 0.1;
/// Shares follow a price that moved by up to twice as much or half as much the other way: stocks whose shares are
/// merged 1:10 often lose a third of their worth on the same day.
const FOLLOW_TOLERANCE: f64 = 2.0;
/// Whoever moved by just 1.5x has not jumped.
const JUMP: f64 = 1.5;
/// Factors that differ by less are the same one, worked out twice: caps are kept in whole cents.
const EVEN: f64 = 1e-6;

/// The ratio of a split that a move of the price comes near to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SplitRatio {
    /// New shares for one old one, or old shares for one new one where shares are merged.
    pub(super) n: f64,
    /// Whether shares are merged.
    is_merger: bool,
}

impl SplitRatio {
    /// The real ratio within a tenth of a move of the price by `factor`.
    pub(super) fn near(factor: f64) -> Option<Self> {
        let size = magnitude(factor);
        let n = REAL.into_iter().find(|n| (size - n).abs() <= n * TOLERANCE)?;
        Some(Self { n, is_merger: factor > 1.0 })
    }

    /// As a person reads it: `10:1`, `1:10` where shares are merged, `about 1:28` where no real ratio is near.
    pub(super) fn named(factor: f64) -> String {
        if let Some(ratio) = Self::near(factor) {
            return ratio.to_string();
        }
        let about = Self { n: magnitude(factor).round(), is_merger: factor > 1.0 };
        format!("about {about}")
    }
}

impl fmt::Display for SplitRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_merger { write!(f, "1:{}", self.n) } else { write!(f, "{}:1", self.n) }
    }
}

/// A factor of a half is as large a move as one of two.
pub(super) fn magnitude(factor: f64) -> f64 {
    factor.max(1.0 / factor)
}

/// Whether shares moved by more than they do from night to night.
pub(super) fn is_jump(shares: f64) -> bool {
    magnitude(shares) > JUMP * (1.0 + EVEN)
}

/// Whether shares moved as in a split whose price moved by `price`: the other way, by about as much, and nearer to
/// that than to standing still.
pub(super) fn follows(shares: f64, price: f64) -> bool {
    let off = magnitude(shares * price);
    is_jump(shares) && off <= FOLLOW_TOLERANCE && off <= magnitude(shares).sqrt()
}

/// A factor with up to three decimals.
pub(super) fn times(factor: f64) -> String {
    let text = format!("{factor:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A price with as many decimals as it needs.
pub(super) fn price(dollars: f64) -> String {
    if dollars < 1.0 { format!("{dollars:.4}") } else { format!("{dollars:.2}") }
}
