//! The market of one date: who may be in a stock universe, what each is worth, and in which order they stand.
//!
//! [`Market::new`] looks at every security once. What follows speaks of securities by their index in the snapshot, a
//! `u32`, so that universes of thousands are compared and moved without touching a symbol.
//!
//! # A market cap, first that is valid
//! 1. close x shares, the close at most five sessions old;
//! 2. the cap that the source stores;
//! 3. none: the stock is eligible, but not ranked.
//!
//! What stands in a field and cannot be, from zero to 35 trillion, is passed over and reported. An exchange-traded
//! product is worth its assets, where the source tells them, else its cap; it never ranks among stocks.
//! `Market::of` compares stocks with the last run, and those in [quarantine](screening) keep a cap that can be
//! believed; [`Market::cap`] is that one, for every rule.
//!
//! # Two rows, one symbol
//! `BRK/B` and `BRK.B` are one symbol. The active row counts before the inactive one, then the one spelled with
//! dots; the other row takes part in nothing. Which one counts never depends on the order of the rows.

use std::borrow::Cow;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::domain::calendar;
use crate::domain::figure::Figure;
use crate::domain::money::{MAX_MARKET_CAP, Usd};
use crate::domain::sector::Sector;
use crate::domain::security::Security;
use crate::domain::symbol::{Symbol, symbol_key};
use crate::plan::Order;

use crate::domain::universe::LISTING_DAYS;
use crate::domain::wording::{bound, counted, first_few};
use crate::plan::given::notice::Warning;
use crate::plan::given::policy::Policy;
use crate::plan::given::snapshot::Snapshot;
use identity::Identities;
use screening::{Carried, Quarantine, Quarantined, Released, Screening};

pub mod contradictions;
pub mod identity;
pub(crate) mod run_state;
pub mod screening;

/// Types of exchange-traded products: funds, notes, vehicles, structured products.
pub const FUND_KINDS: [&str; 4] = ["ETF", "ETN", "ETV", "ETS"];
/// A close of more than so many sessions ago is no price of today.
pub(crate) const MAX_CLOSE_AGE_SESSIONS: u32 = 5;

/// The securities of one date, valued and ordered.
#[derive(Debug)]
pub struct Market<'a> {
    securities: &'a [Security],
    as_of: NaiveDate,
    by_key: FxHashMap<Cow<'a, str>, u32>,
    appraisals: Vec<Appraisal>,
    ranked: Vec<u32>,
    unranked: Vec<u32>,
    funds: Vec<u32>,
    by_sector: Vec<Vec<u32>>,
    /// Rows that another one counts for.
    duplicates: Vec<u32>,
    /// By security the keys of the symbols that it has gone by before.
    former: BTreeMap<u32, BTreeSet<String>>,
    /// By the key of an old symbol the security that goes on as a member for it.
    renamed: BTreeMap<String, u32>,
    /// Securities whose ticker belonged to somebody else until now.
    reused: BTreeSet<u32>,
    faults: Vec<(u32, Fault)>,
    screening: Screening,
}

/// How a security stands with stock universes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Active, and of an eligible type.
    Eligible,
    /// Active, and an exchange-traded product: in no stock universe.
    Fund,
    /// Of a type that is in no universe.
    OtherType,
    /// The source does not say whether it trades.
    ActivityUnknown,
    /// It no longer trades.
    Delisted,
    /// Another row has the same symbol and counts instead.
    Duplicate,
}

/// What was found out about one security.
#[derive(Debug, Clone, Copy)]
struct Appraisal {
    standing: Standing,
    cap: Option<Usd>,
    sector: Option<Sector>,
    /// Place in the global order from 1, 0 for none.
    rank: u32,
}

/// A value that stands in a field and can be no part of a market cap.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Price(Figure),
    Shares(Figure),
    Product(Option<Usd>),
    Stored(Figure),
}

/// What a market cap was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// A recent close and the shares outstanding.
    CloseTimesShares,
    /// What the source stores.
    Stored,
    /// The assets of an exchange-traded product.
    Assets,
}

/// How the market of a plan is made up, in numbers of securities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Active stocks of an eligible type.
    pub eligible: usize,
    /// Those of them with a valid market cap.
    pub ranked: usize,
    /// Those of them whose cap is below the smallest tier.
    pub below_tiers: usize,
    /// Securities whose source does not say whether they trade.
    pub active_unknown: usize,
}

/// How the worth of a security was found, or what stood in the way.
#[derive(Debug)]
pub(crate) struct Valuation {
    /// What it was taken from; `None` where there is no worth.
    pub(crate) basis: Option<Basis>,
    /// How many sessions old the last close is, where that is too many for it to count.
    pub(crate) stale_close_sessions: Option<u32>,
    /// What stood in a field and can't be.
    pub(crate) faults: Vec<String>,
}

impl<'a> Market<'a> {
    /// Values and orders `securities` as they were on `as_of`, whatever was known of them before. The order of the rows
    /// makes no difference.
    pub fn new(securities: &'a [Security], as_of: NaiveDate, policy: &Policy) -> Self {
        let mut market = Self::appraised(securities, as_of, policy);
        market.order();
        market
    }

    /// The market of `snapshot` on the date of `order`, with what was found out about the symbols of its instruments, in
    /// which what can't be believed beside the last run is in [quarantine](screening).
    pub(crate) fn of(snapshot: &'a Snapshot, policy: &Policy, order: Order) -> (Self, Identities) {
        let mut market = Self::appraised(&snapshot.securities, order.as_of, policy);
        let identities = Identities::find(&market, snapshot, order);
        market.learn(&identities);
        if policy.guards.quarantine {
            market.screening = screening::screen(&market, snapshot, &policy.guards);
            for carried in &market.screening.carried {
                market.appraisals[carried.index as usize].cap = Some(carried.entry.cap());
            }
        }
        market.order();
        (market, identities)
    }

    /// Every security with its cap as found, not yet in order.
    fn appraised(securities: &'a [Security], as_of: NaiveDate, policy: &Policy) -> Self {
        let mut market = Self {
            securities,
            as_of,
            by_key: FxHashMap::with_capacity_and_hasher(securities.len(), FxBuildHasher),
            appraisals: Vec::with_capacity(securities.len()),
            ranked: Vec::with_capacity(securities.len()),
            unranked: Vec::new(),
            funds: Vec::new(),
            by_sector: vec![Vec::new(); Sector::ALL.len()],
            duplicates: Vec::new(),
            former: BTreeMap::new(),
            renamed: BTreeMap::new(),
            reused: BTreeSet::new(),
            faults: Vec::new(),
            screening: Screening::default(),
        };
        market.index_symbols();
        market.appraise_all(policy);
        market
    }

    /// The security that goes by `symbol`, in whatever spelling.
    pub fn index_of(&self, symbol: &Symbol) -> Option<u32> {
        self.by_key.get(&*symbol.key()).copied()
    }

    /// The security that goes by the symbol in this text, in whatever spelling.
    pub fn find(&self, symbol: &str) -> Option<u32> {
        self.by_key.get(&*symbol_key(symbol)).copied()
    }

    /// Learns who has gone by which symbol before.
    fn learn(&mut self, identities: &Identities) {
        self.former = identities.former().map(|(index, keys)| (index, keys.clone())).collect();
        self.renamed = identities.renamed().map(|(key, index)| (key.to_owned(), index)).collect();
        self.reused.clone_from(identities.reused());
    }

    /// The security that a member of a universe is now, under whatever symbol; none where its ticker is another company's.
    pub(crate) fn index_of_member(&self, symbol: &Symbol) -> Option<u32> {
        let renamed = if self.renamed.is_empty() { None } else { self.renamed.get(&*symbol.key()) };
        renamed.copied().or_else(|| self.index_of(symbol).filter(|index| !self.has_new_owner(*index)))
    }

    /// Whether the ticker of a security belonged to somebody else until now.
    pub(crate) fn has_new_owner(&self, index: u32) -> bool {
        !self.reused.is_empty() && self.reused.contains(&index)
    }

    /// The security that a curated list means by this key: the eligible stock of that symbol, else the one that has
    /// gone by it before, else whatever has the symbol.
    pub(crate) fn find_listed(&self, key: &str) -> Option<u32> {
        let found = self.find(key);
        if self.former.is_empty() || found.is_some_and(|index| self.standing(index) == Standing::Eligible) {
            return found;
        }
        let successor = self.former.iter().find(|(_, keys)| keys.contains(key));
        successor.map(|(index, _)| *index).or(found)
    }

    /// Whether a security has gone by another symbol before.
    pub(crate) fn has_gone_by_another(&self, index: u32) -> bool {
        self.former.contains_key(&index)
    }

    /// Whether a security has gone by one of these keys, now or before.
    pub(crate) fn is_on(&self, list: &BTreeSet<String>, index: u32) -> bool {
        let key = self.security(index).symbol.key();
        list.contains(&*key)
            || self.former.get(&index).is_some_and(|keys| {
                keys.iter().any(|key| list.contains(key) && self.find_listed(key) == Some(index))
            })
    }

    /// The date of the market.
    pub fn as_of(&self) -> NaiveDate {
        self.as_of
    }

    /// How many rows there are, whatever they are.
    pub fn len(&self) -> usize {
        self.securities.len()
    }

    /// Whether there is no row at all.
    pub fn is_empty(&self) -> bool {
        self.securities.is_empty()
    }

    /// The row at `index`.
    pub fn security(&self, index: u32) -> &'a Security {
        &self.securities[index as usize]
    }

    /// How a security stands with stock universes.
    pub fn standing(&self, index: u32) -> Standing {
        self.appraisals[index as usize].standing
    }

    /// Every row, in the order of the snapshot.
    pub fn securities(&self) -> &'a [Security] {
        self.securities
    }

    /// The market cap of an eligible stock, or what a fund is worth, where it has a valid one. Of a stock in quarantine
    /// it is the one that it keeps meanwhile.
    pub fn cap(&self, index: u32) -> Option<Usd> {
        self.appraisals[index as usize].cap
    }

    /// The market cap as found, believed or not.
    pub fn found_cap(&self, index: u32) -> Option<Usd> {
        self.carried(index).map_or_else(|| self.cap(index), |carried| carried.found)
    }

    /// The last close in dollars, however old.
    pub(crate) fn close_dollars(&self, index: u32) -> Option<f64> {
        self.security(index).close_dollars()
    }

    /// The last good values of a stock that is in quarantine.
    pub(crate) fn carried(&self, index: u32) -> Option<&Carried> {
        self.screening.carried_at(index)
    }

    /// The stocks in quarantine, by symbol.
    pub fn quarantined(&self) -> impl Iterator<Item = &Quarantined> {
        self.screening.carried.iter().map(|carried| &carried.entry)
    }

    /// What is said of a stock in quarantine.
    pub fn quarantined_at(&self, index: u32) -> Option<&Quarantined> {
        self.carried(index).map(|carried| &carried.entry)
    }

    /// The stocks that were in quarantine until now, by symbol.
    pub fn released(&self) -> &[Released] {
        &self.screening.released
    }

    /// What the next run has to know of values that are not believed.
    pub(crate) fn quarantine(&self) -> Quarantine {
        Quarantine {
            symbols: self.quarantined().cloned().collect(),
            steps: self.screening.steps.clone(),
            counts: self.screening.counts.clone(),
            absent: self.screening.absent.clone(),
        }
    }

    /// The sector of an eligible stock, where it is known.
    pub fn sector(&self, index: u32) -> Option<Sector> {
        self.appraisals[index as usize].sector
    }

    /// What a security traded on the day of its last close, in dollars; none where that was not read or can't be.
    pub(crate) fn traded(&self, index: u32) -> Option<Usd> {
        let security = self.security(index);
        let volume = security.volume.value().filter(|volume| !volume.is_sign_negative())?;
        Usd::product(security.close_price()?, volume)
    }

    /// The place in the global order, from 1; none without a cap.
    pub fn rank(&self, index: u32) -> Option<usize> {
        match self.appraisals[index as usize].rank {
            0 => None,
            rank => Some(rank as usize),
        }
    }

    /// The eligible stocks with a cap in the global order: cap down, listing date up (none last), symbol up.
    pub fn ranked(&self) -> &[u32] {
        &self.ranked
    }

    /// The eligible stocks without a cap, by symbol.
    pub fn unranked(&self) -> &[u32] {
        &self.unranked
    }

    /// The exchange-traded products by what they are worth, largest first, those of which it is unknown last; then by
    /// symbol.
    pub fn funds(&self) -> &[u32] {
        &self.funds
    }

    /// Whether a security was listed in the last [`LISTING_DAYS`] days and has traded since. One that went by another
    /// symbol before is no new listing, whatever its source says of the new symbol.
    pub fn is_new_listing(&self, index: u32) -> bool {
        self.is_recently_listed(index) && !self.has_gone_by_another(index)
    }

    /// The same whatever it was before.
    pub(crate) fn is_recently_listed(&self, index: u32) -> bool {
        self.security(index).close.is_some() && self.is_in_listing_window(index)
    }

    /// Whether a security was listed in the last [`LISTING_DAYS`] days.
    pub(crate) fn is_in_listing_window(&self, index: u32) -> bool {
        self.days_listed(index).is_some_and(|days| (0..=LISTING_DAYS).contains(&days))
    }

    /// For how many calendar days a security has been listed, the day of listing being day zero; negative before it.
    pub(crate) fn days_listed(&self, index: u32) -> Option<i64> {
        self.security(index).list_date.map(|listed| (self.as_of - listed).num_days())
    }

    /// How the worth of a stock or fund was found, by the code that finds it.
    pub(crate) fn valuation(&self, index: u32) -> Valuation {
        let security = self.security(index);
        let mut faults = Vec::new();
        let report = |fault: Fault| faults.push(fault.to_string());
        let found = match self.standing(index) {
            Standing::Fund => worth_of_fund(security, self.closes_from(), self.as_of, report),
            _ => market_cap(security, self.closes_from(), self.as_of, report),
        };
        let stale = security.close.filter(|close| close.date < self.closes_from());
        Valuation {
            basis: found.map(|(_, basis)| basis),
            stale_close_sessions: stale.map(|close| calendar::sessions_between(close.date, self.as_of)),
            faults,
        }
    }

    /// The first date whose closes are prices of today.
    fn closes_from(&self) -> NaiveDate {
        calendar::sessions_back(self.as_of, MAX_CLOSE_AGE_SESSIONS)
    }

    /// The ranked stocks of a sector, in the global order.
    pub fn ranked_in(&self, sector: Sector) -> &[u32] {
        &self.by_sector[sector as usize]
    }

    /// The place among the ranked stocks of its sector, from 1.
    pub fn rank_in_sector(&self, index: u32) -> Option<usize> {
        let rank = self.rank(index)?;
        let peers = self.ranked_in(self.sector(index)?);
        Some(peers.partition_point(|peer| self.rank(*peer) < Some(rank)) + 1)
    }

    /// How many eligible stocks there are.
    pub fn eligible(&self) -> usize {
        self.ranked.len() + self.unranked.len()
    }

    /// How many eligible stocks have a close on the date of the market or later.
    pub fn closes(&self) -> usize {
        let has_close =
            |index: &&u32| self.security(**index).close.is_some_and(|close| close.date >= self.as_of);
        self.ranked.iter().chain(&self.unranked).filter(has_close).count()
    }

    /// How the market is made up.
    pub fn counts(&self, policy: &Policy) -> Counts {
        let in_a_tier = |index: &u32| self.cap(*index).and_then(|cap| policy.tier_of(cap)).is_some();
        let is_unknown = |appraisal: &&Appraisal| appraisal.standing == Standing::ActivityUnknown;
        Counts {
            eligible: self.eligible(),
            ranked: self.ranked.len(),
            below_tiers: self.ranked.len() - self.ranked.partition_point(in_a_tier),
            active_unknown: self.appraisals.iter().filter(is_unknown).count(),
        }
    }

    /// What a person should know about the rows: caps that cannot be, unknown activity, symbols that occur twice.
    pub fn warnings(&self) -> Vec<Warning> {
        [self.invalid_caps(), self.unknown_activity(), self.duplicate_symbols()]
            .into_iter()
            .flatten()
            .chain(contradictions::warnings(self))
            .collect()
    }

    fn index_symbols(&mut self) {
        for index in 0..self.securities.len() as u32 {
            let key = self.security(index).symbol.key();
            let Some(known) = self.by_key.get_mut(&key) else {
                self.by_key.insert(key, index);
                continue;
            };
            let mut other = index;
            if precedes(self.securities, self.as_of, index, *known) {
                std::mem::swap(known, &mut other);
            }
            self.duplicates.push(other);
        }
    }

    fn appraise_all(&mut self, policy: &Policy) {
        let closes_from = self.closes_from();
        let mut sectors = policy.sectors.sorter();
        for index in 0..self.securities.len() as u32 {
            let security = self.security(index);
            let standing = standing(security, self.as_of, policy);
            let mut appraisal = Appraisal { standing, cap: None, sector: None, rank: 0 };
            match standing {
                Standing::Eligible => {
                    let faults = &mut self.faults;
                    let report = |fault| faults.push((index, fault));
                    let found = market_cap(security, closes_from, self.as_of, report);
                    appraisal.cap = found.map(|(cap, _)| cap);
                    appraisal.sector = sectors.sector_of(security);
                }
                Standing::Fund => {
                    let found = worth_of_fund(security, closes_from, self.as_of, |_| ());
                    appraisal.cap = found.map(|(worth, _)| worth);
                }
                Standing::OtherType
                | Standing::ActivityUnknown
                | Standing::Delisted
                | Standing::Duplicate => {}
            }
            self.appraisals.push(appraisal);
        }
        let idle = Appraisal { standing: Standing::Duplicate, cap: None, sector: None, rank: 0 };
        for other in &self.duplicates {
            self.appraisals[*other as usize] = idle;
        }
    }

    fn order(&mut self) {
        let mut ranked: Vec<(Usd, u32)> = Vec::with_capacity(self.securities.len());
        for (index, appraisal) in self.appraisals.iter().enumerate() {
            match (appraisal.standing, appraisal.cap) {
                (Standing::Eligible, Some(cap)) => ranked.push((cap, index as u32)),
                (Standing::Eligible, None) => self.unranked.push(index as u32),
                (Standing::Fund, _) => self.funds.push(index as u32),
                _ => {}
            }
        }
        let securities = self.securities;
        ranked.sort_unstable_by(|(cap, index), (other_cap, other)| {
            other_cap.cmp(cap).then_with(|| by_age_and_symbol(securities, *index, *other))
        });
        self.unranked.sort_unstable_by_key(|index| &securities[*index as usize].symbol);
        let appraisals = &self.appraisals;
        let worth =
            |index: u32| (Reverse(appraisals[index as usize].cap), &securities[index as usize].symbol);
        self.funds.sort_unstable_by(|index, other| worth(*index).cmp(&worth(*other)));
        for (place, (_, index)) in ranked.into_iter().enumerate() {
            let appraisal = &mut self.appraisals[index as usize];
            appraisal.rank = place as u32 + 1;
            self.ranked.push(index);
            if let Some(sector) = appraisal.sector {
                self.by_sector[sector as usize].push(index);
            }
        }
    }

    fn invalid_caps(&self) -> Option<Warning> {
        // A row that does not count is no finding: it is reported as a duplicate.
        let mut faults: Vec<(&str, Fault)> = self
            .faults
            .iter()
            .filter(|(index, _)| self.standing(*index) == Standing::Eligible)
            .map(|(index, fault)| (self.security(*index).symbol.as_str(), *fault))
            .collect();
        if faults.is_empty() {
            return None;
        }
        // Stable: the faults of one stock stay in the order in which they were found.
        faults.sort_by_key(|(symbol, _)| *symbol);
        let text = format!(
            "{} passed over, a market cap is above 0 and at most {}: {}",
            counted(faults.len(), "impossible value"),
            bound(MAX_MARKET_CAP),
            first_few(faults.iter().map(|(symbol, fault)| format!("{symbol} {fault}")))
        );
        Some(Warning { code: "invalid_cap", text })
    }

    fn unknown_activity(&self) -> Option<Warning> {
        let unknown = |index: &u32| self.standing(*index) == Standing::ActivityUnknown;
        let symbols = self.sorted_symbols((0..self.securities.len() as u32).filter(unknown));
        (!symbols.is_empty()).then(|| Warning {
            code: "active_unknown",
            text: format!(
                "{} of symbols without a value in active, left out of all universes: {}",
                counted(symbols.len(), "row"),
                first_few(symbols.iter())
            ),
        })
    }

    fn duplicate_symbols(&self) -> Option<Warning> {
        let key = |index: u32| self.security(index).symbol.key();
        let mut pairs: Vec<String> = self
            .duplicates
            .iter()
            .map(|other| {
                let counts = self.by_key[&key(*other)];
                format!("{} over {}", self.security(counts).symbol, self.security(*other).symbol)
            })
            .collect();
        pairs.sort_unstable();
        (!pairs.is_empty()).then(|| Warning {
            code: "duplicate_symbol",
            text: format!(
                "{} of symbols with a symbol that another row has too, left out: {}",
                counted(pairs.len(), "row"),
                first_few(pairs.iter())
            ),
        })
    }

    fn sorted_symbols(&self, indices: impl Iterator<Item = u32>) -> Vec<&'a str> {
        let mut symbols: Vec<&str> = indices.map(|index| self.security(index).symbol.as_str()).collect();
        symbols.sort_unstable();
        symbols
    }
}

fn standing(security: &Security, as_of: NaiveDate, policy: &Policy) -> Standing {
    if security.is_delisted(as_of) {
        Standing::Delisted
    } else if security.active.is_none() {
        Standing::ActivityUnknown
    } else if policy.eligible_types.contains(&*security.kind) {
        Standing::Eligible
    } else if FUND_KINDS.contains(&&*security.kind) {
        Standing::Fund
    } else {
        Standing::OtherType
    }
}

/// The cap by the three-step rule; each value passed over on the way is told to `report`.
fn market_cap(
    security: &Security,
    closes_from: NaiveDate,
    as_of: NaiveDate,
    mut report: impl FnMut(Fault),
) -> Option<(Usd, Basis)> {
    let recent = security.close.filter(|close| (closes_from..=as_of).contains(&close.date));
    let price = recent.map_or(Figure::Missing, |close| close.price);
    if price.is_unusable() {
        report(Fault::Price(price));
    }
    if security.shares.is_unusable() {
        report(Fault::Shares(security.shares));
    }
    if let (Some(price), Some(shares)) = (price.positive(), security.shares.positive()) {
        match Usd::product(price, shares) {
            Some(cap) if cap.is_market_cap() => return Some((cap, Basis::CloseTimesShares)),
            impossible => report(Fault::Product(impossible)),
        }
    }
    let stored = security.stored_cap.value().and_then(Usd::from_decimal).filter(|cap| cap.is_market_cap());
    if stored.is_none() && security.stored_cap != Figure::Missing {
        report(Fault::Stored(security.stored_cap));
    }
    stored.map(|cap| (cap, Basis::Stored))
}

/// What an exchange-traded product is worth: its assets, else its cap.
fn worth_of_fund(
    security: &Security,
    closes_from: NaiveDate,
    as_of: NaiveDate,
    report: impl FnMut(Fault),
) -> Option<(Usd, Basis)> {
    let assets = security.aum_millions.positive().and_then(|aum| Usd::product(aum, Decimal::from(1_000_000)));
    let assets = assets.filter(|assets| assets.is_market_cap());
    let assets = assets.map(|assets| (assets, Basis::Assets));
    assets.or_else(|| market_cap(security, closes_from, as_of, report))
}

/// Whether of two rows with one symbol the one at `index` counts.
fn precedes(securities: &[Security], as_of: NaiveDate, index: u32, other: u32) -> bool {
    let (row, other) = (&securities[index as usize], &securities[other as usize]);
    let dotted = |security: &Security| security.symbol.key() == security.symbol.as_str();
    let order = other
        .is_active(as_of)
        .cmp(&row.is_active(as_of))
        .then_with(|| dotted(other).cmp(&dotted(row)))
        .then_with(|| row.symbol.cmp(&other.symbol))
        // Rows that even spell the symbol alike differ in what they hold, if in anything.
        .then_with(|| format!("{row:?}").cmp(&format!("{other:?}")));
    order == Ordering::Less
}

/// Listing date up with none last, then symbol up.
fn by_age_and_symbol(securities: &[Security], index: u32, other: u32) -> Ordering {
    let (stock, other) = (&securities[index as usize], &securities[other as usize]);
    let age = |security: &Security| (security.list_date.is_none(), security.list_date);
    age(stock).cmp(&age(other)).then_with(|| stock.symbol.cmp(&other.symbol))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = |figure: &Figure| match figure.value() {
            Some(value) => value.normalize().to_string(),
            None => "not a number".to_owned(),
        };
        match self {
            Self::Price(value) => write!(f, "close {}", figure(value)),
            Self::Shares(value) => write!(f, "shares {}", figure(value)),
            Self::Product(Some(cap)) => write!(f, "close x shares {}", cap.short()),
            Self::Product(None) => f.write_str("close x shares beyond counting"),
            Self::Stored(value) => write!(f, "stored cap {}", figure(value)),
        }
    }
}
