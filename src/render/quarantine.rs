//! Values that are not believed, for a program.

use chrono::NaiveDate;
use serde_json::{Value, json};

use crate::plan::market::screening::Quarantined;

/// One entry for a program, as it stands on `as_of`.
pub fn entry_json(entry: &Quarantined, as_of: NaiveDate) -> Value {
    json!({
        "symbol": entry.symbol,
        "anomaly": entry.anomaly,
        "since": entry.since,
        "sessions_left": entry.sessions_left(as_of),
        "released_on": entry.released_on(),
        "market_cap": entry.cap().to_string(),
        "found_market_cap": entry.found().map(|cap| cap.to_string()),
        "good_as_of": entry.good_as_of,
        "seen": entry.seen(),
        "until": entry.until(),
    })
}
