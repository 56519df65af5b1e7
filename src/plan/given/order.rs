//! What a plan is asked for: the mode, the date, and whether the guards are open.

use chrono::NaiveDate;

use crate::domain::task::Mode;

/// What a plan is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Which sub-tasks.
    pub mode: Mode,
    /// Whether the size guards are open.
    pub accept_churn: bool,
    /// The date, as [`date`](super::date) chose it.
    pub as_of: NaiveDate,
}
