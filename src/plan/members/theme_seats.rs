//! Who gets a seat in a theme: of its candidates the seeds, then newcomers near the top and members that did not fall
//! far behind.

use super::candidates::{Candidate, Judge, Marks};
use super::overrides::Hands;
use super::universes::Universe;
use crate::plan::given::policy::Theme;
use crate::plan::market::Market;

/// Who would like a seat in a theme, and who gets one.
pub(crate) struct Seating {
    /// In the global order.
    pub(crate) candidates: Vec<Candidate>,
    /// Those of them who get one, in the same order.
    pub(crate) seated: Vec<u32>,
    /// Who had one before.
    pub(crate) members: Marks,
    /// Whether nobody had.
    pub(crate) is_first_fill: bool,
    /// Who is pinned, and takes a seat before everybody else.
    pub(crate) pins: Vec<u32>,
}

/// What people have decided of a theme.
#[derive(Debug, Default)]
pub(crate) struct ByHand {
    pins: Vec<u32>,
    bans: Marks,
}

impl ByHand {
    /// What they have decided of the theme with this universe.
    pub(crate) fn of(market: &Market, hands: &Hands, universe: &Universe) -> Self {
        if hands.are_empty() {
            return Self::default();
        }
        Self { pins: hands.pins(&universe.name), bans: Marks::new(market, hands.bans(&universe.name)) }
    }
}

impl Seating {
    /// The seating of a theme that has these members; `None` where what its rule goes by does not exist.
    pub(crate) fn new(
        judge: &Judge,
        theme: &Theme,
        members: Marks,
        is_first_fill: bool,
        decided: ByHand,
    ) -> Option<Self> {
        let ByHand { pins, bans } = decided;
        let mut candidates = judge.candidates(theme, &members)?;
        candidates.retain(|candidate| !bans.has(candidate.index));
        let mut seating = Self { candidates, seated: Vec::new(), members, is_first_fill, pins };
        seating.seated = seats(&seating, judge, theme);
        Some(seating)
    }

    /// The last rank among the candidates with which the one at `index` may have a seat.
    pub(crate) fn last_rank(&self, judge: &Judge, theme: &Theme, index: u32) -> usize {
        let (scoring, max) = (judge.scoring(), theme.max_members);
        if self.members.has(index) {
            Self::rank_at(theme, scoring.leave_at_pct)
        } else if self.is_first_fill || judge.market().is_new_listing(index) {
            max
        } else {
            Self::rank_at(theme, scoring.enter_at_pct)
        }
    }

    /// The last rank within so many percent of the seats.
    pub(crate) fn rank_at(theme: &Theme, pct: usize) -> usize {
        pct * theme.max_members / 100
    }
}

/// Who gets a seat, in the global order; whoever has no place in it comes last, by symbol.
fn seats(seating: &Seating, judge: &Judge, theme: &Theme) -> Vec<u32> {
    let (candidates, pins) = (&seating.candidates, &seating.pins);
    let max = theme.max_members.saturating_sub(pins.len());
    let belongs = |rank: usize, index: u32| rank <= seating.last_rank(judge, theme, index);
    let seeds = candidates.iter().filter(|candidate| candidate.is_seed && !pins.contains(&candidate.index));
    let mut seats_left = max.saturating_sub(seeds.count());
    let mut seeds_left = max;
    let mut seated = Vec::with_capacity(max.min(candidates.len()) + pins.len());
    for (place, Candidate { index, is_seed }) in candidates.iter().enumerate() {
        let left = if *is_seed { &mut seeds_left } else { &mut seats_left };
        if *left > 0 && !pins.contains(index) && (*is_seed || belongs(place + 1, *index)) {
            *left -= 1;
            seated.push(*index);
        }
    }
    if !pins.is_empty() {
        let market = judge.market();
        seated.extend(pins);
        seated.sort_by_key(|index| {
            let rank = market.rank(*index);
            (rank.is_none(), rank, market.security(*index).symbol.clone())
        });
    }
    seated
}
