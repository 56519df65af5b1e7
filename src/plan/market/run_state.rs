//! What a run leaves behind for the guards of the next, and what became of the stocks since.
//!
//! # Sectors that are not believed
//! When the sectors of many stocks are blank or different at once, the ones of the last good run stay in the state.
//! Otherwise the accident of one night would be the yardstick of the next.

use std::collections::{HashMap, HashSet};

use rust_decimal::prelude::ToPrimitive;

use crate::domain::sector::Sector;
use crate::domain::symbol::Symbol;

use super::identity;
use super::{Market, Standing};
use crate::plan::given::snapshot::{RunState, StockState};

/// The stocks of the last good run against the market of today.
#[derive(Debug, Default)]
pub(crate) struct Since {
    /// How many had a cap then.
    pub(crate) caps_before: usize,
    /// Those of them that are eligible now, but without a cap.
    pub(crate) caps_lost: Vec<u32>,
    /// How many had a sector then.
    pub(crate) sectors_before: usize,
    /// Those of them that are eligible now, but with another sector or none; with their sector then.
    pub(crate) sectors_changed: Vec<(u32, Sector)>,
}

impl Since {
    /// Compares `market` with the last good run.
    pub(crate) fn last_run(market: &Market, last: &RunState) -> Self {
        let mut since = Self::default();
        let entries = last.quarantine.symbols.iter().filter(|entry| entry.found_cents.is_none());
        let missing: HashSet<&Symbol> = entries.map(|entry| &entry.symbol).collect();
        for stock in &last.stocks {
            let index = market.index_of(&stock.symbol);
            let index = index.filter(|index| market.standing(*index) == Standing::Eligible);
            // What has been missing for days is not newly missing.
            if stock.cap_cents.is_some() && !missing.contains(&stock.symbol) {
                since.caps_before += 1;
                since.caps_lost.extend(index.filter(|index| market.found_cap(*index).is_none()));
            }
            if let Some(sector) = stock.sector {
                since.sectors_before += 1;
                let changed = index.filter(|index| market.sector(*index) != Some(sector));
                since.sectors_changed.extend(changed.map(|index| (index, sector)));
            }
        }
        since
    }
}

/// Who was who, for the next run. Only a full sync that believes what it sees settles who every symbol is that is not as
/// it was; after another one those are still to be looked at.
pub(crate) fn identities(market: &Market, are_settled: bool, last: Option<&[i64]>) -> Option<Vec<i64>> {
    let now = identity::hashes(market);
    match (are_settled, last) {
        (true, _) => Some(now),
        (false, None) => None,
        (false, Some(last)) => {
            Some(now.into_iter().filter(|hash| last.binary_search(hash).is_ok()).collect())
        }
    }
}

/// What the next run compares with: the market of today, with the last good values of stocks in quarantine, and the
/// sectors of `kept_sectors` instead of today's.
pub(crate) fn run_state(market: &Market, kept_sectors: &[(u32, Sector)]) -> RunState {
    let sectors: HashMap<u32, Sector> = kept_sectors.iter().copied().collect();
    let state = |index: &u32| {
        let security = market.security(*index);
        let carried = market.carried(*index);
        StockState {
            symbol: security.symbol.clone(),
            cap_cents: market.cap(*index).map(|cap| cap.cents() as i64),
            close_dollars: carried
                .map_or_else(|| market.close_dollars(*index), |carried| carried.close_dollars),
            shares: carried.map_or_else(
                || security.shares.positive().and_then(|shares| shares.to_f64()),
                |carried| carried.shares,
            ),
            sector: sectors.get(index).copied().or_else(|| market.sector(*index)),
        }
    };
    RunState {
        as_of: market.as_of(),
        active_stocks: market.eligible(),
        closes: market.closes(),
        identities: None,
        stocks: market.ranked().iter().chain(market.unranked()).map(state).collect(),
        quarantine: market.quarantine(),
    }
}
