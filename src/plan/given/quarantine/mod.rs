//! What a run keeps of values that are not believed, for the next run and for those who read it.
//!
//! [`screening`](crate::plan::market::screening) decides what is not believed.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::symbol::Symbol;

pub(crate) mod distrusted;
pub(crate) mod quarantined;
pub(crate) mod ratio;

pub use distrusted::{Distrusted, TakenValue};
pub use quarantined::{Anomaly, Quarantined, Released, ReleasedBy};

/// A move of a price that shares may follow. Part of the state of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriceStep {
    /// The stock.
    pub symbol: Symbol,
    /// By what the price was multiplied.
    pub factor: f64,
    /// The last date for which it is remembered.
    pub until: NaiveDate,
}

/// The last good values of a stock that is not in the market at the moment. Part of the state of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Absent {
    /// The stock.
    pub symbol: Symbol,
    /// The date of its last values.
    pub seen: NaiveDate,
    /// Its cap in whole cents.
    pub cap_cents: i64,
    /// Its close in dollars.
    pub close_dollars: f64,
}

/// What a run knows of values that are not believed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quarantine {
    /// The stocks in quarantine, by symbol.
    pub symbols: Vec<Quarantined>,
    /// Steps of prices that shares may follow, by symbol.
    pub steps: Vec<PriceStep>,
    /// Share counts that stocks have had before, by symbol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<KnownCount>,
    /// Last good values of stocks that are not there, by symbol.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Absent>,
}

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
