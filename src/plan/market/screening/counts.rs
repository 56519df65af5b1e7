//! Share counts that a stock has had before: those that stood until lately, and those that turned out wrong.
//!
//! Some sources swap between two counts of one company for months. The count that came between two nights of another is
//! remembered as wrong, and doubted when it comes again. The one that was left is remembered too: a return to it is no
//! jump.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::symbol::Symbol;

use super::quarantined::sessions_later;
use super::ratio::magnitude;

/// For so many sessions a count that was left is one to return to.
const LEFT_SESSIONS: u32 = 20;
/// For so many sessions after it was seen last a wrong count is doubted.
const WRONG_SESSIONS: u32 = 60;
/// Counts that differ by less are the same one.
const SAME: f64 = 1.02;

/// A share count that a stock has had. Part of the state of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownCount {
    /// The stock.
    pub symbol: Symbol,
    /// Its shares.
    pub shares: f64,
    /// Whether it came between two nights of another count.
    #[serde(default)]
    pub is_wrong: bool,
    /// The last date for which it is remembered.
    pub until: NaiveDate,
}

/// The counts that are remembered.
#[derive(Debug, Default)]
pub(super) struct KnownCounts(Vec<KnownCount>);

impl KnownCounts {
    /// Those of the last run that are still remembered on `as_of`.
    pub(super) fn of(counts: &[KnownCount], as_of: NaiveDate) -> Self {
        Self(counts.iter().filter(|count| as_of <= count.until).cloned().collect())
    }

    /// Whether the stock has had so many shares before, and they were wrong.
    pub(super) fn is_wrong(&self, symbol: &Symbol, shares: f64) -> bool {
        self.has(symbol, shares, true)
    }

    /// Whether the stock had so many shares until lately.
    pub(super) fn was_left(&self, symbol: &Symbol, shares: f64) -> bool {
        self.has(symbol, shares, false)
    }

    fn has(&self, symbol: &Symbol, shares: f64, is_wrong: bool) -> bool {
        let is_it = |count: &&KnownCount| {
            count.is_wrong == is_wrong
                && count.symbol.is_spelling_of(symbol)
                && magnitude(shares / count.shares) < SAME
        };
        self.0.iter().any(|count| is_it(&count))
    }

    /// Remembers a count that the stock had until `as_of`.
    pub(super) fn leave(&mut self, symbol: &Symbol, shares: f64, as_of: NaiveDate) {
        self.remember(symbol, shares, false, sessions_later(as_of, LEFT_SESSIONS));
    }

    /// Remembers a count that turned out wrong on `as_of`.
    pub(super) fn refute(&mut self, symbol: &Symbol, shares: f64, as_of: NaiveDate) {
        self.remember(symbol, shares, true, sessions_later(as_of, WRONG_SESSIONS));
    }

    fn remember(&mut self, symbol: &Symbol, shares: f64, is_wrong: bool, until: NaiveDate) {
        self.forget(symbol, shares);
        self.0.push(KnownCount { symbol: symbol.clone(), shares, is_wrong, until });
    }

    /// Forgets a count that has stood for long enough to be meant.
    pub(super) fn forget(&mut self, symbol: &Symbol, shares: f64) {
        self.0
            .retain(|count| !count.symbol.is_spelling_of(symbol) || magnitude(shares / count.shares) >= SAME);
    }

    /// In an order that does not depend on that of rows.
    pub(super) fn into_sorted(mut self) -> Vec<KnownCount> {
        self.0.sort_by(|a, b| {
            (&a.symbol, a.until, a.is_wrong)
                .cmp(&(&b.symbol, b.until, b.is_wrong))
                .then_with(|| a.shares.total_cmp(&b.shares))
        });
        self.0
    }
}
