//! Words looked for in names, as regular expressions.
//!
//! A pattern is compiled once, when the configuration is read, and compared and fingerprinted by its text.

use std::fmt;

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// A pattern may grow to this size when compiled; the shipped ones take a tenth of it.
const MAX_COMPILED_BYTES: usize = 4 << 20;

/// A regular expression that does not care for case.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles `text`, or says in one line what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(text).case_insensitive(true).size_limit(MAX_COMPILED_BYTES).build();
        regex.map(Self).map_err(|error| one_line(&error))
    }

    /// A pattern that the program itself spells.
    ///
    /// # Panics
    /// If `text` is no regular expression.
    pub fn known(text: &str) -> Self {
        Self::new(text).expect("a built-in pattern is a regular expression")
    }

    /// Whether it is found anywhere in `text`.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// The last line of an error of `regex` says what is wrong; those before it draw an arrow.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl serde::Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Words to look for, after phrases that only look like them have been taken out: `short`, but not `short-term`.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Words {
    pattern: Pattern,
    left_out: Option<Pattern>,
}

impl Words {
    /// Looks for `pattern`; `left_out` is not read.
    pub fn new(pattern: Pattern, left_out: Option<Pattern>) -> Self {
        Self { pattern, left_out }
    }

    /// Whether the words are in `text`.
    pub fn are_in(&self, text: &str) -> bool {
        self.pattern.is_in(text) && self.remain_in(text)
    }

    /// Whether the words, which are in `text`, are still in it without the phrases that are left out.
    fn remain_in(&self, text: &str) -> bool {
        match &self.left_out {
            Some(left_out) if left_out.is_in(text) => self.pattern.is_in(&left_out.0.replace_all(text, " ")),
            Some(_) | None => true,
        }
    }
}

/// Several [`Words`], each standing for something; one pass over a text finds all that are in it.
#[derive(Debug, Clone)]
pub struct WordTable<T> {
    rows: Vec<(T, Words)>,
    /// The patterns of `rows`, in the same order.
    any: RegexSet,
}

impl<T> WordTable<T> {
    /// A table of these rows; the first that fits decides.
    ///
    /// # Panics
    /// If the patterns, each of which compiled, do not compile together, for which they have room enough.
    pub fn new(rows: Vec<(T, Words)>) -> Self {
        let patterns = rows.iter().map(|(_, words)| words.pattern.as_str());
        let any = RegexSetBuilder::new(patterns)
            .case_insensitive(true)
            .size_limit(MAX_COMPILED_BYTES * (rows.len() + 1))
            .build()
            .expect("patterns that compile one by one compile together");
        Self { rows, any }
    }

    /// What the first row whose words are in `text` stands for.
    pub fn find(&self, text: &str) -> Option<&T> {
        let places = self.any.matches(text).into_iter();
        places.map(|place| &self.rows[place]).find(|(_, words)| words.remain_in(text)).map(|(what, _)| what)
    }
}

impl<T> Default for WordTable<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), any: RegexSet::empty() }
    }
}

impl<T: serde::Serialize> serde::Serialize for WordTable<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rows.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pattern_is_refused_in_one_line() {
        assert_eq!(Pattern::new(r"\bcloud(").map_err(|text| text.lines().count()).err(), Some(1));
        assert_eq!(Pattern::new(r"\bcloud(").err().as_deref(), Some("unclosed group"));
        assert!(Pattern::new(r"(\w{1000}){1000}").is_err());
    }

    #[test]
    fn phrases_that_are_left_out_are_not_read() {
        let words = Words::new(Pattern::known(r"\bshort\b"), Some(Pattern::known(r"\bshort[- ]term\b")));
        assert!(words.are_in("Short 500") && words.are_in("Short Short-Term Bonds"));
        assert!(!words.are_in("Short-Term Bonds") && !words.are_in("Long 500"));
    }

    #[test]
    fn the_first_row_that_fits_decides() {
        let words = |text: &str| Words::new(Pattern::known(text), None);
        let gold = Words::new(Pattern::known(r"\bgold\b"), Some(Pattern::known(r"\bgold miners\b")));
        let table = WordTable::new(vec![("metal", gold), ("stocks", words(r"\bminers|\bgold\b"))]);
        assert_eq!(table.find("GOLD TRUST"), Some(&"metal"));
        assert_eq!(table.find("Gold Miners Fund"), Some(&"stocks"));
        assert_eq!(table.find("Silver"), None);
        assert_eq!(WordTable::<()>::default().find("Silver"), None);
    }
}
