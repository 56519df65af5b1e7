//! Reads values of the source tables, whatever type their columns have, without ever failing.
//!
//! The source belongs to others. Postgres knows numbers that are none (`NaN`, `Infinity`) and dates beyond any
//! calendar, and one such value must not stop ten thousand good ones. So nothing is cast in SQL, where a cast that
//! fails ends the statement: values come as the column has them and are sorted here.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use tokio_postgres::types::{FromSql, Type};

use crate::domain::calendar::new_york_date;
use crate::domain::figure::Figure;

type Problem = Box<dyn std::error::Error + Sync + Send>;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A number from a column of any number type, or from a text.
pub(super) struct SqlFigure(pub(super) Figure);

impl<'a> FromSql<'a> for SqlFigure {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Problem> {
        Ok(Self(match *kind {
            Type::INT2 => Decimal::from(i16::from_sql(kind, raw)?).into(),
            Type::INT4 => Decimal::from(i32::from_sql(kind, raw)?).into(),
            Type::INT8 => Decimal::from(i64::from_sql(kind, raw)?).into(),
            Type::FLOAT4 => {
                Decimal::from_f32(f32::from_sql(kind, raw)?).map_or(Figure::Invalid, Figure::Value)
            }
            Type::FLOAT8 => {
                Decimal::from_f64(f64::from_sql(kind, raw)?).map_or(Figure::Invalid, Figure::Value)
            }
            Type::NUMERIC => numeric(raw)?,
            _ => from_text(<&str>::from_sql(kind, raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Problem> {
        Ok(Self(Figure::Missing))
    }

    fn accepts(kind: &Type) -> bool {
        is_number(kind) || <&str>::accepts(kind)
    }
}

/// Whether a column of this type holds numbers.
pub(super) fn is_number(kind: &Type) -> bool {
    matches!(*kind, Type::INT2 | Type::INT4 | Type::INT8 | Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC)
}

/// Whether a column of this type holds dates or instants.
pub(super) fn is_date(kind: &Type) -> bool {
    matches!(*kind, Type::DATE | Type::TIMESTAMP | Type::TIMESTAMPTZ)
}

fn from_text(text: &str) -> Figure {
    match text.trim() {
        "" => Figure::Missing,
        text => text.parse().map_or(Figure::Invalid, Figure::Value),
    }
}

/// The binary form of `numeric`: the number of digits to base 10,000, the power of the first, sign, scale, digits.
/// Decimals beyond what a [`Decimal`] holds are cut off; whole numbers beyond it are invalid.
fn numeric(raw: &[u8]) -> Result<Figure, Problem> {
    /// Signs from here on mean NaN, Infinity and -Infinity.
    const NOT_A_NUMBER: u16 = 0xC000;
    const NEGATIVE: u16 = 0x4000;
    /// The largest integer that a `Decimal` holds, and its largest scale.
    const MAX_MANTISSA: i128 = (1 << 96) - 1;
    const MAX_SCALE: u32 = 28;

    let mut words = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let [Some(_), Some(weight), Some(sign), Some(_)] = [(); 4].map(|()| words.next()) else {
        return Err("numeric is cut short".into());
    };
    if sign >= NOT_A_NUMBER {
        return Ok(Figure::Invalid);
    }
    // The power of 10,000 of the digit that is read.
    let mut power = i32::from(weight as i16);
    let mut mantissa = 0_i128;
    let mut scale = 0;
    for digit in words {
        let next = mantissa * 10_000 + i128::from(digit);
        if power < 0 {
            scale = 4 * power.unsigned_abs();
            if scale > MAX_SCALE || next > MAX_MANTISSA {
                scale -= 4;
                break;
            }
        } else if next > MAX_MANTISSA {
            return Ok(Figure::Invalid);
        }
        mantissa = next;
        power -= 1;
    }
    // Postgres leaves out zeros at the end: the last digit that came may stand for ten thousands.
    for _ in 0..=power {
        mantissa *= 10_000;
        if mantissa > MAX_MANTISSA {
            return Ok(Figure::Invalid);
        }
        if mantissa == 0 {
            break;
        }
    }
    let signed = if sign == NEGATIVE { -mantissa } else { mantissa };
    Ok(Decimal::try_from_i128_with_scale(signed, scale.min(MAX_SCALE)).map_or(Figure::Invalid, Figure::Value))
}

/// The trading date that a column of dates, instants or texts means; `None` where it means none.
///
/// A date is itself. An instant without a zone has the date that it shows. One with a zone that is exactly 00:00 UTC
/// stands for that UTC date, as feeds write daily bars; any other is a moment of the New York date.
pub(super) struct SqlDate(pub(super) Option<NaiveDate>);

impl<'a> FromSql<'a> for SqlDate {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Problem> {
        Ok(Self(match *kind {
            Type::DATE => date_of_day(i64::from(i32::from_sql(&Type::INT4, raw)?)),
            Type::TIMESTAMP => date_of_day(i64::from_sql(&Type::INT8, raw)?.div_euclid(MICROS_PER_DAY)),
            Type::TIMESTAMPTZ => date_of_instant(i64::from_sql(&Type::INT8, raw)?),
            _ => <&str>::from_sql(kind, raw)?.trim().get(..10).and_then(|text| text.parse().ok()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Problem> {
        Ok(Self(None))
    }

    fn accepts(kind: &Type) -> bool {
        is_date(kind) || <&str>::accepts(kind)
    }
}

/// Postgres counts from here.
fn epoch() -> NaiveDate {
    NaiveDate::from_ymd_opt(2000, 1, 1).expect("the first day of 2000 exists")
}

/// Infinities are the ends of the range of the integer, and beyond chrono's calendar.
fn date_of_day(days: i64) -> Option<NaiveDate> {
    match u64::try_from(days) {
        Ok(days) => epoch().checked_add_days(Days::new(days)),
        Err(_) => epoch().checked_sub_days(Days::new(days.unsigned_abs())),
    }
}

fn date_of_instant(micros: i64) -> Option<NaiveDate> {
    if micros.rem_euclid(MICROS_PER_DAY) == 0 {
        return date_of_day(micros.div_euclid(MICROS_PER_DAY));
    }
    let instant: DateTime<Utc> =
        epoch().and_hms_opt(0, 0, 0)?.and_utc().checked_add_signed(TimeDelta::microseconds(micros))?;
    // At the ends of chrono's calendar the shift to New York would leave it.
    let in_reach = (-9_999..=9_999).contains(&chrono::Datelike::year(&instant));
    in_reach.then(|| new_york_date(instant))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn micros(text: &str) -> i64 {
        let instant: DateTime<Utc> = text.parse().expect("an instant");
        instant.timestamp_micros()
            - epoch().and_hms_opt(0, 0, 0).expect("midnight").and_utc().timestamp_micros()
    }

    #[test]
    fn midnight_utc_is_that_date_and_any_other_instant_the_new_york_date() {
        assert_eq!(date_of_instant(micros("2026-07-21T00:00:00Z")), Some(date("2026-07-21")));
        assert_eq!(date_of_instant(micros("2026-07-21T00:00:01Z")), Some(date("2026-07-20")));
        assert_eq!(date_of_instant(micros("2026-07-21T04:00:00Z")), Some(date("2026-07-21")));
        assert_eq!(date_of_instant(micros("2026-01-21T04:59:59Z")), Some(date("2026-01-20")));
        assert_eq!(date_of_instant(micros("1999-12-31T00:00:00Z")), Some(date("1999-12-31")));
    }

    #[test]
    fn infinite_dates_are_none() {
        for days in [i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX, i64::MIN] {
            assert_eq!(date_of_day(days), None);
        }
        for micros in [i64::MAX, i64::MIN, i64::MAX - MICROS_PER_DAY, i64::MIN + MICROS_PER_DAY] {
            assert_eq!(date_of_instant(micros), None);
        }
    }

    #[test]
    fn texts_are_numbers_missing_or_invalid() {
        assert_eq!(from_text(" 1.50 "), Figure::Value("1.5".parse().expect("a decimal")));
        assert_eq!(from_text("  "), Figure::Missing);
        assert_eq!(from_text("N/A"), Figure::Invalid);
    }

    proptest::proptest! {
        #[test]
        fn no_day_and_no_instant_panics(number in proptest::num::i64::ANY) {
            let _ = (date_of_day(number), date_of_instant(number));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_a_numeric_panic(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = numeric(&raw);
        }
    }
}
