//! How a [`MadeMarket`] is made: well-known securities first, then invented ones until every share is filled.
//!
//! [`Shares`] turns the size asked for into how many of each kind; the [`Maker`] then works from top to bottom,
//! one random generator for the whole market, so that its order is part of the result.

use chrono::{Datelike, Days, NaiveDate, Weekday};
use fastrand::Rng;

use super::companies::{self, Company};
use super::funds::{self, Fund};
use super::industries::{self, Industry, Sector};
use super::invent::{Registry, bell, company_name, pick, spread, word};
use super::market::{Kind, MadeMarket, MadeSecurity, Tier, worth};
use super::prices::moved;

/// One invented stock in this many was listed within the last thirty days: about twenty-five in a usual market.
const STOCKS_PER_NEW_LISTING: usize = 160;
/// One invented stock in this many has not traded for more than a week.
const STOCKS_PER_QUIET_ONE: usize = 250;
/// One invented stock in this many has no cap: neither shares nor the vendor's figure.
const STOCKS_PER_CAPLESS_ONE: usize = 40;
/// Longer than the five sessions after which a close is too old to count.
const QUIET_SESSIONS: usize = 7;

/// Makes a market of `size` securities.
pub(super) fn market(seed: u64, date: NaiveDate, size: usize) -> MadeMarket {
    let shares = Shares::of(size);
    // All real tickers are taken first, or an invented company could be in the way of a real one.
    let real = companies::well_known().map(|company| company.symbol);
    let real = real.chain(funds::WELL_KNOWN.iter().map(|fund| fund.symbol));
    let registry = Registry::new(real.chain(companies::RESERVED.iter().copied()).chain(["NA", "NAN"]));
    let mut market = MadeMarket { seed, date, securities: Vec::with_capacity(size), registry };
    let mut maker = Maker::new(Rng::with_seed(seed), &mut market);
    maker.add_well_known_companies();
    maker.add_trap_tickers();
    maker.add_well_known_funds();
    maker.add_shells(shares.shells);
    maker.fill_tiers(shares.stocks);
    maker.add_delisted(shares.delisted);
    maker.fill_adrs(shares.adrs);
    maker.add_carriers(&shares);
    maker.add_closed_end_funds(shares.closed_end_funds);
    let rest = size - maker.market.securities.len();
    maker.add_invented_funds(rest);
    market
}

/// How many of each kind a market of a given size has. The rest are exchange-traded funds.
struct Shares {
    stocks: usize,
    shells: usize,
    delisted: usize,
    adrs: usize,
    preferreds: usize,
    warrants: usize,
    units: usize,
    rights: usize,
    bonds: usize,
    closed_end_funds: usize,
}

impl Shares {
    fn of(size: usize) -> Shares {
        let per_thousand = |share: usize| size * share / 1_000;
        Shares {
            stocks: per_thousand(700),
            shells: per_thousand(14),
            delisted: per_thousand(20),
            adrs: per_thousand(45),
            preferreds: per_thousand(55),
            warrants: per_thousand(30),
            units: per_thousand(12),
            rights: per_thousand(6),
            bonds: per_thousand(12),
            closed_end_funds: per_thousand(30),
        }
    }
}

/// How many of a thousand listed stocks a tier has.
fn per_thousand(tier: Tier) -> usize {
    match tier {
        Tier::Mega => 14,
        Tier::Large | Tier::Micro => 160,
        Tier::Mid => 210,
        Tier::Small => 250,
        Tier::Below => 206,
    }
}

/// Adds securities to a market, drawing them from one generator.
pub(super) struct Maker<'m> {
    pub(super) rng: Rng,
    market: &'m mut MadeMarket,
}

/// Which lines of business an invented company may be in, and how it is written down.
struct Invention<'a> {
    kind: Kind,
    cap: i64,
    industry: &'a Industry,
    /// Goes between the invented name and "Inc."; `None` takes one of the industry's words.
    words: Option<&'a [&'a str]>,
}

impl<'m> Maker<'m> {
    /// A maker that adds to `market`.
    pub(super) fn new(rng: Rng, market: &'m mut MadeMarket) -> Maker<'m> {
        Maker { rng, market }
    }

    /// Adds a company of this SIC code and cap; returns its index.
    pub(super) fn add_company_of(&mut self, sic: &str, cap: i64) -> usize {
        let industry = industries::by_sic(sic).expect("newcomers are made in known industries");
        let security = self.invented(&Invention { kind: Kind::Stock, cap, industry, words: None });
        self.push(security)
    }

    /// Adds a company of any industry with this cap; returns its index.
    pub(super) fn add_any_company(&mut self, kind: Kind, cap: i64) -> usize {
        let sector = industries::sector_at(self.rng.u32(0..1_000));
        let industry = industries::draw(&mut self.rng, sector);
        let security = self.invented(&Invention { kind, cap, industry, words: None });
        self.push(security)
    }

    /// Adds a shell of this cap; returns its index.
    pub(super) fn add_shell(&mut self, cap: i64) -> usize {
        let shell = self.shell(cap);
        self.push(shell)
    }

    fn push(&mut self, security: MadeSecurity) -> usize {
        self.market.securities.push(security);
        self.market.securities.len() - 1
    }

    fn add_well_known_companies(&mut self) {
        for company in companies::well_known() {
            let security = self.well_known(&company);
            self.push(security);
        }
        for (second, first) in companies::SECOND_CLASSES {
            let first = self.index_of(first);
            let second = self.index_of(second);
            let cik = self.market.securities[first].cik.clone();
            let second = &mut self.market.securities[second];
            (second.leader, second.cik) = (first, cik);
        }
    }

    fn index_of(&self, symbol: &str) -> usize {
        let found = self.market.securities.iter().position(|security| security.symbol == symbol);
        found.expect("the tables of well-known companies name each share class")
    }

    fn well_known(&mut self, company: &Company) -> MadeSecurity {
        let kind = if company.is_adr { Kind::Adr } else { Kind::Stock };
        let industry =
            industries::by_sic(company.sic).expect("every well-known company's SIC code has a row");
        let shares = (company.shares_millions * 1_000_000.0).round() as i64;
        let mut security = self.blank(kind, company.symbol.to_owned(), company.name.to_owned());
        security.exchange = company.exchange;
        security.sector = Some(self.spelling(company.sector));
        security.industry = Some(industry.title);
        security.sic_code = Some(industry.sic);
        security.is_well_known = true;
        security.last_close = ten_thousandths(company.dollars);
        security.shares = Some(shares);
        security.market_cap = Some(worth(security.last_close, shares));
        security
    }

    /// `NA` and `NAN`: read as "not available" and "not a number" by programs that guess types.
    fn add_trap_tickers(&mut self) {
        let industry = industries::by_sic("7372").expect("software has a row");
        let cap = cap_in(&mut self.rng, Tier::Small);
        let mut trap = self.invented(&Invention { kind: Kind::Stock, cap, industry, words: None });
        "NA".clone_into(&mut trap.symbol);
        "Narrow Arc Systems, Inc.".clone_into(&mut trap.name);
        self.push(trap);
        let mut trap = self.closed_end_fund();
        "NAN".clone_into(&mut trap.symbol);
        "Nantwell New York Quality Municipal Income Fund".clone_into(&mut trap.name);
        self.push(trap);
    }

    fn add_well_known_funds(&mut self) {
        for fund in funds::WELL_KNOWN {
            let security = self.well_known_fund(fund);
            self.push(security);
        }
    }

    fn well_known_fund(&mut self, fund: &Fund) -> MadeSecurity {
        let mut security = self.blank(fund.kind(), fund.symbol.to_owned(), fund.name.to_owned());
        security.exchange = "ARCA";
        security.etf_type = Some(fund.etf_type);
        security.issuer = Some(fund.issuer);
        security.aum_millions = Some(fund.aum_millions);
        security.last_close = ten_thousandths(fund.dollars);
        security.is_well_known = true;
        security
    }

    /// Shells that look for a company to merge with: small, at about ten dollars, mostly without a sector.
    fn add_shells(&mut self, count: usize) {
        for _ in 0..count {
            let tier = if self.rng.u8(0..5) < 3 { Tier::Micro } else { Tier::Small };
            let cap = spread(&mut self.rng, 60e6, 290e6, 1.0) as i64;
            let cap = if tier == Tier::Small { cap + 300_000_000 } else { cap };
            self.add_shell(cap);
        }
    }

    /// A blank-check company of about this cap.
    fn shell(&mut self, cap: i64) -> MadeSecurity {
        let industry = industries::by_sic(industries::BLANK_CHECK_SIC).expect("blank checks have a row");
        let mut shell = self.invented(&Invention {
            kind: Kind::Stock,
            cap,
            industry,
            words: Some(&["Acquisition", "Acquisition II", "Merger", "Capital Acquisition"]),
        });
        shell.exchange = "NASDAQ";
        // A shell that has found nobody after a few years gives the money back.
        let days = self.rng.u64(60..1_100);
        shell.list_date = Some(weekday_at_or_before(self.market.date - Days::new(days)));
        shell.sector = (self.rng.u8(0..4) == 0).then_some("Financial Services");
        let close = ten_thousandths(10.0 + self.rng.f64());
        set_price(&mut shell, close, cap);
        shell
    }

    /// Adds invented stocks until there are `stocks` listed ones and every tier has its share.
    fn fill_tiers(&mut self, stocks: usize) {
        for tier in Tier::ALL {
            let wanted = stocks * per_thousand(tier) / 1_000;
            let there = self.count_in(tier);
            let mut missing = wanted.saturating_sub(there);
            while missing > 0 {
                missing -= self.add_company(tier, missing > 1);
            }
        }
        self.age_some();
    }

    fn count_in(&self, tier: Tier) -> usize {
        let stocks = self.market.securities.iter().filter(|security| security.is_listed_stock());
        stocks.filter(|stock| stock.cap().map(Tier::of) == Some(tier)).count()
    }

    /// Adds one company of `tier`, sometimes with two share classes; returns how many securities that made.
    fn add_company(&mut self, tier: Tier, room_for_two: bool) -> usize {
        let cap = cap_in(&mut self.rng, tier);
        let first = self.add_any_company(Kind::Stock, cap);
        let may_split = room_for_two && matches!(tier, Tier::Large | Tier::Mid);
        if may_split && self.rng.u8(0..80) == 0 && self.split_into_classes(first) { 2 } else { 1 }
    }

    /// Turns the company at `first` into its class A and adds a class B; false when the tickers are gone.
    fn split_into_classes(&mut self, first: usize) -> bool {
        let separator = pick(&mut self.rng, &[".", "/", "-"]);
        let company = self.market.securities[first].clone();
        let class_a = format!("{}{separator}A", company.symbol);
        let class_b = format!("{}{separator}B", company.symbol);
        if !(self.market.registry.claim(&class_a) && self.market.registry.claim(&class_b)) {
            return false;
        }
        let (composite, share_class) = self.market.registry.figis();
        let mut second = company.clone();
        second.symbol = class_b;
        second.name = format!("{} Class B", company.name);
        second.composite_figi = Some(composite);
        second.share_class_figi = Some(share_class);
        // The company is worth the same whichever class one asks; only the price of the class differs.
        set_price(&mut second, moved(company.last_close, -0.015), company.market_cap.unwrap_or(0));
        self.market.securities[first].symbol = class_a;
        self.market.securities[first].name = format!("{} Class A", company.name);
        self.push(second);
        true
    }

    /// Gives some invented stocks what feeds really have: new listings, missing caps, no trade for a week.
    fn age_some(&mut self) {
        let date = self.market.date;
        let invented =
            self.market.securities.iter_mut().filter(|s| s.kind == Kind::Stock && !s.is_well_known);
        for (number, stock) in invented.filter(|stock| !is_share_class(stock)).enumerate() {
            if number % STOCKS_PER_NEW_LISTING == 7 {
                let ago = self.rng.u64(0..=29);
                stock.list_date = Some(weekday_at_or_before(date - Days::new(ago)));
                if self.rng.u8(0..10) < 6 {
                    stock.sector = None;
                }
                if self.rng.u8(0..10) < 3 {
                    (stock.shares, stock.market_cap) = (None, None);
                }
            } else if number % STOCKS_PER_QUIET_ONE == 11 {
                stock.quiet_sessions = QUIET_SESSIONS;
            } else if number % STOCKS_PER_CAPLESS_ONE == 13 && stock.cap().map(Tier::of) == Some(Tier::Below)
            {
                (stock.shares, stock.market_cap) = (None, None);
            }
        }
    }

    /// Stocks that left the market within the last year and are still in the table.
    fn add_delisted(&mut self, count: usize) {
        for _ in 0..count {
            let tier = pick(&mut self.rng, &[Tier::Large, Tier::Mid, Tier::Small, Tier::Micro, Tier::Below]);
            let cap = cap_in(&mut self.rng, tier);
            let at = self.add_any_company(Kind::Stock, cap);
            let ago = self.rng.u64(1..160);
            let stock = &mut self.market.securities[at];
            stock.active = false;
            stock.delisted_date = Some(weekday_at_or_before(self.market.date - Days::new(ago)));
        }
    }

    fn fill_adrs(&mut self, wanted: usize) {
        let there = self.market.securities.iter().filter(|s| s.kind == Kind::Adr).count();
        for _ in there..wanted {
            let tier = pick(&mut self.rng, &[Tier::Large, Tier::Mid, Tier::Small, Tier::Micro]);
            let cap = cap_in(&mut self.rng, tier);
            self.add_any_company(Kind::Adr, cap);
        }
    }

    /// Preferreds, notes, warrants, units and rights, each beside the row of its issuer.
    fn add_carriers(&mut self, shares: &Shares) {
        let stocks = self.market.securities.iter().enumerate();
        let stocks =
            stocks.filter(|(at, s)| s.is_listed_stock() && s.market_cap.is_some() && s.leader == *at);
        // A two-class company's own tickers have separators already: it stays without preferreds here.
        let stocks = stocks.filter(|(_, stock)| !is_share_class(stock));
        let (shells, companies): (Vec<_>, Vec<_>) =
            stocks.partition(|(_, stock)| stock.sic_code == Some(industries::BLANK_CHECK_SIC));
        let large = |stock: &MadeSecurity| stock.cap().is_some_and(|cap| Tier::of(cap) <= Tier::Small);
        let banks = |stock: &MadeSecurity| stock.sic_code.is_some_and(|sic| sic.starts_with('6'));
        let at = |(at, _): &(usize, &MadeSecurity)| *at;
        let lenders: Vec<usize> = companies.iter().filter(|(_, s)| large(s) && banks(s)).map(at).collect();
        let small: Vec<usize> = companies.iter().filter(|(_, s)| !large(s)).map(at).collect();
        let shells: Vec<usize> = shells.iter().map(at).collect();
        self.add_carriers_of(Kind::Preferred, shares.preferreds, &lenders);
        self.add_carriers_of(Kind::Bond, shares.bonds, &lenders);
        self.add_carriers_of(Kind::Warrant, shares.warrants / 2, &shells);
        self.add_carriers_of(Kind::Warrant, shares.warrants - shares.warrants / 2, &small);
        self.add_carriers_of(Kind::Unit, shares.units, &shells);
        self.add_carriers_of(Kind::Right, shares.rights, &shells);
    }

    fn add_carriers_of(&mut self, kind: Kind, count: usize, issuers: &[usize]) {
        let mut made = 0;
        let mut turn = 0;
        while made < count {
            // Round and round with ever new endings: a bank may have a dozen preferreds.
            let issuer = issuers[turn % issuers.len()];
            let ending = ending(kind, turn / issuers.len());
            turn += 1 + self.rng.usize(0..3);
            let symbol = format!("{}{ending}", self.market.securities[issuer].symbol);
            if self.market.registry.claim(&symbol) {
                let carrier = self.carrier(kind, symbol, issuer);
                self.push(carrier);
                made += 1;
            }
        }
    }

    fn carrier(&mut self, kind: Kind, symbol: String, issuer: usize) -> MadeSecurity {
        let company = self.market.securities[issuer].clone();
        let (noun, dollars) = match kind {
            Kind::Preferred => ("Depositary Shares, Preferred Stock", 25.0 * (0.7 + 0.35 * self.rng.f64())),
            Kind::Bond => ("Senior Notes due 2064", 25.0 * (0.8 + 0.22 * self.rng.f64())),
            Kind::Warrant => ("Warrants", 0.05 + 2.0 * self.rng.f64()),
            Kind::Unit => ("Units", 10.1 + self.rng.f64()),
            _ => ("Rights", 0.1 + 0.4 * self.rng.f64()),
        };
        let mut carrier = self.blank(kind, symbol, format!("{} {noun}", company.name));
        carrier.exchange = company.exchange;
        carrier.sector = company.sector;
        carrier.industry = company.industry;
        carrier.sic_code = company.sic_code;
        carrier.market_cap = company.market_cap;
        carrier.list_date = company.list_date;
        carrier.cik = company.cik;
        carrier.leader = issuer;
        carrier.last_close = ten_thousandths(dollars);
        carrier
    }

    fn add_closed_end_funds(&mut self, count: usize) {
        for _ in 0..count {
            let fund = self.closed_end_fund();
            self.push(fund);
        }
    }

    fn closed_end_fund(&mut self) -> MadeSecurity {
        let purpose = pick(
            &mut self.rng,
            &[
                "Municipal Income Fund",
                "High Income Fund",
                "Income Trust",
                "Equity Dividend Fund",
                "Credit Fund",
            ],
        );
        let name = format!("{} {purpose}", word(&mut self.rng));
        let symbol = self.market.registry.ticker(&mut self.rng, &name);
        let mut fund = self.blank(Kind::Fund, symbol, name);
        fund.sector = Some("Finance");
        let cap = spread(&mut self.rng, 60e6, 3e9, 1.0) as i64;
        let close = ten_thousandths(spread(&mut self.rng, 5.0, 25.0, 1.0));
        set_price(&mut fund, close, cap);
        fund
    }

    fn add_invented_funds(&mut self, count: usize) {
        for _ in 0..count {
            let made = funds::invent(&mut self.rng);
            let symbol = self.market.registry.ticker(&mut self.rng, &made.name);
            let mut fund = self.blank(made.kind, symbol, made.name);
            fund.exchange = pick(&mut self.rng, &["ARCA", "ARCA", "NASDAQ", "BATS"]);
            fund.etf_type = made.etf_type;
            fund.issuer = Some(made.issuer);
            let millions = spread(&mut self.rng, 3.0, 30_000.0, 1.3) as i64;
            // Some feeds know a fund's assets, some only a cap.
            if self.rng.u8(0..12) == 0 {
                fund.market_cap = Some(millions * 1_000_000);
            } else {
                fund.aum_millions = Some(millions);
            }
            fund.last_close = ten_thousandths(spread(&mut self.rng, 12.0, 160.0, 1.0));
            self.push(fund);
        }
    }

    fn invented(&mut self, invention: &Invention<'_>) -> MadeSecurity {
        let rng = &mut self.rng;
        let name = company_name(rng, invention.words.unwrap_or(invention.industry.words));
        let symbol = self.market.registry.ticker(rng, &name);
        let mut security = self.blank(invention.kind, symbol, name);
        security.sector = self.sector_text(invention.industry.sector);
        // Shells keep their code and text: these are all that tells them from a bank.
        let is_shell = invention.industry.sic == industries::BLANK_CHECK_SIC;
        security.industry = (is_shell || self.rng.u8(0..40) > 0).then_some(invention.industry.title);
        security.sic_code = (is_shell || self.rng.u8(0..20) > 0).then_some(invention.industry.sic);
        let close = price_for(&mut self.rng, Tier::of(invention.cap));
        set_price(&mut security, close, invention.cap);
        security
    }

    /// A vendor's spelling of the sector; blank for one stock in thirty, and useless for one in a hundred.
    fn sector_text(&mut self, sector: Sector) -> Option<&'static str> {
        match self.rng.u8(0..100) {
            0..3 => None,
            3 => Some("Miscellaneous"),
            _ => Some(self.spelling(sector)),
        }
    }

    fn spelling(&mut self, sector: Sector) -> &'static str {
        let spellings = sector.spellings();
        if self.rng.u8(0..10) < 6 { spellings[0] } else { pick(&mut self.rng, spellings) }
    }

    /// A listed security with an identity and nothing else, to be pushed next.
    fn blank(&mut self, kind: Kind, symbol: String, name: String) -> MadeSecurity {
        let (composite, share_class) = self.market.registry.figis();
        // The first exchange-traded fund is from 1993, and most are far younger.
        let oldest = if kind.is_exchange_traded_fund() { 28.0 } else { 45.0 };
        let years = spread(&mut self.rng, 1.1, oldest, 1.0);
        let listed = self.market.date - Days::new((years * 365.25) as u64);
        let list_date = (self.rng.u8(0..16) > 0).then(|| weekday_at_or_before(listed));
        MadeSecurity {
            symbol,
            name,
            kind,
            active: true,
            market_cap: None,
            shares: None,
            sector: None,
            industry: None,
            sic_code: None,
            exchange: pick(&mut self.rng, &["NASDAQ", "NASDAQ", "NASDAQ", "NYSE", "NYSE", "AMEX"]),
            list_date,
            delisted_date: None,
            cik: Some(self.market.registry.cik()),
            composite_figi: Some(composite),
            share_class_figi: Some(share_class),
            etf_type: None,
            issuer: None,
            aum_millions: None,
            dividend_growth_years: None,
            last_close: 0,
            is_well_known: false,
            leader: self.market.securities.len(),
            quiet_sessions: 0,
        }
    }
}

/// A cap inside `tier`; small ones are commoner than large ones.
fn cap_in(rng: &mut Rng, tier: Tier) -> i64 {
    let (low, high, skew) = match tier {
        Tier::Mega => (200e9, 260e9, 1.5),
        Tier::Large => (10e9, 125e9, 1.6),
        Tier::Mid => (2e9, 10e9, 1.1),
        Tier::Small => (300e6, 2e9, 1.0),
        Tier::Micro => (50e6, 300e6, 1.0),
        Tier::Below => (2e6, 50e6, 1.0),
    };
    // Whole shares and ticks move a cap by a little: keep clear of the lines so that it stays in its tier.
    spread(rng, low * 1.002, high * 0.998, skew) as i64
}

/// True for one of several classes: its ticker has a separator.
fn is_share_class(security: &MadeSecurity) -> bool {
    security.symbol.contains(['.', '/', '-'])
}

/// A price as companies of this tier have it.
fn price_for(rng: &mut Rng, tier: Tier) -> i64 {
    let usual = match tier {
        Tier::Mega => 220.0,
        Tier::Large => 95.0,
        Tier::Mid => 42.0,
        Tier::Small => 16.0,
        Tier::Micro => 5.0,
        Tier::Below => 1.6,
    };
    ten_thousandths((usual * (0.7 * bell(rng)).exp()).clamp(0.06, 1_500.0))
}

/// Sets price and shares so that both together are worth `cap`, and the vendor's cap to exactly that.
fn set_price(security: &mut MadeSecurity, close: i64, cap: i64) {
    let shares = (i128::from(cap) * 10_000 / i128::from(close)) as i64;
    security.last_close = close;
    security.shares = Some(shares);
    security.market_cap = Some(worth(close, shares));
}

/// How the ticker of a carrier ends, for the n-th one of its kind and issuer.
fn ending(kind: Kind, number: usize) -> String {
    let letter = char::from(b'A' + (number % 26) as u8);
    let more = if number < 26 { String::new() } else { (number / 26).to_string() };
    match (kind, number) {
        (Kind::Preferred, _) => format!("-P{letter}{more}"),
        (Kind::Bond, _) => format!("-N{letter}{more}"),
        (Kind::Warrant, 0) => ".WS".to_owned(),
        (Kind::Warrant, _) => format!(".WS.{letter}{more}"),
        (Kind::Unit, 0) => "/U".to_owned(),
        (Kind::Unit, _) => format!("/U{letter}{more}"),
        (_, 0) => ".RT".to_owned(),
        (_, _) => format!(".RT{letter}{more}"),
    }
}

/// Dollars as ten-thousandths of a dollar, to the cent where a dollar or more.
fn ten_thousandths(dollars: f64) -> i64 {
    if dollars < 1.0 { (dollars * 10_000.0).round() as i64 } else { (dollars * 100.0).round() as i64 * 100 }
}

/// The day itself, or the Friday before a weekend.
pub(super) fn weekday_at_or_before(date: NaiveDate) -> NaiveDate {
    match date.weekday() {
        Weekday::Sat => date - Days::new(1),
        Weekday::Sun => date - Days::new(2),
        _ => date,
    }
}
