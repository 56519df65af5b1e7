//! Sub-task 1: tiers, rankings, sector leaders and `all_stocks`.
//!
//! All of them are cut from one order, cap down. Tiers are disjoint and rankings nested only as long as all of them
//! come from the same day, so the guards hold all tiers or none, and all rankings or none.

use crate::domain::task::SyncTask;
use crate::domain::universe::Tier;

use super::draft::{Change, Draft};
use super::guard;
use super::market::Market;
use super::policy::Policy;
use super::universes::{Rule, SECTOR_LEADERS, Universe};

/// Proposes and settles every universe that follows from market caps.
pub(super) fn recalculate(draft: &mut Draft, sector_doubt: Option<&str>) {
    let (mut tiers, mut rankings, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for universe in Universe::of_task(draft.policy, SyncTask::MarketCapRecalculation) {
        let members = members(draft.market, draft.policy, universe.rule);
        let change = draft.compare(universe, members);
        match change.universe.rule {
            Rule::Tier(_) => tiers.push(change),
            Rule::Ranking(_) => rankings.push(change),
            _ => others.push(change),
        }
    }
    guard::warn_of_long_gaps(draft, tiers.iter().chain(&rankings));
    settle_together(draft, tiers);
    settle_together(draft, rankings);
    for change in others {
        let doubt = guard::doubt_alone(draft, &change, sector_doubt);
        draft.settle_alone(change, doubt);
    }
}

/// Who belongs into a universe by its rule, in order.
fn members(market: &Market, policy: &Policy, rule: Rule) -> Vec<u32> {
    match rule {
        Rule::Tier(tier) => of_tier(market, policy, tier).to_vec(),
        Rule::Ranking(limit) => first(market.ranked(), limit).to_vec(),
        Rule::SectorLeader(sector) => first(market.ranked_in(sector), SECTOR_LEADERS).to_vec(),
        Rule::AllStocks => [market.ranked(), market.unranked()].concat(),
        Rule::NewListing | Rule::Theme(_) | Rule::FundCategory(_) | Rule::AllFunds => {
            unreachable!("other sub-tasks own these")
        }
    }
}

/// The stretch of the global order that a tier covers. The bounds of one tier begin where those of the next end, so
/// no cap is in two.
fn of_tier<'m>(market: &'m Market, policy: &Policy, tier: Tier) -> &'m [u32] {
    let ranked = market.ranked();
    let tier_at = |index: &u32| market.cap(*index).and_then(|cap| policy.tier_of(cap));
    // Tiers are declared from the largest down, and "none" comes after the smallest.
    let is_before = |found: Option<Tier>| found.is_some_and(|found| found < tier);
    let start = ranked.partition_point(|index| is_before(tier_at(index)));
    let end = ranked.partition_point(|index| is_before(tier_at(index)) || tier_at(index) == Some(tier));
    &ranked[start..end]
}

fn first(indices: &[u32], limit: usize) -> &[u32] {
    &indices[..limit.min(indices.len())]
}

/// Holds all of them where a guard doubts one, for the same reason.
fn settle_together<'a>(draft: &mut Draft<'a>, changes: Vec<Change<'a>>) {
    let doubts: Vec<String> = changes.iter().filter_map(|change| guard::doubt(draft, change)).collect();
    for change in changes {
        if doubts.is_empty() {
            draft.accept(change);
        } else {
            draft.hold(change, guard::reason_to_hold(&doubts));
        }
    }
}
