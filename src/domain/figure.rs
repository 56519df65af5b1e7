//! A number as a source gives it: missing, unusable, or a value.
//!
//! "Not there" and "there but nonsense" lead to different reports, so they are different values. Postgres `numeric`
//! knows NaN and infinity, which sort above every number; here they end as [`Figure::Invalid`].

use rust_decimal::Decimal;

/// A number from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Figure {
    /// The field is empty.
    #[default]
    Missing,
    /// The field holds NaN, an infinity, or digits beyond anything real.
    Invalid,
    /// A number; zero and negative ones included, for the rules to judge.
    Value(Decimal),
}

impl Figure {
    /// The value, where there is one.
    pub fn value(self) -> Option<Decimal> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing | Self::Invalid => None,
        }
    }

    /// The value where it is above zero.
    pub fn positive(self) -> Option<Decimal> {
        self.value().filter(|value| value.is_sign_positive() && !value.is_zero())
    }

    /// Whether something stands in the field that is no positive number.
    pub fn is_unusable(self) -> bool {
        self != Self::Missing && self.positive().is_none()
    }
}

impl From<Decimal> for Figure {
    fn from(value: Decimal) -> Self {
        Self::Value(value)
    }
}
