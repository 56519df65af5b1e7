//! What a guard measured, and how much of it is believed.
//!
//! Refusals and holds follow from measures and from nothing else, so what an operator reads of a quiet day is the same
//! number that would have stopped a loud one. A plan carries them, whether or not anything was kept back.

use serde_json::{Value, json};

use crate::domain::universe::UniverseName;

use crate::domain::wording::{grouped, percent, share};

crate::domain::words! {
    /// A guard. Those of the market as a whole come first and refuse the job; the others hold universes.
    Guard {
        /// Active stocks that are wanting to make a market; measured where no good run is known.
        TooFewStocks = "too_few_stocks",
        /// Active stocks fewer than in the last good run.
        ActiveDrop = "active_drop",
        /// Stocks that had a market cap in the last good run and have none now.
        CapsMissing = "caps_missing",
        /// Stocks whose sector is blank or another than in the last good run; holds what goes by sector.
        SectorsChanged = "sectors_changed",
        /// Members that would join or leave a tier, a theme or a universe of funds.
        TierChurn = "tier_churn",
        /// Places of `top_100` that would go to others.
        Top100Added = "top_100_added",
        /// Places of another ranking that would go to others.
        RankingAdded = "ranking_added",
        /// A universe would lose its last members.
        WouldBeEmpty = "would_be_empty",
    }
}

impl Guard {
    /// The setting that bounds it, where there is one.
    pub fn setting(self) -> Option<&'static str> {
        match self {
            Self::TooFewStocks => Some("guards.min_active_stocks"),
            Self::ActiveDrop => Some("guards.max_active_drop_pct"),
            Self::CapsMissing => Some("guards.max_caps_missing_pct"),
            Self::TierChurn => Some("guards.tier_churn_pct"),
            Self::Top100Added => Some("guards.top_100_added_pct"),
            Self::RankingAdded => Some("guards.ranking_added_pct"),
            Self::SectorsChanged | Self::WouldBeEmpty => None,
        }
    }
}

/// What one guard saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// Which guard.
    pub guard: Guard,
    /// The universe that it looked at; none for the market as a whole.
    pub universe: Option<UniverseName>,
    /// How many were counted.
    pub counted: usize,
    /// Of how many.
    pub of: usize,
    /// Fewer than this are never too many.
    pub at_least: usize,
    /// The largest believable share in percent, multiplied by `sessions` already.
    pub allowed_pct: f64,
    /// The sessions that the bound was multiplied by.
    pub sessions: u32,
}

impl Measure {
    /// Whether it is too much to be believed.
    pub fn is_exceeded(&self) -> bool {
        // Compared as a product: 5 of 100 are exactly 5 %.
        self.counted >= self.at_least && self.counted as f64 * 100.0 > self.allowed_pct * self.of as f64
    }

    /// What was seen, in percent.
    pub fn seen_pct(&self) -> f64 {
        share(self.counted, self.of)
    }

    /// What is held against the bound, in percent: what is too few to be too many is nothing, whatever its share.
    pub fn judged_pct(&self) -> f64 {
        if self.counted < self.at_least { 0.0 } else { self.seen_pct() }
    }

    /// How much of the bound was used, in percent; above 100 exactly where it [is exceeded](Self::is_exceeded).
    pub fn of_bound_pct(&self) -> f64 {
        match (self.judged_pct(), self.allowed_pct) {
            (judged, _) if judged <= 0.0 => 0.0,
            // A bound of nothing is exceeded by anything.
            (_, allowed) if allowed <= 0.0 => f64::INFINITY,
            (judged, allowed) => judged / allowed * 100.0,
        }
    }

    /// `top_100_added 3 of 100 (3 %, at most 10 %)`, with the universe where the guard does not name it.
    pub fn text(&self) -> String {
        let whose = match &self.universe {
            Some(universe) if self.guard != Guard::Top100Added => format!(" {universe}"),
            Some(_) | None => String::new(),
        };
        format!(
            "{}{whose} {} of {} ({}, at most {})",
            self.guard,
            grouped(self.counted),
            grouped(self.of),
            percent(self.seen_pct()),
            percent(self.allowed_pct)
        )
    }

    /// The measure for a program.
    pub fn to_json(&self) -> Value {
        let rounded = |pct: f64| (pct * 100.0).round() / 100.0;
        json!({
            "guard": self.guard,
            "universe": self.universe,
            "counted": self.counted,
            "of": self.of,
            "seen_pct": rounded(self.seen_pct()),
            "allowed_pct": rounded(self.allowed_pct),
            "at_least": self.at_least,
            "sessions": self.sessions,
            "exceeded": self.is_exceeded(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(counted: usize, of: usize, at_least: usize, allowed_pct: f64) -> Measure {
        Measure {
            guard: Guard::RankingAdded,
            universe: None,
            counted,
            of,
            at_least,
            allowed_pct,
            sessions: 1,
        }
    }

    #[test]
    fn a_bound_is_exceeded_above_it_and_not_at_it() {
        assert!(!measure(5, 100, 5, 5.0).is_exceeded());
        assert!(measure(6, 100, 5, 5.0).is_exceeded());
        assert!(!measure(4, 10, 5, 5.0).is_exceeded(), "four are never too many");
        assert!(!measure(0, 0, 0, 0.0).is_exceeded());
        assert!(measure(1, 100, 1, 0.0).is_exceeded());
    }

    #[test]
    fn more_than_the_whole_bound_is_used_exactly_where_it_is_exceeded() {
        for counted in 0..12 {
            for (of, at_least, allowed) in [(100, 5, 5.0), (10, 5, 5.0), (40, 1, 10.0), (8, 1, 0.0)] {
                let measure = measure(counted, of, at_least, allowed);
                assert_eq!(measure.of_bound_pct() > 100.0, measure.is_exceeded(), "{measure:?}");
            }
        }
    }

    #[test]
    fn a_measure_is_told_beside_its_bound() {
        assert_eq!(measure(31, 500, 5, 5.0).text(), "ranking_added 31 of 500 (6.2 %, at most 5 %)");
        let of_universe =
            Measure { universe: Some(UniverseName::known("top_500")), ..measure(31, 500, 5, 5.0) };
        assert_eq!(of_universe.text(), "ranking_added top_500 31 of 500 (6.2 %, at most 5 %)");
    }
}
