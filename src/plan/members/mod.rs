//! Who should be in: the universes, what people have decided by hand, and how places are given out.

pub(crate) mod allocation;
pub(crate) mod candidates;
pub(crate) mod eligibility;
pub(crate) mod evidence;
pub(crate) mod funds;
pub(crate) mod overrides;
pub(crate) mod theme_seats;
pub mod universes;
