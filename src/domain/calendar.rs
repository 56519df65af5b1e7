//! The trading days of the New York Stock Exchange, which every "today" and "5 trading days" is counted on.
//!
//! A date is a *session* unless [`closure`] names why it is not: a weekend, a holiday found by rule, or one of the
//! few special closings written out in `SPECIAL_CLOSINGS`. Exact from 2000 to 2035; outside those years the same
//! rules are applied, without the special closings.
//!
//! # Why rules, not a list
//! A list has an end, and a service that runs past it would silently count wrong. Rules have none; the tests compare
//! them with the published list.
//!
//! # Why early closes are left out
//! On three days a year or fewer trading ends at 13:00. Prices of those days count from 16:00 like all others:
//! being three hours late does no harm, while counting them early would give a session without closes.

use chrono::{DateTime, Datelike, Days, NaiveDate, Timelike, Utc, Weekday};
use chrono_tz::America::New_York;

/// The hour at which a session ends, in New York.
const CLOSE_HOUR: u32 = 16;

/// Full closings that no rule foretells, in order.
const SPECIAL_CLOSINGS: [(NaiveDate, &str); 10] = [
    (ymd(2001, 9, 11), "Attacks of September 11"),
    (ymd(2001, 9, 12), "Attacks of September 11"),
    (ymd(2001, 9, 13), "Attacks of September 11"),
    (ymd(2001, 9, 14), "Attacks of September 11"),
    (ymd(2004, 6, 11), "Day of Mourning for Ronald Reagan"),
    (ymd(2007, 1, 2), "Day of Mourning for Gerald Ford"),
    (ymd(2012, 10, 29), "Hurricane Sandy"),
    (ymd(2012, 10, 30), "Hurricane Sandy"),
    (ymd(2018, 12, 5), "Day of Mourning for George H. W. Bush"),
    (ymd(2025, 1, 9), "Day of Mourning for Jimmy Carter"),
];

/// Whether the exchange trades on `date`, be it for half a day.
pub fn is_session(date: NaiveDate) -> bool {
    closure(date).is_none()
}

/// Why the exchange is closed on `date`: "Saturday", "Thanksgiving Day". `None` on a session.
///
/// A holiday made up for on another day has its own name there: 2021-07-05 is "Independence Day".
pub fn closure(date: NaiveDate) -> Option<&'static str> {
    match date.weekday() {
        Weekday::Sat => Some("Saturday"),
        Weekday::Sun => Some("Sunday"),
        _ => holiday(date).or_else(|| special_closing(date)),
    }
}

/// The last session strictly before `date`.
pub fn previous_session(date: NaiveDate) -> NaiveDate {
    session_on_or_before(day_before(date))
}

/// `date` if it is a session, else the last one before it.
pub fn session_on_or_before(date: NaiveDate) -> NaiveDate {
    let mut day = date;
    while !is_session(day) {
        day = day_before(day);
    }
    day
}

/// The first session strictly after `date`.
pub fn next_session(date: NaiveDate) -> NaiveDate {
    let mut day = day_after(date);
    while !is_session(day) {
        day = day_after(day);
    }
    day
}

/// The session `n` sessions before the one on or before `date`; with `n` = 0, that one itself.
pub fn sessions_back(date: NaiveDate, n: u32) -> NaiveDate {
    (0..n).fold(session_on_or_before(date), |session, _| previous_session(session))
}

/// The number of sessions after `from`, up to and including `to`; 0 when `to` is not after `from`.
///
/// From Friday to Monday is 1, however the weekend between them is named. Costs a few steps per year, not per day.
pub fn sessions_between(from: NaiveDate, to: NaiveDate) -> u32 {
    if to <= from {
        return 0;
    }
    let in_span = |date: &NaiveDate| *date > from && *date <= to;
    let weekdays = weekdays_until(to) - weekdays_until(from);
    let holidays =
        (from.year()..=to.year()).flat_map(holidays_of).flatten().filter(|(date, _)| in_span(date)).count();
    let special = SPECIAL_CLOSINGS.iter().filter(|(date, _)| in_span(date)).count();
    (weekdays - holidays as i32 - special as i32) as u32
}

/// The date in New York at an instant.
pub fn new_york_date(at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&New_York).date_naive()
}

/// The last session whose close, 16:00 in New York, is at or before `at`. Early closes count as 16:00 too.
pub fn last_closed_session(at: DateTime<Utc>) -> NaiveDate {
    let new_york = at.with_timezone(&New_York);
    let today = new_york.date_naive();
    if new_york.hour() >= CLOSE_HOUR { session_on_or_before(today) } else { previous_session(today) }
}

fn holiday(date: NaiveDate) -> Option<&'static str> {
    holidays_of(date.year()).into_iter().flatten().find(|(day, _)| *day == date).map(|(_, name)| name)
}

fn special_closing(date: NaiveDate) -> Option<&'static str> {
    SPECIAL_CLOSINGS.iter().find(|(day, _)| *day == date).map(|(_, name)| *name)
}

/// The holidays of one year on the weekdays they close, all within that year.
fn holidays_of(year: i32) -> [Option<(NaiveDate, &'static str)>; 10] {
    let named = |date, name| Some((date, name));
    [
        new_years_day(year).map(|date| (date, "New Year's Day")),
        (year >= 1998).then(|| (nth(3, Weekday::Mon, year, 1), "Martin Luther King Jr. Day")),
        named(nth(3, Weekday::Mon, year, 2), "Presidents' Day"),
        named(good_friday(year), "Good Friday"),
        named(last_monday_of_may(year), "Memorial Day"),
        (year >= 2022).then(|| (observed(ymd(year, 6, 19)), "Juneteenth")),
        named(observed(ymd(year, 7, 4)), "Independence Day"),
        named(nth(1, Weekday::Mon, year, 9), "Labor Day"),
        named(nth(4, Weekday::Thu, year, 11), "Thanksgiving Day"),
        named(observed(ymd(year, 12, 25)), "Christmas Day"),
    ]
}

/// The weekday that makes up for a holiday: Friday for a Saturday, Monday for a Sunday.
fn observed(date: NaiveDate) -> NaiveDate {
    match date.weekday() {
        Weekday::Sat => day_before(date),
        Weekday::Sun => day_after(date),
        _ => date,
    }
}

/// January 1, or January 2 for a Sunday. A Saturday is not made up for: the Friday before ends the books of a year,
/// and the exchange's Rule 7.2 keeps it open.
fn new_years_day(year: i32) -> Option<NaiveDate> {
    let date = ymd(year, 1, 1);
    (date.weekday() != Weekday::Sat).then(|| observed(date))
}

fn last_monday_of_may(year: i32) -> NaiveDate {
    let last = ymd(year, 5, 31);
    last - Days::new(u64::from(last.weekday().num_days_from_monday()))
}

/// Two days before Easter Sunday, which is found by the anonymous Gregorian computus; its single letters are the
/// names that every description of it uses.
#[expect(clippy::many_single_char_names, reason = "they are the algorithm's own names")]
fn good_friday(year: i32) -> NaiveDate {
    let a = year.rem_euclid(19);
    let (b, c) = (year.div_euclid(100), year.rem_euclid(100));
    let (d, e) = (b.div_euclid(4), b.rem_euclid(4));
    let f = (b + 8).div_euclid(25);
    let g = (b - f + 1).div_euclid(3);
    let h = (19 * a + b - d - g + 15).rem_euclid(30);
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k).rem_euclid(7);
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    ymd(year, (n / 31) as u32, (n % 31 + 1) as u32) - Days::new(2)
}

/// The number of Mondays to Fridays from an arbitrary fixed Sunday until `date`; meaningful as a difference.
fn weekdays_until(date: NaiveDate) -> i32 {
    // Day 1 of the common era was a Monday, so day 0 is the Sunday that full weeks are counted from.
    let day = date.num_days_from_ce();
    day.div_euclid(7) * 5 + day.rem_euclid(7).min(5)
}

fn nth(n: u8, weekday: Weekday, year: i32, month: u32) -> NaiveDate {
    NaiveDate::from_weekday_of_month_opt(year, month, weekday, n)
        .expect("every month has four of each weekday")
}

const fn ymd(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("the dates named in this file exist in every year")
}

fn day_before(date: NaiveDate) -> NaiveDate {
    date.pred_opt().expect("no market is asked about at either end of chrono's 262,000 years")
}

fn day_after(date: NaiveDate) -> NaiveDate {
    date.succ_opt().expect("no market is asked about at either end of chrono's 262,000 years")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{NaiveTime, TimeDelta, TimeZone};
    use proptest::prelude::*;

    /// The weekdays closed and the number of sessions, per year, as the exchange published them.
    const PUBLISHED: &str = include_str!("../../tests/data/nyse_holidays.txt");

    struct PublishedYear {
        year: i32,
        sessions: u32,
        closed: Vec<NaiveDate>,
    }

    fn published_years() -> Vec<PublishedYear> {
        PUBLISHED.lines().filter(|line| !line.starts_with('#')).map(published_year).collect()
    }

    fn published_year(line: &str) -> PublishedYear {
        let mut words = line.split_whitespace();
        let year = words.next().expect("a year");
        let sessions = words.next().and_then(|word| word.parse().ok()).expect("the number of sessions");
        let closed = words.map(|day| date(&format!("{year}-{day}"))).collect();
        PublishedYear { year: year.parse().expect("a year"), sessions, closed }
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn days_of(year: i32) -> impl Iterator<Item = NaiveDate> {
        ymd(year, 1, 1).iter_days().take_while(move |day| day.year() == year)
    }

    fn is_weekday(date: NaiveDate) -> bool {
        !matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
    }

    #[test]
    fn every_closed_weekday_from_2000_to_2035_is_a_published_one() {
        let years = published_years();
        assert_eq!(years.len(), 36);
        for PublishedYear { year, closed, .. } in years {
            let found: Vec<_> = days_of(year).filter(|day| is_weekday(*day) && !is_session(*day)).collect();
            assert_eq!(found, closed, "{year}");
        }
    }

    #[test]
    fn each_year_has_its_published_number_of_sessions() {
        for PublishedYear { year, sessions, .. } in published_years() {
            assert_eq!(sessions_between(ymd(year - 1, 12, 31), ymd(year, 12, 31)), sessions, "{year}");
        }
    }

    #[test]
    fn a_closed_day_says_why() {
        for (day, why) in [
            ("2026-08-01", "Saturday"),
            ("2026-08-02", "Sunday"),
            ("2023-01-02", "New Year's Day"),
            ("2025-01-20", "Martin Luther King Jr. Day"),
            ("2025-02-17", "Presidents' Day"),
            ("2025-04-18", "Good Friday"),
            ("2025-05-26", "Memorial Day"),
            ("2022-06-20", "Juneteenth"),
            ("2021-07-05", "Independence Day"),
            ("2025-09-01", "Labor Day"),
            ("2025-11-27", "Thanksgiving Day"),
            ("2021-12-24", "Christmas Day"),
            ("2012-10-29", "Hurricane Sandy"),
            ("2025-01-09", "Day of Mourning for Jimmy Carter"),
        ] {
            assert_eq!(closure(date(day)), Some(why), "{day}");
        }
    }

    #[test]
    fn a_session_has_no_closure() {
        for day in ["2025-11-28", "2012-10-31", "2001-09-10", "2001-09-17", "2021-06-18", "1997-01-20"] {
            assert_eq!(closure(date(day)), None, "{day}");
        }
    }

    #[test]
    fn new_years_day_on_a_saturday_is_not_made_up_for() {
        for friday in ["1999-12-31", "2004-12-31", "2010-12-31", "2021-12-31", "2027-12-31"] {
            assert!(is_session(date(friday)), "{friday}");
        }
        assert!(is_session(date("2022-01-03")));
    }

    #[test]
    fn from_friday_to_monday_is_one_session() {
        assert_eq!(sessions_between(date("2026-07-31"), date("2026-08-03")), 1);
        assert_eq!(sessions_between(date("2026-07-31"), date("2026-08-02")), 0);
        assert_eq!(sessions_between(date("2026-08-01"), date("2026-08-03")), 1);
        assert_eq!(sessions_between(date("2026-08-03"), date("2026-08-03")), 0);
        assert_eq!(sessions_between(date("2026-08-03"), date("2026-07-31")), 0);
    }

    #[test]
    fn five_sessions_back_steps_over_a_long_weekend() {
        // Monday 2025-05-26 was Memorial Day.
        assert_eq!(sessions_back(date("2025-05-28"), 5), date("2025-05-20"));
        assert_eq!(sessions_back(date("2025-05-26"), 0), date("2025-05-23"));
        assert_eq!(previous_session(date("2025-05-27")), date("2025-05-23"));
        assert_eq!(next_session(date("2025-05-23")), date("2025-05-27"));
    }

    #[test]
    fn a_session_counts_from_its_close_in_summer_and_winter() {
        for (at, last_closed) in [
            // Standard time: 16:00 in New York is 21:00 UTC.
            ("2025-03-07T20:59:59Z", "2025-03-06"),
            ("2025-03-07T21:00:00Z", "2025-03-07"),
            // Clocks went forward on Sunday 2025-03-09: now it is 20:00 UTC.
            ("2025-03-10T19:59:59Z", "2025-03-07"),
            ("2025-03-10T20:00:00Z", "2025-03-10"),
            // And back on Sunday 2025-11-02.
            ("2025-10-31T20:00:00Z", "2025-10-31"),
            ("2025-11-03T20:59:59Z", "2025-10-31"),
            ("2025-11-03T21:00:00Z", "2025-11-03"),
            // Midnight UTC is still the evening before in New York, and a holiday ends nothing.
            ("2025-11-26T00:30:00Z", "2025-11-25"),
            ("2025-11-27T22:00:00Z", "2025-11-26"),
            // An early close, 13:00, counts as 16:00.
            ("2025-11-28T18:30:00Z", "2025-11-26"),
            ("2025-11-28T21:00:00Z", "2025-11-28"),
        ] {
            assert_eq!(last_closed_session(instant(at)), date(last_closed), "{at}");
        }
    }

    #[test]
    fn the_new_york_date_lags_behind_utc_by_the_right_hours() {
        assert_eq!(new_york_date(instant("2025-07-02T03:59:59Z")), date("2025-07-01"));
        assert_eq!(new_york_date(instant("2025-07-02T04:00:00Z")), date("2025-07-02"));
        assert_eq!(new_york_date(instant("2025-01-02T04:59:59Z")), date("2025-01-01"));
        assert_eq!(new_york_date(instant("2025-01-02T05:00:00Z")), date("2025-01-02"));
    }

    #[test]
    fn dates_far_outside_the_published_years_are_answered() {
        assert_eq!(closure(date("0001-01-01")), Some("New Year's Day"));
        assert!(sessions_between(date("0001-01-01"), date("9999-12-31")) > 2_500_000);
        assert_eq!(next_session(date("9999-12-31")), ymd(10_000, 1, 3));
    }

    /// Any date from 1995 to 2040, thus also beyond both ends of the published list.
    fn any_date() -> impl Strategy<Value = NaiveDate> {
        (0..45 * 365_u64).prop_map(|days| ymd(1995, 1, 1) + Days::new(days))
    }

    /// The slow obvious way to count.
    fn sessions_day_by_day(from: NaiveDate, to: NaiveDate) -> u32 {
        from.iter_days().skip(1).take_while(|day| *day <= to).filter(|day| is_session(*day)).count() as u32
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn counting_by_years_equals_counting_day_by_day(from in any_date(), to in any_date()) {
            prop_assert_eq!(sessions_between(from, to), sessions_day_by_day(from, to));
        }

        #[test]
        fn the_neighbouring_sessions_are_sessions_with_none_between(day in any_date()) {
            let (before, after) = (previous_session(day), next_session(day));
            prop_assert!(before < day && day < after);
            prop_assert!(is_session(before) && is_session(after));
            prop_assert_eq!(sessions_day_by_day(before, after), 1 + u32::from(is_session(day)));
            prop_assert_eq!(session_on_or_before(day), if is_session(day) { day } else { before });
        }

        #[test]
        fn going_back_n_sessions_counts_n_sessions(day in any_date(), n in 0..600_u32) {
            let back = sessions_back(day, n);
            prop_assert!(is_session(back));
            prop_assert_eq!(sessions_day_by_day(back, day), n);
        }

        #[test]
        fn the_last_closed_session_is_the_newest_whose_close_has_passed(day in any_date(), second in 0..86_400_i64) {
            let at = day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::seconds(second);
            let has_closed = |session: NaiveDate| {
                let close = session.and_time(NaiveTime::MIN) + TimeDelta::hours(16);
                New_York.from_local_datetime(&close).single().expect("clocks change at night") <= at
            };
            let last = last_closed_session(at);
            prop_assert!(is_session(last) && has_closed(last));
            prop_assert!(!has_closed(next_session(last)));
        }
    }
}
