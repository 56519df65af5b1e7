//! Sub-task 5: exchange-traded products, one universe a category and one of all.
//!
//! Each has one category at most: that of the curated list, else what the vendor's type text says, else what its name
//! says. Those that move by a multiple, or against the market, are in `etf_all` only: who buys a bond fund does not
//! expect three times the opposite of it.

use crate::domain::task::SyncTask;
use crate::domain::universe::FundCategory;

use crate::plan::draft::guard;
use crate::plan::draft::{Change, Draft};
use crate::plan::members::overrides::Hands;
use crate::plan::members::universes::{Rule, Universe};

/// Settles every universe of exchange-traded products.
pub(crate) fn maintain(draft: &mut Draft) {
    let funds = draft.market.funds();
    let mut sorter = draft.policy.funds.sorter();
    let category = |index: &u32| {
        let fund = draft.market.security(*index);
        sorter.kind(&fund.symbol.key(), fund.etf_type.as_deref(), fund.name.as_deref()).category()
    };
    let categories: Vec<Option<FundCategory>> = funds.iter().map(category).collect();
    let of_category = |hands: &Hands, universe: &Universe, wanted: FundCategory| {
        let fits = |index: u32, found: Option<FundCategory>| {
            let by_rule = found == Some(wanted) && hands.pin_elsewhere(universe, index).is_none();
            hands.pin(&universe.name, index).is_some()
                || (by_rule && hands.ban(&universe.name, index).is_none())
        };
        let fitting = funds.iter().zip(&categories).filter(|(index, found)| fits(**index, **found));
        fitting.map(|(index, _)| *index).collect()
    };
    let mut changes: Vec<Change> = Vec::new();
    for universe in Universe::of_task(draft.policy, SyncTask::EtfUniverseMaintenance) {
        let members = if let Rule::FundCategory(category) = universe.rule {
            of_category(&draft.hands, &universe, category)
        } else {
            let is_free = |index: &u32| draft.hands.ban(&universe.name, *index).is_none();
            funds.iter().copied().filter(is_free).collect()
        };
        changes.push(draft.compare(universe, members));
    }
    guard::warn_of_long_gaps(draft, changes.iter());
    for change in changes {
        let doubt = guard::doubt(draft, &change);
        draft.settle_alone(change, doubt);
    }
}
