//! Tells the world how a job goes: the shapes of what is told, and the one door through which it goes to Redis.
//!
//! | module | what it says |
//! |---|---|
//! | [`keys`] | every key and channel name, from `redis.prefix` |
//! | [`event`] | the envelopes of pub/sub and of a job's event stream |
//! | [`status`] | the status hash of a job |
//! | [`monitor`] | the JSON text that the job monitor page reads |
//! | [`deliver`] | writes events and status in one script, at most once each |
//!
//! All but [`deliver`] is pure: the time is an argument. What is told is a projection of what Postgres holds, so every
//! shape can be built again from a job's row.
//!
//! # The order of things: `seq`
//! Everything told of a job has a number, [`seq`]: a million for each lease of the job, plus a count. A worker that lost
//! the job speaks with a lower number than its successor, so what it says late is recognised as old.

use chrono::{DateTime, SecondsFormat, Utc};

pub mod deliver;
pub mod event;
pub mod keys;
pub mod monitor;
#[cfg(test)]
pub(crate) mod private_redis;
pub mod relay;
pub mod status;

/// How many numbers a lease has. A job tells about 700 events at most, so the counts of two leases never meet.
const SEQS_PER_LEASE: i64 = 1_000_000;

/// The place of something told: `n`, from 1, under the lease `lease_number`, which is 0 before the first claim.
///
/// # Panics
/// If `n` is not within 1 to 999,999.
pub fn seq(lease_number: i64, n: i64) -> i64 {
    assert!((1..SEQS_PER_LEASE).contains(&n), "a lease tells between one and a million things, not {n}");
    lease_number * SEQS_PER_LEASE + n
}

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
    fn a_later_lease_is_always_ahead_of_an_earlier_one() {
        assert_eq!(seq(0, 1), 1);
        assert_eq!(seq(3, 42), 3_000_042);
        assert!(seq(1, 999_999) < seq(2, 1));
    }

    #[test]
    #[should_panic(expected = "between one and a million")]
    fn a_count_never_runs_into_the_next_lease() {
        seq(1, 1_000_000);
    }

    #[test]
    fn a_percentage_is_whole_and_bounded() {
        for (completed, total, percent) in [(0, 5, 0), (1, 3, 33), (5, 5, 100), (7, 5, 100), (0, 0, 0)] {
            assert_eq!(percentage(completed, total), percent, "{completed} of {total}");
        }
        assert_eq!(percentage(u32::MAX, u32::MAX), 100);
    }
}
