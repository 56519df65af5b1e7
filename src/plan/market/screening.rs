//! One symbol's bad value: what is not believed of a single stock, and what it is worth meanwhile.
//!
//! A feed adjusts the price of a split a day before the share count, and a company of 473 billion is one of 47 for a
//! night; a share count is wrong by a factor of a hundred; a cap is missing for a day. The guards look at universes as
//! a whole and don't notice one symbol. So each stock is compared with its *last good values*, those that the last run
//! kept, and where it has moved as values don't move it is put in quarantine: it stays in the market with a cap that
//! can be believed, until its values explain themselves or time has shown that they are meant.
//!
//! | anomaly | seen | cap meanwhile | until |
//! |---|---|---|---|
//! | suspected split | close moves by 3x or more, within 10 % of n:1 (of a share that is not cheap) or 1:n, while shares stay and the company is not traded whole | the last good one | shares follow, the price comes back, or 5 sessions |
//! | unexplained jump | shares move by more than 1.5x without a split, and nothing else says so | the last good one, rolled by price | it reverts, a split or a second field explains it, or 10 sessions |
//! | vanished | it had a cap and has none | the last good one, rolled by price | there is one, or 10 sessions |
//!
//! A person who knows better approves the symbol; then its value of the next run is good. `accept_churn` changes
//! nothing here: it speaks of universes.
//!
//! # How the last good values are kept
//! The run state of a stock in quarantine holds them instead of what was found, so every night is compared with them
//! by the same code, whatever has happened in between: of a suspected split all of them, of the others the cap rolled
//! to tonight's close. Beside them stands a [`Quarantined`] with what was seen and since when. Both go back with the
//! run state where a job is reverted.
//!
//! # Shares are what the cap says
//! Compared are not the share counts but cap / close: for a cap of close x shares that is the share count, and for one
//! that the source stores it is what the cap means against its price. So one rule serves both, and a change from one to
//! the other is compared too.
//!
//! # Why cheap shares are not split
//! A share of 5 dollars that falls to a quarter has crashed. Shares are split to be worth 50 or 100 dollars, so a fall is
//! suspected only where the last good close was at least `guards.split_min_close`. Merged they are at any price.
//!
//! # Why a price that was traded is believed
//! A split moves a price overnight, and nobody has to trade for it. Where in the session of the new close shares worth more
//! than `guards.split_max_turnover` times the company changed hands, it is trading that has moved the price. What the
//! company is worth is just what is in doubt: the cap as found is n times too small where a share was split, and n times
//! too large where shares were merged. So the traded value is measured against the larger of the cap as found and the last
//! good one: of a split that is the company, of a merger n times the company, and neither looks more traded than it was. A
//! crash looks less traded than it was, by as much as it fell, and mostly stays suspected.
//!
//! Volumes are read only of those [`in_doubt`], and where there are none the price alone decides.
//!
//! # Why price steps are remembered
//! A split of 2:1 is no move of 3x, so nothing is suspected when the price halves; when the shares double a night later
//! that is no unexplained jump either. Steps of the price are remembered for some sessions, and shares that follow are
//! let through. So are those that follow a suspected split after its time was up.

use std::borrow::Cow;
use std::collections::BTreeSet;

use chrono::NaiveDate;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::domain::calendar::{next_session, sessions_between};
use crate::domain::money::Usd;
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;
use crate::domain::words;

use super::identity::with_another_owner;
use super::{Market, Standing};
use crate::plan::given::policy::Guards;
use crate::plan::given::snapshot::{RunState, Snapshot, StockState};

/// The code of the warning that names what is in quarantine.
pub const QUARANTINED: &str = "quarantined";

/// Nothing that was seen longer ago than this can be compared with today.
const MAX_GAP_SESSIONS: u32 = 20;
/// A close that moves by less is a move of the market: in a crash many stocks halve, hardly one is cut to a third.
const SPLIT_MOVE: f64 = 3.0;
/// How far from n:1 the close may be: the stock itself moves on the day, too.
const SPLIT_TOLERANCE: f64 = 0.1;
/// Feeds bring the shares of a split one to three sessions late; after so many the new price is taken for real.
const SPLIT_SESSIONS: u32 = 5;
/// Shares that move by more between two sessions have been issued in bulk, or are wrong.
const JUMP: f64 = 1.5;
/// Factors that differ by less are the same one, worked out twice: caps are kept in whole cents.
const EVEN: f64 = 1e-6;
/// A value that has stood for so many sessions is meant.
const JUMP_SESSIONS: u32 = 10;
/// A cap that has been missing for so many sessions is gone.
const VANISHED_SESSIONS: u32 = 10;
/// Shares follow a price that moved by up to twice as much or half as much the other way: stocks whose shares are
/// merged 1:10 often lose a third of their worth on the same day.
const FOLLOW_TOLERANCE: f64 = 2.0;
/// Two fields that differ by less say the same: one of them may be a day old.
const AGREE_TOLERANCE: f64 = 0.1;
/// The smallest move of a price that shares may follow: of 3:2, on a day that takes a tenth of it back.
const STEP: f64 = 1.36;
/// For so many sessions a step of the price is remembered, as long as a split is suspected.
const STEP_SESSIONS: u32 = SPLIT_SESSIONS;
/// For so many sessions after its time is up the shares of a suspected split are still let through.
const LATE_STEP_SESSIONS: u32 = 20;

words! {
    /// In which way a value is not believed.
    Anomaly {
        /// The price has moved as by a split, and the shares have not.
        SuspectedSplit = "suspected_split",
        /// The shares, or a stored cap against its price, have moved as they don't.
        UnexplainedJump = "unexplained_jump",
        /// There was a cap, and there is none.
        Vanished = "vanished",
    }
}

impl Anomaly {
    /// The word as a person reads it.
    pub fn title(self) -> String {
        self.as_str().replace('_', " ")
    }
}

/// A stock whose value is not believed, and what was seen of it. Part of the state of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The stock.
    pub symbol: Symbol,
    /// In which way.
    pub anomaly: Anomaly,
    /// The date of the first value that was not believed.
    pub since: NaiveDate,
    /// The date of the last good values.
    pub good_as_of: NaiveDate,
    /// The cap it has meanwhile.
    pub cap_cents: i64,
    /// The cap as found; none where there is none.
    pub found_cents: Option<i64>,
    /// By what the price (of a suspected split) or the shares (of a jump) were multiplied when it was first seen; 1
    /// for what vanished.
    pub factor: f64,
    /// The last good close.
    pub close_before: Option<f64>,
    /// The close that was found with it first.
    pub close_found: Option<f64>,
    /// The shares, cap / close, that were found first: of a jump those that have to stand to be confirmed.
    pub shares_found: Option<f64>,
}

/// A move of a price that shares may follow. Part of the state of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriceStep {
    /// The stock.
    pub symbol: Symbol,
    /// By what the price was multiplied.
    pub factor: f64,
    /// The last date for which it is remembered.
    pub until: NaiveDate,
}

/// What a run knows of values that are not believed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Quarantine {
    /// The stocks in quarantine, by symbol.
    pub symbols: Vec<Quarantined>,
    /// Steps of prices that shares may follow, by symbol.
    pub steps: Vec<PriceStep>,
}

/// A stock that is no longer in quarantine.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    /// What it was in quarantine for.
    pub was: Quarantined,
    /// Why it is not any more.
    pub why: ReleasedBy,
}

/// Why a value is believed after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleasedBy {
    /// A person said so.
    Approval,
    /// Price and shares have moved by as much, one up and one down.
    Split,
    /// It is back where it was.
    Reverted,
    /// It has stood for long enough.
    Time,
    /// Another field says the same.
    SecondField,
}

impl ReleasedBy {
    /// In words, after a symbol: `NFLX: price and shares agree on a split`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approved",
            Self::Split => "price and shares agree on a split",
            Self::Reverted => "it is back",
            Self::Time => "its time is up",
            Self::SecondField => "a second field says the same",
        }
    }
}

impl Quarantined {
    /// The cap it has meanwhile.
    pub fn cap(&self) -> Usd {
        Usd::from_cents(self.cap_cents)
    }

    /// The cap as found.
    pub fn found(&self) -> Option<Usd> {
        self.found_cents.map(Usd::from_cents)
    }

    /// What was seen: `close 1112.17 -> 110.29 as by a split of 10:1, with as many shares`.
    pub fn seen(&self) -> String {
        let closes = match (self.close_before, self.close_found) {
            (Some(before), Some(found)) => format!("close {} -> {}", price(before), price(found)),
            (None, Some(found)) => format!("close {}", price(found)),
            (_, None) => "no close".to_owned(),
        };
        match self.anomaly {
            Anomaly::SuspectedSplit => {
                format!("{closes} as by a split of {}, with as many shares", split(self.factor))
            }
            Anomaly::UnexplainedJump => format!("{} times the shares, {closes}", times(self.factor)),
            Anomaly::Vanished => format!("neither close x shares nor a stored cap, {closes}"),
        }
    }

    /// What becomes of the cap meanwhile: `held`, or `carried` with the price.
    pub fn keeps(&self) -> &'static str {
        match self.anomaly {
            Anomaly::SuspectedSplit => "held",
            Anomaly::UnexplainedJump | Anomaly::Vanished => "carried",
        }
    }

    /// How it ends by itself: `until the shares follow, the price comes back, or 2025-11-24`.
    pub fn until(&self) -> String {
        let end = match self.anomaly {
            Anomaly::SuspectedSplit => "the shares follow, the price comes back",
            Anomaly::UnexplainedJump => "it reverts, a split or a second field explains it",
            Anomaly::Vanished => "there is a cap",
        };
        format!("until {end}, or {}", self.released_on())
    }

    /// Of the cap that it has meanwhile: `cap held since 2025-11-17, suspected split, found 46.86B`.
    pub(crate) fn of_cap(&self) -> String {
        let found = self.found().map_or_else(|| "none".to_owned(), Usd::short);
        format!("cap {} since {}, {}, found {found}", self.keeps(), self.since, self.anomaly.title())
    }

    /// `NFLX held at 472.59B since 2025-11-17 (suspected split, found 46.86B)`.
    pub(crate) fn in_short(&self) -> String {
        let found = self.found().map_or_else(|| "none".to_owned(), Usd::short);
        let Self { symbol, since, .. } = self;
        format!(
            "{symbol} {} at {} since {since} ({}, found {found})",
            self.keeps(),
            self.cap().short(),
            self.anomaly.title()
        )
    }

    /// For how many sessions, the first included, it is kept at most.
    fn sessions(&self) -> u32 {
        match self.anomaly {
            Anomaly::SuspectedSplit => SPLIT_SESSIONS,
            Anomaly::UnexplainedJump => JUMP_SESSIONS,
            Anomaly::Vanished => VANISHED_SESSIONS,
        }
    }

    /// How many more sessions after `as_of` it is kept at most.
    pub fn sessions_left(&self, as_of: NaiveDate) -> u32 {
        self.sessions().saturating_sub(sessions_between(self.since, as_of) + 1)
    }

    /// The session at which it is released by time.
    pub fn released_on(&self) -> NaiveDate {
        sessions_later(self.since, self.sessions())
    }

    fn is_over(&self, as_of: NaiveDate) -> bool {
        sessions_between(self.since, as_of) >= self.sessions()
    }
}

/// What was decided about the stocks of a market.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// Those in quarantine, by symbol.
    pub(crate) kept: Vec<Kept>,
    /// The places of their indices in the market.
    places: FxHashMap<u32, usize>,
    /// Those that were in quarantine until now, by symbol.
    pub(crate) released: Vec<Released>,
    /// What the next run has to remember of prices.
    pub(crate) steps: Vec<PriceStep>,
}

/// A stock in quarantine, with its last good values as the next run compares with them.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) index: u32,
    pub(crate) entry: Quarantined,
    /// The cap as found, to the last digit.
    pub(crate) found: Option<Usd>,
    pub(crate) close_dollars: Option<f64>,
    pub(crate) shares: Option<f64>,
}

impl Judgement {
    /// The stock at `index` of the market, where it is in quarantine.
    pub(crate) fn kept_at(&self, index: u32) -> Option<&Kept> {
        self.places.get(&index).map(|place| &self.kept[*place])
    }
}

/// Compares every eligible stock of `market`, which has its caps as found, with what the last run kept of it.
pub(crate) fn judge(market: &Market, snapshot: &Snapshot, guards: &Guards) -> Judgement {
    let as_of = market.as_of();
    let comparable = |last: &&RunState| sessions_between(last.as_of, as_of) <= MAX_GAP_SESSIONS;
    let Some(last) = snapshot.last_run.as_ref().filter(comparable) else { return Judgement::default() };
    let mut court = Court::new(market, last, snapshot, guards);
    let others = with_another_owner(market, &snapshot.instruments);
    for stock in &last.stocks {
        let is_comparable =
            |index: &u32| market.standing(*index) == Standing::Eligible && !others.contains(index);
        if let Some(index) = market.index_of(&stock.symbol).filter(is_comparable) {
            court.hear(index, stock);
        }
    }
    court.close()
}

/// The symbols whose volumes a plan has to know: of stocks whose close has moved as by a split since the last run. Most
/// days there is none.
pub fn in_doubt(securities: &[Security], last: Option<&RunState>, guards: &Guards) -> BTreeSet<Symbol> {
    let asks_for_volumes = guards.quarantine && guards.split_max_turnover > 0.0;
    let Some(last) = last.filter(|_| asks_for_volumes) else { return BTreeSet::new() };
    let closes = last.stocks.iter().filter_map(|stock| Some((stock.symbol.key(), stock.close_dollars?)));
    let closes: FxHashMap<Cow<str>, f64> = closes.collect();
    let has_moved = |security: &&Security| {
        let price = || Some(security.close_dollars()? / closes.get(&security.symbol.key())?);
        price().is_some_and(is_split)
    };
    securities.iter().filter(has_moved).map(|security| security.symbol.clone()).collect()
}

/// Hears one stock after another.
struct Court<'a> {
    market: &'a Market<'a>,
    last: &'a RunState,
    known: FxHashMap<&'a str, &'a Quarantined>,
    approved: &'a [Symbol],
    split_min_close: f64,
    split_max_turnover: f64,
    judgement: Judgement,
}

/// What becomes of one stock.
#[derive(Clone, Copy)]
enum Ruling {
    /// Its value is taken as found.
    Believed,
    /// It is not.
    Keep(Anomaly),
    /// It goes on as it is.
    KeepOn { since: NaiveDate },
    /// It is taken again.
    Release(ReleasedBy),
}

impl<'a> Court<'a> {
    fn new(market: &'a Market<'a>, last: &'a RunState, snapshot: &'a Snapshot, guards: &Guards) -> Self {
        let known = last.quarantine.symbols.iter().map(|entry| (entry.symbol.as_str(), entry)).collect();
        let is_remembered = |step: &&PriceStep| market.as_of() <= step.until;
        let steps = last.quarantine.steps.iter().filter(is_remembered).cloned().collect();
        Self {
            market,
            last,
            known,
            approved: &snapshot.approved,
            split_min_close: guards.split_min_close as f64,
            split_max_turnover: guards.split_max_turnover,
            judgement: Judgement { steps, ..Judgement::default() },
        }
    }

    fn hear(&mut self, index: u32, stock: &'a StockState) {
        let night = Night::of(self.market, index, stock);
        let entry = if self.known.is_empty() { None } else { self.known.get(stock.symbol.as_str()).copied() };
        if entry.is_none() && night.is_quiet() {
            return;
        }
        let ruling = if self.approved.iter().any(|approved| approved.is_spelling_of(&stock.symbol)) {
            if entry.is_some() { Ruling::Release(ReleasedBy::Approval) } else { Ruling::Believed }
        } else {
            match entry {
                Some(entry) => self.review(&night, entry),
                None => self.first_look(&night),
            }
        };
        self.carry_out(&night, entry, ruling);
    }

    /// A stock whose last value was believed.
    fn first_look(&self, night: &Night) -> Ruling {
        if night.last_cap.is_none() {
            return Ruling::Believed;
        }
        if night.cap.is_none() {
            return Ruling::Keep(Anomaly::Vanished);
        }
        let (Some(price), Some(shares)) = (night.price, night.shares) else { return Ruling::Believed };
        if follows(shares, price) {
            return Ruling::Believed;
        }
        if self.is_split(night) && magnitude(shares) < FOLLOW_TOLERANCE {
            return Ruling::Keep(Anomaly::SuspectedSplit);
        }
        if !is_jump(shares) || self.followed_step(night, shares) || night.second_field_agrees() {
            return Ruling::Believed;
        }
        Ruling::Keep(Anomaly::UnexplainedJump)
    }

    /// A stock in quarantine.
    fn review(&self, night: &Night, entry: &Quarantined) -> Ruling {
        match entry.anomaly {
            Anomaly::SuspectedSplit => self.review_split(night, entry),
            Anomaly::UnexplainedJump => self.review_jump(night, entry),
            Anomaly::Vanished => self.review_vanished(night, entry),
        }
    }

    /// Compared with the values of before the split, so `price` and `shares` are the moves since then.
    fn review_split(&self, night: &Night, entry: &Quarantined) -> Ruling {
        if let Some(shares) = night.shares {
            let followed = |price| follows(shares, price);
            if followed(entry.factor) || night.price.is_some_and(followed) {
                return Ruling::Release(ReleasedBy::Split);
            }
        }
        // Nearer to where it was than to where the split had put it.
        if night.price.is_some_and(|price| magnitude(price) < magnitude(entry.factor).sqrt()) {
            return released_by(ReleasedBy::Reverted, self.first_look(night));
        }
        if !entry.is_over(self.market.as_of()) {
            return Ruling::KeepOn { since: entry.since };
        }
        if night.cap.is_none() { Ruling::Keep(Anomaly::Vanished) } else { Ruling::Release(ReleasedBy::Time) }
    }

    fn review_jump(&self, night: &Night, entry: &Quarantined) -> Ruling {
        if night.cap.is_none() {
            return Ruling::Keep(Anomaly::Vanished);
        }
        let mut since = entry.since;
        if let Some(shares) = night.shares {
            if !is_jump(shares) {
                return released_by(ReleasedBy::Reverted, self.first_look(night));
            }
            if night.price.is_some_and(|price| follows(shares, price)) {
                return Ruling::Release(ReleasedBy::Split);
            }
            if night.second_field_agrees() {
                return Ruling::Release(ReleasedBy::SecondField);
            }
            // Another value than the one that has stood until now begins to be confirmed.
            if night.shares_found().zip(entry.shares_found).is_some_and(|(now, then)| is_jump(now / then)) {
                since = self.market.as_of();
            }
        }
        let is_over = Quarantined { since, ..entry.clone() }.is_over(self.market.as_of());
        if is_over { Ruling::Release(ReleasedBy::Time) } else { Ruling::KeepOn { since } }
    }

    fn review_vanished(&self, night: &Night, entry: &Quarantined) -> Ruling {
        if night.cap.is_some() {
            return released_by(ReleasedBy::Reverted, self.first_look(night));
        }
        if entry.is_over(self.market.as_of()) {
            Ruling::Release(ReleasedBy::Time)
        } else {
            Ruling::KeepOn { since: entry.since }
        }
    }

    /// Whether the price has moved as by a split, and not by trading. Shares are split n:1 where they are dear, and merged
    /// at any price.
    fn is_split(&self, night: &Night) -> bool {
        let is_dear = night.stock.close_dollars.is_some_and(|close| close >= self.split_min_close);
        night.price.is_some_and(|price| is_split(price) && (price > 1.0 || is_dear))
            && !self.is_traded_whole(night)
    }

    /// Whether more than the company changed hands in the session of the close. Where either cap is missing there is
    /// nothing to measure that against.
    fn is_traded_whole(&self, night: &Night) -> bool {
        let (Some(cap), Some(last_cap)) = (night.cap, night.last_cap) else { return false };
        // Not the cap as found: after a split it is n times too small, and a busy day would look like n of them. Not the last
        // good one: mergers of shares are traded hotly, one of them twenty times its worth of the day before.
        let company = cap.max(last_cap);
        let traded = self.market.traded(night.index).map(|traded| traded.cents() as f64);
        self.split_max_turnover > 0.0
            && traded.is_some_and(|traded| traded > self.split_max_turnover * company)
    }

    /// The last good cap as the price has moved since. Of a cap that is missing a price that moves as by a split says
    /// nothing; the shares of a jump are compared with it, so it always counts.
    fn rolled_cap(&self, night: &Night, anomaly: Anomaly) -> f64 {
        let factor = if anomaly == Anomaly::Vanished && self.is_split(night) {
            1.0
        } else {
            night.price.unwrap_or(1.0)
        };
        night.last_cap.unwrap_or(0.0) * factor
    }

    fn followed_step(&self, night: &Night, shares: f64) -> bool {
        let of_stock = |step: &&PriceStep| step.symbol.is_spelling_of(&night.stock.symbol);
        self.judgement.steps.iter().filter(of_stock).any(|step| follows(shares, step.factor))
    }

    fn carry_out(&mut self, night: &Night, entry: Option<&Quarantined>, ruling: Ruling) {
        match ruling {
            Ruling::Believed => self.remember_steps(night),
            Ruling::Keep(anomaly) => self.keep(night, self.opened(night, entry, anomaly)),
            Ruling::KeepOn { since } => {
                let entry = entry.expect("only what is in quarantine goes on");
                // Another value than before is another finding.
                let restarts = since != entry.since;
                let kept = if restarts {
                    Quarantined {
                        close_before: entry.close_before,
                        ..self.opened(night, Some(entry), entry.anomaly)
                    }
                } else {
                    entry.clone()
                };
                self.keep(night, kept);
            }
            Ruling::Release(why) => {
                let was = entry.expect("only what is in quarantine is released").clone();
                if was.anomaly == Anomaly::SuspectedSplit && why == ReleasedBy::Time {
                    let until = sessions_later(self.market.as_of(), LATE_STEP_SESSIONS);
                    self.judgement.steps.push(PriceStep {
                        symbol: was.symbol.clone(),
                        factor: was.factor,
                        until,
                    });
                }
                self.judgement.released.push(Released { was, why });
            }
        }
    }

    fn opened(&self, night: &Night, before: Option<&Quarantined>, anomaly: Anomaly) -> Quarantined {
        let factor = match anomaly {
            Anomaly::SuspectedSplit => night.price,
            Anomaly::UnexplainedJump => night.shares,
            Anomaly::Vanished => None,
        };
        Quarantined {
            symbol: night.stock.symbol.clone(),
            anomaly,
            since: self.market.as_of(),
            good_as_of: before.map_or(self.last.as_of, |before| before.good_as_of),
            cap_cents: 0,
            found_cents: None,
            factor: factor.unwrap_or(1.0),
            close_before: night.stock.close_dollars,
            close_found: night.close,
            shares_found: night.shares_found(),
        }
    }

    /// Keeps a stock in quarantine, with the cap and the last good values that follow from its anomaly.
    fn keep(&mut self, night: &Night, mut entry: Quarantined) {
        let stock = night.stock;
        let is_held = entry.anomaly == Anomaly::SuspectedSplit;
        let close_dollars = if is_held { stock.close_dollars } else { night.close.or(stock.close_dollars) };
        let cap_cents =
            if is_held { night.last_cap.unwrap_or(0.0) } else { self.rolled_cap(night, entry.anomaly) };
        entry.symbol = self.market.security(night.index).symbol.clone();
        entry.cap_cents = cap_cents.round() as i64;
        entry.found_cents = night.found.map(|cap| cap.cents() as i64);
        let Night { index, found, .. } = *night;
        let kept = Kept { index, entry, found, close_dollars, shares: stock.shares };
        self.judgement.kept.push(kept);
    }

    /// What shares may follow in the next sessions.
    fn remember_steps(&mut self, night: &Night) {
        let symbol = &night.stock.symbol;
        let factor = match night.shares.filter(|shares| is_jump(*shares)) {
            // A stored cap that stayed while the price moved may come after it.
            Some(shares) if night.is_stored() => Some(shares),
            // They have followed.
            Some(_) => {
                self.judgement.steps.retain(|step| !step.symbol.is_spelling_of(symbol));
                None
            }
            None => night.price.filter(|price| magnitude(*price) >= STEP),
        };
        if let Some(factor) = factor {
            let until = sessions_later(self.market.as_of(), STEP_SESSIONS);
            self.judgement.steps.push(PriceStep { symbol: symbol.clone(), factor, until });
        }
    }

    /// Everything in an order that does not depend on that of rows.
    fn close(mut self) -> Judgement {
        self.judgement.kept.sort_by(|a, b| a.entry.symbol.cmp(&b.entry.symbol));
        self.judgement.places =
            (0..).zip(&self.judgement.kept).map(|(place, kept)| (kept.index, place)).collect();
        self.judgement.released.sort_by(|a, b| a.was.symbol.cmp(&b.was.symbol));
        self.judgement.steps.sort_by(|a, b| (&a.symbol, a.until).cmp(&(&b.symbol, b.until)));
        self.judgement
    }
}

/// A stock that is back where it was, unless there is something else about it.
fn released_by(why: ReleasedBy, first_look: Ruling) -> Ruling {
    match first_look {
        Ruling::Believed => Ruling::Release(why),
        other => other,
    }
}

/// One stock on the date of the market, against its last good values.
struct Night<'a> {
    index: u32,
    stock: &'a StockState,
    security: &'a Security,
    found: Option<Usd>,
    /// The cap as found and the last good one, in cents.
    cap: Option<f64>,
    last_cap: Option<f64>,
    close: Option<f64>,
    /// By what the price has been multiplied since, where both closes are known.
    price: Option<f64>,
    /// By what the shares have been multiplied since: cap / close, where all four are known.
    shares: Option<f64>,
}

impl<'a> Night<'a> {
    fn of(market: &'a Market, index: u32, stock: &'a StockState) -> Self {
        let security = market.security(index);
        let found = market.cap(index);
        let positive = |value: f64| (value > 0.0).then_some(value);
        let cap = found.map(|cap| cap.cents() as f64);
        let last_cap = stock.cap_cents.map(|cents| cents as f64);
        let close = market.close_dollars(index);
        let ratio = |now: Option<f64>, before: Option<f64>| Some(now? / before.and_then(positive)?);
        let price = ratio(close, stock.close_dollars);
        let shares = ratio(ratio(cap, last_cap), price);
        Self { index, stock, security, found, cap, last_cap, close, price, shares }
    }

    /// The shares that cap and close as found make.
    fn shares_found(&self) -> Option<f64> {
        Some(self.cap? / 100.0 / self.close?)
    }

    /// Whether nothing can be the matter: by far the most common case.
    fn is_quiet(&self) -> bool {
        let is_calm = |factor: Option<f64>| factor.is_none_or(|factor| magnitude(factor) < STEP);
        (self.cap.is_some() || self.last_cap.is_none()) && is_calm(self.price) && is_calm(self.shares)
    }

    /// Whether close x shares and the cap that the source stores say the same.
    fn second_field_agrees(&self) -> bool {
        let stored = self.security.stored_cap.positive().and_then(Usd::from_decimal);
        let (Some(product), Some(stored)) = (self.product(), stored) else { return false };
        (product.as_f64() / stored.as_f64() - 1.0).abs() <= AGREE_TOLERANCE
    }

    /// Whether the cap is the one that the source stores.
    fn is_stored(&self) -> bool {
        self.found != self.product()
    }

    fn product(&self) -> Option<Usd> {
        Usd::product(self.security.close_price()?, self.security.shares.positive()?)
    }
}

/// A factor of a half is as large a move as one of two.
fn magnitude(factor: f64) -> f64 {
    factor.max(1.0 / factor)
}

/// Whoever moved by just 1.5x has not jumped.
fn is_jump(shares: f64) -> bool {
    magnitude(shares) > JUMP * (1.0 + EVEN)
}

/// Whether a price moved by 3x or more, and within 10 % of n:1 or 1:n.
fn is_split(price: f64) -> bool {
    let size = magnitude(price);
    let n = size.round();
    size >= SPLIT_MOVE && (size - n).abs() <= n * SPLIT_TOLERANCE
}

/// Whether shares moved as in a split whose price moved by `price`: the other way, by about as much, and nearer to
/// that than to standing still.
fn follows(shares: f64, price: f64) -> bool {
    let off = magnitude(shares * price);
    is_jump(shares) && off <= FOLLOW_TOLERANCE && off <= magnitude(shares).sqrt()
}

/// A split whose price moved by `factor`: `10:1`, or `1:10` where shares are merged.
fn split(factor: f64) -> String {
    let n = magnitude(factor).round();
    if factor < 1.0 { format!("{n}:1") } else { format!("1:{n}") }
}

/// A factor with up to three decimals.
fn times(factor: f64) -> String {
    let text = format!("{factor:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A price with as many decimals as it needs.
fn price(dollars: f64) -> String {
    if dollars < 1.0 { format!("{dollars:.4}") } else { format!("{dollars:.2}") }
}

fn sessions_later(date: NaiveDate, sessions: u32) -> NaiveDate {
    (0..sessions).fold(date, |date, _| next_session(date))
}
