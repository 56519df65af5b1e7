//! Why a stock joined or left a universe, in a few words and numbers for a person.

use crate::domain::change::ExitReason;
use crate::domain::money::Usd;
use crate::domain::universe::Tier;

use super::market::{Market, Standing};
use super::policy::Policy;
use super::universes::{Rule, SECTOR_LEADERS, Universe, tier_bounds};
use super::wording::bound;

/// Why the stock at `index` is a member, at `place` from 1.
pub(super) fn joined(
    market: &Market,
    policy: &Policy,
    universe: &Universe,
    index: u32,
    place: usize,
) -> String {
    let cap = market.cap(index).map_or_else(|| "no cap".to_owned(), |cap| format!("cap {}", cap.short()));
    match universe.rule {
        Rule::Tier(tier) => {
            let (floor, _) = tier_bounds(policy, tier);
            format!("{cap}, {} starts at {}", universe.name, bound(Usd::dollars(floor)))
        }
        Rule::Ranking(limit) => format!("rank {place} of {limit}"),
        Rule::SectorLeader(sector) => format!("rank {place} of {SECTOR_LEADERS} in {}", sector.title()),
        Rule::AllStocks => format!("eligible, {cap}"),
    }
}

/// Why the stock at `index`, or one that `symbols` no longer has, is a member no more.
pub(super) fn left(
    market: &Market,
    policy: &Policy,
    universe: &Universe,
    index: Option<u32>,
    reason: ExitReason,
) -> String {
    let Some(index) = index else { return "no row in symbols".to_owned() };
    match reason {
        ExitReason::Delisted => delisted(market, index),
        ExitReason::Ineligible => ineligible(market, index),
        ExitReason::NoCap => "no valid market cap".to_owned(),
        _ => outranked(market, policy, universe, index),
    }
}

fn delisted(market: &Market, index: u32) -> String {
    match market.security(index).delisted_date.filter(|date| *date <= market.as_of()) {
        Some(date) => format!("delisted {date}"),
        None => "no longer active".to_owned(),
    }
}

fn ineligible(market: &Market, index: u32) -> String {
    match market.standing(index) {
        Standing::ActivityUnknown => "active is empty".to_owned(),
        _ => format!("type {} is not eligible", market.security(index).kind),
    }
}

fn outranked(market: &Market, policy: &Policy, universe: &Universe, index: u32) -> String {
    let name = &universe.name;
    match universe.rule {
        Rule::Tier(tier) => match market.cap(index) {
            Some(cap) => out_of_tier(policy, tier, cap),
            None => "no valid market cap".to_owned(),
        },
        Rule::Ranking(limit) => match market.rank(index) {
            Some(rank) => format!("rank {rank}, {name} takes {limit}"),
            None => "no valid market cap".to_owned(),
        },
        Rule::SectorLeader(sector) => match (market.sector(index), market.rank_in_sector(index)) {
            (None, _) => "no known sector".to_owned(),
            (Some(now), _) if now != sector => format!("sector is {}", now.title()),
            (Some(_), Some(rank)) => {
                format!("rank {rank} in {}, {name} takes {SECTOR_LEADERS}", sector.title())
            }
            (Some(_), None) => "no valid market cap".to_owned(),
        },
        Rule::AllStocks => "not eligible".to_owned(),
    }
}

fn out_of_tier(policy: &Policy, tier: Tier, cap: Usd) -> String {
    let (floor, ceiling) = tier_bounds(policy, tier);
    match ceiling.map(Usd::dollars) {
        Some(ceiling) if cap >= ceiling => {
            format!("cap rose to {}, {tier} ends at {}", cap.short(), bound(ceiling))
        }
        _ => format!("cap fell to {}, {tier} starts at {}", cap.short(), bound(Usd::dollars(floor))),
    }
}
