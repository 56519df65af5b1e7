//! A security as the source tables describe it on one date.

use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::figure::Figure;
use super::identity::{Identity, plain_cik};
use super::sic::Sic;
use super::symbol::Symbol;

/// The SIC code of shell companies that look for a business to buy.
const BLANK_CHECK_SIC: u16 = 6770;
/// The industry text of the same.
const BLANK_CHECK_INDUSTRY: &str = "blank checks";

/// A text of the source. Thousands of securities share a few hundred sectors, industries and types, so these are kept
/// once and shared.
pub type Text = Arc<str>;

/// One row of `symbols` with its latest close. Texts are trimmed, and empty ones are `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Security {
    /// The ticker.
    pub symbol: Symbol,
    /// The type code of the source: `CS`, `ETF`, `PFD`, ...; upper case.
    pub kind: Text,
    /// Whether it trades; `None` where the source does not say, which is no delisting.
    pub active: Option<bool>,
    /// The company's or fund's name.
    pub name: Option<Text>,
    /// The cap the source stores, in dollars: the second choice after close x shares.
    pub stored_cap: Figure,
    /// Shares outstanding.
    pub shares: Figure,
    /// The source's sector text, in whatever spelling.
    pub sector: Option<Text>,
    /// The source's industry text.
    pub industry: Option<Text>,
    /// Standard Industrial Classification code, as text.
    pub sic_code: Option<Text>,
    /// The exchange it is listed on.
    pub exchange: Option<Text>,
    /// First day of listing.
    pub list_date: Option<NaiveDate>,
    /// First day it no longer trades.
    pub delisted_date: Option<NaiveDate>,
    /// The issuer's number at the SEC.
    pub cik: Option<Text>,
    /// Identifier of the security across exchanges of a country.
    pub composite_figi: Option<Text>,
    /// Identifier of the share class, world wide.
    pub share_class_figi: Option<Text>,
    /// Category of an exchange-traded product.
    pub etf_type: Option<Text>,
    /// Who issues an exchange-traded product.
    pub issuer: Option<Text>,
    /// Assets of an exchange-traded product, in millions of dollars.
    pub aum_millions: Figure,
    /// Years of dividend increases in a row.
    pub dividend_growth_years: Option<i32>,
    /// Environmental, social and governance score.
    pub esg_score: Figure,
    /// The last close on or before the date of the snapshot.
    pub close: Option<Close>,
    /// The shares traded on the day of that close; read only where a rule asks for it.
    pub volume: Figure,
    /// The shares traded in the session before that one; read only where a rule asks for it.
    pub previous_volume: Figure,
}

/// A closing price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// The trading date.
    pub date: NaiveDate,
    /// Dollars a share.
    pub price: Figure,
}

impl Security {
    /// A security of which only symbol and type are known.
    pub fn new(symbol: Symbol, kind: &str) -> Self {
        Self {
            symbol,
            kind: kind.into(),
            active: Some(true),
            name: None,
            stored_cap: Figure::Missing,
            shares: Figure::Missing,
            sector: None,
            industry: None,
            sic_code: None,
            exchange: None,
            list_date: None,
            delisted_date: None,
            cik: None,
            composite_figi: None,
            share_class_figi: None,
            etf_type: None,
            issuer: None,
            aum_millions: Figure::Missing,
            dividend_growth_years: None,
            esg_score: Figure::Missing,
            close: None,
            volume: Figure::Missing,
            previous_volume: Figure::Missing,
        }
    }

    /// Who it is, whatever its symbol.
    pub fn identity(&self) -> Identity {
        Identity {
            share_class_figi: self.share_class_figi.as_deref().map(str::to_owned),
            composite_figi: self.composite_figi.as_deref().map(str::to_owned),
            cik: self.cik.as_deref().map(str::to_owned),
            kind: self.kind.to_string(),
        }
    }

    /// The issuer's number, without idle zeros.
    pub fn cik(&self) -> Option<&str> {
        plain_cik(self.cik.as_deref()?)
    }

    /// Whether the source says that it no longer trades on `date`. Unknown is no.
    pub fn is_delisted(&self, date: NaiveDate) -> bool {
        self.active == Some(false) || self.delisted_date.is_some_and(|delisted| delisted <= date)
    }

    /// Whether the source says that it trades on `date`.
    pub fn is_active(&self, date: NaiveDate) -> bool {
        self.active == Some(true) && !self.is_delisted(date)
    }

    /// Whether it is a shell company that looks for a business to buy.
    pub fn is_blank_check(&self) -> bool {
        let sic = self.sic_code.as_deref().and_then(Sic::parse);
        sic.is_some_and(|sic| sic.code() == BLANK_CHECK_SIC)
            || self
                .industry
                .as_deref()
                .is_some_and(|text| text.trim().eq_ignore_ascii_case(BLANK_CHECK_INDUSTRY))
    }

    /// The price of the last close, where it is one.
    pub fn close_price(&self) -> Option<Decimal> {
        self.close.and_then(|close| close.price.positive())
    }

    /// The same in dollars, to compare with.
    pub fn close_dollars(&self) -> Option<f64> {
        self.close_price().and_then(|price| price.to_f64())
    }
}
