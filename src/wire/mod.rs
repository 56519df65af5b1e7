//! The shapes and names of everything that goes to the outside and comes from there. Pure: the time is an argument.
//!
//! | module | what it says |
//! |---|---|
//! | [`names`] | every key and channel name, from `redis.prefix` |
//! | [`entry`] | the fields of a job request on the stream |
//! | [`dead_letter`] | the fields of an entry that can't be worked on |
//! | [`event`] | the envelopes of pub/sub and of a job's event stream |
//! | [`status`] | the status hash of a job |
//! | [`monitor`] | the JSON text that the job monitor page reads |
//! | [`seq`] | the numbers of events |
//!
//! What is published is a projection of what Postgres holds, so every shape can be built again from a job's row.

use chrono::{DateTime, SecondsFormat, Utc};

pub mod dead_letter;
pub mod entry;
pub mod event;
pub mod monitor;
pub mod names;
pub mod seq;
pub mod status;

pub use seq::seq;

/// The most bytes of a message: lists of thousands of symbols fit. Of a longer one this much and a byte is kept, by which
/// it is known.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// How far a job is, as a whole percentage from 0 to 100. Nothing to do is 0: only the end is 100.
pub fn percentage(completed: u32, total_items: u32) -> u32 {
    u64::from(completed)
        .checked_mul(100)
        .and_then(|hundredfold| hundredfold.checked_div(u64::from(total_items)))
        .map_or(0, |percent| percent.min(100) as u32)
}

/// `at` as everybody outside reads it: `2026-01-02T21:30:00.000Z`.
pub fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Milliseconds as a JSON number of seconds.
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_whole_and_bounded() {
        for (completed, total, percent) in [(0, 5, 0), (1, 3, 33), (5, 5, 100), (7, 5, 100), (0, 0, 0)] {
            assert_eq!(percentage(completed, total), percent, "{completed} of {total}");
        }
        assert_eq!(percentage(u32::MAX, u32::MAX), 100);
    }
}
