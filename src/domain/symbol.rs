//! Ticker symbols, as `symbols` spells them.
//!
//! Feeds write one share class as `BRK/B`, `BRK-B` or `BRK.B`, and pad with blanks. A [`Symbol`] keeps the spelling
//! of the source (trimmed), and its [`Symbol::key`] is what two spellings are compared by.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

/// A trimmed, non-empty ticker without control characters. Cheap to clone; ordered by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Arc<str>);

/// The longest symbol taken from a source; longer texts are no tickers.
pub const MAX_SYMBOL_BYTES: usize = 64;

impl Symbol {
    /// The symbol in `text`, or `None` if nothing is left after trimming, it is over
    /// [`MAX_SYMBOL_BYTES`], or it holds a control character.
    pub fn parse(text: &str) -> Option<Self> {
        let trimmed = text.trim();
        let usable = !trimmed.is_empty()
            && trimmed.len() <= MAX_SYMBOL_BYTES
            && !trimmed.chars().any(char::is_control);
        usable.then(|| Self(trimmed.into()))
    }

    /// The symbol as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form two spellings are compared by: `/` and `-` read as `.`.
    pub fn key(&self) -> Cow<'_, str> {
        one_separator(&self.0)
    }

    /// Whether both have the same [`Symbol::key`].
    pub fn is_spelling_of(&self, other: &Self) -> bool {
        // All spellings are equally long, and most symbols differ in that already.
        self.0.len() == other.0.len() && (self.0 == other.0 || self.key() == other.key())
    }
}

/// The form in which two spellings of a symbol are equal; see [`Symbol::key`].
pub fn symbol_key(text: &str) -> Cow<'_, str> {
    one_separator(text.trim())
}

fn one_separator(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| matches!(byte, b'/' | b'-')) {
        Cow::Owned(text.replace(['/', '-'], "."))
    } else {
        Cow::Borrowed(text)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Borrow<str> for Symbol {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for Symbol {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Symbol {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is no symbol")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_share_class_have_one_key() {
        for spelling in ["BRK/B", "BRK-B", "BRK.B", "  BRK.B "] {
            let symbol = Symbol::parse(spelling).expect("usable");
            assert_eq!(symbol.key(), "BRK.B");
            let is_one = |other: &str| symbol.is_spelling_of(&Symbol::parse(other).expect("usable"));
            assert!(is_one("BRK-B") && !is_one("BRK.A") && !is_one("BRKB") && !is_one("ARK.B"));
        }
    }

    #[test]
    fn a_symbol_keeps_the_spelling_of_its_source() {
        assert_eq!(Symbol::parse(" BRK/B ").expect("usable").as_str(), "BRK/B");
        assert_eq!(Symbol::parse("NAN").expect("usable").as_str(), "NAN");
        assert_ne!(Symbol::parse("brk.b"), Symbol::parse("BRK.B"));
    }

    #[test]
    fn blanks_control_characters_and_long_texts_are_no_symbols() {
        for text in ["", "   ", "A\u{0}B", &"A".repeat(65)] {
            assert_eq!(Symbol::parse(text), None);
        }
    }
}
