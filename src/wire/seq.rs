//! The numbers of events: everything told of a job has one, [`seq`]: a million for each lease of the job, plus a count.
//!
//! [`Numbers`] deals them out. Of the numbers of a lease the start takes the first two, progress those up to a hundred, and
//! the end of the job or of the attempt whatever follows.
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

/// Numbers that the start of a lease takes: one for `cache_sync_started`, one for how the attempt before was lost.
const STARTING: i64 = 2;
/// Numbers that the start of a lease and the progress of at most five plannings share.
const PROGRESS: i64 = 100;
/// Numbers that the end of a job takes: one for what went wrong, the last one for the end itself.
const ENDING: i64 = 2;

/// Deals out the numbers of one lease, in order.
#[derive(Debug, Clone)]
pub struct Numbers {
    last: i64,
}

impl Numbers {
    /// Goes on after `last_seq`, the highest number that the job's row has given out.
    pub fn after(last_seq: i64) -> Self {
        Self { last: last_seq }
    }

    /// Goes on after everything that may have been published of the start of the lease that began with `last_seq`.
    pub fn after_start(last_seq: i64) -> Self {
        Self { last: last_seq + STARTING }
    }

    /// Goes on after everything that may have been published of progress under the lease that began with `last_seq`.
    pub fn after_progress(last_seq: i64) -> Self {
        Self { last: last_seq + PROGRESS }
    }

    /// The next number.
    pub fn take(&mut self) -> i64 {
        self.take_many(1)
    }

    /// The first of the next `count` numbers.
    pub fn take_many(&mut self, count: usize) -> i64 {
        let first = self.last + 1;
        self.last += count as i64;
        first
    }

    /// The last number of a job that ends now; [`error_before_end`] is the one before it.
    pub fn end(mut self) -> i64 {
        self.take_many(ENDING as usize);
        self.last
    }
}

/// The number of what went wrong with a job whose end has the number `end`.
pub fn error_before_end(end: i64) -> i64 {
    end - ENDING + 1
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
    fn progress_is_after_the_start_and_the_end_after_both() {
        let claimed = seq(3, 1) - 1;
        let mut start = Numbers::after(claimed);
        assert_eq!([start.take(), start.take()], [3_000_001, 3_000_002]);
        assert_eq!(Numbers::after_start(claimed).take(), 3_000_003);
        let mut rest = Numbers::after_progress(claimed);
        assert_eq!([rest.take(), rest.take_many(3), rest.take()], [3_000_101, 3_000_102, 3_000_105]);
        let end = rest.end();
        assert_eq!((error_before_end(end), end), (3_000_106, 3_000_107));
    }
}
