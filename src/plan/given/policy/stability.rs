//! Switches that keep memberships from flapping. By default the rules are literal.

use serde::Serialize;

use crate::domain::money::Usd;
use crate::domain::universe::Tier;
use crate::domain::words;

use crate::domain::universe::SECTOR_LEADERS;

/// A percentage is told to a ten-thousandth of a percent.
const PARTS_OF_A_PERCENT: f64 = 10_000.0;
const PARTS_OF_THE_WHOLE: u64 = 1_000_000;

/// How reluctant members are to leave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stability {
    /// Percent by which a cap must be past a tier's bound before a member leaves the tier.
    pub tier_band_pct: f64,
    /// Percent of N by which a member of a ranking may fall behind rank N and stay; a newcomer that is as far ahead of it
    /// gets a seat at once.
    pub rank_buffer_pct: f64,
    /// Rank in its sector down to which a sector leader stays, likewise.
    pub sector_leader_keep: usize,
    /// Which share classes of a company take seats.
    pub share_classes: ShareClasses,
}

/// The ranks around the last seat between which only members have a right to their seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// The last rank with which anybody has a right to a seat.
    pub first: usize,
    /// The last rank with which a member has one.
    pub last: usize,
}

impl Buffer {
    /// As far above the last of so many seats as below it.
    fn around(limit: usize, last: usize) -> Self {
        Self { first: (2 * limit).saturating_sub(last), last }
    }

    /// Whether it makes any difference.
    pub(in crate::plan) fn is_any(self) -> bool {
        self.first < self.last
    }
}

words! {
    /// Which share classes of a company take seats.
    ShareClasses {
        /// Each for itself.
        All = "all",
        /// The most traded one.
        Primary = "primary",
    }
}

impl Default for Stability {
    fn default() -> Self {
        Self {
            tier_band_pct: 0.0,
            rank_buffer_pct: 0.0,
            sector_leader_keep: SECTOR_LEADERS,
            share_classes: ShareClasses::All,
        }
    }
}

impl Stability {
    /// Whether nothing is switched on.
    pub fn is_literal(&self) -> bool {
        *self == Self::default()
    }

    /// Whether members of a tier may be a little outside of it.
    pub(in crate::plan) fn has_bands(&self) -> bool {
        self.tier_band_pct > 0.0
    }

    /// Down to where members of a tier with this floor stay.
    pub(in crate::plan) fn below(&self, floor: i64) -> Usd {
        Usd::dollars(floor).times_parts(PARTS_OF_THE_WHOLE - parts(self.tier_band_pct), PARTS_OF_THE_WHOLE)
    }

    /// Up to below where members of a tier with this ceiling stay.
    pub(in crate::plan) fn above(&self, ceiling: i64) -> Usd {
        Usd::dollars(ceiling).times_parts(PARTS_OF_THE_WHOLE + parts(self.tier_band_pct), PARTS_OF_THE_WHOLE)
    }

    /// The buffer of a ranking of so many.
    pub(in crate::plan) fn buffer(&self, limit: usize) -> Buffer {
        let last = limit as u64 * (PARTS_OF_THE_WHOLE + parts(self.rank_buffer_pct)) / PARTS_OF_THE_WHOLE;
        Buffer::around(limit, last as usize)
    }

    /// The buffer of the leaders of a sector.
    pub(in crate::plan) fn sector_buffer(&self) -> Buffer {
        Buffer::around(SECTOR_LEADERS, self.sector_leader_keep)
    }

    /// Whether the bands around these floors, which fall, leave room between them: a stock that its tier no longer
    /// keeps then always finds itself inside another one, or outside of all.
    pub fn leaves_room_between(&self, floors: &[(Tier, i64)]) -> bool {
        floors.windows(2).all(|pair| self.above(pair[1].1) <= self.below(pair[0].1))
    }
}

fn parts(pct: f64) -> u64 {
    (pct * PARTS_OF_A_PERCENT).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_and_buffers_are_exact() {
        let stability = Stability { tier_band_pct: 5.0, rank_buffer_pct: 2.5, ..Stability::default() };
        assert_eq!(stability.below(10_000_000_000), Usd::dollars(9_500_000_000));
        assert_eq!(stability.above(10_000_000_000), Usd::dollars(10_500_000_000));
        let ranks = |limit| (stability.buffer(limit).first, stability.buffer(limit).last);
        assert_eq!([1, 39, 40, 500].map(ranks), [(1, 1), (39, 39), (39, 41), (488, 512)]);
        let sectors = Stability { sector_leader_keep: 12, ..stability }.sector_buffer();
        assert_eq!((sectors.first, sectors.last), (8, 12));
        let tenth = Stability { tier_band_pct: 0.1, ..Stability::default() };
        assert_eq!(tenth.below(15_000_000_000_000), Usd::dollars(14_985_000_000_000));
    }

    #[test]
    fn nothing_is_kept_as_long_as_nothing_is_switched_on() {
        let literal = Stability::default();
        assert!(literal.is_literal() && !literal.has_bands());
        assert_eq!((literal.below(7), literal.above(7)), (Usd::dollars(7), Usd::dollars(7)));
        assert!(!literal.buffer(1_000_000).is_any() && !literal.sector_buffer().is_any());
    }

    #[test]
    fn bands_of_neighbours_may_touch_and_not_overlap() {
        let floors = |upper, lower| vec![(Tier::Mega, upper), (Tier::Large, lower)];
        let stability = Stability { tier_band_pct: 10.0, ..Stability::default() };
        assert!(stability.leaves_room_between(&floors(110, 90)));
        assert!(!stability.leaves_room_between(&floors(110, 91)));
        assert!(Stability::default().leaves_room_between(&floors(110, 109)));
    }
}
