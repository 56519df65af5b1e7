//! What people have decided. Where they have, no rule is asked, and what the rule alone would say stands beside it.

use crate::domain::universe::Tier;

use super::findings::{Case, Findings};
use super::{funds, stocks};
use crate::domain::wording::grouped;
use crate::plan::given::policy::Policy;
use crate::plan::market::Market;
use crate::plan::members::allocation::Seats;
use crate::plan::members::eligibility::is_of_funds;
use crate::plan::members::overrides::{Hands, told};
use crate::plan::members::universes::Rule;

/// A pin to the universe, a ban from it, or a pin to another one that shares nobody with it; `None` without any.
pub(super) fn by_hand(
    market: &Market,
    policy: &Policy,
    seats: &Seats,
    hands: &Hands,
    case: &Case,
) -> Option<Findings> {
    let (index, universe) = (case.index?, case.universe);
    let symbol = &market.security(index).symbol;
    let mut findings = Findings::default();
    if let Some(pin) = hands.pin(&universe.name, index) {
        if is_of_funds(universe.rule) {
            funds::all(market, policy, case).checks.into_iter().for_each(|check| findings.checks.push(check));
        } else {
            stocks::eligible(&mut findings, market, policy, case);
        }
        let text = told(pin, &universe.name);
        findings.met("pin", text.clone());
        findings.margin = match by_rule(market, policy, seats, universe.rule, index) {
            Some(literal) => format!("{text}; {literal} by the rule"),
            None => text,
        };
        let until = pin.until.map_or(String::new(), |until| format!(", or the end of the pin after {until}"));
        findings.leaves = format!("`cache-sync unpin {symbol} {}`{until}", pin.universe);
        return Some(findings);
    }
    if let Some(ban) = hands.ban(&universe.name, index) {
        let remedy = format!("`cache-sync unban {symbol} {}`", ban.universe);
        findings.unmet("ban", told(ban, &universe.name), remedy);
        return Some(findings);
    }
    let pin = hands.pin_elsewhere(universe, index)?;
    let remedy = format!("`cache-sync unpin {symbol} {}`", pin.universe);
    findings.unmet("pin", told(pin, &universe.name), remedy);
    Some(findings)
}

/// Where the rule alone has a stock: `mid_cap`, `rank 104`.
fn by_rule(market: &Market, policy: &Policy, seats: &Seats, rule: Rule, index: u32) -> Option<String> {
    match rule {
        Rule::Tier(_) => {
            let tier = policy.tier_of(market.cap(index)?);
            Some(tier.map_or("in no tier", Tier::as_str).to_owned())
        }
        Rule::Ranking(_) => Some(format!("rank {}", grouped(seats.rank(rule, index)?))),
        Rule::SectorLeader(sector) if market.sector(index) == Some(sector) => {
            Some(format!("rank {} in {}", grouped(seats.rank(rule, index)?), sector.title()))
        }
        _ => None,
    }
}
