//! Sub-task 1: tiers, rankings, sector leaders and `all_stocks`.
//!
//! All of them are cut from one order, cap down, by [`Seats`]. Tiers are disjoint and rankings nested only as long as
//! all of them come from the same day, so the guards hold all tiers or none, and all rankings or none.

use crate::domain::task::SyncTask;

use crate::plan::draft::guard;
use crate::plan::draft::{Change, Draft};
use crate::plan::given::policy::ShareClasses;
use crate::plan::members::allocation::Seats;
use crate::plan::members::universes::{Rule, Universe};

/// Proposes and settles every universe that follows from market caps.
pub(crate) fn recalculate(draft: &mut Draft, sector_doubt: Option<&str>) {
    let seats = Seats::new(draft.market, draft.snapshot, draft.policy, &draft.hands);
    let (mut tiers, mut rankings, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for universe in Universe::of_task(draft.policy, SyncTask::MarketCapRecalculation) {
        let members = match universe.rule {
            Rule::AllStocks => all_stocks(draft, &universe),
            _ => seats.of(&universe.name).to_vec(),
        };
        let change = draft.compare(universe, members);
        match change.universe.rule {
            Rule::Tier(_) => tiers.push(change),
            Rule::Ranking(_) => rankings.push(change),
            _ => others.push(change),
        }
    }
    draft.seats = Some(seats);
    guard::warn_of_long_gaps(draft, tiers.iter().chain(&rankings));
    settle_together(draft, tiers);
    settle_together(draft, rankings);
    for change in others {
        let doubt = guard::doubt_alone(draft, &change, sector_doubt);
        draft.settle_alone(change, doubt);
    }
    warn_of_missing_volumes(draft);
}

/// The ranked stocks in order, then the others by symbol.
fn all_stocks(draft: &Draft, universe: &Universe) -> Vec<u32> {
    let mut stocks = [draft.market.ranked(), draft.market.unranked()].concat();
    if !draft.hands.are_empty() {
        stocks.retain(|index| draft.hands.ban(&universe.name, *index).is_none());
    }
    stocks
}

/// Holds all of them where a guard doubts one, for the same reason.
fn settle_together<'a>(draft: &mut Draft<'a>, changes: Vec<Change<'a>>) {
    let mut doubts = Vec::new();
    for change in &changes {
        if let Some(doubt) = guard::doubt(draft, change) {
            guard::doubt_caps(draft, change);
            doubts.push(doubt);
        }
    }
    for change in changes {
        if doubts.is_empty() {
            draft.accept(change);
        } else {
            draft.hold(change, guard::reason_to_hold(&doubts));
        }
    }
}

fn warn_of_missing_volumes(draft: &mut Draft) {
    let is_asked = draft.policy.stability.share_classes == ShareClasses::Primary;
    let ranked = draft.market.ranked();
    if is_asked && !ranked.is_empty() && ranked.iter().all(|index| draft.market.traded(*index).is_none()) {
        let text = "stability.share_classes is primary, but no bar of a stock has a volume; of each company the class \
                    that is a member stands for it, else the first by cap, age and symbol";
        draft.warn("volume_missing", text.to_owned());
    }
}
