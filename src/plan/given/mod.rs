//! The data that a plan starts from: the snapshot, the policy and the date.
//!
//! Nothing here decides on a member. The other stages read it and never change it.

pub mod date;
pub mod notice;
pub mod order;
pub mod policy;
pub mod snapshot;
