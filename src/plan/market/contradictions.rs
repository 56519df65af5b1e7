//! Rows that contradict themselves or each other: what the source says of them can't all be true.
//!
//! The rules go by what stands there, for which half of a contradiction is wrong can't be told from the row. A person can
//! tell, so each kind is a warning of a line, the largest first.

use std::collections::HashMap;

use crate::domain::calendar::sessions_back;
use crate::domain::money::Usd;
use crate::domain::security::Security;
use crate::domain::wording::{counted, first_few};
use crate::plan::given::notice::Warning;

use super::{Basis, Market, Standing, market_cap};

/// The code of these warnings.
pub const CONTRADICTION: &str = "contradiction";
/// Whoever has had no close for so many sessions does not trade.
const SILENT_SESSIONS: u32 = 20;

/// A warning for each kind that is found.
pub(super) fn warnings(market: &Market) -> Vec<Warning> {
    let has_news = |security: &Security| {
        let is_of_today = security.close.is_some_and(|close| close.date == market.as_of);
        let is_dated = security.delisted_date.is_some();
        security.active == Some(false) && !is_dated && is_of_today && !is_dead(security)
    };
    let is_backward = |security: &Security| {
        security.delisted_date.zip(security.list_date).is_some_and(|(end, begin)| end < begin)
    };
    let silent_from = sessions_back(market.as_of, SILENT_SESSIONS);
    let is_silent = |index: &u32| {
        let security = market.security(*index);
        market.standing(*index) == Standing::Eligible
            && security.close.is_some_and(|close| close.date < silent_from)
            && worth(market, *index).is_some_and(|(_, basis)| basis == Basis::Stored)
    };
    let all = || 0..market.len() as u32;
    let of =
        |is_it: &dyn Fn(&Security) -> bool| all().filter(|index| is_it(market.security(*index))).collect();
    let kinds: [(&str, Vec<u32>); 4] = [
        ("inactive, with a close of the date itself and no date of a delisting", of(&has_news)),
        ("delisted before listed", of(&is_backward)),
        ("another live row of the same share class", twins(market)),
        (
            "active, ranked by a stored cap, and without a close for more than 20 sessions",
            all().filter(is_silent).collect(),
        ),
    ];
    kinds.into_iter().filter_map(|(what, indices)| warning(market, what, indices)).collect()
}

/// A bar without any trade is no sign of life.
fn is_dead(security: &Security) -> bool {
    security.volume.value().is_some_and(|volume| volume.is_zero())
}

/// The eligible rows whose share-class FIGI another eligible row has too.
fn twins(market: &Market) -> Vec<u32> {
    let mut rows: HashMap<&str, Vec<u32>> = HashMap::new();
    for index in (0..market.len() as u32).filter(|index| market.standing(*index) == Standing::Eligible) {
        if let Some(figi) = market.security(index).share_class_figi.as_deref() {
            rows.entry(figi).or_default().push(index);
        }
    }
    rows.into_values().filter(|indices| indices.len() > 1).flatten().collect()
}

fn worth(market: &Market, index: u32) -> Option<(Usd, Basis)> {
    market_cap(market.security(index), market.closes_from(), market.as_of, |_| ())
}

fn warning(market: &Market, what: &str, indices: Vec<u32>) -> Option<Warning> {
    let mut rows: Vec<(Usd, &str)> = indices
        .into_iter()
        .map(|index| {
            let cap = worth(market, index).map(|(cap, _)| cap).unwrap_or_default();
            (cap, market.security(index).symbol.as_str())
        })
        .collect();
    rows.sort_by(|a, b| (b.0, a.1).cmp(&(a.0, b.1)));
    (!rows.is_empty()).then(|| Warning {
        code: CONTRADICTION,
        text: format!(
            "{} of symbols {what}: {}",
            counted(rows.len(), "row"),
            first_few(rows.iter().map(|(cap, symbol)| format!("{symbol} {}", cap.short())))
        ),
    })
}
