//! The rules of the themes: what speaks for a stock, how much of it is needed, and how many seats there are.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::sector::Sector;
use crate::domain::sic::SicSet;
use crate::domain::universe::UniverseName;
use crate::domain::words;

use super::Pattern;

/// The themes and what they share.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ThemeRules {
    /// What evidence is worth, and how seats are given.
    pub scoring: Scoring,
    /// The themes in the order in which they are settled, those that are switched off included.
    pub themes: Vec<Theme>,
}

words! {
    /// What speaks for a stock's being in a theme.
    Evidence {
        /// It is in the theme's curated list.
        Seed = "seed",
        /// Its SIC code is one of those that make the theme.
        SicCore = "sic_core",
        /// Its name says so, and its line of business does not speak against it.
        NameKeyword = "name_keyword",
        /// Its SIC code is one of those that are near the theme.
        SicAdjacent = "sic_adjacent",
        /// It has no SIC code, and its industry text says so.
        IndustryTerm = "industry_term",
    }
}

/// What evidence is worth, and how seats are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scoring {
    /// What each piece of evidence adds, in the order of [`Evidence::ALL`].
    pub weights: [u32; Evidence::ALL.len()],
    /// The score from which a stock may join.
    pub entry_score: u32,
    /// The score from which a member may stay.
    pub exit_score: u32,
    /// Percent of `max_members` within which a candidate's rank lets it join.
    pub enter_at_pct: usize,
    /// Percent of `max_members` within which a member's rank lets it stay, while seats last.
    pub leave_at_pct: usize,
}

impl Default for Scoring {
    fn default() -> Self {
        Self { weights: [3, 3, 2, 1, 1], entry_score: 3, exit_score: 2, enter_at_pct: 90, leave_at_pct: 120 }
    }
}

impl Scoring {
    /// What a piece of evidence adds.
    pub fn weight(&self, evidence: Evidence) -> u32 {
        self.weights[evidence as usize]
    }
}

/// One theme.
#[derive(Debug, Clone, Serialize)]
pub struct Theme {
    /// Its key, which is its universe's name.
    pub universe: UniverseName,
    /// What people call it.
    pub name: String,
    /// Whether it is kept up; if not, its row stays as it is.
    pub is_enabled: bool,
    /// The day on which somebody last went through its lists.
    pub curated: NaiveDate,
    /// The cap from which a stock may join, in whole dollars.
    pub entry_floor: i64,
    /// The cap from which a member may stay, in whole dollars.
    pub exit_floor: i64,
    /// How many seats there are.
    pub max_members: usize,
    /// The curated list, spelled as [`symbol_key`](crate::domain::symbol::symbol_key) does.
    pub seeds: BTreeSet<String>,
    /// Those who are never members, spelled alike. This beats the curated list.
    pub deny: BTreeSet<String>,
    /// What makes a stock a candidate.
    pub method: Method,
}

/// What makes a stock a candidate for a theme.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Evidence that adds up.
    Evidence(Box<EvidenceRules>),
    /// So many years of dividend increases; where no security has such a number, the curated list.
    DividendGrowth {
        /// The years.
        min_years: i32,
    },
    /// The best scores of each sector; where no security has a score, the curated list.
    EsgScore(EsgRules),
    /// The sector, one line a company.
    SectorLeaders(Sector),
}

/// Where evidence is looked for.
#[derive(Debug, Clone, Default, Serialize)]
pub struct EvidenceRules {
    /// SIC codes that make the theme.
    pub sic_core: SicSet,
    /// SIC codes near the theme.
    pub sic_adjacent: SicSet,
    /// What the industry text of a stock without SIC code may contain.
    pub industry_terms: Option<Pattern>,
    /// What the name may say.
    pub name: Option<Pattern>,
    /// SIC codes with which a name counts.
    pub name_requires_sic: SicSet,
}

/// How the best scores of a sector are chosen.
#[derive(Debug, Clone, Serialize)]
pub struct EsgRules {
    /// Percent of its sector's cap down to which the best scores join.
    pub sector_share_pct: u32,
    /// Percent of its sector's cap down to which members stay.
    pub keep_share_pct: u32,
    /// Lines of business that are out.
    pub exclude_sic: SicSet,
    /// Symbols that are out, spelled as [`symbol_key`](crate::domain::symbol::symbol_key) does.
    pub exclude_symbols: BTreeSet<String>,
}
