//! The universes that these rules keep: the name, kind, owner and rule of each.
//!
//! A [`Rule`] says in one word what makes a security a member. Who is one, and why, is decided elsewhere; here stands
//! what `content.metadata` says of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::sector::Sector;
use crate::domain::task::SyncTask;
use crate::domain::universe::{
    ALL_STOCKS, CacheType, ETF_ALL, FundCategory, LISTING_DAYS, RECENT_IPOS, SECTOR_LEADERS, Tier,
    UniverseName,
};

use crate::plan::given::policy::{Policy, Theme};

/// A universe of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Universe {
    /// Its name.
    pub name: UniverseName,
    /// What makes a stock a member.
    pub rule: Rule,
}

/// What makes a security a member of a universe.
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
    /// Having been listed in the last [`LISTING_DAYS`] days.
    NewListing,
    /// The evidence for the theme at this place of the policy's.
    Theme(usize),
    /// Being an exchange-traded product of a category.
    FundCategory(FundCategory),
    /// Being an exchange-traded product.
    AllFunds,
}

impl Universe {
    /// Every universe that `policy` keeps up, sub-task by sub-task; not those of themes that are switched off.
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
        let by_cap = tiers.chain(rankings).chain(sectors).chain([all_stocks]);
        by_cap.chain([Self::recent_ipos()]).chain(Self::themes(policy)).chain(Self::funds()).collect()
    }

    /// The names that are ours by the rules of `policy`, with their kinds: also those of themes that are switched off,
    /// whose rows are not kept up, but belong to nobody else.
    pub fn kinds_by_name(policy: &Policy) -> BTreeMap<UniverseName, CacheType> {
        let kept =
            Self::all(policy).into_iter().map(|universe| (universe.name.clone(), universe.cache_type()));
        let idle = policy.themes.themes.iter().filter(|theme| !theme.is_enabled);
        kept.chain(idle.map(|theme| (theme.universe.clone(), CacheType::Theme))).collect()
    }

    /// Those of [`Universe::all`] that a sub-task owns.
    pub fn of_task(policy: &Policy, task: SyncTask) -> Vec<Self> {
        Self::all(policy).into_iter().filter(|universe| universe.task() == task).collect()
    }

    fn recent_ipos() -> Self {
        Self { name: UniverseName::known(RECENT_IPOS), rule: Rule::NewListing }
    }

    fn themes(policy: &Policy) -> impl Iterator<Item = Self> {
        let enabled = policy.themes.themes.iter().enumerate().filter(|(_, theme)| theme.is_enabled);
        enabled.map(|(place, theme)| Self { name: theme.universe.clone(), rule: Rule::Theme(place) })
    }

    fn funds() -> impl Iterator<Item = Self> {
        let categories = FundCategory::ALL.iter();
        let categories = categories
            .map(|category| Self { name: category.universe(), rule: Rule::FundCategory(*category) });
        categories.chain([Self { name: UniverseName::known(ETF_ALL), rule: Rule::AllFunds }])
    }

    /// Its kind.
    pub fn cache_type(&self) -> CacheType {
        match self.rule {
            Rule::Tier(_) => CacheType::MarketCap,
            Rule::Ranking(_) => CacheType::MarketLeader,
            Rule::SectorLeader(_) => CacheType::SectorLeader,
            Rule::AllStocks => CacheType::Complete,
            Rule::NewListing => CacheType::Ipo,
            Rule::Theme(_) => CacheType::Theme,
            Rule::FundCategory(_) | Rule::AllFunds => CacheType::Etf,
        }
    }

    /// The sub-task that owns it.
    pub fn task(&self) -> SyncTask {
        match self.rule {
            Rule::Tier(_) | Rule::Ranking(_) | Rule::SectorLeader(_) | Rule::AllStocks => {
                SyncTask::MarketCapRecalculation
            }
            Rule::NewListing => SyncTask::IpoAssignment,
            Rule::Theme(_) => SyncTask::ThemeRebalancing,
            Rule::FundCategory(_) | Rule::AllFunds => SyncTask::EtfUniverseMaintenance,
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
            Rule::NewListing => json!({"window_days": LISTING_DAYS}),
            Rule::Theme(place) => {
                let theme = theme(policy, place);
                json!({"theme": theme.universe, "name": theme.name})
            }
            Rule::FundCategory(category) => json!({"category": category}),
            Rule::AllFunds => json!({"category": "all"}),
        }
    }
}

/// The theme at a place of the policy's.
pub(crate) fn theme(policy: &Policy, place: usize) -> &Theme {
    &policy.themes.themes[place]
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
