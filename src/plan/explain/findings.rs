//! What an explanation is made of: what is asked, and what was found, check by check.

use serde::Serialize;

use crate::domain::symbol::Symbol;
use crate::plan::members::universes::Universe;

/// What is said of a symbol that `symbols` does not have.
pub(super) const NO_ROW: &str = "no row in symbols";

/// One thing that a rule asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// In a word.
    pub check: &'static str,
    /// Whether it is so.
    pub is_met: bool,
    /// What was found and what is needed.
    pub text: String,
    /// What would have to be different; empty where it is met.
    #[serde(skip)]
    pub remedy: String,
}

/// What is asked: a symbol, with its row in `symbols` where there is one, in a universe.
pub(super) struct Case<'c> {
    pub(super) universe: &'c Universe,
    pub(super) symbol: &'c Symbol,
    pub(super) index: Option<u32>,
}

/// What a rule asks and what came of it.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) checks: Vec<Check>,
    /// Why it is wanted where all is met, with the distance to the nearest boundary.
    pub(super) margin: String,
    /// What would put it out where all is met.
    pub(super) leaves: String,
}

impl Findings {
    pub(super) fn met(&mut self, check: &'static str, text: impl Into<String>) {
        self.checks.push(Check { check, is_met: true, text: text.into(), remedy: String::new() });
    }

    pub(super) fn unmet(&mut self, check: &'static str, text: impl Into<String>, remedy: impl Into<String>) {
        self.checks.push(Check { check, is_met: false, text: text.into(), remedy: remedy.into() });
    }

    pub(super) fn are_met(&self) -> bool {
        self.checks.iter().all(|check| check.is_met)
    }

    pub(super) fn why(&self) -> String {
        let missing = self.checks.iter().find(|check| !check.is_met);
        missing.map_or_else(|| self.margin.clone(), |check| check.text.clone())
    }

    pub(super) fn remedies(&self) -> String {
        let unmet = self.checks.iter().filter(|check| !check.is_met);
        let remedies: Vec<&str> = unmet.map(|check| check.remedy.as_str()).collect();
        remedies.join("; and ")
    }
}
