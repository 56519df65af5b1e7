//! One stock whose value is not believed: what was seen, what it is worth meanwhile, and how that ends.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::calendar::{next_session, sessions_between};
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::words;

use super::ratio::{SplitRatio, price, times};

/// Sessions after which a suspected split is believed, where no volume confirms it.
const SPLIT_SESSIONS: u32 = 5;
/// Sessions after which a value is believed in entries that earlier versions wrote.
const DEFAULT_SESSIONS: u32 = 10;

words! {
    /// In which way a value is not believed.
    Anomaly {
        /// The price has moved as by a split, and the shares have not.
        SuspectedSplit = "suspected_split",
        /// The shares, or a stored cap against its price, have moved as they don't.
        UnexplainedJump = "unexplained_jump",
        /// There was a cap, and there is none.
        Vanished = "vanished",
        /// A person does not believe it.
        Distrusted = "distrusted",
    }
}

impl Anomaly {
    /// The word as a person reads it.
    pub fn title(self) -> String {
        self.as_str().replace('_', " ")
    }
}

/// A stock whose value is not believed, and what was seen of it. Part of the state of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The stock.
    pub symbol: Symbol,
    /// In which way.
    pub anomaly: Anomaly,
    /// The date of the first value that was not believed.
    pub since: NaiveDate,
    /// The date of the last good values.
    pub good_as_of: NaiveDate,
    /// The cap it has meanwhile.
    pub cap_cents: i64,
    /// The cap as found; none where there is none.
    pub found_cents: Option<i64>,
    /// By what the price (of a suspected split) or the shares (of a jump) were multiplied when it was first seen; 1
    /// for what vanished.
    pub factor: f64,
    /// The last good close.
    pub close_before: Option<f64>,
    /// The close that was found with it first.
    pub close_found: Option<f64>,
    /// The shares, cap / close, that were found first: of a jump those that have to stand to be confirmed.
    pub shares_found: Option<f64>,
    /// The last good cap, of a suspected split and of a price that a person does not believe; entries of earlier versions
    /// have it in `cap_cents`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good_cap_cents: Option<i64>,
    /// What was traded in the session of a suspected split, as a share of the company; none where no volume is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turnover: Option<f64>,
    /// For how many sessions, the first included, it is kept at most; none in entries of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u32>,
    /// By what the shares have been multiplied since it was first seen; none while they stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares_since: Option<f64>,
}

impl Quarantined {
    /// The cap it has meanwhile.
    pub fn cap(&self) -> Usd {
        Usd::from_cents(self.cap_cents)
    }

    /// The cap as found.
    pub fn found(&self) -> Option<Usd> {
        self.found_cents.map(Usd::from_cents)
    }

    /// The last good cap of a suspected split, and of a price that a person does not believe.
    pub(crate) fn good_cap(&self) -> Option<f64> {
        match self.anomaly {
            Anomaly::SuspectedSplit => Some(self.good_cap_cents.unwrap_or(self.cap_cents) as f64),
            Anomaly::Distrusted => self.good_cap_cents.map(|cap| cap as f64),
            Anomaly::UnexplainedJump | Anomaly::Vanished => None,
        }
    }

    /// Whether it is the price that is not believed, rather than the shares.
    pub(crate) fn doubts_price(&self) -> bool {
        self.good_cap().is_some()
    }

    /// What was seen: `close 1112.17 -> 110.29 as by a split of 10:1, with as many shares`.
    pub fn seen(&self) -> String {
        let closes = match (self.close_before, self.close_found) {
            (Some(before), Some(found)) => format!("close {} -> {}", price(before), price(found)),
            (None, Some(found)) => format!("close {}", price(found)),
            (_, None) => "no close".to_owned(),
        };
        let since = self.shares_since;
        let seen = match self.anomaly {
            Anomaly::SuspectedSplit => {
                let split = SplitRatio::named(self.factor);
                let shares = if since.is_none() { "as many shares" } else { "as many shares then" };
                format!("{closes} as by a split of {split}, with {shares}")
            }
            Anomaly::UnexplainedJump => format!("{} times the shares, {closes}", times(self.factor)),
            Anomaly::Vanished => format!("neither close x shares nor a stored cap, {closes}"),
            Anomaly::Distrusted if self.doubts_price() => format!("doubted by hand, {closes}"),
            Anomaly::Distrusted => {
                format!("doubted by hand, {} times the shares, {closes}", times(self.factor))
            }
        };
        match since {
            Some(since) => format!("{seen}; the shares have moved since, {} times as many", times(since)),
            None => seen,
        }
    }

    /// How it ends by itself: `until the shares follow, the price comes back, or 2025-11-24`.
    pub fn until(&self) -> String {
        let end = match self.anomaly {
            Anomaly::SuspectedSplit => "the shares follow, the price comes back",
            Anomaly::UnexplainedJump => "it reverts, a split or a second field explains it",
            Anomaly::Vanished => "there is a cap",
            Anomaly::Distrusted => "it is back, a split explains it",
        };
        format!("until {end}, or {}", self.released_on())
    }

    /// Of the cap that it has meanwhile: `cap carried since 2025-11-17, suspected split, found 46.86B`.
    pub(crate) fn of_cap(&self) -> String {
        let found = self.found().map_or_else(|| "none".to_owned(), Usd::short);
        format!("cap carried since {}, {}, found {found}", self.since, self.anomaly.title())
    }

    /// `NFLX carried at 472.59B since 2025-11-17 (suspected split, found 46.86B)`.
    pub(crate) fn in_short(&self) -> String {
        let found = self.found().map_or_else(|| "none".to_owned(), Usd::short);
        let Self { symbol, since, .. } = self;
        format!(
            "{symbol} carried at {} since {since} ({}, found {found})",
            self.cap().short(),
            self.anomaly.title()
        )
    }

    /// For how many sessions, the first included, it is kept at most.
    fn most_sessions(&self) -> u32 {
        let unconfirmed = match self.anomaly {
            Anomaly::SuspectedSplit => SPLIT_SESSIONS,
            Anomaly::UnexplainedJump | Anomaly::Vanished | Anomaly::Distrusted => DEFAULT_SESSIONS,
        };
        self.sessions.unwrap_or(unconfirmed)
    }

    /// How many more sessions after `as_of` it is kept at most.
    pub fn sessions_left(&self, as_of: NaiveDate) -> u32 {
        self.most_sessions().saturating_sub(sessions_between(self.since, as_of) + 1)
    }

    /// The session at which it is released by time.
    pub fn released_on(&self) -> NaiveDate {
        sessions_later(self.since, self.most_sessions())
    }

    pub(crate) fn is_over(&self, as_of: NaiveDate) -> bool {
        sessions_between(self.since, as_of) >= self.most_sessions()
    }

    /// Whether a split that volumes confirm has waited for its shares longer than shares usually take.
    pub(crate) fn is_overdue(&self, as_of: NaiveDate) -> bool {
        self.anomaly == Anomaly::SuspectedSplit && sessions_between(self.since, as_of) >= SPLIT_SESSIONS
    }
}

/// A stock that is no longer in quarantine.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    /// What it was in quarantine for.
    pub was: Quarantined,
    /// Why it is not any more.
    pub why: ReleasedBy,
}

/// Why a value is believed after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleasedBy {
    /// A person said so.
    Approval,
    /// Price and shares have moved by as much, one up and one down.
    Split,
    /// The shares have moved since a suspected split, by another factor than the price.
    Shares,
    /// It is back where it was.
    Reverted,
    /// It has stood for long enough.
    Time,
    /// Another field says the same.
    SecondField,
}

impl ReleasedBy {
    /// In words, after a symbol: `NFLX: price and shares agree on a split`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approved",
            Self::Split => "price and shares agree on a split",
            Self::Shares => "the shares followed by another factor",
            Self::Reverted => "it is back",
            Self::Time => "its time is up",
            Self::SecondField => "a second field says the same",
        }
    }
}

/// The session that is so many after `date`.
pub(crate) fn sessions_later(date: NaiveDate, sessions: u32) -> NaiveDate {
    (0..sessions).fold(date, |date, _| next_session(date))
}
