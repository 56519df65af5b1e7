//! Who a symbol is: what it is worth and why, which sector it has and why, which of its rows counts.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use serde::{Serialize, Serializer};

use crate::domain::figure::Figure;
use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;
use crate::domain::words;

use super::findings::NO_ROW;
use crate::domain::wording::{counted, grouped};
use crate::plan::given::policy::{Policy, ToldBy};
use crate::plan::market::screening::Quarantined;
use crate::plan::market::{Basis, MAX_CLOSE_AGE_SESSIONS, Market, Standing, Valuation};

/// Who a symbol is, as far as it matters to universes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Subject {
    /// The symbol as `symbols` spells it, else as it was asked for.
    pub symbol: Symbol,
    /// Its name.
    pub name: Option<String>,
    /// Its type; none without a row in `symbols`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// How it stands with stock universes.
    pub standing: StandingWord,
    /// Its market cap, or what a fund is worth.
    #[serde(serialize_with = "dollars")]
    pub market_cap: Option<Usd>,
    /// What that was taken from, or why there is none.
    pub market_cap_basis: String,
    /// Its place among all ranked stocks.
    pub rank: Option<usize>,
    /// How many ranked stocks there are.
    pub ranked: usize,
    /// Its sector.
    pub sector: Option<Sector>,
    /// What told the sector, or what did not.
    pub sector_basis: String,
    /// The first day of listing.
    pub list_date: Option<NaiveDate>,
    /// What else a person should know of its rows in `symbols`.
    pub remarks: Vec<String>,
}

words! {
    /// How a symbol stands with stock universes.
    StandingWord {
        /// Active, and of an eligible type.
        Eligible = "eligible",
        /// Active, and an exchange-traded product.
        Fund = "fund",
        /// Of a type that is in no universe.
        OtherType = "other_type",
        /// The source does not say whether it trades.
        ActivityUnknown = "activity_unknown",
        /// It no longer trades.
        Delisted = "delisted",
        /// `symbols` has no row of it.
        Missing = "missing",
    }
}

/// What there is to say of `symbol`, whose row is at `index`.
pub(super) fn subject(market: &Market, policy: &Policy, symbol: &Symbol, index: Option<u32>) -> Subject {
    let Some(index) = index else { return missing(market, symbol) };
    let security = market.security(index);
    Subject {
        symbol: security.symbol.clone(),
        name: security.name.as_deref().map(str::to_owned),
        kind: Some(security.kind.to_string()),
        standing: word(market.standing(index)),
        market_cap: market.cap(index),
        market_cap_basis: cap_basis(market, index),
        rank: market.rank(index),
        ranked: market.ranked().len(),
        sector: market.sector(index),
        sector_basis: sector_basis(policy, security),
        list_date: security.list_date,
        remarks: other_rows(market, security).into_iter().chain(quarantine(market, index)).collect(),
    }
}

fn missing(market: &Market, symbol: &Symbol) -> Subject {
    Subject {
        symbol: symbol.clone(),
        name: None,
        kind: None,
        standing: StandingWord::Missing,
        market_cap: None,
        market_cap_basis: NO_ROW.to_owned(),
        rank: None,
        ranked: market.ranked().len(),
        sector: None,
        sector_basis: NO_ROW.to_owned(),
        list_date: None,
        remarks: Vec::new(),
    }
}

fn word(standing: Standing) -> StandingWord {
    match standing {
        Standing::Eligible => StandingWord::Eligible,
        Standing::Fund => StandingWord::Fund,
        Standing::OtherType => StandingWord::OtherType,
        Standing::ActivityUnknown => StandingWord::ActivityUnknown,
        Standing::Delisted => StandingWord::Delisted,
        Standing::Duplicate => unreachable!("the row that is found by its symbol is the one that counts"),
    }
}

/// Where the cap was taken from, or why there is none.
pub(super) fn cap_basis(market: &Market, index: u32) -> String {
    if !matches!(market.standing(index), Standing::Eligible | Standing::Fund) {
        return "not valued: neither an eligible stock nor a fund".to_owned();
    }
    if let Some(entry) = market.quarantined_at(index) {
        let found = entry.found().map_or_else(|| "nothing".to_owned(), Usd::short);
        let basis = found_basis(market, index);
        let Quarantined { since, .. } = entry;
        return format!("carried since {since}: {}; found {found}, {basis}", entry.anomaly.title());
    }
    found_basis(market, index)
}

/// Where the cap as found was taken from, or why there is none.
fn found_basis(market: &Market, index: u32) -> String {
    let security = market.security(index);
    let valuation = market.valuation(index);
    match valuation.basis {
        Some(Basis::CloseTimesShares) => product(security),
        Some(Basis::Assets) => format!("assets of {} million", number(security.aum_millions)),
        Some(Basis::Stored) => {
            let why = in_the_way(security, &valuation, market);
            format!("as stored in the source ({})", why.join("; "))
        }
        None => format!("no cap: {}", no_cap(market, index)),
    }
}

/// Why the security at `index` has no cap.
pub(super) fn no_cap(market: &Market, index: u32) -> String {
    let security = market.security(index);
    let mut why = in_the_way(security, &market.valuation(index), market);
    if security.stored_cap == Figure::Missing {
        why.push("no stored cap".to_owned());
    }
    why.join("; ")
}

fn product(security: &Security) -> String {
    let close = security
        .close
        .map_or_else(String::new, |close| format!("close {} of {}", number(close.price), close.date));
    format!("{close} x {} shares", number(security.shares))
}

/// What stands in the way of close x shares, and what else can't be.
fn in_the_way(security: &Security, valuation: &Valuation, market: &Market) -> Vec<String> {
    let mut why = Vec::new();
    match (security.close, valuation.stale_close_sessions) {
        (None, _) => why.push("no close".to_owned()),
        (Some(close), Some(sessions)) => why.push(format!(
            "the last close, of {}, is {} old, at most {MAX_CLOSE_AGE_SESSIONS} count",
            close.date,
            counted(sessions as usize, "session")
        )),
        (Some(close), None) if close.date > market.as_of() => {
            why.push(format!("the close of {} lies in the future", close.date));
        }
        (Some(_), None) => {}
    }
    if security.shares == Figure::Missing {
        why.push("no shares".to_owned());
    }
    why.extend(valuation.faults.iter().map(|fault| format!("{fault} is impossible")));
    why
}

fn number(figure: Figure) -> String {
    let Some(value) = figure.value().map(|value| value.normalize()) else { return "none".to_owned() };
    match value.to_usize() {
        Some(whole) if Decimal::from(whole) == value => grouped(whole),
        _ => value.to_string(),
    }
}

/// What told the sector, or what did not.
pub(super) fn sector_basis(policy: &Policy, security: &Security) -> String {
    match policy.sectors.sector_of(security) {
        Some((_, ToldBy::Symbol)) => "by the list of exceptions in sectors.toml".to_owned(),
        Some((_, ToldBy::Text(text))) => format!("by its text {text:?}"),
        Some((_, ToldBy::Sic(sic))) => format!("by SIC {sic}"),
        None => match (&security.sector, &security.sic_code) {
            (Some(text), Some(sic)) => format!("its text {text:?} and SIC {sic:?} stand for none"),
            (Some(text), None) => format!("its text {text:?} stands for none, and it has no SIC code"),
            (None, Some(sic)) => format!("it has no text, and SIC {sic:?} stands for none"),
            (None, None) => "it has neither text nor SIC code".to_owned(),
        },
    }
}

/// Why the cap is not the one that was found, and until when.
fn quarantine(market: &Market, index: u32) -> Option<String> {
    let entry = market.quarantined_at(index)?;
    Some(format!(
        "{} instead of what was found: {}; carried {}, or say that it is right: cache-sync approve {}",
        entry.cap().short(),
        entry.seen(),
        entry.until(),
        entry.symbol
    ))
}

/// Other rows of the same symbol, which take part in nothing.
fn other_rows(market: &Market, security: &Security) -> Option<String> {
    let same = market.securities().iter().filter(|other| other.symbol.is_spelling_of(&security.symbol));
    let others: Vec<&str> =
        same.filter(|other| !std::ptr::eq(*other, security)).map(|other| other.symbol.as_str()).collect();
    (!others.is_empty()).then(|| {
        let rows = counted(others.len() + 1, "row");
        format!("{rows} of symbols are this symbol: {} counts, not {}", security.symbol, others.join(", "))
    })
}

/// Dollars as the other JSON has them: a text with cents.
#[expect(clippy::ref_option, reason = "serde hands the field over like this")]
fn dollars<S: Serializer>(amount: &Option<Usd>, serializer: S) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => serializer.collect_str(amount),
        None => serializer.serialize_none(),
    }
}
