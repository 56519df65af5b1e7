//! Numbers and lists as a person reads them, so that every sentence of a plan spells them alike.

use std::fmt::Display;

use crate::domain::money::Usd;

/// A sentence names this many symbols at most; the rest is a number.
const NAMED: usize = 5;

/// `5600` as `5,600`.
pub(crate) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 stock`, `5,600 stocks`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// `A, B, C`, and from the sixth on `A, B, C, D, E and 12 more`.
pub(crate) fn first_few<T: Display>(items: impl ExactSizeIterator<Item = T>) -> String {
    let more = items.len().saturating_sub(NAMED);
    let named: Vec<String> = items.take(NAMED).map(|item| item.to_string()).collect();
    let named = named.join(", ");
    if more > 0 { format!("{named} and {} more", grouped(more)) } else { named }
}

/// `31 %`, `8.9 %`: one decimal where there is one.
pub(crate) fn percent(value: f64) -> String {
    let text = format!("{value:.1}");
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// `part` of `whole`, in percent; of nothing it is 0.
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// A round amount: `10B`, `1.5B`, `300M`.
pub(crate) fn bound(amount: Usd) -> String {
    let text = amount.short();
    let Some((whole, rest)) = text.split_once('.') else { return text };
    let (decimals, unit) = rest.split_at(2);
    match decimals.trim_end_matches('0') {
        "" => format!("{whole}{unit}"),
        decimals => format!("{whole}.{decimals}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        for (n, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (56_000, "56,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(n), text);
        }
        assert_eq!(counted(1, "stock"), "1 stock");
        assert_eq!(counted(3_412, "close"), "3,412 closes");
    }

    #[test]
    fn lists_name_five_and_count_the_rest() {
        assert_eq!(first_few(["A", "B"].iter()), "A, B");
        assert_eq!(first_few(["A", "B", "C", "D", "E"].iter()), "A, B, C, D, E");
        assert_eq!(first_few(["A", "B", "C", "D", "E", "F", "G"].iter()), "A, B, C, D, E and 2 more");
    }

    #[test]
    fn percentages_and_bounds_have_no_idle_decimals() {
        assert_eq!(percent(share(31, 100)), "31 %");
        assert_eq!(percent(share(500, 5_600)), "8.9 %");
        assert_eq!(bound(Usd::dollars(10_000_000_000)), "10B");
        assert_eq!(bound(Usd::dollars(1_500_000_000)), "1.5B");
        assert_eq!(bound(Usd::dollars(950)), "950");
    }
}
