//! When the clock starts a sync: a pure function from one instant to the next firing.
//!
//! ```text
//!   16:10 in New York            17:10 (sync_settings.eod_wait_timeout_seconds later)
//!   opens_at ────── a signal may come ────── due_at: without one the sync is asked for all the same
//! ```
//!
//! Times of day are New York's, so in UTC a firing moves by an hour when the clocks there change. Days on which the
//! exchange is closed have none; a day with an early close has its own at the usual time.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::America::New_York;

use crate::domain::calendar::{new_york_date, next_session, previous_session};

/// How long after it was due a firing is still made up for, where nobody was there to see it. Later the morning is
/// nearer than the evening, and an operator should look first.
const MAKE_UP: TimeDelta = TimeDelta::hours(6);

/// A time of day on every trading day, and how long a signal may take from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    time: NaiveTime,
    wait: TimeDelta,
}

/// One evening of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Firing {
    /// The trading date.
    pub date: NaiveDate,
    /// When the waiting for a signal begins.
    pub opens_at: DateTime<Utc>,
    /// When it ends.
    pub due_at: DateTime<Utc>,
}

impl Schedule {
    /// A schedule that opens at `time` in New York and waits for `wait`.
    pub fn new(time: NaiveTime, wait: Duration) -> Self {
        let wait = TimeDelta::from_std(wait).expect("settings allow a day at most");
        Self { time, wait }
    }

    /// The first firing that opens after `instant`.
    pub fn next(&self, instant: DateTime<Utc>) -> Firing {
        let mut date = next_session(previous_session(new_york_date(instant)));
        loop {
            let opens_at = in_new_york(date, self.time);
            if opens_at > instant {
                return Firing { date, opens_at, due_at: opens_at + self.wait };
            }
            date = next_session(date);
        }
    }

    /// The firing that a process which begins at `now` has to see to first: one whose wait goes on, or ended not long
    /// ago, else the next.
    pub fn first(&self, now: DateTime<Utc>) -> Firing {
        self.next(now - self.wait - MAKE_UP)
    }
}

impl Firing {
    /// Whether the wait is over.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        now >= self.due_at
    }

    /// Whether it was due so long ago that it is not made up for.
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        now >= self.due_at + MAKE_UP
    }
}

/// The instant of a time of day in New York; of two, the earlier. One that the clocks skip is taken as in winter.
fn in_new_york(date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    let local = date.and_time(time);
    match New_York.from_local_datetime(&local).earliest() {
        Some(instant) => instant.to_utc(),
        None => local.and_utc() + TimeDelta::hours(5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use crate::domain::calendar::is_session;

    fn schedule() -> Schedule {
        Schedule::new(NaiveTime::from_hms_opt(16, 10, 0).expect("a time"), Duration::from_secs(3_600))
    }

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    /// The date of the firing after an instant, and when it opens.
    fn next(after: &str) -> (String, String) {
        let firing = schedule().next(instant(after));
        assert_eq!(firing.due_at - firing.opens_at, TimeDelta::hours(1));
        (firing.date.to_string(), firing.opens_at.to_rfc3339())
    }

    fn expected(date: &str, opens_at: &str) -> (String, String) {
        (date.to_owned(), instant(opens_at).to_rfc3339())
    }

    #[test]
    fn it_opens_at_ten_past_four_in_new_york_on_each_trading_day() {
        assert_eq!(next("2026-03-02T12:00:00Z"), expected("2026-03-02", "2026-03-02T21:10:00Z"));
        assert_eq!(next("2026-03-02T21:09:59Z"), expected("2026-03-02", "2026-03-02T21:10:00Z"));
        assert_eq!(next("2026-03-02T21:10:00Z"), expected("2026-03-03", "2026-03-03T21:10:00Z"));
    }

    #[test]
    fn it_keeps_to_the_clocks_of_new_york_when_they_change() {
        // Forward on Sunday 2026-03-08: from Friday to Monday one hour less than three days.
        assert_eq!(next("2026-03-06T20:00:00Z"), expected("2026-03-06", "2026-03-06T21:10:00Z"));
        assert_eq!(next("2026-03-06T21:10:00Z"), expected("2026-03-09", "2026-03-09T20:10:00Z"));
        // Back on Sunday 2026-11-01.
        assert_eq!(next("2026-10-30T12:00:00Z"), expected("2026-10-30", "2026-10-30T20:10:00Z"));
        assert_eq!(next("2026-10-30T20:10:00Z"), expected("2026-11-02", "2026-11-02T21:10:00Z"));
    }

    #[test]
    fn days_without_trading_have_none() {
        // A weekend, Presidents' Day after one, Good Friday before one, Christmas Day.
        assert_eq!(next("2026-01-03T12:00:00Z").0, "2026-01-05");
        assert_eq!(next("2026-02-13T22:00:00Z").0, "2026-02-17");
        assert_eq!(next("2026-04-02T22:00:00Z").0, "2026-04-06");
        assert_eq!(next("2026-12-24T22:00:00Z").0, "2026-12-28");
    }

    #[test]
    fn a_half_day_has_one_at_the_usual_time() {
        // The day after Thanksgiving, and Christmas Eve.
        assert_eq!(next("2026-11-27T12:00:00Z"), expected("2026-11-27", "2026-11-27T21:10:00Z"));
        assert_eq!(next("2026-12-24T12:00:00Z"), expected("2026-12-24", "2026-12-24T21:10:00Z"));
    }

    #[test]
    fn midnight_in_utc_is_still_the_evening_before_in_new_york() {
        let late = Schedule::new(NaiveTime::from_hms_opt(21, 0, 0).expect("a time"), Duration::ZERO);
        let firing = late.next(instant("2026-03-03T01:00:00Z"));
        assert_eq!(firing.date.to_string(), "2026-03-02");
        assert_eq!(firing.opens_at, instant("2026-03-03T02:00:00Z"));
        assert_eq!(firing.due_at, firing.opens_at);
    }

    #[test]
    fn whoever_begins_in_the_middle_sees_to_the_firing_that_goes_on_or_was_just_missed() {
        let first = |now: &str| schedule().first(instant(now)).date.to_string();
        assert_eq!(first("2026-03-02T21:30:00Z"), "2026-03-02", "a signal may still come");
        assert_eq!(first("2026-03-02T22:10:00Z"), "2026-03-02", "it is due just now");
        assert_eq!(first("2026-03-03T04:00:00Z"), "2026-03-02", "it was missed");
        assert_eq!(first("2026-03-03T04:10:00Z"), "2026-03-03", "it is too late");
        assert_eq!(first("2026-03-07T12:00:00Z"), "2026-03-09", "on a weekend");
        let firing = schedule().next(instant("2026-03-02T12:00:00Z"));
        assert!(
            !firing.is_due(instant("2026-03-02T22:09:59Z")) && firing.is_due(instant("2026-03-02T22:10:00Z"))
        );
        assert!(
            !firing.is_over(instant("2026-03-03T04:09:59Z"))
                && firing.is_over(instant("2026-03-03T04:10:00Z"))
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_next_firing_is_on_the_first_trading_day_whose_time_has_not_passed(
            seconds in 946_684_800_i64..2_208_988_800,
            minute_of_day in 0_u32..24 * 60,
        ) {
            let time = NaiveTime::from_hms_opt(minute_of_day / 60, minute_of_day % 60, 0).expect("a time");
            let schedule = Schedule::new(time, Duration::from_secs(60));
            let now = DateTime::from_timestamp(seconds, 0).expect("in range");
            let firing = schedule.next(now);
            prop_assert!(is_session(firing.date) && firing.opens_at > now);
            let local = firing.opens_at.with_timezone(&New_York);
            prop_assert_eq!((local.date_naive(), local.time()), (firing.date, time));
            let before = in_new_york(previous_session(firing.date), time);
            prop_assert!(before <= now, "{before} was passed over");
        }
    }
}
