//! What people have decided by hand: the pins and bans in force, and which universes each concerns.
//!
//! | by hand | also |
//! |---|---|
//! | pinned to a ranking | pinned to the larger ones |
//! | banned from a ranking | banned from the smaller ones |
//! | banned from `all_stocks` | banned from every universe of stocks |
//! | banned from `etf_all` | banned from every category |
//!
//! so that what is nested stays nested. A pin to a tier, or to a category of funds, takes the symbol out of the others.
//!
//! # When a pin has no effect
//! Where the symbol is inactive, of another type, without the cap that a rank needs, banned by one of the lines above,
//! or pinned elsewhere among universes that share nobody; and where more are pinned than there are seats. Each is a
//! warning, for whoever pinned it believes that it is there.

use std::collections::{BTreeMap, HashMap};

use crate::domain::pin::{Pin, PinKind};
use crate::domain::universe::{FundCategory, SECTOR_LEADERS, Tier, UniverseName};

use super::eligibility::{fits, is_of_funds};
use super::universes::{Rule, Universe, theme};
use crate::plan::given::policy::Policy;
use crate::plan::given::snapshot::Snapshot;
use crate::plan::market::Market;

/// The pins and bans in force.
#[derive(Debug, Default)]
pub(crate) struct Hands<'a> {
    decided: HashMap<UniverseName, Decided<'a>>,
    /// Pins that have no effect, a sentence each.
    pub(crate) idle: Vec<String>,
}

/// What is decided of one universe, by the index of the security.
#[derive(Debug, Default)]
struct Decided<'a> {
    pins: BTreeMap<u32, &'a Pin>,
    bans: BTreeMap<u32, &'a Pin>,
}

impl<'a> Hands<'a> {
    /// The pins and bans of `snapshot` that are in force on the date of `market`.
    pub(crate) fn new(snapshot: &'a Snapshot, market: &Market, policy: &Policy) -> Self {
        let mut hands = Self::default();
        if snapshot.pins.is_empty() {
            return hands;
        }
        let universes = Universe::all(policy);
        let place = |pin: &Pin| universes.iter().position(|universe| universe.name == pin.universe);
        let rank = |pin: &Pin| market.index_of(&pin.symbol).and_then(|index| market.rank(index));
        let mut in_force: Vec<&Pin> =
            snapshot.pins.iter().filter(|pin| pin.is_in_force(market.as_of())).collect();
        // Universes in their order, so rankings from the smallest up; the largest stocks first.
        in_force.sort_by_key(|pin| {
            (place(pin), rank(pin).is_none(), rank(pin), pin.symbol.clone(), pin.reason.clone(), pin.until)
        });
        for ban in in_force.iter().copied().filter(|pin| pin.kind == PinKind::Ban) {
            hands.ban_from(&universes, place(ban), market.index_of(&ban.symbol), ban);
        }
        for pin in in_force.into_iter().filter(|pin| pin.kind == PinKind::Pin) {
            let seated = match place(pin) {
                Some(place) => hands.pin_to(&universes, place, market, policy, pin),
                None => Err("which is no universe of ours now".to_owned()),
            };
            if let Err(problem) = seated {
                hands.idle.push(format!("{} is pinned to {}, {problem}", pin.symbol, pin.universe));
            }
        }
        hands
    }

    /// Whether nobody has decided anything.
    pub(crate) fn are_empty(&self) -> bool {
        self.decided.is_empty()
    }

    /// The pin by which a security is in a universe.
    pub(crate) fn pin(&self, universe: &UniverseName, index: u32) -> Option<&'a Pin> {
        self.decided.get(universe)?.pins.get(&index).copied()
    }

    /// The ban by which a security is not in a universe.
    pub(crate) fn ban(&self, universe: &UniverseName, index: u32) -> Option<&'a Pin> {
        self.decided.get(universe)?.bans.get(&index).copied()
    }

    /// Who is pinned to a universe.
    pub(crate) fn pins(&self, universe: &UniverseName) -> Vec<u32> {
        self.decided.get(universe).map(|decided| decided.pins.keys().copied().collect()).unwrap_or_default()
    }

    /// Who is banned from a universe.
    pub(crate) fn bans(&self, universe: &UniverseName) -> Vec<u32> {
        self.decided.get(universe).map(|decided| decided.bans.keys().copied().collect()).unwrap_or_default()
    }

    /// The pin by which a security is in another of the universes that share nobody with this one.
    pub(crate) fn pin_elsewhere(&self, universe: &Universe, index: u32) -> Option<&'a Pin> {
        if !matches!(universe.rule, Rule::Tier(_) | Rule::FundCategory(_)) {
            return None;
        }
        self.decided.values().find_map(|decided| {
            let pin = decided.pins.get(&index).copied()?;
            excludes_each_other(&universe.name, &pin.universe).then_some(pin)
        })
    }

    fn ban_from(&mut self, universes: &[Universe], place: Option<usize>, index: Option<u32>, ban: &'a Pin) {
        let (Some(place), Some(index)) = (place, index) else { return };
        for inner in universes.iter().filter(|inner| contains(universes[place].rule, inner.rule)) {
            self.decided.entry(inner.name.clone()).or_default().bans.entry(index).or_insert(ban);
        }
    }

    /// Seats a pinned symbol, or says why not.
    fn pin_to(
        &mut self,
        universes: &[Universe],
        place: usize,
        market: &Market,
        policy: &Policy,
        pin: &'a Pin,
    ) -> Result<(), String> {
        let universe = &universes[place];
        let Some(index) = market.index_of(&pin.symbol) else {
            return Err("but has no row in symbols".to_owned());
        };
        fits(market, universe, index).map_err(|problem| format!("but {problem}"))?;
        if let Some(ban) = self.ban(&universe.name, index) {
            return Err(format!("but banned from {}", ban.universe));
        }
        if let Some(other) = self.pin_elsewhere(universe, index) {
            return Err(format!("but to {} as well, and can't be in both", other.universe));
        }
        let seats = seats(policy, universe.rule);
        if self.decided.get(&universe.name).is_some_and(|decided| decided.pins.len() >= seats) {
            return Err(format!("but its {seats} seats are taken by larger ones that are pinned, too"));
        }
        let is_ranking = matches!(universe.rule, Rule::Ranking(_));
        for outer in universes.iter().filter(|outer| {
            outer.name == universe.name || (is_ranking && contains(outer.rule, universe.rule))
        }) {
            if matches!(outer.rule, Rule::AllStocks) {
                continue;
            }
            self.decided.entry(outer.name.clone()).or_default().pins.entry(index).or_insert(pin);
        }
        Ok(())
    }
}

/// What a person has decided, seen from the universe of this name: which one it was decided of, where another.
pub(crate) fn told(pin: &Pin, universe: &UniverseName) -> String {
    let text = pin.to_string();
    if pin.universe == *universe {
        return text;
    }
    let (to, word) = match pin.kind {
        PinKind::Pin => ("to", "pinned"),
        PinKind::Ban => ("from", "banned"),
    };
    text.replacen(word, &format!("{word} {to} {}", pin.universe), 1)
}

/// Whether everybody in universes of the rule `inner` is in one of `outer`, too.
fn contains(outer: Rule, inner: Rule) -> bool {
    match (outer, inner) {
        (Rule::Ranking(larger), Rule::Ranking(smaller)) => smaller <= larger,
        (Rule::AllStocks, inner) => !is_of_funds(inner),
        (Rule::AllFunds, inner) => is_of_funds(inner),
        (outer, inner) => outer == inner,
    }
}

/// Whether two universes share nobody, so that no symbol can be pinned to both.
pub fn excludes_each_other(universe: &UniverseName, other: &UniverseName) -> bool {
    let tiers = [universe, other].iter().all(|name| Tier::from_text(name.as_str()).is_some());
    let is_category =
        |name: &&UniverseName| FundCategory::ALL.iter().any(|category| category.universe() == **name);
    universe != other && (tiers || [universe, other].iter().all(is_category))
}

fn seats(policy: &Policy, rule: Rule) -> usize {
    match rule {
        Rule::Ranking(limit) => limit,
        Rule::SectorLeader(_) => SECTOR_LEADERS,
        Rule::Theme(place) => theme(policy, place).max_members,
        Rule::Tier(_) | Rule::AllStocks | Rule::NewListing | Rule::FundCategory(_) | Rule::AllFunds => {
            usize::MAX
        }
    }
}
