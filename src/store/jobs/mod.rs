//! Jobs: accepted, claimed, let go, ended.
//!
//! A job's row decides what happened to it. Its states:
//!
//! ```text
//!   accept ─► queued ─► running ─► completed | failed | cancelled
//!                ▲         │
//!                └─────────┤  hand_back: the worker stops (no attempt counted)
//!             retrying ◄───┘  retry after a passing failure, or wait for the import
//! ```
//!
//! A job that no worker holds is [cancelled](cancel) at once; one that a worker holds is asked to end, and its
//! heartbeat sees that.
//!
//! Every change from `running` names the lease number of the claim; where another worker has taken over since,
//! nothing changes and the caller learns [`Lost`](Ended::Lost).

mod accept;
mod cancel;
mod claim;
mod finish;
mod prune;
mod queries;
mod result;
mod row;

pub use accept::{Accepted, accept, note_entry, reject};
pub use cancel::{Cancellation, cancel};
pub use claim::{Claim, ClaimTerms, Lost, claim};
pub use finish::{Ended, Ending, Postponement, end, end_within, postpone, record_ended, release};
pub use prune::forget_old;
pub use queries::{is_entry_known, load, load_within, next_due, of_key, recent, without_worker};
pub use result::JobResult;
pub use row::JobRow;
