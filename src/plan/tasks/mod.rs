//! The five sub-tasks, each in a file of its own. They run one after another on one draft.

pub(crate) mod delisting;
pub(crate) mod etf;
pub(crate) mod ipo;
pub(crate) mod market_cap;
pub(crate) mod themes;
