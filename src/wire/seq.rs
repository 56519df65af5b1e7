//! The numbers of events: everything told of a job has one, [`seq`]: a million for each lease of the job, plus a count.
//!
//! A worker that lost the job speaks with a lower number than its successor, so what it says late is recognised as old.

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
}
