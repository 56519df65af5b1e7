//! What speaks for a stock's being in a theme, and how much of it there is.
//!
//! Pieces of evidence add up. A name counts only where the line of business allows it: `Green` is a bank, `Cloud` sells
//! furniture. That gate is the SIC code; only a stock without one is judged by its industry text. What a stock is
//! seeded or denied for is decided by a person, so it comes before all rules.

use std::fmt::Write;

use crate::domain::security::Security;
use crate::domain::sic::{Sic, SicSet};

use crate::plan::given::policy::{Evidence, EvidenceRules, Scoring};

/// What is looked at in a stock, prepared once for all themes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    sic: Option<Sic>,
    industry: Option<&'a str>,
    name: Option<&'a str>,
    is_blank_check: bool,
}

impl<'a> Facts<'a> {
    /// The facts of a security.
    pub(crate) fn of(security: &'a Security) -> Self {
        Self {
            sic: security.sic_code.as_deref().and_then(Sic::parse),
            industry: security.industry.as_deref(),
            name: security.name.as_deref(),
            is_blank_check: security.is_blank_check(),
        }
    }

    /// The SIC code, where there is a usable one.
    pub(crate) fn sic(&self) -> Option<Sic> {
        self.sic
    }

    /// Whether it is a shell company that looks for a business to buy.
    pub(crate) fn is_blank_check(&self) -> bool {
        self.is_blank_check
    }
}

/// The pieces of evidence that were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Found(u8);

impl Found {
    fn with(self, evidence: Evidence, is_found: bool) -> Self {
        Self(self.0 | (u8::from(is_found) << evidence as u8))
    }

    /// Whether this piece was found.
    pub(crate) fn has(self, evidence: Evidence) -> bool {
        (self.0 >> evidence as u8) & 1 == 1
    }

    /// The pieces, strongest first.
    pub(crate) fn pieces(self) -> impl Iterator<Item = Evidence> {
        Evidence::ALL.iter().copied().filter(move |evidence| self.has(*evidence))
    }

    /// What the pieces add up to.
    pub(crate) fn score(self, scoring: &Scoring) -> u32 {
        self.pieces().map(|evidence| scoring.weight(evidence)).sum()
    }
}

/// All that speaks for a stock with these facts.
pub(crate) fn weigh(rules: &EvidenceRules, facts: &Facts, is_seed: bool) -> Found {
    let is_in = |set: &SicSet| facts.sic.is_some_and(|sic| set.contains(sic));
    let has_term = facts.sic.is_none()
        && matches!((&rules.industry_terms, facts.industry), (Some(terms), Some(text)) if terms.is_in(text));
    let passes_gate = if facts.sic.is_some() { is_in(&rules.name_requires_sic) } else { has_term };
    // The gate first: most stocks fail it, and a look at a name costs a hundred looks at a code.
    let has_name = passes_gate
        && matches!((&rules.name, facts.name), (Some(pattern), Some(name)) if pattern.is_in(name));
    Found::default()
        .with(Evidence::Seed, is_seed)
        .with(Evidence::SicCore, is_in(&rules.sic_core))
        .with(Evidence::NameKeyword, has_name)
        .with(Evidence::SicAdjacent, is_in(&rules.sic_adjacent))
        .with(Evidence::IndustryTerm, has_term)
}

/// The pieces with their weights, for a person: `curated list 3, SIC 3674 near it 1`.
pub(crate) fn in_words(found: Found, facts: &Facts, scoring: &Scoring) -> String {
    let mut text = String::new();
    for evidence in found.pieces() {
        let sic = facts.sic.map_or_else(String::new, |sic| sic.to_string());
        let separator = if text.is_empty() { "" } else { ", " };
        let what = match evidence {
            Evidence::Seed => "curated list".to_owned(),
            Evidence::SicCore => format!("SIC {sic}"),
            Evidence::NameKeyword => format!("name {:?}", facts.name.unwrap_or_default()),
            Evidence::SicAdjacent => format!("SIC {sic} nearby"),
            Evidence::IndustryTerm => format!("industry {:?}", facts.industry.unwrap_or_default()),
        };
        let _ = write!(text, "{separator}{what} {}", scoring.weight(evidence));
    }
    if text.is_empty() { "no evidence".to_owned() } else { text }
}
