//! How long a job waits before its next attempt.
//!
//! The schedule is exponential with full jitter: after the first failure anywhere in the first second, then within
//! two, four, ... and at most five minutes. Jitter spreads jobs that one outage stopped together.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

/// Longest delay after the first failure; doubles with each.
const FIRST: Duration = Duration::from_secs(1);
/// Longest delay ever.
const LONGEST: Duration = Duration::from_secs(300);

/// A delay before the attempt that follows attempt number `attempt` (from 1).
pub fn delay_after(attempt: u32) -> Duration {
    let mut schedule = schedule(FIRST, LONGEST);
    let mut delay = Duration::ZERO;
    // The schedule reaches its longest delay after nine steps; going on would only count.
    for _ in 0..attempt.clamp(1, 12) {
        delay = schedule.next_backoff().unwrap_or(LONGEST);
    }
    delay
}

/// A schedule for trying to reach a server that is away: never gives up, at most `longest` between two tries.
pub fn reconnecting(longest: Duration) -> ExponentialBackoff {
    schedule(Duration::from_millis(200), longest)
}

fn schedule(first: Duration, longest: Duration) -> ExponentialBackoff {
    // A randomization factor of one draws from zero to twice the interval: full jitter around half of it.
    ExponentialBackoff {
        current_interval: first / 2,
        initial_interval: first / 2,
        randomization_factor: 1.0,
        multiplier: 2.0,
        max_interval: longest / 2,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_five_minutes_and_are_spread_from_zero() {
        for (attempt, longest) in [(1, 1), (2, 2), (3, 4), (5, 16), (20, 300), (u32::MAX, 300)] {
            let delays: Vec<Duration> = (0..200).map(|_| delay_after(attempt)).collect();
            let bound = Duration::from_secs(longest);
            assert!(delays.iter().all(|delay| *delay <= bound), "attempt {attempt}");
            assert!(delays.iter().any(|delay| *delay > bound / 2), "attempt {attempt}");
            assert!(delays.iter().any(|delay| *delay < bound / 2), "attempt {attempt}");
        }
    }
}
