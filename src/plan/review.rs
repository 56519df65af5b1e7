//! What a person looks at to keep the lists of the themes: who nearly got in, and what the rules are good for.

use std::cmp::Reverse;

use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::universe::UniverseName;

use crate::plan::given::policy::{Method, Policy, Theme};
use crate::plan::market::{Market, Standing};
use crate::plan::members::candidates::{denied, goes_by_list, seeds};
use crate::plan::members::evidence::{Facts, in_words, weigh};

/// A stock for a person to put on a theme's list, or to deny.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The theme.
    pub theme: UniverseName,
    /// The stock.
    pub symbol: Symbol,
    /// Its name.
    pub name: Option<String>,
    /// What the evidence adds up to: something, but not enough.
    pub score: u32,
    /// The evidence, for a person.
    pub evidence: String,
    /// Its market cap, where it has one.
    pub cap: Option<Usd>,
    /// Whether it was listed in the last 30 days.
    pub is_new_listing: bool,
}

/// The stocks that something speaks for, but too little to be in a theme: new listings first, then by score, theme and
/// cap. Those denied and shell companies are left out.
pub fn candidates(market: &Market, policy: &Policy) -> Vec<NearMiss> {
    let scoring = &policy.themes.scoring;
    let mut misses = Vec::new();
    for theme in policy.themes.themes.iter().filter(|theme| theme.is_enabled) {
        let Method::Evidence(rules) = &theme.method else { continue };
        let (seeds, denied) = (seeds(market, theme), denied(market, theme));
        for index in market.ranked().iter().chain(market.unranked()) {
            let security = market.security(*index);
            let facts = Facts::of(security);
            let found = weigh(rules, &facts, seeds.has(*index));
            let score = found.score(scoring);
            if score == 0 || score >= scoring.entry_score || denied.has(*index) || facts.is_blank_check() {
                continue;
            }
            misses.push(NearMiss {
                theme: theme.universe.clone(),
                symbol: security.symbol.clone(),
                name: security.name.as_deref().map(str::to_owned),
                score,
                evidence: in_words(found, &facts, scoring),
                cap: market.cap(*index),
                is_new_listing: market.is_new_listing(*index),
            });
        }
    }
    // Stable: within a theme the global order stays.
    misses.sort_by_key(|found| (Reverse(found.is_new_listing), Reverse(found.score)));
    misses
}

/// How many of a theme's list the rules would find by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    /// The theme.
    pub theme: UniverseName,
    /// Symbols on the list that are eligible stocks of the market.
    pub present: usize,
    /// Those of them that would score enough if they were not on it.
    pub found: Vec<Symbol>,
    /// The others.
    pub missed: Vec<Symbol>,
}

impl Recall {
    /// Whether the theme is a list that people keep: the rules alone find less than half of it.
    pub fn is_curated(&self) -> bool {
        self.found.len() * 2 < self.present
    }
}

/// Themes that are lists as well, for the column that their rule goes by does not exist.
pub fn lists_for_want_of_a_column(market: &Market, policy: &Policy) -> Vec<UniverseName> {
    let is_one = |theme: &&Theme| {
        !matches!(theme.method, Method::Evidence(_)) && !theme.seeds.is_empty() && goes_by_list(market, theme)
    };
    policy.themes.themes.iter().filter(is_one).map(|theme| theme.universe.clone()).collect()
}

/// For every theme that goes by evidence: who of its list would score enough if only that symbol were taken out.
pub fn recall(market: &Market, policy: &Policy) -> Vec<Recall> {
    let scoring = &policy.themes.scoring;
    let mut recalls = Vec::new();
    for theme in &policy.themes.themes {
        let Method::Evidence(rules) = &theme.method else { continue };
        let listed = theme.seeds.iter().filter_map(|key| market.find(key));
        let present: Vec<u32> =
            listed.filter(|index| market.standing(*index) == Standing::Eligible).collect();
        let by_rules = |index: &u32| {
            let found = weigh(rules, &Facts::of(market.security(*index)), false);
            found.score(scoring) >= scoring.entry_score
        };
        let (found, missed): (Vec<u32>, Vec<u32>) = present.iter().partition(|index| by_rules(index));
        let symbols = |indices: Vec<u32>| {
            indices.into_iter().map(|index| market.security(index).symbol.clone()).collect()
        };
        recalls.push(Recall {
            theme: theme.universe.clone(),
            present: present.len(),
            found: symbols(found),
            missed: symbols(missed),
        });
    }
    recalls
}
