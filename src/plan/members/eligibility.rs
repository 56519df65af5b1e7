//! Whether a security can be in a universe at all, and what is said of one that can't.

use super::universes::{Rule, Universe};
use crate::plan::market::{Market, Standing};

/// Whether a security can be in a universe at all.
pub(crate) fn fits(market: &Market, universe: &Universe, index: u32) -> Result<(), String> {
    let needs_cap = matches!(universe.rule, Rule::Ranking(_) | Rule::SectorLeader(_));
    match market.standing(index) {
        Standing::Fund if is_of_funds(universe.rule) => Ok(()),
        Standing::Eligible if is_of_funds(universe.rule) => Err(ineligible(market, universe, index)),
        Standing::Eligible if needs_cap && market.cap(index).is_none() => {
            Err("has no valid market cap".to_owned())
        }
        Standing::Eligible => Ok(()),
        Standing::Delisted => Err(format!("is {}", delisted(market, index))),
        Standing::Fund | Standing::OtherType | Standing::ActivityUnknown | Standing::Duplicate => {
            Err(ineligible(market, universe, index))
        }
    }
}

pub(crate) fn delisted(market: &Market, index: u32) -> String {
    match market.security(index).delisted_date.filter(|date| *date <= market.as_of()) {
        Some(date) => format!("delisted {date}"),
        None => "no longer active".to_owned(),
    }
}

pub(crate) fn ineligible(market: &Market, universe: &Universe, index: u32) -> String {
    let kind = &market.security(index).kind;
    match (market.standing(index), universe.rule) {
        (Standing::ActivityUnknown, _) => "active is empty".to_owned(),
        (_, Rule::FundCategory(_) | Rule::AllFunds) => format!("type {kind} is no exchange-traded product"),
        _ => format!("type {kind} is not eligible"),
    }
}

/// Whether a universe is one of exchange-traded products.
pub(crate) fn is_of_funds(rule: Rule) -> bool {
    matches!(rule, Rule::FundCategory(_) | Rule::AllFunds)
}
