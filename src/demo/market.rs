//! A made stock market: thousands of securities with prices, the same ones from the same seed.
//!
//! [`MadeMarket::new`] makes a market as it stands on one evening: the companies everyone knows beside invented
//! ones, in the proportions of the American listings, with everything that makes a real feed hard to read:
//! preferreds that carry their issuer's cap, two share classes of one company, shells, blanks, vendor spellings,
//! tickers named `NA` and `TRUE`. [`MadeMarket::bars`] gives a security its past, [`MadeMarket::next_day`] moves
//! the market on by one day. All prices are made up.
//!
//! # Why made and not recorded
//! A recorded market is somebody's property, large, and ends. A made one needs no download, has any size a
//! measurement asks for, and a next day whose listings and delistings are known beforehand.

use chrono::NaiveDate;

use super::invent::Registry;
use super::prices::{Bar, Walk};

/// How many securities [`MadeMarket::new`] makes.
pub const USUAL_SIZE: usize = 6_000;
/// The smallest market: below this, the well-known companies would push the proportions aside.
pub const SMALLEST_SIZE: usize = 3_000;

/// What a security is, as the `type` column says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Common stock.
    Stock,
    /// American depositary receipt.
    Adr,
    /// Preferred stock; carries its issuer's cap.
    Preferred,
    /// Warrant; carries its issuer's cap.
    Warrant,
    /// Unit of a shell: a share and part of a warrant; carries its issuer's cap.
    Unit,
    /// Right; carries its issuer's cap.
    Right,
    /// Closed-end fund.
    Fund,
    /// Exchange-listed note of a company; carries its issuer's cap.
    Bond,
    /// Exchange-traded fund.
    Etf,
    /// Exchange-traded note.
    Etn,
    /// Exchange-traded vehicle.
    Etv,
    /// Exchange-traded structured product.
    Ets,
}

impl Kind {
    /// The text in the `type` column.
    pub fn code(self) -> &'static str {
        match self {
            Kind::Stock => "CS",
            Kind::Adr => "ADRC",
            Kind::Preferred => "PFD",
            Kind::Warrant => "WARRANT",
            Kind::Unit => "UNIT",
            Kind::Right => "RIGHT",
            Kind::Fund => "FUND",
            Kind::Bond => "BOND",
            Kind::Etf => "ETF",
            Kind::Etn => "ETN",
            Kind::Etv => "ETV",
            Kind::Ets => "ETS",
        }
    }

    /// True for securities whose row carries the cap of the company that issued them.
    pub fn carries_issuers_cap(self) -> bool {
        matches!(self, Kind::Preferred | Kind::Warrant | Kind::Unit | Kind::Right | Kind::Bond)
    }

    /// True for funds, notes and vehicles traded on an exchange.
    pub fn is_exchange_traded_fund(self) -> bool {
        matches!(self, Kind::Etf | Kind::Etn | Kind::Etv | Kind::Ets)
    }
}

/// The size class of a company by its cap in dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// 200 billion and more.
    Mega,
    /// 10 to 200 billion.
    Large,
    /// 2 to 10 billion.
    Mid,
    /// 300 million to 2 billion.
    Small,
    /// 50 to 300 million.
    Micro,
    /// Below 50 million.
    Below,
}

impl Tier {
    /// All tiers, the largest companies first.
    pub const ALL: [Tier; 6] = [Tier::Mega, Tier::Large, Tier::Mid, Tier::Small, Tier::Micro, Tier::Below];

    /// The tier of a cap in dollars; a cap on the line belongs to the upper one.
    pub fn of(cap: i64) -> Tier {
        match cap {
            200_000_000_000.. => Tier::Mega,
            10_000_000_000.. => Tier::Large,
            2_000_000_000.. => Tier::Mid,
            300_000_000.. => Tier::Small,
            50_000_000.. => Tier::Micro,
            _ => Tier::Below,
        }
    }

    /// Its name in words: "large cap".
    pub fn label(self) -> &'static str {
        match self {
            Tier::Mega => "mega cap",
            Tier::Large => "large cap",
            Tier::Mid => "mid cap",
            Tier::Small => "small cap",
            Tier::Micro => "micro cap",
            Tier::Below => "below micro cap",
        }
    }
}

/// One row of the made `symbols` table, and what its bars are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeSecurity {
    /// The ticker as this feed spells it.
    pub symbol: String,
    /// The name.
    pub name: String,
    /// The type.
    pub kind: Kind,
    /// False once delisted.
    pub active: bool,
    /// The vendor's cap in whole dollars; that of the issuer where [`Kind::carries_issuers_cap`].
    pub market_cap: Option<i64>,
    /// Shares outstanding, weighted over all classes of the company.
    pub shares: Option<i64>,
    /// The sector in a vendor's spelling.
    pub sector: Option<&'static str>,
    /// The industry text.
    pub industry: Option<&'static str>,
    /// The SIC code, four digits.
    pub sic_code: Option<&'static str>,
    /// The exchange.
    pub exchange: &'static str,
    /// The first trading day.
    pub list_date: Option<NaiveDate>,
    /// The first day on which it was no longer traded.
    pub delisted_date: Option<NaiveDate>,
    /// The issuer's central index key, ten digits.
    pub cik: Option<String>,
    /// The instrument's FIGI in this country.
    pub composite_figi: Option<String>,
    /// The FIGI of the share class.
    pub share_class_figi: Option<String>,
    /// The vendor's type text of an exchange-traded fund.
    pub etf_type: Option<&'static str>,
    /// The house that runs a fund.
    pub issuer: Option<&'static str>,
    /// Assets of a fund in millions of dollars.
    pub aum_millions: Option<i64>,
    /// Years of rising dividends: never known here, as in most feeds.
    pub dividend_growth_years: Option<i32>,
    /// The latest close, in ten-thousandths of a dollar.
    pub last_close: i64,
    /// True for a company or fund that exists outside this market.
    pub is_well_known: bool,
    /// Index of the security that leads the company's price: its own, or that of the issuer or first class.
    pub(super) leader: usize,
    /// For how many sessions it has not traded.
    pub(super) quiet_sessions: usize,
}

impl MadeSecurity {
    /// Close times shares in whole dollars, else the vendor's cap: what a ranking goes by.
    pub fn cap(&self) -> Option<i64> {
        match self.shares {
            Some(shares) => Some(worth(self.last_close, shares)),
            None => self.market_cap,
        }
    }

    /// True for common stock that is listed: what stock universes are made of.
    pub fn is_listed_stock(&self) -> bool {
        self.active && self.kind == Kind::Stock
    }
}

/// A market on one evening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeMarket {
    pub(super) seed: u64,
    pub(super) date: NaiveDate,
    pub(super) securities: Vec<MadeSecurity>,
    pub(super) registry: Registry,
}

impl MadeMarket {
    /// A market of [`USUAL_SIZE`] securities as it stands after the close of `date`.
    pub fn new(seed: u64, date: NaiveDate) -> MadeMarket {
        MadeMarket::sized(seed, date, USUAL_SIZE)
    }

    /// A market of exactly `securities` securities in the same proportions; the well-known ones are the same in
    /// every size.
    ///
    /// # Panics
    /// Below [`SMALLEST_SIZE`].
    pub fn sized(seed: u64, date: NaiveDate, securities: usize) -> MadeMarket {
        assert!(
            securities >= SMALLEST_SIZE,
            "a made market needs at least {SMALLEST_SIZE} securities to keep its proportions, not {securities}"
        );
        super::make::market(seed, date, securities)
    }

    /// The evening it stands on.
    pub fn date(&self) -> NaiveDate {
        self.date
    }

    /// All securities, in the order they were made: an index into this stays valid for good.
    pub fn securities(&self) -> &[MadeSecurity] {
        &self.securities
    }

    /// The security spelled `symbol` in this feed. Walks through all of them.
    pub fn find(&self, symbol: &str) -> Option<&MadeSecurity> {
        self.securities.iter().find(|security| security.symbol == symbol)
    }

    /// Replaces `bars` by the daily bars of security `at` on those of `sessions` on which it traded, oldest first.
    /// `sessions` are ascending and end on [`MadeMarket::date`]; the last bar closes at `last_close`.
    pub fn bars(&self, at: usize, sessions: &[NaiveDate], bars: &mut Vec<Bar>) {
        let security = &self.securities[at];
        let walk = Walk {
            seed: seed_for(self.seed, &security.symbol),
            last_close: security.last_close,
            usual_volume: usual_volume(security),
            daily_move: daily_move(security.kind),
        };
        walk.fill(traded_sessions(security, sessions), bars);
    }

    /// How many bars [`MadeMarket::bars`] gives security `at`.
    pub fn bar_count(&self, at: usize, sessions: &[NaiveDate]) -> usize {
        traded_sessions(&self.securities[at], sessions).len()
    }
}

/// Those of `sessions` on which the security traded: from its listing, before its delisting, but for the quiet
/// ones at the end.
fn traded_sessions<'a>(security: &MadeSecurity, sessions: &'a [NaiveDate]) -> &'a [NaiveDate] {
    let from = match security.list_date {
        Some(listed) => sessions.partition_point(|&session| session < listed),
        None => 0,
    };
    let to = match security.delisted_date {
        Some(delisted) => sessions.partition_point(|&session| session < delisted),
        None => sessions.len().saturating_sub(security.quiet_sessions),
    };
    sessions.get(from..to).unwrap_or(&[])
}

/// Close (ten-thousandths of a dollar) times shares, in whole dollars, cut off below.
pub(super) fn worth(close: i64, shares: i64) -> i64 {
    let dollars = i128::from(close) * i128::from(shares) / 10_000;
    i64::try_from(dollars).expect("no made company is worth more than nine quintillion dollars")
}

/// The usual shares traded in a day: a four-hundredth of the company changes hands.
pub(super) fn usual_volume(security: &MadeSecurity) -> i64 {
    let dollars = match (security.aum_millions, security.market_cap) {
        (Some(millions), _) => millions * 1_000_000 / 100,
        (None, Some(cap)) if !security.kind.carries_issuers_cap() => cap / 400,
        _ => 2_000_000,
    };
    (i128::from(dollars) * 10_000 / i128::from(security.last_close)).clamp(1_000, 900_000_000) as i64
}

/// How far a usual day moves the price of such a security, as a fraction.
fn daily_move(kind: Kind) -> f64 {
    match kind {
        Kind::Stock | Kind::Adr => 0.016,
        Kind::Warrant | Kind::Right => 0.03,
        Kind::Etf | Kind::Etn | Kind::Etv | Kind::Ets | Kind::Fund => 0.008,
        Kind::Preferred | Kind::Bond | Kind::Unit => 0.003,
    }
}

/// A seed of its own for everything that goes by a text, so that no draw depends on another's.
pub(super) fn seed_for(seed: u64, text: &str) -> u64 {
    // FNV-1a: the standard library's hasher may change from release to release, and every price with it.
    text.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn friday() -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, 8, 22).expect("a date")
    }

    fn share(market: &MadeMarket, tier: Tier) -> f64 {
        let stocks: Vec<_> = market.securities().iter().filter(|s| s.is_listed_stock()).collect();
        let in_tier = stocks.iter().filter(|s| s.cap().map(Tier::of) == Some(tier)).count();
        in_tier as f64 / stocks.len() as f64
    }

    #[test]
    fn the_same_seed_makes_the_same_market_and_another_seed_another() {
        let market = MadeMarket::new(7, friday());
        assert_eq!(market, MadeMarket::new(7, friday()));
        assert_ne!(market.securities(), MadeMarket::new(8, friday()).securities());
    }

    #[test]
    fn a_market_has_exactly_the_size_asked_for() {
        assert_eq!(MadeMarket::new(1, friday()).securities().len(), USUAL_SIZE);
        assert_eq!(MadeMarket::sized(1, friday(), 20_001).securities().len(), 20_001);
    }

    #[test]
    fn tiers_keep_their_shares_in_every_size() {
        for size in [USUAL_SIZE, 30_000] {
            let market = MadeMarket::sized(3, friday(), size);
            for (tier, wanted) in [
                (Tier::Mega, 0.014),
                (Tier::Large, 0.16),
                (Tier::Mid, 0.21),
                (Tier::Small, 0.25),
                (Tier::Micro, 0.16),
            ] {
                let seen = share(&market, tier);
                assert!((seen - wanted).abs() < 0.012, "{size}: {tier:?} is {seen:.4}, not {wanted}");
            }
        }
    }

    #[test]
    fn most_securities_are_stocks_and_every_kind_is_there() {
        let market = MadeMarket::new(3, friday());
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        for security in market.securities() {
            *kinds.entry(security.kind).or_default() += 1;
        }
        assert_eq!(kinds.len(), 12, "{kinds:?}");
        assert!(kinds[&Kind::Stock] >= 4_000);
        assert!(kinds[&Kind::Etf] >= 400);
        assert!(market.securities().iter().filter(|s| !s.active).count() >= 50);
    }

    #[test]
    fn no_two_symbols_read_the_same() {
        let market = MadeMarket::sized(5, friday(), 50_000);
        let mut seen = BTreeSet::new();
        for security in market.securities() {
            assert!(security.symbol.len() <= 20);
            assert!(seen.insert(security.symbol.replace(['/', '-'], ".")), "{}", security.symbol);
        }
    }

    #[test]
    fn preferreds_and_their_like_carry_the_cap_of_their_issuer() {
        let market = MadeMarket::new(3, friday());
        let mut carriers = 0;
        for security in market.securities().iter().filter(|s| s.kind.carries_issuers_cap()) {
            let issuer = &market.securities()[security.leader];
            assert_eq!(issuer.kind, Kind::Stock);
            assert_eq!(security.cik, issuer.cik);
            assert_eq!(security.market_cap, issuer.market_cap);
            carriers += 1;
        }
        assert!(carriers > 500);
    }

    #[test]
    fn the_tickers_that_trap_programs_are_there() {
        let market = MadeMarket::new(3, friday());
        for trap in ["NA", "NAN", "ON", "TRUE"] {
            assert!(market.find(trap).is_some(), "{trap}");
        }
        assert_eq!(market.find("BRK.A").map(|s| s.last_close), Some(7_435_000_000));
        assert_eq!(market.find("GOOG").map(|s| &s.cik), market.find("GOOGL").map(|s| &s.cik));
    }

    #[test]
    fn familiar_names_lead_the_ranking() {
        let market = MadeMarket::new(11, friday());
        let mut stocks: Vec<_> = market.securities().iter().filter(|s| s.is_listed_stock()).collect();
        stocks.sort_by_key(|s| std::cmp::Reverse(s.cap()));
        assert!(stocks[..30].iter().all(|s| s.is_well_known));
        assert!(stocks[..3].iter().any(|s| s.symbol == "AAPL"));
    }

    #[test]
    fn stocks_with_a_cap_have_one_that_close_times_shares_gives() {
        let market = MadeMarket::new(3, friday());
        for security in market.securities().iter().filter(|s| s.shares.is_some()) {
            assert_eq!(security.cap(), security.market_cap, "{}", security.symbol);
        }
    }

    #[test]
    fn history_ends_at_the_last_close_starts_at_the_listing_and_stops_at_the_delisting() {
        let market = MadeMarket::new(3, friday());
        let sessions: Vec<NaiveDate> =
            (0..250).rev().map(|back| friday() - chrono::Days::new(back)).collect();
        let mut bars = Vec::new();
        let mut shorter = 0;
        for (at, security) in market.securities().iter().enumerate() {
            market.bars(at, &sessions, &mut bars);
            assert_eq!(bars.len(), market.bar_count(at, &sessions));
            assert_eq!(bars.last().map(|bar| bar.close), Some(security.last_close), "{}", security.symbol);
            assert!(bars.iter().all(|bar| bar.low > 0 && security.list_date.is_none_or(|d| d <= bar.date)));
            assert!(bars.iter().all(|bar| security.delisted_date.is_none_or(|d| bar.date < d)));
            shorter += usize::from(bars.len() < 250);
        }
        assert!(shorter > 100);
    }
}
