//! The universes that these rules keep: the name, kind, owner and rule of each.
//!
//! A [`Rule`] says in one word what makes a stock a member. Who is one, and why, is decided elsewhere; here stands what
//! `content.metadata` says of it.

use serde_json::{Value, json};

use crate::domain::sector::Sector;
use crate::domain::task::SyncTask;
use crate::domain::universe::{ALL_STOCKS, CacheType, Tier, UniverseName};

use super::policy::Policy;

/// How many of a sector are its leaders.
pub const SECTOR_LEADERS: usize = 10;

/// A universe of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Universe {
    /// Its name.
    pub name: UniverseName,
    /// What makes a stock a member.
    pub rule: Rule,
}

/// What makes a stock a member of a universe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A cap within the bounds of a tier.
    Tier(Tier),
    /// One of so many largest.
    Ranking(usize),
    /// One of the [`SECTOR_LEADERS`] largest of a sector.
    SectorLeader(Sector),
    /// Being eligible.
    AllStocks,
}

impl Universe {
    /// Every universe that `policy` keeps: tiers, rankings, sector leaders, `all_stocks`.
    pub fn all(policy: &Policy) -> Vec<Self> {
        let tiers = Tier::ALL.iter().map(|tier| Self { name: tier.universe(), rule: Rule::Tier(*tier) });
        let rankings = policy
            .rankings
            .iter()
            .map(|ranking| Self { name: ranking.universe.clone(), rule: Rule::Ranking(ranking.limit) });
        let sectors = Sector::ALL
            .iter()
            .map(|sector| Self { name: sector.universe(), rule: Rule::SectorLeader(*sector) });
        let all_stocks = Self { name: UniverseName::known(ALL_STOCKS), rule: Rule::AllStocks };
        tiers.chain(rankings).chain(sectors).chain([all_stocks]).collect()
    }

    /// Its kind.
    pub fn cache_type(&self) -> CacheType {
        match self.rule {
            Rule::Tier(_) => CacheType::MarketCap,
            Rule::Ranking(_) => CacheType::MarketLeader,
            Rule::SectorLeader(_) => CacheType::SectorLeader,
            Rule::AllStocks => CacheType::Complete,
        }
    }

    /// The sub-task that owns it.
    pub fn task(&self) -> SyncTask {
        match self.rule {
            Rule::Tier(_) | Rule::Ranking(_) | Rule::SectorLeader(_) | Rule::AllStocks => {
                SyncTask::MarketCapRecalculation
            }
        }
    }

    /// The facts for `content.metadata` with so many members: nothing that changes from day to day.
    pub fn metadata(&self, policy: &Policy, members: usize) -> Value {
        match self.rule {
            Rule::Tier(tier) => {
                let (floor, ceiling) = tier_bounds(policy, tier);
                match ceiling {
                    Some(ceiling) => json!({"market_cap_range": {"min": floor, "max": ceiling}}),
                    None => json!({"market_cap_range": {"min": floor}}),
                }
            }
            Rule::Ranking(limit) => json!({"limit": limit, "complete": members >= limit}),
            Rule::SectorLeader(sector) => {
                json!({"sector": sector.title(), "complete": members >= SECTOR_LEADERS})
            }
            Rule::AllStocks => json!({}),
        }
    }
}

/// The dollars from which a tier starts, and those below which it ends; the largest has no end.
///
/// # Panics
/// If `policy` lacks the tier, which a validated one never does.
pub fn tier_bounds(policy: &Policy, tier: Tier) -> (i64, Option<i64>) {
    let floors = &policy.tier_floors;
    let place = floors.iter().position(|(named, _)| *named == tier).expect("every tier has a floor");
    let ceiling = place.checked_sub(1).map(|larger| floors[larger].1);
    (floors[place].1, ceiling)
}
