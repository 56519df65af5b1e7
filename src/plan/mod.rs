//! Turns a market snapshot into the membership changes it calls for.
//!
//! Planning is pure: it reads a [`Snapshot`](snapshot::Snapshot), a [`Policy`](policy::Policy) and the date, and
//! touches nothing else. Sub-tasks run in a fixed order over one draft, so each sees what the earlier ones decided.

pub mod outcome;
pub mod policy;
pub mod snapshot;
