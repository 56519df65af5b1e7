//! The rules in force: thresholds, limits, sectors, guards.
//!
//! A [`Policy`] is made from the configuration and exists only validated. Its fingerprint tells whether two workers
//! decide by the same rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::symbol::symbol_key;
use crate::domain::universe::{CacheType, Tier, UniverseName};

/// Everything that steers a plan, besides the snapshot.
#[derive(Debug, Clone, Serialize)]
pub struct Policy {
    /// Types whose securities may be in stock universes.
    pub eligible_types: BTreeSet<String>,
    /// The lower bound of each tier in whole dollars, from mega to micro, strictly descending.
    pub tier_floors: Vec<(Tier, i64)>,
    /// The rankings, by size.
    pub rankings: Vec<Ranking>,
    /// How a security's sector is told.
    pub sectors: SectorTable,
    /// The bounds beyond which a change is not believed.
    pub guards: Guards,
    /// Take over rows of our names that have another `cache_type`.
    pub adopt_existing: bool,
    /// `cache_type`s of foreign rows that are never touched.
    pub protected_types: BTreeSet<String>,
}

/// One `top_N` universe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ranking {
    /// Its name.
    pub universe: UniverseName,
    /// How many it takes.
    pub limit: usize,
}

/// Bounds of the guards; percentages are of the size named beside each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Guards {
    /// Fewer active stocks than this are no market, when no good run is known.
    pub min_active_stocks: usize,
    /// Largest believable fall of active stocks against the last good run.
    pub max_active_drop_pct: f64,
    /// Largest believable share of stocks that lost their cap since the last good run.
    pub max_caps_missing_pct: f64,
    /// Largest believable (added + removed) / size of a tier, theme or ETF universe a session.
    pub tier_churn_pct: f64,
    /// Largest believable added / N of `top_100` a session.
    pub top_100_added_pct: f64,
    /// Largest believable added / N of the other rankings a session.
    pub ranking_added_pct: f64,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            min_active_stocks: 100,
            max_active_drop_pct: 3.0,
            max_caps_missing_pct: 1.0,
            tier_churn_pct: 20.0,
            top_100_added_pct: 10.0,
            ranking_added_pct: 5.0,
        }
    }
}

/// How a security's sector is told: by symbol, else by sector text.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SectorTable {
    /// Symbol (as [`symbol_key`] spells it) to sector; the first to decide.
    overrides: BTreeMap<String, Sector>,
    /// Sector text in lower case to sector.
    names: BTreeMap<String, Sector>,
}

impl SectorTable {
    /// A table of symbols and of sector texts, both compared as [`symbol_key`] and without case.
    pub fn new(
        overrides: impl IntoIterator<Item = (String, Sector)>,
        names: impl IntoIterator<Item = (String, Sector)>,
    ) -> Self {
        Self {
            overrides: overrides
                .into_iter()
                .map(|(symbol, sector)| (symbol_key(&symbol).into_owned(), sector))
                .collect(),
            names: names.into_iter().map(|(name, sector)| (name.trim().to_lowercase(), sector)).collect(),
        }
    }

    /// The sector of a symbol with this sector text; an unknown text gives none.
    pub fn sector(&self, symbol_key: &str, text: Option<&str>) -> Option<Sector> {
        if let Some(sector) = self.overrides.get(symbol_key) {
            return Some(*sector);
        }
        let text = text?;
        // Nearly all texts are spelled as the table has them or in lower case already; only the rest costs a copy.
        self.names.get(text).or_else(|| self.names.get(&text.trim().to_lowercase())).copied()
    }
}

impl Policy {
    /// The lower bound of a tier.
    pub fn tier_floor(&self, tier: Tier) -> Usd {
        let (_, floor) =
            self.tier_floors.iter().find(|(named, _)| *named == tier).expect("every tier has a floor");
        Usd::dollars(*floor)
    }

    /// The tier of a cap; none below the smallest.
    pub fn tier_of(&self, cap: Usd) -> Option<Tier> {
        self.tier_floors.iter().find(|(_, floor)| cap >= Usd::dollars(*floor)).map(|(tier, _)| *tier)
    }

    /// The universes these rules keep, and their kinds.
    pub fn universes(&self) -> BTreeMap<UniverseName, CacheType> {
        let tiers = Tier::ALL.iter().map(|tier| (tier.universe(), CacheType::MarketCap));
        let rankings =
            self.rankings.iter().map(|ranking| (ranking.universe.clone(), CacheType::MarketLeader));
        let sectors = Sector::ALL.iter().map(|sector| (sector.universe(), CacheType::SectorLeader));
        let all = [(UniverseName::known(crate::domain::universe::ALL_STOCKS), CacheType::Complete)];
        tiers.chain(rankings).chain(sectors).chain(all).collect()
    }

    /// Sixteen hexadecimal digits that differ where two policies differ.
    pub fn fingerprint(&self) -> String {
        let canonical = serde_json::to_vec(self).expect("a policy is plain data");
        let digest = Sha256::digest(&canonical);
        crate::domain::hex(&digest[..8])
    }
}
