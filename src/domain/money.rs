//! Dollars, exactly.
//!
//! A market cap is compared with thresholds to the cent, so it is never a float. [`Usd`] counts
//! 10^-18 dollars in an `i128`: a price with up to nine decimals times a share count with up to nine is exact, and
//! further digits are cut off, so rounding never lifts a cap over a threshold.

use std::fmt;

use rust_decimal::Decimal;

/// Decimals that [`Usd`] keeps.
const SCALE: u32 = 18;
const ONE_DOLLAR: i128 = 10_i128.pow(SCALE);
const ONE_CENT: i128 = ONE_DOLLAR / 100;

/// The largest market cap that is taken for real: 15 trillion dollars. Above it lie feed accidents (one night showed
/// a company of 300 billion at 35 trillion).
pub const MAX_MARKET_CAP: Usd = Usd::dollars(15_000_000_000_000);

/// An amount of dollars, exact to 10^-18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Usd(i128);

impl Usd {
    /// No dollars.
    pub const ZERO: Self = Self(0);

    /// A whole number of dollars.
    pub const fn dollars(whole: i64) -> Self {
        Self(whole as i128 * ONE_DOLLAR)
    }

    /// A whole number of cents.
    pub const fn from_cents(cents: i64) -> Self {
        Self(cents as i128 * ONE_CENT)
    }

    /// `price` x `quantity`, or `None` where the product is beyond anything money can be (about 1.7 x 10^20).
    pub fn product(price: Decimal, quantity: Decimal) -> Option<Self> {
        let (price, quantity) = (price.normalize(), quantity.normalize());
        let mantissa = price.mantissa().checked_mul(quantity.mantissa())?;
        Self::from_parts(mantissa, price.scale() + quantity.scale())
    }

    /// The amount a decimal number of dollars stands for, or `None` beyond the range of [`Usd::product`].
    pub fn from_decimal(amount: Decimal) -> Option<Self> {
        Self::from_parts(amount.mantissa(), amount.scale())
    }

    fn from_parts(mantissa: i128, scale: u32) -> Option<Self> {
        if scale <= SCALE {
            mantissa.checked_mul(10_i128.pow(SCALE - scale)).map(Self)
        } else {
            // A scale over 38 leaves nothing of an i128.
            Some(Self(10_i128.checked_pow(scale - SCALE).map_or(0, |divisor| mantissa / divisor)))
        }
    }

    /// Whether the amount can be a market cap: above zero and at most [`MAX_MARKET_CAP`].
    pub fn is_market_cap(self) -> bool {
        self > Self::ZERO && self <= MAX_MARKET_CAP
    }

    /// The amount in whole cents, cut off.
    pub const fn cents(self) -> i128 {
        self.0 / ONE_CENT
    }

    /// The amount as a float, for ratios and charts only; never compared with a threshold.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / ONE_DOLLAR as f64
    }

    /// This amount divided by `parts`, or `None` for no parts.
    pub fn divided_by(self, parts: usize) -> Option<Self> {
        (parts > 0).then(|| Self(self.0 / parts as i128))
    }

    /// So many parts of this amount, of which `whole` make it up; cut off.
    ///
    /// # Panics
    /// If `whole` is 0.
    #[must_use]
    pub fn times_parts(self, parts: u64, whole: u64) -> Self {
        Self(self.0.saturating_mul(parts.into()) / i128::from(whole))
    }

    /// Whether this amount is less than `pct` percent of `whole`.
    pub fn is_below_share_of(self, whole: Self, pct: u32) -> bool {
        self.0.saturating_mul(100) < whole.0.saturating_mul(pct.into())
    }

    /// The amount as people say it: `9.71B`, `312.4M`, `4.21T`.
    pub fn short(self) -> String {
        let dollars = self.0 / ONE_DOLLAR;
        for (unit, name) in
            [(10_i128.pow(12), "T"), (10_i128.pow(9), "B"), (10_i128.pow(6), "M"), (1_000, "K")]
        {
            if dollars.abs() >= unit {
                // Cut off, not rounded: 9.999B must not read as 10.00B.
                let hundredths = dollars * 100 / unit;
                let sign = if hundredths < 0 { "-" } else { "" };
                return format!("{sign}{}.{:02}{name}", hundredths.abs() / 100, hundredths.abs() % 100);
            }
        }
        dollars.to_string()
    }
}

impl std::ops::Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |total, amount| total + amount)
    }
}

/// Dollars and cents, cut off: `9710000000.00`.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.cents();
        write!(f, "{}{}.{:02}", if cents < 0 { "-" } else { "" }, cents.abs() / 100, cents.abs() % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn a_product_is_exact_to_the_last_digit() {
        let cap = Usd::product(decimal("743500.0000"), decimal("1438223")).expect("in range");
        assert_eq!(cap.to_string(), "1069318800500.00");
        let fraction_below = Usd::product(decimal("9.9999999999"), decimal("1000000000")).expect("in range");
        assert!(fraction_below < Usd::dollars(10_000_000_000));
        let exactly = Usd::product(decimal("10.0000"), decimal("1000000000")).expect("in range");
        assert_eq!(exactly, Usd::dollars(10_000_000_000));
    }

    #[test]
    fn what_lies_beyond_eighteen_decimals_is_cut_off_not_rounded_up() {
        let price = decimal("0.9999999999999999999999999999");
        assert!(Usd::product(price, decimal("1")).expect("in range") < Usd::dollars(1));
    }

    #[test]
    fn a_product_beyond_money_is_none_and_not_a_panic() {
        assert_eq!(Usd::product(Decimal::MAX, Decimal::MAX), None);
        assert_eq!(Usd::from_decimal(Decimal::MAX), None);
    }

    #[test]
    fn a_market_cap_is_positive_and_at_most_fifteen_trillion() {
        assert!(!Usd::ZERO.is_market_cap());
        assert!(!Usd::dollars(-1).is_market_cap());
        assert!(MAX_MARKET_CAP.is_market_cap());
        assert!(!(MAX_MARKET_CAP + Usd(1)).is_market_cap());
    }

    #[test]
    fn amounts_are_shown_cut_off() {
        assert_eq!(
            Usd::product(decimal("9.999999"), decimal("1000000000")).expect("in range").short(),
            "9.99B"
        );
        assert_eq!(Usd::dollars(4_210_000_000_000).short(), "4.21T");
        assert_eq!(Usd::dollars(950).short(), "950");
        assert_eq!(Usd::from_decimal(decimal("1.999")).expect("in range").to_string(), "1.99");
    }
}
