//! Who is in the tiers, rankings and sector leaders: the literal rule, what keeps members in, what people decided.
//!
//! ```text
//! stocks in the global order ─ one line a company, where share_classes asks for it
//!   ├─ tiers      pinned there, else a member within the band, else by its cap
//!   ├─ rankings   pinned, far up, members that did not fall out of the buffer, then by rank until all seats are taken
//!   └─ sectors    the same, ten of each
//! ```
//! Where nothing is switched on and nobody has decided anything, only the literal rule is left.
//!
//! # Why the rankings are filled from the largest down
//! A member has a right to its seat as long as its rank is good enough, and `top_100` has to lie within `top_500` all
//! the same. So the rights are counted first, from the smallest ranking up: whoever has one in a ranking has it in the
//! larger ones. Then the largest is filled by rank, and each smaller one from those who have a seat in the one above it.
//!
//! # Who has a right to a seat
//! Whoever ranks as far above the bound as a member may fall below it, so that a newcomer among the very first is in at
//! once; then members down to the last rank of the buffer, best first. The rest of the seats goes by rank.
//!
//! # Which line stands for a company
//! The most traded of its classes, by the close and volume of the last bar. The one that is a member now (of any tier,
//! ranking or sector's leaders) stays until another trades 10 % more, or the source no longer says how much it trades.
//! Without volumes it is the first in the global order, unless one is a member. A class that is banned somewhere does
//! not stand for its company, as long as it has another.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::universe::{SECTOR_LEADERS, Tier, UniverseName};

use super::candidates::{Marks, company};
use super::overrides::Hands;
use super::universes::{Rule, Universe, tier_bounds};
use crate::plan::given::policy::{Buffer, Policy, ShareClasses};
use crate::plan::given::snapshot::Snapshot;
use crate::plan::market::Market;

/// A class takes over as the line of its company when it trades so many tenths of what the present one does.
const TAKES_OVER_AT_TENTHS: u64 = 11;

/// The members of every universe that has to do with rank or size, in the global order.
#[derive(Debug)]
pub(crate) struct Seats<'a> {
    market: &'a Market<'a>,
    members: HashMap<UniverseName, Vec<u32>>,
    /// The stocks that compete for rankings, and for the leaders of each sector.
    contest: Cow<'a, [u32]>,
    contests: Vec<Cow<'a, [u32]>>,
    /// By a class that does not stand for its company, the one that does.
    lines: HashMap<u32, u32>,
}

impl<'a> Seats<'a> {
    /// Gives out all seats on `market`, which is that of `snapshot`.
    pub(crate) fn new(market: &'a Market<'a>, snapshot: &Snapshot, policy: &Policy, hands: &Hands) -> Self {
        let giver = Giver { market, policy, hands, present: Present { market, snapshot } };
        let lines = giver.lines();
        let mut seats = Self {
            market,
            members: HashMap::new(),
            contest: Cow::Borrowed(&[]),
            contests: Vec::new(),
            lines,
        };
        let names: Vec<&UniverseName> = policy.rankings.iter().map(|ranking| &ranking.universe).collect();
        seats.contest = giver.contest(market.ranked(), &seats.lines, &names);
        for sector in Sector::ALL {
            let contest = giver.contest(market.ranked_in(*sector), &seats.lines, &[&sector.universe()]);
            seats.members.insert(sector.universe(), giver.leaders(*sector, &contest));
            seats.contests.push(contest);
        }
        seats.members.extend(giver.tiers(&seats.lines));
        seats.members.extend(giver.rankings(&seats.contest));
        seats
    }

    /// Who has a seat in a universe, in the global order.
    pub(crate) fn of(&self, universe: &UniverseName) -> &[u32] {
        self.members.get(universe).map_or(&[], Vec::as_slice)
    }

    /// The stocks that compete for the seats of a universe, in the global order; of tiers, nobody does.
    pub(crate) fn contest(&self, rule: Rule) -> &[u32] {
        match rule {
            Rule::Ranking(_) => &self.contest,
            Rule::SectorLeader(sector) => &self.contests[sector as usize],
            _ => &[],
        }
    }

    /// The place of a stock among those that compete for the seats of a universe, from 1.
    pub(crate) fn rank(&self, rule: Rule, index: u32) -> Option<usize> {
        let contest = self.contest(rule);
        let rank = self.market.rank(index)?;
        let place = contest.partition_point(|other| self.market.rank(*other) < Some(rank));
        (contest.get(place) == Some(&index)).then_some(place + 1)
    }

    /// The class that stands for the company of this one, where this one does not.
    pub(crate) fn line_instead(&self, index: u32) -> Option<u32> {
        self.lines.get(&index).copied()
    }
}

/// The ranks between which only members have a right to their seats; none where no seats are given out.
pub(crate) fn buffer(policy: &Policy, rule: Rule) -> Option<Buffer> {
    match rule {
        Rule::Ranking(limit) => Some(policy.stability.buffer(limit)),
        Rule::SectorLeader(_) => Some(policy.stability.sector_buffer()),
        _ => None,
    }
}

/// The caps from and up to which a tier keeps its members.
pub(crate) fn band(policy: &Policy, tier: Tier) -> (Usd, Option<Usd>) {
    let (floor, ceiling) = tier_bounds(policy, tier);
    (policy.stability.below(floor), ceiling.map(|ceiling| policy.stability.above(ceiling)))
}

/// Who is a member now.
#[derive(Clone, Copy)]
struct Present<'g, 'a> {
    market: &'g Market<'a>,
    snapshot: &'g Snapshot,
}

impl Present<'_, '_> {
    fn members(self, universe: &UniverseName) -> Marks {
        let members = self.snapshot.universes.get(universe).map_or(&[][..], |stored| &stored.members);
        Marks::new(self.market, members.iter().filter_map(|symbol| self.market.index_of_member(symbol)))
    }
}

/// A tier, its members where it keeps them within a band, and the band.
struct TierDoor {
    universe: UniverseName,
    members: Marks,
    from: Usd,
    below: Option<Usd>,
}

impl TierDoor {
    /// Whether a stock with this cap is a member and stays one.
    fn keeps(&self, index: u32, cap: Usd) -> bool {
        self.members.has(index) && cap >= self.from && self.below.is_none_or(|below| cap < below)
    }
}

/// Gives out seats.
struct Giver<'g, 'a> {
    market: &'a Market<'a>,
    policy: &'g Policy,
    hands: &'g Hands<'g>,
    present: Present<'g, 'a>,
}

impl<'a> Giver<'_, 'a> {
    /// By a class that does not stand for its company, the one that does.
    fn lines(&self) -> HashMap<u32, u32> {
        if self.policy.stability.share_classes == ShareClasses::All {
            return HashMap::new();
        }
        let mut companies: HashMap<&str, Vec<u32>> = HashMap::new();
        for index in self.market.ranked() {
            if let Some(cik) = company(self.market, *index) {
                companies.entry(cik).or_default().push(*index);
            }
        }
        companies.retain(|_, classes| classes.len() > 1);
        let members = self.members_by_rule();
        // A tier first: where rankings are held, the line of yesterday stands in them.
        let is_in = |index: u32, is_wanted: fn(Rule) -> bool| {
            members.iter().any(|(universe, members)| {
                is_wanted(universe.rule)
                    && members.has(index)
                    && self.hands.pin(&universe.name, index).is_none()
            })
        };
        let mut lines = HashMap::new();
        for classes in companies.values() {
            let is_free = |index: &u32| {
                members.iter().all(|(universe, _)| self.hands.ban(&universe.name, *index).is_none())
            };
            let free: Vec<u32> = classes.iter().copied().filter(is_free).collect();
            let eligible = if free.is_empty() { classes } else { &free };
            let of_tiers = |index: &u32| is_in(*index, |rule| matches!(rule, Rule::Tier(_)));
            let mut present: Vec<u32> = eligible.iter().copied().filter(of_tiers).collect();
            if present.is_empty() {
                present = eligible.iter().copied().filter(|index| is_in(*index, |_| true)).collect();
            }
            let line = self.line(eligible, &present);
            lines.extend(classes.iter().filter(|class| **class != line).map(|class| (*class, line)));
        }
        lines
    }

    /// The universes in which a line of a company has its place, with their members now.
    fn members_by_rule(&self) -> Vec<(Universe, Marks)> {
        let mut universes = Universe::all(self.policy);
        universes.retain(|universe| {
            matches!(universe.rule, Rule::Tier(_) | Rule::Ranking(_) | Rule::SectorLeader(_))
        });
        let with_members = |universe: Universe| {
            let members = self.present.members(&universe.name);
            (universe, members)
        };
        universes.into_iter().map(with_members).collect()
    }

    /// Which of the classes of a company, in the global order, stands for it; `present` are those that did so far.
    fn line(&self, classes: &[u32], present: &[u32]) -> u32 {
        let traded = |index: u32| self.market.traded(index);
        let best = self.most_traded(classes).expect("a company has classes");
        let Some(present) = self.most_traded(present) else { return best };
        match (traded(present), traded(best)) {
            (Some(own), Some(other)) if other > own && other >= own.times_parts(TAKES_OVER_AT_TENTHS, 10) => {
                best
            }
            _ => present,
        }
    }

    /// Of equals the first; what is unknown is less than anything that is known.
    fn most_traded(&self, classes: &[u32]) -> Option<u32> {
        let more = |most: u32, class: u32| {
            if self.market.traded(class) > self.market.traded(most) { class } else { most }
        };
        classes.iter().copied().reduce(more)
    }

    /// Those of `ranked` that stand for their companies, and whoever is pinned to one of the universes; in order.
    fn contest(
        &self,
        ranked: &'a [u32],
        lines: &HashMap<u32, u32>,
        universes: &[&UniverseName],
    ) -> Cow<'a, [u32]> {
        let pins: Vec<u32> = universes.iter().flat_map(|universe| self.hands.pins(universe)).collect();
        if lines.is_empty() && pins.is_empty() {
            return Cow::Borrowed(ranked);
        }
        let stands = |index: &u32| !lines.contains_key(index) && !pins.contains(index);
        let mut contest: Vec<u32> =
            ranked.iter().copied().filter(stands).chain(pins.iter().copied()).collect();
        contest.sort_unstable_by_key(|index| self.market.rank(*index));
        contest.dedup();
        Cow::Owned(contest)
    }

    fn tiers(&self, lines: &HashMap<u32, u32>) -> Vec<(UniverseName, Vec<u32>)> {
        let has_bands = self.policy.stability.has_bands();
        let doors: Vec<TierDoor> = Tier::ALL.iter().map(|tier| self.door(*tier, has_bands)).collect();
        let mut tiers: Vec<Vec<u32>> = vec![Vec::new(); doors.len()];
        // Those without a cap are in a tier only if they are pinned to it.
        for index in self.market.ranked().iter().chain(self.market.unranked()) {
            let pinned = || doors.iter().position(|door| self.hands.pin(&door.universe, *index).is_some());
            let pinned = if self.hands.are_empty() { None } else { pinned() };
            if let Some(tier) = pinned.or_else(|| self.by_cap(&doors, lines, *index)) {
                tiers[tier].push(*index);
            }
        }
        doors.into_iter().map(|door| door.universe).zip(tiers).collect()
    }

    fn door(&self, tier: Tier, has_bands: bool) -> TierDoor {
        let universe = tier.universe();
        let members = if has_bands { self.present.members(&universe) } else { Marks::default() };
        let (from, below) = band(self.policy, tier);
        TierDoor { universe, members, from, below }
    }

    /// The tier of a cap: the one whose member it is and within whose band it lies, else that of the rule.
    fn by_cap(&self, doors: &[TierDoor], lines: &HashMap<u32, u32>, index: u32) -> Option<usize> {
        let cap = self.market.cap(index).filter(|_| !lines.contains_key(&index))?;
        let is_free = |tier: usize| self.hands.ban(&doors[tier].universe, index).is_none();
        let by_rule = self.policy.tier_of(cap).map(|tier| tier as usize);
        let keeps = |tier: usize| doors[tier].keeps(index, cap) && is_free(tier);
        // Of an edited row a stock may be a member of two tiers; that of the rule comes first.
        let kept = by_rule.filter(|tier| keeps(*tier)).or_else(|| (0..doors.len()).find(|tier| keeps(*tier)));
        kept.or(by_rule.filter(|tier| is_free(*tier)))
    }

    fn rankings(&self, contest: &[u32]) -> Vec<(UniverseName, Vec<u32>)> {
        let rankings = &self.policy.rankings;
        let pins: Vec<Vec<u32>> = rankings.iter().map(|ranking| self.hands.pins(&ranking.universe)).collect();
        // Seats that members may keep: a pin to a larger ranking must find its seat, too.
        let mut room = vec![usize::MAX; rankings.len() + 1];
        for place in (0..rankings.len()).rev() {
            room[place] = room[place + 1].min(rankings[place].limit.saturating_sub(pins[place].len()));
        }
        // Pins hold upwards, so the largest has them all; who is pinned there takes up nobody's room further down.
        let by_hand = self.marks(pins.last().into_iter().flatten().copied());
        let mut kept: Vec<u32> = Vec::new();
        let mut rights = Vec::with_capacity(rankings.len());
        for (place, ranking) in rankings.iter().enumerate() {
            let buffer = self.policy.stability.buffer(ranking.limit);
            if buffer.is_any() {
                let members = self.present.members(&ranking.universe);
                let taken = Marks::new(self.market, kept.iter().chain(&pins[place]).copied());
                let used = kept.iter().filter(|index| !by_hand.has(**index)).count();
                let mut free = room[place].saturating_sub(used);
                let seated = kept.iter().filter(|index| !pins[place].contains(index)).count();
                let mut seats = ranking.limit.saturating_sub(pins[place].len() + seated);
                for index in self.with_a_right(contest, buffer, &members, &ranking.universe) {
                    let needs_room = !by_hand.has(index);
                    if taken.has(index) || seats == 0 || (needs_room && free == 0) {
                        continue;
                    }
                    seats -= 1;
                    free -= usize::from(needs_room);
                    kept.push(index);
                }
            }
            rights.push(self.marks(kept.iter().chain(&pins[place]).copied()));
        }
        let mut filled: Vec<(UniverseName, Vec<u32>)> = Vec::with_capacity(rankings.len());
        for (ranking, rights) in rankings.iter().zip(rights).rev() {
            let from = filled.last().map_or(contest, |(_, larger)| larger);
            let seated = self.seat(from, &rights, &ranking.universe, ranking.limit);
            filled.push((ranking.universe.clone(), seated));
        }
        filled
    }

    fn leaders(&self, sector: Sector, contest: &[u32]) -> Vec<u32> {
        let universe = sector.universe();
        let mut rights = self.hands.pins(&universe);
        let buffer = self.policy.stability.sector_buffer();
        if buffer.is_any() {
            let members = self.present.members(&universe);
            let free = SECTOR_LEADERS - rights.len();
            let mut entitled = self.with_a_right(contest, buffer, &members, &universe);
            entitled.retain(|index| !rights.contains(index));
            rights.extend(entitled.into_iter().take(free));
        }
        self.seat(contest, &self.marks(rights), &universe, SECTOR_LEADERS)
    }

    /// Who has a right to a seat, first come first: whoever is far enough up, then members who are not too far down.
    fn with_a_right(
        &self,
        contest: &[u32],
        buffer: Buffer,
        members: &Marks,
        universe: &UniverseName,
    ) -> Vec<u32> {
        let within = &contest[..buffer.last.min(contest.len())];
        let (entering, others) = within.split_at(buffer.first.min(within.len()));
        let staying = others.iter().filter(|index| members.has(**index));
        let is_free = |index: &u32| self.hands.ban(universe, *index).is_none();
        entering.iter().chain(staying).copied().filter(is_free).collect()
    }

    /// Some stocks; mostly nobody, which costs nothing.
    fn marks(&self, indices: impl IntoIterator<Item = u32>) -> Marks {
        let mut indices = indices.into_iter().peekable();
        if indices.peek().is_none() { Marks::default() } else { Marks::new(self.market, indices) }
    }

    /// Those of `from` who have a right to a seat, and as many of the others, best first, as there are seats left.
    fn seat(&self, from: &[u32], rights: &Marks, universe: &UniverseName, limit: usize) -> Vec<u32> {
        let claimed =
            if rights.is_empty() { 0 } else { from.iter().filter(|index| rights.has(**index)).count() };
        let mut left = limit.saturating_sub(claimed);
        let mut seated = Vec::with_capacity(limit.min(from.len()));
        for index in from {
            if seated.len() == limit {
                break;
            }
            if rights.has(*index) {
                seated.push(*index);
            } else if left > 0 && self.hands.ban(universe, *index).is_none() {
                left -= 1;
                seated.push(*index);
            }
        }
        seated
    }
}
