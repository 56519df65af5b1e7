//! Pins and bans: memberships that a person has decided, whatever the rules say.

use std::fmt;

use chrono::NaiveDate;

use super::symbol::Symbol;
use super::universe::UniverseName;
use super::words;

/// A decision about one symbol in one universe.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pin {
    /// Which way.
    pub kind: PinKind,
    /// Who.
    pub symbol: Symbol,
    /// Where.
    pub universe: UniverseName,
    /// Why, in the words of whoever decided.
    pub reason: String,
    /// The last date for which it counts; for ever without one.
    pub until: Option<NaiveDate>,
}

words! {
    /// Which way a person has decided; `cache_sync_pins.kind`.
    PinKind {
        /// It is a member.
        Pin = "pin",
        /// It is none.
        Ban = "ban",
    }
}

impl Pin {
    /// Whether it counts in a sync of `as_of`.
    pub fn is_in_force(&self, as_of: NaiveDate) -> bool {
        self.until.is_none_or(|until| as_of <= until)
    }
}

/// `pinned by hand until 2026-08-01: spun off`.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            PinKind::Pin => "pinned by hand",
            PinKind::Ban => "banned by hand",
        })?;
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        write!(f, ": {}", self.reason)
    }
}
