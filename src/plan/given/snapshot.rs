//! What a plan is made from: one consistent view of the market and of our universes.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::domain::change::ExitReason;
use crate::domain::identity::Identity;
use crate::domain::pin::Pin;
use crate::domain::sector::Sector;
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;
use crate::domain::universe::UniverseName;

use super::quarantine::{Distrusted, Quarantine};
/// For how many sessions a membership that ended with its security is remembered.
pub const EXIT_SESSIONS: u32 = 5;
/// The reasons that lie in the security and not in the rules.
pub const EXIT_REASONS: [ExitReason; 4] =
    [ExitReason::Delisted, ExitReason::Missing, ExitReason::NoCap, ExitReason::Ineligible];

/// Everything the rules may look at. Nothing else decides.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Every row of `symbols`, in any order, with its last close on or before the date of the sync.
    pub securities: Vec<Security>,
    /// Rows of the source that could not be read as securities, for the report.
    pub unreadable_symbols: Vec<String>,
    /// The rows of `cache_entries` that carry one of our names.
    pub universes: BTreeMap<UniverseName, StoredUniverse>,
    /// All other rows of `cache_entries`, but for the protected types; empty where the mode does not clean them.
    pub foreign: Vec<ForeignRow>,
    /// What the last good run saw.
    pub last_run: Option<RunState>,
    /// Symbols whose value a person has approved since.
    pub approved: Vec<Symbol>,
    /// Values that a person does not believe.
    pub distrusted: Vec<Distrusted>,
    /// Memberships that ended in the last five sessions because the security itself went away.
    pub recent_exits: Vec<RecentExit>,
    /// What people have decided, in any order, those that are over included.
    pub pins: Vec<Pin>,
    /// Who the symbols were that are [in question](crate::plan::market::identity::in_question), and all other symbols of the same
    /// instruments.
    pub instruments: Vec<Instrument>,
}

/// A universe of ours as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredUniverse {
    /// `cache_entries.cache_type`.
    pub cache_type: Option<String>,
    /// Its members. Where the row was edited or deleted behind our back, these are the members history knows, the
    /// stored ones among them first and in stored order.
    pub members: Vec<Symbol>,
    /// What the row holds, or `None` where there is no row.
    pub content: Option<StoredContent>,
    /// What we know about it; `None` for a row that this program has never written.
    pub state: Option<UniverseState>,
}

/// The content of a row, taken apart for comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredContent {
    /// It has the shape that we write.
    WellFormed {
        /// The symbols, as spelled there.
        symbols: Vec<Symbol>,
        /// The number beside them.
        count: i64,
        /// The facts of the universe's kind.
        metadata: Value,
    },
    /// Anything else; the row is rewritten.
    Malformed,
}

impl StoredContent {
    /// Takes apart the JSON of a row. `last_updated` is left out: it never makes a row differ.
    pub fn parse(json: &str) -> Self {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Content {
            symbols: Vec<AsSpelled>,
            count: i64,
            #[serde(rename = "last_updated")]
            _last_updated: String,
            metadata: Value,
        }
        match serde_json::from_str::<Content>(json) {
            Ok(Content { symbols, count, metadata, .. }) => {
                let symbols = symbols.into_iter().map(|AsSpelled(symbol)| symbol).collect();
                Self::WellFormed { symbols, count, metadata }
            }
            Err(_) => Self::Malformed,
        }
    }

    /// The symbols that can be read from it.
    pub fn symbols(&self) -> &[Symbol] {
        match self {
            Self::WellFormed { symbols, .. } => symbols,
            Self::Malformed => &[],
        }
    }

    /// Whether writing `members` and `metadata` would leave the row as it is.
    pub fn holds(&self, members: &[Symbol], wanted_metadata: &Value) -> bool {
        match self {
            Self::WellFormed { symbols, count, metadata } => {
                *count == members.len() as i64 && metadata == wanted_metadata && symbols == members
            }
            Self::Malformed => false,
        }
    }
}

/// A text that is a symbol as it stands, with nothing to trim; read without a text in between.
struct AsSpelled(Symbol);

impl<'de> Deserialize<'de> for AsSpelled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = AsSpelled;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a symbol")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<AsSpelled, E> {
                let symbol = Symbol::parse(text).filter(|symbol| symbol.as_str() == text);
                symbol.map(AsSpelled).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// What `cache_entries_metadata` says of a universe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniverseState {
    /// The date a plan for it was last applied, not held.
    pub last_as_of: NaiveDate,
    /// How many runs in a row it has been held.
    pub held_runs: u32,
}

/// A row of `cache_entries` that is not ours.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignRow {
    /// Its name, which need not be a valid name of ours.
    pub universe: String,
    /// The elements of `content.symbols` that are texts, or `None` where there is no such array.
    pub symbols: Option<Vec<String>>,
}

/// Who a symbol was, from one date to another, as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instrument {
    /// The symbol.
    pub symbol: Symbol,
    /// What is the same for all symbols that one instrument has had.
    pub lineage: i64,
    /// What identified it.
    pub identity: Identity,
    /// The first date.
    pub valid_from: NaiveDate,
    /// The date from which the symbol was somebody else or nobody; none while it is still this one.
    pub valid_to: Option<NaiveDate>,
}

/// What a good run saw, for the guards of the next one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunState {
    /// The date it was for.
    pub as_of: NaiveDate,
    /// How many eligible active stocks there were.
    pub active_stocks: usize,
    /// Active securities with a close on `as_of` or later.
    pub closes: usize,
    /// The eligible stocks: of those in quarantine the last good values, of all others what was found.
    pub stocks: Vec<StockState>,
    /// What was not believed.
    pub quarantine: Quarantine,
    /// Sorted hashes of who was who; none where that is not known. See [`identity`](crate::plan::market::identity).
    pub identities: Option<Vec<i64>>,
}

/// One eligible stock in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct StockState {
    /// Its symbol.
    pub symbol: Symbol,
    /// Its cap in whole cents.
    pub cap_cents: Option<i64>,
    /// Its close in dollars.
    pub close_dollars: Option<f64>,
    /// Its shares outstanding.
    pub shares: Option<f64>,
    /// Its sector.
    pub sector: Option<Sector>,
}

/// A membership that ended because the security went away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentExit {
    /// The universe it was in.
    pub universe: UniverseName,
    /// The symbol.
    pub symbol: Symbol,
    /// When.
    pub as_of: NaiveDate,
    /// Why.
    pub reason: ExitReason,
}
