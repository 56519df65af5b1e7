//! One stock on the date of the market, beside its last good values.

use rust_decimal::prelude::ToPrimitive;

use crate::domain::money::Usd;
use crate::domain::security::Security;
use crate::plan::given::snapshot::StockState;
use crate::plan::market::Market;

use super::quarantined::Quarantined;
use super::ratio::magnitude;

/// The smallest move of a price that shares may follow: of 3:2, on a day that takes a tenth of it back.
pub(super) const STEP: f64 = 1.36;
/// Two fields that differ by less say the same: one of them may be a day old.
const AGREE_TOLERANCE: f64 = 0.1;
/// Two fields that differ by less are one number stored twice: sources make caps of close x shares, in whole dollars.
const SAME_NUMBER: f64 = 1e-3;

/// What a stock was worth when it was last believed, and what was found of it now.
pub(super) struct Comparison<'a> {
    pub(super) index: u32,
    pub(super) stock: &'a StockState,
    security: &'a Security,
    pub(super) found: Option<Usd>,
    /// The cap as found and the last good one, in cents.
    pub(super) cap: Option<f64>,
    pub(super) last_cap: Option<f64>,
    pub(super) close: Option<f64>,
    /// By what the price has been multiplied since, where both closes are known.
    pub(super) price: Option<f64>,
    /// By what the shares have been multiplied since: cap / close, where all four are known.
    pub(super) shares: Option<f64>,
    /// What was traded in the session of the close, in cents.
    pub(super) traded: Option<f64>,
}

impl<'a> Comparison<'a> {
    /// Of the stock at `index`; `entry` where it is in quarantine.
    pub(super) fn of(
        market: &'a Market,
        index: u32,
        stock: &'a StockState,
        entry: Option<&Quarantined>,
    ) -> Self {
        let security = market.security(index);
        let found = market.cap(index);
        let positive = |value: f64| (value > 0.0).then_some(value);
        let cap = found.map(|cap| cap.cents() as f64);
        let good_cap = entry.and_then(Quarantined::good_cap);
        let last_cap = good_cap.or_else(|| stock.cap_cents.map(|cents| cents as f64));
        let close = market.close_dollars(index);
        let ratio = |now: Option<f64>, before: Option<f64>| Some(now? / before.and_then(positive)?);
        let price = ratio(close, stock.close_dollars);
        let shares = ratio(ratio(cap, last_cap), price);
        let traded = market.traded(index).map(|traded| traded.cents() as f64);
        Self { index, stock, security, found, cap, last_cap, close, price, shares, traded }
    }

    /// The shares that cap and close as found make.
    pub(super) fn shares_found(&self) -> Option<f64> {
        Some(self.cap? / 100.0 / self.close?)
    }

    /// The shares that the last good cap and close made.
    pub(super) fn shares_before(&self) -> Option<f64> {
        Some(self.last_cap? / 100.0 / self.stock.close_dollars?)
    }

    /// By what the worth of what was traded has been multiplied, against the session before the one of the close.
    pub(super) fn growth_of_trade(&self) -> Option<f64> {
        let volume = self.security.previous_volume.positive()?.to_f64()?;
        Some(self.traded? / (volume * self.stock.close_dollars? * 100.0))
    }

    /// Whether nothing can be the matter: by far the most common case.
    pub(super) fn is_quiet(&self) -> bool {
        let is_calm = |factor: Option<f64>| factor.is_none_or(|factor| magnitude(factor) < STEP);
        (self.cap.is_some() || self.last_cap.is_none()) && is_calm(self.price) && is_calm(self.shares)
    }

    /// Whether close x shares and the cap that the source stores say the same, and are two numbers.
    pub(super) fn second_field_agrees(&self) -> bool {
        let stored = self.security.stored_cap.positive().and_then(Usd::from_decimal);
        let (Some(product), Some(stored)) = (self.product(), stored) else { return false };
        let off = (product.as_f64() / stored.as_f64() - 1.0).abs();
        (SAME_NUMBER..=AGREE_TOLERANCE).contains(&off)
    }

    /// Whether the cap is the one that the source stores.
    pub(super) fn is_stored(&self) -> bool {
        self.found != self.product()
    }

    fn product(&self) -> Option<Usd> {
        Usd::product(self.security.close_price()?, self.security.shares.positive()?)
    }
}
