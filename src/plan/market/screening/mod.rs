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
//! | suspected split | the close moves as by a split, and the shares stay | the last good one, with the price since | the shares move, the price comes back within 5 sessions, or 120 sessions |
//! | unexplained jump | suspicious shares | the last good one, with the price | it reverts, a split or a second field explains it, or some sessions |
//! | distrusted | a person says so (`cache-sync distrust`) | that of the last value that differs, with the price | it is back, a split explains it, or 120 sessions |
//! | vanished | it had a cap and has none | the last good one, with the price | there is one, or 10 sessions |
//!
//! A person who knows better approves the symbol; then its value of the next run is good. `accept_churn` changes
//! nothing here: it speaks of universes.
//!
//! # Doubt only where doubting does good
//! Most share counts that jump are right: they are issues, mergers and conversions, and doubting them all put twenty
//! stocks into a wrong tier for each one that it kept out. A value is doubted only where labelled nights showed that
//! this is right ten times as often as wrong; the figures stand in `config/cache_sync.toml`.
//!
//! # How the last good values are kept
//! The run state of a stock in quarantine holds them instead of what was found, so every night is compared with them
//! by the same code, whatever has happened in between. Beside them stands a [`Quarantined`] with what was seen and
//! since when. Both go back with the run state where a job is reverted. They belong to the instrument: they follow it
//! to another symbol, and are kept while it is [absent](Quarantine::absent).
//!
//! # Shares are what the cap says
//! We compare cap / close, not the share count: for a cap of close x shares that is the share count, and for one
//! that the source stores it is what the cap means against its price. So one rule serves both, and a change from one to
//! the other is compared too. A stored cap that equals close x shares is the same number twice, and confirms nothing.
//!
//! # Why price steps are remembered
//! A split that was not suspected is no unexplained jump either when its shares come some nights later. Steps of the
//! price are remembered for some sessions, and shares that follow are let through. So are those that follow a suspected
//! split after its time was up.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use rustc_hash::FxHashMap;

use crate::domain::calendar::sessions_between;
use crate::domain::money::Usd;
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;

use super::identity::with_another_owner;
use super::{Market, Standing};
use crate::plan::given::policy::Guards;
use crate::plan::given::snapshot::{RunState, Snapshot, StockState};

mod comparison;
mod counts;
mod split;

pub use crate::plan::given::quarantine::{
    Absent, Anomaly, Distrusted, KnownCount, PriceStep, Quarantine, Quarantined, Released, ReleasedBy,
    TakenValue,
};

use crate::plan::given::quarantine::distrusted::{SAME_PRICE, SAME_SHARES};
use crate::plan::given::quarantine::quarantined::sessions_later;
use crate::plan::given::quarantine::ratio::{SplitRatio, follows, is_jump, magnitude};
use comparison::{Comparison, STEP};
use counts::KnownCounts;
use split::Evidence;

/// The code of the warning that names what is in quarantine.
pub const QUARANTINED: &str = "quarantined";

/// Nothing that was seen longer ago than this can be compared with today.
const MAX_GAP_SESSIONS: u32 = 20;
/// Share counts of companies are sometimes taken from their filings, months after a split.
const CONFIRMED_SPLIT_SESSIONS: u32 = 120;
/// In so many sessions a price that moved as by a split may come back: what is later is news.
const SPIKE_SESSIONS: u32 = 5;
/// A wrong share count that comes again stands for so many sessions at most.
const RECURRING_SESSIONS: u32 = 5;
/// Whoever doubts a value by hand has a reason that may take as long.
const DISTRUSTED_SESSIONS: u32 = 120;
/// A cap that has been missing for so many sessions is gone.
const VANISHED_SESSIONS: u32 = 10;
/// The smallest jump of the shares of a large company that is doubted: of 2x, with some of them issued or bought back.
const LARGE_JUMP: f64 = 1.9;
/// How near to ten, a hundred or a thousand a factor is a slip of the decimal point.
const DECIMAL_TOLERANCE: f64 = 0.005;
/// Shells cost the 10 dollars that they hold for each share, and some interest.
const SHELL_CLOSE: std::ops::RangeInclusive<f64> = 9.5..=11.0;
/// The price of a shell moves by less.
const SHELL_MOVE: f64 = 1.01;
/// Shares that have moved by more since a value was first doubted are mentioned.
const MOVED_SINCE: f64 = 1.02;
/// For so many sessions a step of the price is remembered.
const STEP_SESSIONS: u32 = 5;
/// For so many sessions after its time is up the shares of a suspected split are still let through.
const LATE_STEP_SESSIONS: u32 = 20;

/// What was decided about the stocks of a market.
#[derive(Debug, Default)]
pub(super) struct Screening {
    /// Those in quarantine, by symbol.
    pub(super) carried: Vec<Carried>,
    /// The places of their indices in the market.
    places: FxHashMap<u32, usize>,
    /// Those that were in quarantine until now, by symbol.
    pub(super) released: Vec<Released>,
    /// What the next run has to remember of prices.
    pub(super) steps: Vec<PriceStep>,
    /// What the next run has to remember of share counts.
    pub(super) counts: Vec<KnownCount>,
    /// What the next run has to remember of stocks that are not there.
    pub(super) absent: Vec<Absent>,
}

/// A stock in quarantine, with its last good values as the next run compares with them.
#[derive(Debug, Clone)]
pub(crate) struct Carried {
    pub(super) index: u32,
    pub(super) entry: Quarantined,
    /// The cap as found, to the last digit.
    pub(super) found: Option<Usd>,
    pub(super) close_dollars: Option<f64>,
    pub(super) shares: Option<f64>,
}

impl Screening {
    /// The stock at `index` of the market, where it is in quarantine.
    pub(super) fn carried_at(&self, index: u32) -> Option<&Carried> {
        self.places.get(&index).map(|place| &self.carried[*place])
    }
}

/// Compares every eligible stock of `market`, which has its caps as found, with what the last run kept of it.
pub(super) fn screen(market: &Market, snapshot: &Snapshot, guards: &Guards) -> Screening {
    let as_of = market.as_of();
    let comparable = |last: &&RunState| sessions_between(last.as_of, as_of) <= MAX_GAP_SESSIONS;
    let Some(last) = snapshot.last_run.as_ref().filter(comparable) else { return Screening::default() };
    let mut screener = Screener::new(market, last, snapshot, guards);
    let others = with_another_owner(market, &snapshot.instruments);
    let is_anothers = |symbol: &Symbol| {
        let index = market.index_of(symbol);
        index.is_some_and(|index| others.contains(&index) || market.has_new_owner(index))
    };
    let absent: Vec<StockState> = last.quarantine.absent.iter().map(Absent::state).collect();
    for stock in last.stocks.iter().chain(&absent) {
        let found = market.index_of_member(&stock.symbol).filter(|index| !others.contains(index));
        match found.filter(|index| market.standing(*index) == Standing::Eligible) {
            Some(index) => screener.compare(index, stock),
            // Whoever has the symbol now is not the one that is missed.
            None if is_anothers(&stock.symbol) => {}
            None => screener.miss(stock),
        }
    }
    screener.finish()
}

impl Absent {
    fn state(&self) -> StockState {
        StockState {
            symbol: self.symbol.clone(),
            cap_cents: Some(self.cap_cents),
            close_dollars: Some(self.close_dollars),
            shares: None,
            sector: None,
        }
    }
}

/// The symbols whose volumes a plan has to know: of stocks whose close has moved as by a split since the last run. Most
/// days there are few.
pub fn in_doubt(securities: &[Security], last: Option<&RunState>, guards: &Guards) -> BTreeSet<Symbol> {
    let Some(last) = last.filter(|_| guards.quarantine && guards.asks_for_volumes()) else {
        return BTreeSet::new();
    };
    let closes = last.stocks.iter().filter_map(|stock| Some((stock.symbol.key(), stock.close_dollars?)));
    let mut closes: FxHashMap<Cow<str>, f64> = closes.collect();
    closes.extend(last.quarantine.absent.iter().map(|absent| (absent.symbol.key(), absent.close_dollars)));
    let has_moved = |security: &&Security| {
        let price = || Some(security.close_dollars()? / closes.get(&security.symbol.key())?);
        price().is_some_and(|price| magnitude(price) >= split::SMALLEST_MOVE)
    };
    securities.iter().filter(has_moved).map(|security| security.symbol.clone()).collect()
}

/// Compares one stock after another.
struct Screener<'a> {
    market: &'a Market<'a>,
    last: &'a RunState,
    known: FxHashMap<&'a str, &'a Quarantined>,
    approved: &'a [Symbol],
    distrusted: &'a [Distrusted],
    guards: &'a Guards,
    counts: KnownCounts,
    absent: BTreeMap<Symbol, Absent>,
    screening: Screening,
}

/// What becomes of one stock.
#[derive(Clone, Copy)]
enum Decision {
    /// Its value is taken as found.
    Believe,
    /// The price moved as by a split.
    SuspectSplit(Evidence),
    /// Its shares are not believed, for so many sessions.
    DoubtShares { sessions: u32 },
    /// It has no cap any more.
    Vanished,
    /// It stays in quarantine.
    KeepOn { since: NaiveDate },
    /// It is believed again.
    Release(ReleasedBy),
}

impl<'a> Screener<'a> {
    fn new(market: &'a Market<'a>, last: &'a RunState, snapshot: &'a Snapshot, guards: &'a Guards) -> Self {
        let known = last.quarantine.symbols.iter().map(|entry| (entry.symbol.as_str(), entry)).collect();
        let is_remembered = |step: &&PriceStep| market.as_of() <= step.until;
        let steps = last.quarantine.steps.iter().filter(is_remembered).cloned().collect();
        Self {
            market,
            last,
            known,
            approved: &snapshot.approved,
            distrusted: &snapshot.distrusted,
            guards,
            counts: KnownCounts::of(&last.quarantine.counts, market.as_of()),
            absent: BTreeMap::new(),
            screening: Screening { steps, ..Screening::default() },
        }
    }

    fn compare(&mut self, index: u32, stock: &'a StockState) {
        let is_of_stock = |other: &&Distrusted| other.symbol.is_spelling_of(&stock.symbol);
        if let Some(distrusted) = self.distrusted.iter().find(is_of_stock) {
            return self.distrust(index, &stock.symbol, &distrusted.good);
        }
        let entry = if self.known.is_empty() { None } else { self.known.get(stock.symbol.as_str()).copied() };
        let comparison = Comparison::of(self.market, index, stock, entry);
        if entry.is_none() && comparison.is_quiet() {
            return;
        }
        let decision = if self.approved.iter().any(|approved| approved.is_spelling_of(&stock.symbol)) {
            if entry.is_some() { Decision::Release(ReleasedBy::Approval) } else { Decision::Believe }
        } else {
            match entry {
                Some(entry) => self.review(&comparison, entry),
                None => self.first_look(&comparison),
            }
        };
        self.carry_out(&comparison, entry, decision);
    }

    /// A stock whose value a person does not believe, unless it is back already.
    fn distrust(&mut self, index: u32, symbol: &Symbol, good: &TakenValue) {
        let (cap_cents, close_dollars) = (Some(good.cap_cents), Some(good.close_dollars));
        let stock =
            StockState { symbol: symbol.clone(), cap_cents, close_dollars, shares: None, sector: None };
        let comparison = Comparison::of(self.market, index, &stock, None);
        let has_moved = |factor: Option<f64>, same: f64| factor.is_some_and(|f| magnitude(f) >= same);
        let have_shares_moved = has_moved(comparison.shares, SAME_SHARES);
        if !have_shares_moved && !has_moved(comparison.price, SAME_PRICE) {
            return self.remember(&comparison);
        }
        let opened = self.opened(&comparison, None, Anomaly::Distrusted);
        let good_cap_cents = (!have_shares_moved).then_some(good.cap_cents);
        let factor = if have_shares_moved { comparison.shares } else { comparison.price };
        self.carry(
            &comparison,
            Quarantined {
                good_as_of: good.as_of,
                factor: factor.unwrap_or(1.0),
                good_cap_cents,
                sessions: Some(DISTRUSTED_SESSIONS),
                ..opened
            },
        );
    }

    /// A stock that is not there: its values are kept for when it comes back.
    fn miss(&mut self, stock: &StockState) {
        let (Some(cap_cents), Some(close_dollars)) = (stock.cap_cents, stock.close_dollars) else { return };
        let before = self.last.quarantine.absent.iter().find(|absent| absent.symbol == stock.symbol);
        let seen = before.map_or(self.last.as_of, |absent| absent.seen);
        if sessions_between(seen, self.market.as_of()) <= MAX_GAP_SESSIONS {
            let symbol = stock.symbol.clone();
            self.absent.entry(symbol.clone()).or_insert(Absent { symbol, seen, cap_cents, close_dollars });
        }
    }

    /// A stock whose last value was believed.
    fn first_look(&self, comparison: &Comparison) -> Decision {
        if comparison.last_cap.is_none() {
            return Decision::Believe;
        }
        if comparison.cap.is_none() {
            return if self.is_shell(comparison) { Decision::Believe } else { Decision::Vanished };
        }
        let (Some(price), Some(shares)) = (comparison.price, comparison.shares) else {
            return Decision::Believe;
        };
        if follows(shares, price) {
            return Decision::Believe;
        }
        if let Some(evidence) = split::is_suspected(comparison, self.guards) {
            return Decision::SuspectSplit(evidence);
        }
        if !is_jump(shares) || self.followed_step(comparison, shares) || comparison.second_field_agrees() {
            return Decision::Believe;
        }
        self.is_suspicious(comparison, shares)
            .map_or(Decision::Believe, |sessions| Decision::DoubtShares { sessions })
    }

    /// For how many sessions a jump of the shares is doubted, if it is: of a count that was wrong before, of a large
    /// company, and one that looks like a slip of the decimal point.
    fn is_suspicious(&self, comparison: &Comparison, shares: f64) -> Option<u32> {
        let sessions = self.guards.jump_sessions;
        let (symbol, count) = (&comparison.stock.symbol, comparison.shares_found()?);
        if sessions == 0 {
            return None;
        }
        if self.counts.is_wrong(symbol, count) {
            return Some(RECURRING_SESSIONS.max(sessions));
        }
        // The first counts of a listing are often corrected.
        if self.counts.was_left(symbol, count) || self.market.is_recently_listed(comparison.index) {
            return None;
        }
        let is_large = comparison.last_cap? >= self.guards.jump_min_cap as f64 * 100.0;
        let is_doubtful = (is_large && magnitude(shares) >= LARGE_JUMP) || is_decimal_slip(shares);
        is_doubtful.then_some(sessions)
    }

    /// A shell that finds its business loses its share count for good. Few sources say what is one, but all cost their 10
    /// dollars, day after day.
    fn is_shell(&self, comparison: &Comparison) -> bool {
        let costs_ten = comparison.stock.close_dollars.is_some_and(|close| SHELL_CLOSE.contains(&close));
        let is_flat = comparison.price.is_some_and(|price| magnitude(price) < SHELL_MOVE);
        (costs_ten && is_flat) || self.market.security(comparison.index).is_blank_check()
    }

    /// A stock in quarantine.
    fn review(&self, comparison: &Comparison, entry: &Quarantined) -> Decision {
        match entry.anomaly {
            Anomaly::SuspectedSplit => self.review_split(comparison, entry),
            Anomaly::UnexplainedJump => self.review_jump(comparison, entry),
            Anomaly::Vanished => self.review_vanished(comparison, entry),
            Anomaly::Distrusted => self.review_distrusted(comparison, entry),
        }
    }

    /// Compared with the good value, so it is back where it is nearer to that than to what was doubted.
    fn review_distrusted(&self, comparison: &Comparison, entry: &Quarantined) -> Decision {
        let moved = if entry.doubts_price() { comparison.price } else { comparison.shares };
        if moved.is_some_and(|moved| magnitude(moved) < magnitude(entry.factor).sqrt()) {
            return Decision::Release(ReleasedBy::Reverted);
        }
        if comparison.shares.zip(comparison.price).is_some_and(|(shares, price)| follows(shares, price)) {
            return Decision::Release(ReleasedBy::Split);
        }
        if entry.is_over(self.market.as_of()) {
            Decision::Release(ReleasedBy::Time)
        } else {
            Decision::KeepOn { since: entry.since }
        }
    }

    /// Compared with the values of before the split, so `price` and `shares` are the moves since then.
    fn review_split(&self, comparison: &Comparison, entry: &Quarantined) -> Decision {
        if let Some(shares) = comparison.shares {
            let followed = |price| follows(shares, price);
            if followed(entry.factor) || comparison.price.is_some_and(followed) {
                return Decision::Release(ReleasedBy::Split);
            }
            if is_jump(shares) {
                return Decision::Release(ReleasedBy::Shares);
            }
        }
        let sessions = sessions_between(entry.since, self.market.as_of());
        // Nearer to where it was than to where the split had put it.
        let is_back = |price: f64| magnitude(price) < magnitude(entry.factor).sqrt();
        if sessions < SPIKE_SESSIONS && comparison.price.is_some_and(is_back) {
            return released_by(ReleasedBy::Reverted, self.first_look(comparison));
        }
        if !entry.is_over(self.market.as_of()) {
            return Decision::KeepOn { since: entry.since };
        }
        if comparison.cap.is_none() { Decision::Vanished } else { Decision::Release(ReleasedBy::Time) }
    }

    fn review_jump(&self, comparison: &Comparison, entry: &Quarantined) -> Decision {
        if comparison.cap.is_none() {
            return Decision::Vanished;
        }
        let mut since = entry.since;
        if let Some(shares) = comparison.shares {
            if !is_jump(shares) {
                return released_by(ReleasedBy::Reverted, self.first_look(comparison));
            }
            if comparison.price.is_some_and(|price| follows(shares, price)) {
                return Decision::Release(ReleasedBy::Split);
            }
            if comparison.second_field_agrees() {
                return Decision::Release(ReleasedBy::SecondField);
            }
            // Another value than the one that has stood until now begins to be confirmed.
            let found = comparison.shares_found().zip(entry.shares_found);
            if found.is_some_and(|(now, then)| is_jump(now / then)) {
                since = self.market.as_of();
            }
        }
        let is_over = Quarantined { since, ..entry.clone() }.is_over(self.market.as_of());
        if is_over { Decision::Release(ReleasedBy::Time) } else { Decision::KeepOn { since } }
    }

    fn review_vanished(&self, comparison: &Comparison, entry: &Quarantined) -> Decision {
        if comparison.cap.is_some() {
            return released_by(ReleasedBy::Reverted, self.first_look(comparison));
        }
        if entry.is_over(self.market.as_of()) {
            Decision::Release(ReleasedBy::Time)
        } else {
            Decision::KeepOn { since: entry.since }
        }
    }

    fn followed_step(&self, comparison: &Comparison, shares: f64) -> bool {
        let of_stock = |step: &&PriceStep| step.symbol.is_spelling_of(&comparison.stock.symbol);
        self.screening.steps.iter().filter(of_stock).any(|step| follows(shares, step.factor))
    }

    fn carry_out(&mut self, comparison: &Comparison, entry: Option<&Quarantined>, decision: Decision) {
        match decision {
            Decision::Believe => self.remember(comparison),
            Decision::SuspectSplit(evidence) => {
                let sessions = evidence.turnover.map(|_| CONFIRMED_SPLIT_SESSIONS);
                let opened = self.opened(comparison, entry, Anomaly::SuspectedSplit);
                let good_cap_cents = comparison.last_cap.map(|cap| cap.round() as i64);
                let turnover = evidence.turnover;
                self.carry(comparison, Quarantined { good_cap_cents, turnover, sessions, ..opened });
            }
            Decision::DoubtShares { sessions } => {
                let opened = self.opened(comparison, entry, Anomaly::UnexplainedJump);
                self.carry(comparison, Quarantined { sessions: Some(sessions), ..opened });
            }
            Decision::Vanished => {
                let opened = self.opened(comparison, entry, Anomaly::Vanished);
                self.carry(comparison, Quarantined { sessions: Some(VANISHED_SESSIONS), ..opened });
            }
            Decision::KeepOn { since } => {
                let entry = entry.expect("only what is in quarantine goes on");
                self.carry(comparison, self.kept_on(comparison, entry, since));
            }
            Decision::Release(why) => {
                let was = entry.expect("only what is in quarantine is released").clone();
                self.release(comparison, was, why);
            }
        }
    }

    /// Another value than before is another finding.
    fn kept_on(&self, comparison: &Comparison, entry: &Quarantined, since: NaiveDate) -> Quarantined {
        if since == entry.since {
            return entry.clone();
        }
        let opened = self.opened(comparison, Some(entry), entry.anomaly);
        Quarantined { close_before: entry.close_before, sessions: entry.sessions, ..opened }
    }

    fn release(&mut self, comparison: &Comparison, was: Quarantined, why: ReleasedBy) {
        let as_of = self.market.as_of();
        match (was.anomaly, why) {
            (Anomaly::SuspectedSplit, ReleasedBy::Time) => {
                let until = sessions_later(as_of, LATE_STEP_SESSIONS);
                let symbol = comparison.stock.symbol.clone();
                self.screening.steps.push(PriceStep { symbol, factor: was.factor, until });
            }
            (Anomaly::UnexplainedJump | Anomaly::Distrusted, ReleasedBy::Reverted)
                if was.good_cap().is_none() =>
            {
                if let Some(shares) = was.shares_found {
                    self.counts.refute(&comparison.stock.symbol, shares, as_of);
                }
            }
            (Anomaly::UnexplainedJump, ReleasedBy::Time | ReleasedBy::Approval) => {
                if let Some(shares) = was.shares_found {
                    self.counts.forget(&comparison.stock.symbol, shares);
                }
            }
            _ => {}
        }
        self.screening.released.push(Released { was, why });
    }

    fn opened(&self, comparison: &Comparison, before: Option<&Quarantined>, anomaly: Anomaly) -> Quarantined {
        let factor = match anomaly {
            Anomaly::SuspectedSplit => comparison.price,
            Anomaly::UnexplainedJump => comparison.shares,
            Anomaly::Vanished | Anomaly::Distrusted => None,
        };
        Quarantined {
            symbol: comparison.stock.symbol.clone(),
            anomaly,
            since: self.market.as_of(),
            good_as_of: before.map_or(self.last.as_of, |before| before.good_as_of),
            cap_cents: 0,
            found_cents: None,
            factor: factor.unwrap_or(1.0),
            close_before: comparison.stock.close_dollars,
            close_found: comparison.close,
            shares_found: comparison.shares_found(),
            good_cap_cents: None,
            turnover: None,
            sessions: None,
            shares_since: None,
        }
    }

    /// Keeps a stock in quarantine, with the cap and the last good values that follow from its anomaly.
    fn carry(&mut self, comparison: &Comparison, mut entry: Quarantined) {
        let stock = comparison.stock;
        let doubts_price = entry.doubts_price();
        let close_dollars =
            if doubts_price { stock.close_dollars } else { comparison.close.or(stock.close_dollars) };
        let cap_cents = match entry.anomaly {
            Anomaly::SuspectedSplit => self.cap_of_split(comparison, &entry),
            Anomaly::Distrusted if doubts_price => comparison.last_cap.unwrap_or(0.0),
            anomaly => rolled(comparison, anomaly),
        };
        entry.shares_since = comparison
            .shares_found()
            .zip(entry.shares_found)
            .map(|(now, then)| now / then)
            .filter(|since| magnitude(*since) >= MOVED_SINCE);
        entry.symbol = self.market.security(comparison.index).symbol.clone();
        entry.cap_cents = cap_cents.round() as i64;
        entry.found_cents = comparison.found.map(|cap| cap.cents() as i64);
        let Comparison { index, found, .. } = *comparison;
        let carried = Carried { index, entry, found, close_dollars, shares: stock.shares };
        self.screening.carried.push(carried);
    }

    /// The last good cap as the price has moved since the session of the split; in that session too, where the ratio is
    /// plain from the price.
    fn cap_of_split(&self, comparison: &Comparison, entry: &Quarantined) -> f64 {
        let good = comparison.last_cap.unwrap_or(0.0);
        let since = comparison.close.zip(entry.close_found).map_or(1.0, |(now, then)| now / then);
        let is_large = good >= self.guards.jump_min_cap as f64 * 100.0;
        let ratio = SplitRatio::near(entry.factor).filter(|_| entry.factor < 1.0 || is_large);
        let on_the_day = ratio.map_or(1.0, |ratio| {
            if entry.factor < 1.0 { entry.factor * ratio.n } else { entry.factor / ratio.n }
        });
        good * since * on_the_day
    }

    /// What shares may follow in the next sessions, and which counts were left.
    fn remember(&mut self, comparison: &Comparison) {
        let (symbol, as_of) = (&comparison.stock.symbol, self.market.as_of());
        let jump = comparison.shares.filter(|shares| is_jump(*shares));
        if let (Some(_), Some(before), Some(found)) =
            (jump, comparison.shares_before(), comparison.shares_found())
        {
            // Back at the count that it had: the one between was wrong.
            if self.counts.was_left(symbol, found)
                && comparison.price.is_some_and(|price| magnitude(price) < STEP)
            {
                self.counts.forget(symbol, found);
                self.counts.refute(symbol, before, as_of);
            } else {
                self.counts.leave(symbol, before, as_of);
            }
        }
        let factor = match jump {
            // A stored cap that stayed while the price moved may come after it.
            Some(shares) if comparison.is_stored() => Some(shares),
            // They have followed.
            Some(_) => {
                self.screening.steps.retain(|step| !step.symbol.is_spelling_of(symbol));
                None
            }
            None => comparison.price.filter(|price| magnitude(*price) >= STEP),
        };
        if let Some(factor) = factor {
            let until = sessions_later(as_of, STEP_SESSIONS);
            self.screening.steps.push(PriceStep { symbol: symbol.clone(), factor, until });
        }
    }

    /// Everything in an order that does not depend on that of rows.
    fn finish(self) -> Screening {
        let Self { mut screening, counts, absent, .. } = self;
        screening.carried.sort_by(|a, b| a.entry.symbol.cmp(&b.entry.symbol));
        screening.places =
            (0..).zip(&screening.carried).map(|(place, carried)| (carried.index, place)).collect();
        screening.released.sort_by(|a, b| a.was.symbol.cmp(&b.was.symbol));
        screening.steps.sort_by(|a, b| (&a.symbol, a.until).cmp(&(&b.symbol, b.until)));
        screening.counts = counts.into_sorted();
        screening.absent = absent.into_values().collect();
        screening
    }
}

/// The last good cap as the price has moved since. Of a cap that is missing a price that moves as by a split says
/// nothing; the shares of a jump are compared with it, so it always counts.
fn rolled(comparison: &Comparison, anomaly: Anomaly) -> f64 {
    let price = comparison.price.unwrap_or(1.0);
    let is_as_by_a_split = split::is_large_move(price) && SplitRatio::near(price).is_some();
    let says_nothing = anomaly == Anomaly::Vanished && is_as_by_a_split;
    comparison.last_cap.unwrap_or(0.0) * if says_nothing { 1.0 } else { price }
}

/// A stock that is back where it was, unless there is something else about it.
fn released_by(why: ReleasedBy, first_look: Decision) -> Decision {
    match first_look {
        Decision::Believe => Decision::Release(why),
        other => other,
    }
}

/// Whether shares were multiplied by ten, a hundred or a thousand. Divided by ten or a hundred they mostly follow a
/// merger that came long before.
fn is_decimal_slip(shares: f64) -> bool {
    let is_near = |factor: f64, n: f64| (factor / n - 1.0).abs() <= DECIMAL_TOLERANCE;
    [10.0, 100.0, 1_000.0].into_iter().any(|n| is_near(shares, n)) || is_near(1.0 / shares, 1_000.0)
}
