//! What a run leaves behind for the guards of the next, and what became of the stocks since.
//!
//! # Sectors that are not believed
//! When the sectors of many stocks are blank or different at once, the ones of the last good run stay in the state.
//! Otherwise the accident of one night would be the yardstick of the next.

use std::collections::{HashMap, HashSet};

use rust_decimal::prelude::ToPrimitive;

use crate::domain::sector::Sector;
use crate::domain::symbol::Symbol;

use super::market::{Market, Standing};
use super::snapshot::{RunState, StockState};

/// The stocks of the last good run against the market of today.
#[derive(Debug, Default)]
pub(super) struct Since {
    /// How many had a cap then.
    pub(super) caps_before: usize,
    /// Those of them that are eligible now, but without a cap.
    pub(super) caps_lost: Vec<u32>,
    /// How many had a sector then.
    pub(super) sectors_before: usize,
    /// Those of them that are eligible now, but with another sector or none; with their sector then.
    pub(super) sectors_changed: Vec<(u32, Sector)>,
}

impl Since {
    /// Compares `market` with the last good run.
    pub(super) fn last_run(market: &Market, last: &RunState) -> Self {
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

/// What the next run compares with: the market of today, with the last good values of stocks in quarantine, and the
/// sectors of `kept_sectors` instead of today's.
pub(super) fn run_state(market: &Market, kept_sectors: &[(u32, Sector)]) -> RunState {
    let sectors: HashMap<u32, Sector> = kept_sectors.iter().copied().collect();
    let state = |index: &u32| {
        let security = market.security(*index);
        let kept = market.kept(*index);
        StockState {
            symbol: security.symbol.clone(),
            cap_cents: market.cap(*index).map(|cap| cap.cents() as i64),
            close_dollars: kept.map_or_else(|| market.close_dollars(*index), |kept| kept.close_dollars),
            shares: kept.map_or_else(
                || security.shares.positive().and_then(|shares| shares.to_f64()),
                |kept| kept.shares,
            ),
            sector: sectors.get(index).copied().or_else(|| market.sector(*index)),
        }
    };
    RunState {
        as_of: market.as_of(),
        active_stocks: market.eligible(),
        closes: market.closes(),
        stocks: market.ranked().iter().chain(market.unranked()).map(state).collect(),
        quarantine: market.quarantine(),
    }
}
