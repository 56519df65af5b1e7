//! Sub-task 2: new listings, in `recent_ipos` and in the themes.
//!
//! A new listing is an eligible stock that was listed at most 30 calendar days before the date of the sync, the day of
//! listing being day zero, and that has traded. Only the source's listing date says so: being new to a feed says
//! nothing, since most of what a feed shows for the first time is old stock that returns.
//!
//! Sector, SIC code and cap of a new listing arrive days late. So each is judged for every theme on every day of its
//! window; nothing is remembered of the days on which it was not enough.
//!
//! # Why a theme that is full waits
//! Who has to make room is the business of [`themes`](super::themes). Here new listings take seats that are free, in themes that have
//! been filled before and whose change a guard believes. The seats are those that the theme's own sub-task would give
//! them, so that running both one after the other and running them in one job come to the same.

use std::cmp::Reverse;

use crate::domain::change::EntryReason;
use crate::domain::task::SyncTask;

use super::themes::{Proposal, Proposals};
use crate::plan::draft::guard;
use crate::plan::draft::planned::Before;
use crate::plan::draft::{Change, Draft};
use crate::plan::market::{Market, Standing};
use crate::plan::members::candidates::Marks;
use crate::plan::members::universes::Universe;

/// Settles `recent_ipos` and gives new listings their seats in themes.
pub(crate) fn assign<'a>(draft: &mut Draft<'a>, proposals: &mut Proposals<'a>, sector_doubt: Option<&str>) {
    let listings = new_listings(draft.market, &Marks::default());
    for universe in Universe::of_task(draft.policy, SyncTask::IpoAssignment) {
        let prior = draft.prior(&universe.name);
        let members = Marks::new(draft.market, prior.members.iter().filter_map(|member| member.index));
        let members = as_decided(draft, &universe, new_listings(draft.market, &members));
        let change = draft.compare(universe, members);
        let doubt = guard::doubt_alone(draft, &change, sector_doubt);
        draft.settle_alone(change, doubt);
    }
    if listings.is_empty() {
        return;
    }
    for proposal in proposals.get(draft, sector_doubt) {
        if let Proposal::Change { change, doubt: None } = proposal {
            seat_listings(draft, change);
        }
    }
}

/// The new listings of a market, newest first, those of one day in the global order. One that changed its symbol since
/// is one only if it is a member already: the source may call the day of the change its listing date.
fn new_listings(market: &Market, members: &Marks) -> Vec<u32> {
    let eligible = market.ranked().iter().chain(market.unranked()).copied();
    let is_one = |index: &u32| {
        market.is_new_listing(*index) || (members.has(*index) && market.is_recently_listed(*index))
    };
    let mut listings: Vec<u32> = eligible.filter(is_one).collect();
    debug_assert!(listings.iter().all(|index| market.standing(*index) == Standing::Eligible));
    // Stable, and those without a cap stand behind those with one.
    listings.sort_by_key(|index| Reverse(market.security(*index).list_date));
    listings
}

/// The same without those who are banned, and with those who are pinned behind the others.
fn as_decided(draft: &Draft, universe: &Universe, mut listings: Vec<u32>) -> Vec<u32> {
    listings.retain(|index| draft.hands.ban(&universe.name, *index).is_none());
    let mut pinned = draft.hands.pins(&universe.name);
    pinned.retain(|index| !listings.contains(index));
    pinned.sort_by_key(|index| &draft.market.security(*index).symbol);
    listings.extend(pinned);
    listings
}

/// Gives the new listings among the joiners of a theme the seats that are free in it.
fn seat_listings(draft: &mut Draft, change: &Change) {
    let prior = &change.prior;
    // A theme that was never filled is filled in one go by its own sub-task, which then takes nothing for churn.
    if prior.before != Before::Managed || prior.members.is_empty() {
        return;
    }
    let free = draft.free_seats(change);
    let listings = change.joined.iter().filter(|(_, reason)| *reason == EntryReason::Listing);
    let joiners: Vec<u32> = listings.map(|(place, _)| change.members[*place]).take(free).collect();
    if !joiners.is_empty() {
        draft.seat(&change.universe, &joiners);
    }
}
