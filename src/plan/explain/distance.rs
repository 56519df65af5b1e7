//! How far a cap is from a bound, in the words of a sentence. Which side it is on has been decided elsewhere, exactly;
//! these numbers are for reading.

use crate::domain::money::Usd;

use crate::domain::wording::grouped;

/// A distance beyond this many percent is told as a multiple.
const MOST_PERCENT: f64 = 1_000.0;

/// A cap that lacks more percent of itself than this is told by its share of the bound: nothing is 736 % short.
const MOST_OF_ITSELF: f64 = 10.0;

/// How much a cap lacks: `3.0 % short`. Of a small distance that is what it has to gain, in percent of itself; of a large
/// one the part of the bound that is missing.
pub(super) fn short(cap: Usd, bound: Usd) -> String {
    let gain = rise(cap, bound);
    if gain >= MOST_PERCENT {
        return format!("a {} of that", ordinal((gain / 100.0 + 1.0) as usize));
    }
    let missing = if gain <= MOST_OF_ITSELF { gain } else { fall(bound, cap) };
    format!("{} short", percent(missing))
}

/// `21st`, `112th`, `20,597th`.
fn ordinal(n: usize) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{}{ending}", grouped(n))
}

/// How far a cap is above something, in percent of that: `24.0 % above`.
pub(super) fn above(cap: Usd, bound: Usd) -> String {
    if cap == bound {
        return "exactly that".to_owned();
    }
    told(rise(bound, cap), |percent| format!("{percent} above"), |times| format!("{times} times that"))
}

/// The same for a cap that something has: `24.0 % above rank 101`.
pub(super) fn above_that_of(cap: Usd, other: Usd, whose: &str) -> String {
    if cap == other {
        return format!("level with {whose}");
    }
    let in_percent = |percent: &str| format!("{percent} above {whose}");
    told(rise(other, cap), in_percent, |times| format!("{times} times the cap of {whose}"))
}

/// How far a cap is below something, in percent of that: `1.2 % below`.
pub(super) fn below(cap: Usd, bound: Usd) -> String {
    format!("{} below", percent(fall(bound, cap)))
}

/// What a cap lacks, as what has to happen: `3.0 % more`.
pub(super) fn more(cap: Usd, bound: Usd) -> String {
    told(rise(cap, bound), |percent| format!("{percent} more"), |times| format!("{times} times as much"))
}

/// What a cap has to lose: `79.4 % less`.
pub(super) fn less(cap: Usd, bound: Usd) -> String {
    format!("{} less", percent(fall(cap, bound)))
}

/// Whether the nearer of two bounds is the upper one, for a cap between them.
pub(super) fn is_nearer_to_upper(lower: Usd, cap: Usd, upper: Usd) -> bool {
    rise(cap, upper) < fall(cap, lower)
}

/// By how many percent `from` has to grow to be `to`.
fn rise(from: Usd, to: Usd) -> f64 {
    (to.as_f64() / from.as_f64() - 1.0) * 100.0
}

/// By how many percent `from` has to shrink to be `to`.
fn fall(from: Usd, to: Usd) -> f64 {
    (1.0 - to.as_f64() / from.as_f64()) * 100.0
}

fn told(
    value: f64,
    in_percent: impl FnOnce(&str) -> String,
    as_multiple: impl FnOnce(&str) -> String,
) -> String {
    if value < MOST_PERCENT {
        in_percent(&percent(value))
    } else {
        as_multiple(&grouped((value / 100.0 + 1.0) as usize))
    }
}

/// Always with one decimal, so that a column of them can be compared; what is not nothing never reads as nothing.
fn percent(value: f64) -> String {
    let text = format!("{:.1}", value.max(0.0));
    if text == "0.0" { "under 0.1 %".to_owned() } else { format!("{text} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        Usd::from_decimal(text.parse().expect("a decimal")).expect("in range")
    }

    #[test]
    fn distances_are_told_of_what_has_to_change() {
        let (cap, bound) = (usd("9710000000"), usd("10000000000"));
        assert_eq!(short(cap, bound), "3.0 % short");
        assert_eq!(more(cap, bound), "3.0 % more");
        assert_eq!(below(cap, bound), "2.9 % below");
        assert_eq!(above(bound, cap), "3.0 % above");
        assert_eq!(less(bound, cap), "2.9 % less");
    }

    #[test]
    fn what_is_tiny_is_not_nothing_and_what_is_huge_is_a_multiple() {
        assert_eq!(short(usd("9999999999.99"), usd("10000000000")), "under 0.1 % short");
        assert_eq!(above(usd("10"), usd("10")), "exactly that");
        assert_eq!(less(usd("10"), usd("10")), "under 0.1 % less");
        assert_eq!(above_that_of(usd("10"), usd("10"), "rank 4"), "level with rank 4");
        assert_eq!(above_that_of(usd("12"), usd("10"), "rank 4"), "20.0 % above rank 4");
        assert_eq!(above_that_of(usd("320"), usd("10"), "rank 4"), "32 times the cap of rank 4");
        assert_eq!(short(usd("9710000"), usd("200000000000")), "a 20,597th of that");
        assert_eq!(short(usd("1"), usd("8.36")), "88.0 % short", "not 736 %");
        assert_eq!(short(usd("9"), usd("10")), "10.0 % short");
        assert_eq!(short(usd("1"), usd("21")), "a 21st of that");
        assert_eq!(["1st", "22nd", "103rd", "111th"], [1, 22, 103, 111].map(ordinal)[..]);
        assert_eq!(more(usd("9710000"), usd("200000000000")), "20,597 times as much");
        assert_eq!(above(usd("3200000000000"), usd("200000000000")), "16 times that");
    }

    #[test]
    fn the_nearer_bound_is_that_of_the_smaller_move() {
        assert!(is_nearer_to_upper(usd("2"), usd("9.71"), usd("10")));
        assert!(!is_nearer_to_upper(usd("2"), usd("2.1"), usd("10")));
    }
}
