//! Invents what a security needs to be told apart: a pronounceable name, a free ticker, a CIK and FIGIs.
//!
//! Names are strung together from syllables; tickers are letters of the name in their order, as companies like
//! them. [`Registry`] hands every ticker and number out once.
//!
//! # Why tickers are compared without separators
//! `ABC.A`, `ABC-A` and `ABCA` look alike to one program or another. A made market has none of these pairs, so
//! that a mix-up seen in it is a mistake of the program that reads it.

use std::collections::HashSet;

const STARTS: &[&str] = &[
    "Al", "Ar", "Bel", "Bra", "Cal", "Cor", "Dal", "Dor", "El", "Fal", "Gal", "Har", "Hel", "Ivo", "Jor",
    "Kal", "Ken", "Lan", "Lor", "Mar", "Mel", "Mor", "Nar", "Nor", "Or", "Pel", "Por", "Quan", "Ral", "Ros",
    "Sal", "Sel", "Sten", "Tal", "Tor", "Ul", "Val", "Ver", "Vor", "Wes", "Wil", "Xan", "Yar", "Zel", "Zor",
];
const MIDDLES: &[&str] = &[
    "a", "e", "i", "o", "ba", "ca", "da", "de", "di", "fi", "go", "la", "le", "li", "lo", "ma", "mi", "na",
    "ne", "ni", "no", "ra", "re", "ri", "ro", "sa", "se", "ta", "te", "ti", "to", "va", "ve", "vi",
];
const ENDS: &[&str] = &[
    "ne", "ra", "ris", "tis", "lon", "ton", "mont", "dale", "field", "lex", "nix", "vex", "rix", "tek",
    "dyne", "via", "ria", "dia", "lia", "nor", "thor", "den", "ford", "wick", "mark", "ston", "bury", "tron",
    "van", "zen", "bor", "mer", "quist", "land", "well", "stone", "brook", "gate", "crest", "point",
];
const FORMS: &[&str] =
    &["Inc.", "Inc.", "Inc.", "Corporation", "Corp.", "Holdings, Inc.", "Group, Inc.", "Ltd."];

/// A word that no company uses: "Velinamark".
pub fn word(rng: &mut fastrand::Rng) -> String {
    let mut word = String::from(pick(rng, STARTS));
    let middles = if rng.u8(0..10) < 3 { 2 } else { 1 };
    for _ in 0..middles {
        word.push_str(pick(rng, MIDDLES));
    }
    word.push_str(pick(rng, ENDS));
    word
}

/// A company's name with one of `words` in it: "Velinamark Software, Inc.".
pub fn company_name(rng: &mut fastrand::Rng, words: &[&str]) -> String {
    format!("{} {} {}", word(rng), pick(rng, words), pick(rng, FORMS))
}

/// One of `values`.
pub fn pick<T: Copy>(rng: &mut fastrand::Rng, values: &[T]) -> T {
    values[rng.usize(0..values.len())]
}

/// A number between `low` and `high` whose logarithm is evenly spread; `skew` above 1 favours the low end.
pub fn spread(rng: &mut fastrand::Rng, low: f64, high: f64, skew: f64) -> f64 {
    low * (high / low).powf(rng.f64().powf(skew))
}

/// A bell-shaped number: mean 0, standard deviation 1, never beyond 3.5.
pub fn bell(rng: &mut fastrand::Rng) -> f64 {
    (rng.f64() + rng.f64() + rng.f64() + rng.f64() - 2.0) * 3.0_f64.sqrt()
}

/// Hands out tickers, CIKs and FIGIs, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// Only asked, never walked through: its order would differ from run to run.
    taken: HashSet<String>,
    ciks: u32,
    figis: u32,
}

impl Registry {
    /// A registry that will not hand out any of `reserved`.
    pub fn new<'a>(reserved: impl Iterator<Item = &'a str>) -> Registry {
        Registry { taken: reserved.map(bare).collect(), ciks: 0, figis: 0 }
    }

    /// Takes exactly this ticker; false when it, or one that reads the same, is gone.
    pub fn claim(&mut self, symbol: &str) -> bool {
        self.taken.insert(bare(symbol))
    }

    /// A free ticker made of letters of `name`, or of random letters when all those are gone.
    pub fn ticker(&mut self, rng: &mut fastrand::Rng, name: &str) -> String {
        let letters: Vec<char> =
            name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_uppercase()).collect();
        for attempt in 0.. {
            let candidate = match attempt {
                0..12 => {
                    // Most short tickers belong to real companies: an invented one has four letters or five.
                    let length = if rng.u8(0..8) == 0 { 5 } else { 4 };
                    letters_in_order(rng, &letters, length)
                }
                // Four random letters give 456,976 tickers; a larger market needs longer ones.
                _ => random_letters(rng, 4 + (attempt - 12) / 8),
            };
            if candidate.len() >= 4 && self.claim(&candidate) {
                return candidate;
            }
        }
        unreachable!("the loop ends only by returning: longer and longer tickers are tried")
    }

    /// A new company's ten-digit central index key.
    pub fn cik(&mut self) -> String {
        self.ciks += 1;
        format!("{:010}", 3_000_000 + self.ciks)
    }

    /// A composite and a share-class FIGI of the same new instrument, twelve characters each.
    pub fn figis(&mut self) -> (String, String) {
        self.figis += 1;
        (format!("BBG0C{:07}", self.figis), format!("BBG0S{:07}", self.figis))
    }
}

/// The ticker with everything but letters and digits left out.
fn bare(symbol: &str) -> String {
    symbol.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn letters_in_order(rng: &mut fastrand::Rng, letters: &[char], length: usize) -> String {
    let mut ticker = String::with_capacity(length);
    let mut from = 0;
    while ticker.len() < length && from < letters.len() {
        ticker.push(letters[from]);
        from += rng.usize(1..4);
    }
    ticker
}

fn random_letters(rng: &mut fastrand::Rng, length: usize) -> String {
    (0..length).map(|_| rng.uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticker_is_handed_out_once_however_it_is_written() {
        let mut registry = Registry::new(["SQ"].into_iter());
        assert!(registry.claim("BRK.A"));
        assert!(!registry.claim("BRK/A"));
        assert!(!registry.claim("BRKA"));
        assert!(!registry.claim("SQ"));
    }

    #[test]
    fn many_companies_of_one_name_get_different_tickers() {
        let mut registry = Registry::new(std::iter::empty());
        let mut rng = fastrand::Rng::with_seed(3);
        let tickers: HashSet<String> = (0..5_000).map(|_| registry.ticker(&mut rng, "Aa Bb Inc.")).collect();
        assert_eq!(tickers.len(), 5_000);
        assert!(tickers.iter().all(|ticker| (4..=5).contains(&ticker.len())));
    }

    #[test]
    fn a_spread_number_stays_within_its_bounds() {
        let mut rng = fastrand::Rng::with_seed(4);
        for _ in 0..1_000 {
            let number = spread(&mut rng, 2.0, 10.0, 1.5);
            assert!((2.0..=10.0).contains(&number));
            assert!(bell(&mut rng).abs() < 3.5);
        }
    }
}
