//! The day after: every price moves, some companies come, some go.
//!
//! [`MadeMarket::next_day`] moves a market on and returns a [`DayChange`] that names what happened, so that a
//! screen can say "Velinamark was acquired" and then look for it in the universes. The same market and date always
//! give the same day.
//!
//! # What a day has
//! Seven prices in ten move by about one per cent, the rest by more; that takes about one stock in a hundred over
//! the line of a tier. No price triples and no cap vanishes: a made day is an ordinary one, which no guard should hold.
//! All classes and preferreds of a company follow its first class.

use chrono::{Days, NaiveDate};
use fastrand::Rng;

use super::industries::BLANK_CHECK_SIC;
use super::invent::{bell, pick, spread};
use super::make::{Maker, weekday_at_or_before};
use super::market::{Kind, MadeMarket, MadeSecurity, Tier, seed_for, usual_volume, worth};
use super::prices::{self, Bar, moved};

/// How many of the largest moves a day names.
const NAMED_MOVES: usize = 10;
/// Newcomers are listed on the day itself or up to so many days before: feeds are late.
const DAYS_A_FEED_IS_LATE: u64 = 3;

/// What one day changed. Indices are those of [`MadeMarket::securities`] after the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayChange {
    /// The day.
    pub date: NaiveDate,
    /// The newcomers.
    pub listed: Vec<Listed>,
    /// Who left.
    pub delisted: Vec<Delisted>,
    /// Listed common stocks that are in another tier than the evening before.
    pub tier_moves: Vec<TierMove>,
    /// The largest moves of stocks above 300 million dollars, the largest first.
    pub movers: Vec<Mover>,
    /// All securities whose row differs from the evening before, ascending: those with a new price, newcomers, and
    /// who left.
    pub touched: Vec<usize>,
    /// The day's bars by security, ascending; who left has none.
    pub bars: Vec<(usize, Bar)>,
}

/// A newcomer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its index.
    pub at: usize,
    /// Its ticker.
    pub symbol: String,
    /// Its name.
    pub name: String,
    /// What it is, in words: "a biotech of 5.2 billion".
    pub story: String,
}

/// Who left the market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delisted {
    /// Its index.
    pub at: usize,
    /// Its ticker.
    pub symbol: String,
    /// Its name.
    pub name: String,
    /// Why, in words: "acquired for 41.0 billion".
    pub story: String,
}

/// A stock that crossed the line between two tiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierMove {
    /// Its ticker.
    pub symbol: String,
    /// The tier it left.
    pub from: Tier,
    /// The tier it is in now.
    pub to: Tier,
}

/// A large move of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mover {
    /// Its ticker.
    pub symbol: String,
    /// The move in hundredths of a per cent; negative when it fell.
    pub basis_points: i64,
}

impl MadeMarket {
    /// Moves the market on to the close of `date`, a later day than [`MadeMarket::date`].
    ///
    /// # Panics
    /// When `date` is not later.
    pub fn next_day(&mut self, date: NaiveDate) -> DayChange {
        assert!(date > self.date, "the market stands on {} already: {date} is not the next day", self.date);
        let mut rng = Rng::with_seed(seed_for(self.seed, &date.to_string()));
        self.date = date;
        let delisted = self.delist(&mut rng);
        let day = self.move_prices();
        let listed = self.list_newcomers(rng);
        self.day_change(listed, delisted, day)
    }

    /// Takes one company of 30 to 120 billion and one mid cap off the market as acquired, and some tiny ones.
    fn delist(&mut self, rng: &mut Rng) -> Vec<Delisted> {
        let mut left = Vec::new();
        let large = self.leavers(30_000_000_000, 120_000_000_000);
        let mid = self.leavers(3_000_000_000, 9_000_000_000);
        let tiny = self.leavers(0, 40_000_000);
        for (candidates, count) in [(large, 1), (mid, 1), (tiny, rng.usize(1..=5))] {
            for _ in 0..count {
                let at = pick(rng, &candidates);
                if self.securities[at].active {
                    left.push(self.take_off(at));
                }
            }
        }
        left
    }

    /// Invented stocks of this cap with one share class, nothing else issued, and long listed.
    fn leavers(&self, from: i64, below: i64) -> Vec<usize> {
        let mut has_others = vec![false; self.securities.len()];
        for (at, security) in self.securities.iter().enumerate() {
            if security.leader != at {
                has_others[security.leader] = true;
                has_others[at] = true;
            }
        }
        let month_ago = self.date - Days::new(60);
        let may_leave = |(at, stock): &(usize, &MadeSecurity)| {
            stock.is_listed_stock()
                && !stock.is_well_known
                && !has_others[*at]
                && stock.list_date.is_some_and(|listed| listed < month_ago)
                && stock.cap().is_some_and(|cap| (from..below).contains(&cap))
        };
        self.securities.iter().enumerate().filter(may_leave).map(|(at, _)| at).collect()
    }

    fn take_off(&mut self, at: usize) -> Delisted {
        let date = self.date;
        let stock = &mut self.securities[at];
        stock.active = false;
        stock.delisted_date = Some(date);
        let cap = stock.cap().unwrap_or(0);
        let story = if cap >= 2_000_000_000 {
            format!("acquired for {}", in_words(cap))
        } else {
            "no longer met the exchange's rules".to_owned()
        };
        Delisted { at, symbol: stock.symbol.clone(), name: stock.name.clone(), story }
    }

    /// Moves every listed security; returns the day's bars and what crossed a line.
    fn move_prices(&mut self) -> Day {
        let mut day = Day::default();
        for at in 0..self.securities.len() {
            if !self.securities[at].active || self.securities[at].quiet_sessions > 0 {
                continue;
            }
            let leader = &self.securities[self.securities[at].leader];
            // Drawn anew from the leader's name for each of its lines, so that all of them move alike.
            let leader_cap = leader.market_cap;
            let leader_seed = seed_for(self.seed, &format!("{} {}", leader.symbol, self.date));
            let fraction = day_move(&mut Rng::with_seed(leader_seed), self.securities[at].kind);
            let mut rng = Rng::with_seed(seed_for(leader_seed, &self.securities[at].symbol));
            let security = &mut self.securities[at];
            let before = (security.last_close, security.cap());
            security.last_close = moved(security.last_close, fraction);
            revalue(security, before.0, leader_cap);
            day.note(security, before);
            let volume = usual_volume(security);
            day.bars.push((at, prices::bar(&mut rng, self.date, before.0, security.last_close, volume)));
        }
        self.follow_issuers();
        day
    }

    /// Gives preferreds and their like the cap their issuer has now, whichever of the two moved first.
    fn follow_issuers(&mut self) {
        for at in 0..self.securities.len() {
            if self.securities[at].active && self.securities[at].kind.carries_issuers_cap() {
                self.securities[at].market_cap = self.securities[self.securities[at].leader].market_cap;
            }
        }
    }

    /// Lists three to eight companies: a large one, a biotech and a shell, and up to five others.
    fn list_newcomers(&mut self, rng: Rng) -> Vec<Listed> {
        let date = self.date;
        let mut maker = Maker::new(rng, self);
        let large = spread(&mut maker.rng, 32e9, 60e9, 1.0) as i64;
        let large = maker.add_company_of("7372", large);
        let biotech = spread(&mut maker.rng, 4e9, 8e9, 1.0) as i64;
        let biotech = maker.add_company_of("2836", biotech);
        let shell = maker.add_shell(230_000_000);
        let mut newcomers = vec![large, biotech, shell];
        for _ in 0..maker.rng.usize(0..=5) {
            let cap = spread(&mut maker.rng, 20e6, 1.5e9, 1.0) as i64;
            newcomers.push(maker.add_any_company(Kind::Stock, cap));
        }
        let mut rng = maker.rng;
        for (number, &at) in newcomers.iter().enumerate() {
            // The large one comes on the day itself; the others may have been in the market for some days already.
            let late = if number == 0 { 0 } else { rng.u64(0..=DAYS_A_FEED_IS_LATE) };
            let newcomer = &mut self.securities[at];
            newcomer.list_date = Some(weekday_at_or_before(date - Days::new(late)));
            match number {
                0 => newcomer.sector = Some("Technology"),
                // The code alone says what it does: vendors give the sector days later.
                1 => (newcomer.sector, newcomer.sic_code) = (None, Some("2836")),
                2 => {}
                _ => newcomer.sector = None,
            }
        }
        newcomers.iter().map(|&at| self.introduce(at)).collect()
    }

    fn introduce(&self, at: usize) -> Listed {
        let newcomer = &self.securities[at];
        let what = match newcomer.sic_code {
            Some(BLANK_CHECK_SIC) => "a shell (SIC 6770)",
            Some("2836") => "a biotech (SIC 2836)",
            _ => "a company",
        };
        let story = format!("{what} of {}", in_words(newcomer.cap().unwrap_or(0)));
        Listed { at, symbol: newcomer.symbol.clone(), name: newcomer.name.clone(), story }
    }

    fn day_change(&self, listed: Vec<Listed>, delisted: Vec<Delisted>, mut day: Day) -> DayChange {
        for newcomer in &listed {
            let security = &self.securities[newcomer.at];
            let mut rng = Rng::with_seed(seed_for(self.seed, &security.symbol));
            let close = security.last_close;
            let bar = prices::bar(&mut rng, self.date, moved(close, -0.1), close, usual_volume(security) * 5);
            day.bars.push((newcomer.at, bar));
        }
        let mut touched: Vec<usize> = day.bars.iter().map(|(at, _)| *at).collect();
        touched.extend(delisted.iter().map(|left| left.at));
        touched.sort_unstable();
        day.movers.sort_by(|a, b| {
            b.basis_points.abs().cmp(&a.basis_points.abs()).then_with(|| a.symbol.cmp(&b.symbol))
        });
        day.movers.truncate(NAMED_MOVES);
        let Day { bars, tier_moves, movers } = day;
        DayChange { date: self.date, listed, delisted, tier_moves, movers, touched, bars }
    }
}

/// What is noted while prices move.
#[derive(Default)]
struct Day {
    bars: Vec<(usize, Bar)>,
    tier_moves: Vec<TierMove>,
    movers: Vec<Mover>,
}

impl Day {
    fn note(&mut self, security: &MadeSecurity, (close, cap): (i64, Option<i64>)) {
        let (Some(cap), Some(new_cap), true) = (cap, security.cap(), security.is_listed_stock()) else {
            return;
        };
        let (from, to) = (Tier::of(cap), Tier::of(new_cap));
        if from != to {
            self.tier_moves.push(TierMove { symbol: security.symbol.clone(), from, to });
        }
        let basis_points = (security.last_close - close) * 10_000 / close;
        if to <= Tier::Small && basis_points.abs() >= 500 {
            self.movers.push(Mover { symbol: security.symbol.clone(), basis_points });
        }
    }
}

/// By what fraction a security of this kind moves on one day.
fn day_move(rng: &mut Rng, kind: Kind) -> f64 {
    let width = match rng.u8(0..100) {
        0..70 => 0.01,
        70..88 => 0.028,
        _ => 0.085,
    };
    let company = width * bell(rng);
    match kind {
        Kind::Stock | Kind::Adr => company,
        Kind::Warrant | Kind::Right => company * 1.5,
        Kind::Etf | Kind::Etn | Kind::Etv | Kind::Ets | Kind::Fund => company * 0.4,
        Kind::Preferred | Kind::Bond | Kind::Unit => company * 0.1,
    }
}

/// Brings everything that follows from the price in line with it.
fn revalue(security: &mut MadeSecurity, close_before: i64, leader_cap: Option<i64>) {
    let rolled = |value: i64| worth_rolled(value, close_before, security.last_close);
    security.aum_millions = security.aum_millions.map(rolled);
    security.market_cap = match security.shares {
        Some(shares) => Some(worth(security.last_close, shares)),
        None if security.kind.carries_issuers_cap() => leader_cap,
        None => security.market_cap.map(rolled),
    };
}

/// `value` moved as the close moved.
fn worth_rolled(value: i64, close_before: i64, close: i64) -> i64 {
    (i128::from(value) * i128::from(close) / i128::from(close_before)) as i64
}

/// A cap as one says it: "41.0 billion", "230 million".
fn in_words(cap: i64) -> String {
    let millions = (cap + 500_000) / 1_000_000;
    if millions >= 1_000 {
        format!("{}.{} billion", millions / 1_000, millions % 1_000 / 100)
    } else {
        format!("{millions} million")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn friday() -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, 8, 22).expect("a date")
    }

    fn monday() -> NaiveDate {
        friday() + Days::new(3)
    }

    fn markets() -> (MadeMarket, MadeMarket, DayChange) {
        let before = MadeMarket::new(7, friday());
        let mut after = before.clone();
        let change = after.next_day(monday());
        (before, after, change)
    }

    #[test]
    fn the_same_market_has_the_same_next_day() {
        let (before, after, change) = markets();
        let mut again = before.clone();
        assert_eq!(again.next_day(monday()), change);
        assert_eq!(again, after);
        let mut tuesday = before;
        assert_ne!(tuesday.next_day(monday() + Days::new(1)).tier_moves, change.tier_moves);
    }

    #[test]
    fn newcomers_are_listed_on_the_day_or_shortly_before() {
        let (before, after, change) = markets();
        assert!((3..=8).contains(&change.listed.len()));
        assert_eq!(after.securities().len(), before.securities().len() + change.listed.len());
        for newcomer in &change.listed {
            let security = &after.securities()[newcomer.at];
            let ago = (monday() - security.list_date.expect("newcomers have a listing date")).num_days();
            assert!((0..=5).contains(&ago) && security.is_listed_stock());
            assert!(before.find(&newcomer.symbol).is_none());
        }
        let codes: Vec<_> = change.listed.iter().map(|l| after.securities()[l.at].sic_code).collect();
        assert!(codes.contains(&Some("2836")) && codes.contains(&Some("6770")));
        assert!(after.securities()[change.listed[0].at].cap() > Some(30_000_000_000));
    }

    #[test]
    fn who_leaves_is_inactive_from_that_day_and_has_no_bar() {
        let (before, after, change) = markets();
        assert!((3..=8).contains(&change.delisted.len()));
        for left in &change.delisted {
            assert!(before.securities()[left.at].active);
            assert!(!after.securities()[left.at].active);
            assert_eq!(after.securities()[left.at].delisted_date, Some(monday()));
            assert!(change.bars.iter().all(|(at, _)| *at != left.at));
        }
        let tiers: Vec<_> =
            change.delisted.iter().filter_map(|l| before.securities()[l.at].cap().map(Tier::of)).collect();
        assert!(tiers.contains(&Tier::Large) && tiers.contains(&Tier::Mid));
    }

    #[test]
    fn about_one_stock_in_a_hundred_changes_its_tier() {
        for seed in 0..4 {
            let mut market = MadeMarket::new(seed, friday());
            let stocks = market.securities().iter().filter(|s| s.is_listed_stock()).count();
            let change = market.next_day(monday());
            let share = change.tier_moves.len() as f64 / stocks as f64;
            assert!((0.005..0.02).contains(&share), "seed {seed}: {share}");
            assert!(change.movers.len() == NAMED_MOVES);
        }
    }

    #[test]
    fn most_prices_move_by_less_than_two_per_cent_and_none_doubles() {
        let (before, after, _) = markets();
        let mut moves = Vec::new();
        for (old, new) in before.securities().iter().zip(after.securities()) {
            if old.is_listed_stock() && new.active && old.quiet_sessions == 0 {
                moves.push((new.last_close as f64 / old.last_close as f64 - 1.0).abs());
            }
        }
        assert!(moves.iter().all(|by| *by < 0.3));
        let small = moves.iter().filter(|by| **by < 0.02).count();
        assert!(small * 4 > moves.len() * 3, "{small} of {}", moves.len());
    }

    #[test]
    fn classes_and_preferreds_follow_their_company() {
        let (_, after, _) = markets();
        for security in after.securities().iter().filter(|s| s.active && s.kind.carries_issuers_cap()) {
            assert_eq!(security.market_cap, after.securities()[security.leader].market_cap);
        }
        let ratio = |market: &MadeMarket| {
            let close = |symbol| market.find(symbol).expect("listed").last_close as f64;
            close("GOOG") / close("GOOGL")
        };
        assert!((ratio(&after) - 202.1 / 201.5).abs() < 1e-4);
    }

    #[test]
    fn only_touched_rows_differ() {
        let (before, after, change) = markets();
        let touched: BTreeSet<usize> = change.touched.iter().copied().collect();
        assert_eq!(touched.len(), change.touched.len());
        for at in 0..before.securities().len() {
            let same = before.securities()[at] == after.securities()[at];
            assert!(same || touched.contains(&at), "{}", before.securities()[at].symbol);
        }
    }

    #[test]
    fn twenty_days_in_a_row_keep_every_symbol_apart() {
        let mut market = MadeMarket::new(5, friday());
        for day in 1..=20 {
            market.next_day(friday() + Days::new(day));
        }
        let symbols: BTreeSet<_> =
            market.securities().iter().map(|s| s.symbol.replace(['/', '-'], ".")).collect();
        assert_eq!(symbols.len(), market.securities().len());
    }

    #[test]
    #[should_panic(expected = "is not the next day")]
    fn a_day_that_is_not_later_is_refused() {
        MadeMarket::new(5, friday()).next_day(friday());
    }
}
