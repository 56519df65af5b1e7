//! Standard Industrial Classification codes: what a company does, in four digits.
//!
//! Feeds write them as text or number, with leading zeros or more than there should be, and put `N/A` where they know
//! none. [`Sic::parse`] makes one value of all of these. Lists name single codes and ranges; [`SicSet`] is such a list.

use std::fmt;

/// Codes have four digits at most.
const CODES: usize = 10_000;
const WORDS: usize = CODES.div_ceil(64);

/// A code from 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sic(u16);

impl Sic {
    /// The code in `text`: digits, leading zeros or not. Anything else, `N/A` or zero, is no code.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim();
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let code = digits.trim_start_matches('0').parse::<u16>().ok().filter(|_| is_number)?;
        (usize::from(code) < CODES).then_some(Self(code))
    }

    /// The number.
    pub fn code(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Sic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// One code, or all from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SicRange {
    first: Sic,
    last: Sic,
}

impl SicRange {
    /// The range in `text`: `3674`, or `3570-3579`.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (Sic::parse(first)?, Sic::parse(last)?);
        (first <= last).then_some(Self { first, last })
    }

    /// The codes in it, in order.
    pub fn codes(self) -> std::ops::RangeInclusive<u16> {
        self.first.0..=self.last.0
    }
}

impl fmt::Display for SicRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl serde::Serialize for SicRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A list of codes and ranges. Asking whether a code is in it costs one look.
#[derive(Clone, Default)]
pub struct SicSet {
    ranges: Vec<SicRange>,
    /// One bit a code; empty for an empty list.
    bits: Vec<u64>,
}

impl SicSet {
    /// The list of these ranges.
    pub fn new(ranges: Vec<SicRange>) -> Self {
        let mut bits = vec![0; if ranges.is_empty() { 0 } else { WORDS }];
        for code in ranges.iter().flat_map(|range| range.codes()) {
            bits[usize::from(code) / 64] |= 1 << (code % 64);
        }
        Self { ranges, bits }
    }

    /// Whether the code, or a range around it, is in the list.
    pub fn contains(&self, sic: Sic) -> bool {
        self.bits.get(usize::from(sic.0) / 64).is_some_and(|word| (word >> (sic.0 % 64)) & 1 == 1)
    }
}

impl fmt::Debug for SicSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ranges.iter().map(ToString::to_string)).finish()
    }
}

impl serde::Serialize for SicSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.ranges.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_same_in_every_spelling() {
        for text in ["3674", "03674", " 3674 ", "0003674"] {
            assert_eq!(Sic::parse(text).map(Sic::code), Some(3674), "{text:?}");
        }
        assert_eq!(Sic::parse("0100").expect("a code").to_string(), "0100");
    }

    #[test]
    fn what_is_no_code_is_none() {
        for text in ["", "N/A", "0", "0000", "99999", "-3674", "+3674", "36.74", "semiconductors"] {
            assert_eq!(Sic::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_range_holds_both_its_ends_and_does_not_run_backwards() {
        let set =
            SicSet::new(["3570-3579", "9999"].iter().filter_map(|text| SicRange::parse(text)).collect());
        let holds = |text: &str| set.contains(Sic::parse(text).expect("a code"));
        assert!(holds("3570") && holds("3575") && holds("3579") && holds("9999"));
        assert!(!holds("3569") && !holds("3580") && !holds("9998"));
        assert!(!SicSet::default().contains(Sic(1)));
        for text in ["3579-3570", "3570-", "-3570", "3570-3579-3580", "0-5", ""] {
            assert_eq!(SicRange::parse(text), None, "{text:?}");
        }
    }
}
