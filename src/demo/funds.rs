//! Exchange-traded funds: the well-known ones, and strategies for invented ones.
//!
//! Names and issuers of [`WELL_KNOWN`] are real; **prices and assets are made up**, near enough that SPY stands
//! above a newcomer. Invented funds combine an invented house with a [`Strategy`].
//!
//! # Why some funds have no type text
//! A feed tells the type of most funds and leaves the rest blank, so a program also needs to go by the name. About
//! one invented fund in eight has only its name.

use super::invent::{pick, word};
use super::market::Kind;

/// A well-known fund.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fund {
    /// The ticker.
    pub symbol: &'static str,
    /// The name as a vendor writes it.
    pub name: &'static str,
    /// The house that runs it.
    pub issuer: &'static str,
    /// The vendor's type text.
    pub etf_type: &'static str,
    /// Assets under management in millions of dollars.
    pub aum_millions: i64,
    /// A made-up price in dollars.
    pub dollars: f64,
}

impl Fund {
    /// What vendors file it under: metal and oil trusts are vehicles, VXX is a note.
    pub fn kind(&self) -> Kind {
        match self.symbol {
            "VXX" => Kind::Etn,
            "GLD" | "IAU" | "SLV" | "USO" | "UNG" | "IBIT" => Kind::Etv,
            _ => Kind::Etf,
        }
    }
}

/// What an invented fund does: the end of its name, its type text, how common it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strategy {
    words: &'static str,
    etf_type: &'static str,
    weight: u32,
}

/// An invented fund, but for its ticker and price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventedFund {
    /// Its name.
    pub name: String,
    /// The house that runs it.
    pub issuer: &'static str,
    /// The type text; `None` where the feed leaves it blank.
    pub etf_type: Option<&'static str>,
    /// Fund, note, vehicle or structured product.
    pub kind: Kind,
}

/// Invents a fund.
pub fn invent(rng: &mut fastrand::Rng) -> InventedFund {
    let strategy = draw(rng);
    let issuer = pick(rng, HOUSES);
    let kind = match rng.u8(0..40) {
        0 => Kind::Etn,
        1 => Kind::Etv,
        2 => Kind::Ets,
        _ => Kind::Etf,
    };
    let ending = if kind == Kind::Etn { "ETN" } else { "ETF" };
    // Houses run several funds of one strategy, told apart by the index they follow.
    let index = if rng.bool() { format!(" {}", word(rng)) } else { String::new() };
    let etf_type = (rng.u8(0..8) > 0).then_some(strategy.etf_type);
    InventedFund { name: format!("{issuer}{index} {} {ending}", strategy.words), issuer, etf_type, kind }
}

fn draw(rng: &mut fastrand::Rng) -> &'static Strategy {
    let total: u32 = STRATEGIES.iter().map(|strategy| strategy.weight).sum();
    let mut ticket = rng.u32(0..total);
    for strategy in STRATEGIES {
        if ticket < strategy.weight {
            return strategy;
        }
        ticket -= strategy.weight;
    }
    unreachable!("the ticket is below the sum of the weights")
}

const HOUSES: &[&str] = &[
    "Alderline",
    "Beacon Ridge",
    "Corvane",
    "Dunmore",
    "Eastmark",
    "Fairholt",
    "Granvik",
    "Harrowgate",
    "Islay",
    "Juniper Row",
    "Kestrel Point",
    "Larkfield",
    "Montclave",
    "Northwater",
    "Oakhurst",
    "Pinnacle Row",
    "Quillon",
    "Redstone Peak",
    "Silverbrook",
    "Tallis",
    "Umberland",
    "Vantora",
    "Westerly",
    "Yarrow",
];

const fn does(words: &'static str, etf_type: &'static str, weight: u32) -> Strategy {
    Strategy { words, etf_type, weight }
}

const STRATEGIES: &[Strategy] = &[
    does("US Large Cap", "Broad Market", 6),
    does("Total Market", "Broad Market", 4),
    does("Small Cap Core", "Broad Market", 4),
    does("Equal Weight 500", "Broad Market", 3),
    does("US Dividend Achievers", "Dividend", 6),
    does("Low Volatility", "Broad Market", 4),
    does("Large Cap Growth", "Growth", 6),
    does("Mid Cap Growth", "Growth", 4),
    does("Small Cap Growth", "Growth", 3),
    does("Large Cap Value", "Value", 6),
    does("Mid Cap Value", "Value", 4),
    does("Deep Value", "Value", 3),
    does("Health Care Sector", "Sector", 3),
    does("Financials Sector", "Sector", 3),
    does("Energy Sector", "Sector", 3),
    does("Utilities Sector", "Sector", 3),
    does("Industrials Sector", "Sector", 3),
    does("Materials Sector", "Sector", 2),
    does("Consumer Staples Sector", "Sector", 2),
    does("Consumer Discretionary Sector", "Sector", 2),
    does("Real Estate Sector", "Sector", 3),
    does("Communication Services Sector", "Sector", 2),
    does("Technology", "Technology", 4),
    does("Semiconductor", "Technology", 3),
    does("Cloud Computing", "Technology", 2),
    does("Cybersecurity", "Technology", 2),
    does("Robotics & Artificial Intelligence", "Technology", 3),
    does("Core Bond", "Bond", 6),
    does("Short-Term Treasury", "Bond", 6),
    does("20+ Year Treasury Bond", "Bond", 4),
    does("High Yield Corporate Bond", "Bond", 6),
    does("Municipal Bond", "Bond", 6),
    does("Ultra Short Bond", "Bond", 4),
    does("Inflation-Protected Securities", "Bond", 3),
    does("Gold", "Commodity", 3),
    does("Silver", "Commodity", 2),
    does("Oil Fund", "Commodity", 2),
    does("Broad Commodity Strategy", "Commodity", 3),
    does("MSCI Emerging Markets", "International", 5),
    does("International Developed", "International", 5),
    does("Japan Equity", "International", 3),
    does("Europe Equity", "International", 3),
    does("China Large Cap", "International", 3),
    does("International Value", "International", 2),
    does("2x Bull Semiconductors", "Leveraged", 4),
    does("3x Bull 500", "Leveraged", 3),
    does("UltraPro Technology", "Leveraged", 2),
    does("3x Bear 500", "Inverse", 3),
    does("Short 500", "Inverse", 2),
    does("Inverse Small Cap", "Inverse", 2),
    does("Buffer June", "Defined Outcome", 5),
    does("Covered Call Income", "Income", 5),
];

const fn fund(
    symbol: &'static str,
    issuer: &'static str,
    etf_type: &'static str,
    aum_millions: i64,
    dollars: f64,
    name: &'static str,
) -> Fund {
    Fund { symbol, name, issuer, etf_type, aum_millions, dollars }
}

const SSGA: &str = "State Street";
const BLK: &str = "iShares";
const VAN: &str = "Vanguard";
const INV: &str = "Invesco";
const CSW: &str = "Schwab";
const PRO: &str = "ProShares";
const DRX: &str = "Direxion";
const EQUITY: &str = "Broad Market";
const INTL: &str = "International";
const TECH: &str = "Technology";

/// Funds that everyone knows.
pub const WELL_KNOWN: &[Fund] = &[
    fund("SPY", SSGA, EQUITY, 655_000, 638.0, "SPDR S&P 500 ETF Trust"),
    fund("IVV", BLK, EQUITY, 640_000, 641.0, "iShares Core S&P 500 ETF"),
    fund("VOO", VAN, EQUITY, 720_000, 586.5, "Vanguard S&P 500 ETF"),
    fund("VTI", VAN, EQUITY, 515_000, 314.0, "Vanguard Total Stock Market ETF"),
    fund("ITOT", BLK, EQUITY, 75_000, 139.0, "iShares Core S&P Total U.S. Stock Market ETF"),
    fund("SCHB", CSW, EQUITY, 36_000, 24.6, "Schwab U.S. Broad Market ETF"),
    fund("DIA", SSGA, EQUITY, 38_500, 449.0, "SPDR Dow Jones Industrial Average ETF Trust"),
    fund("IWM", BLK, EQUITY, 66_000, 227.0, "iShares Russell 2000 ETF"),
    fund("MDY", SSGA, EQUITY, 23_500, 586.0, "SPDR S&P MidCap 400 ETF Trust"),
    fund("IJR", BLK, EQUITY, 84_000, 115.0, "iShares Core S&P Small-Cap ETF"),
    fund("IJH", BLK, EQUITY, 98_000, 64.0, "iShares Core S&P Mid-Cap ETF"),
    fund("RSP", INV, EQUITY, 74_000, 186.0, "Invesco S&P 500 Equal Weight ETF"),
    fund("SCHD", CSW, "Dividend", 71_000, 27.2, "Schwab U.S. Dividend Equity ETF"),
    fund("VIG", VAN, "Dividend", 95_000, 208.0, "Vanguard Dividend Appreciation ETF"),
    fund("NOBL", PRO, "Dividend", 11_300, 102.0, "ProShares S&P 500 Dividend Aristocrats ETF"),
    fund("QQQ", INV, TECH, 362_000, 566.0, "Invesco QQQ Trust"),
    fund("QQQM", INV, TECH, 57_000, 233.0, "Invesco NASDAQ 100 ETF"),
    fund("VGT", VAN, TECH, 100_000, 690.0, "Vanguard Information Technology ETF"),
    fund("IYW", BLK, TECH, 23_000, 181.0, "iShares U.S. Technology ETF"),
    fund("SMH", "VanEck", TECH, 27_000, 287.0, "VanEck Semiconductor ETF"),
    fund("SOXX", BLK, TECH, 14_000, 243.0, "iShares Semiconductor ETF"),
    fund("IGV", BLK, TECH, 10_500, 106.0, "iShares Expanded Tech-Software Sector ETF"),
    fund("SKYY", "First Trust", TECH, 4_200, 120.0, "First Trust Cloud Computing ETF"),
    fund("HACK", "Amplify", TECH, 2_200, 83.0, "Amplify Cybersecurity ETF"),
    fund("BOTZ", "Global X", TECH, 2_900, 33.0, "Global X Robotics & Artificial Intelligence ETF"),
    fund("ARKK", "ARK", TECH, 7_800, 74.0, "ARK Innovation ETF"),
    fund("XLK", SSGA, "Sector", 83_000, 263.0, "Technology Select Sector SPDR Fund"),
    fund("XLF", SSGA, "Sector", 52_500, 52.5, "Financial Select Sector SPDR Fund"),
    fund("XLV", SSGA, "Sector", 34_500, 136.0, "Health Care Select Sector SPDR Fund"),
    fund("XLE", SSGA, "Sector", 27_000, 86.5, "Energy Select Sector SPDR Fund"),
    fund("XLI", SSGA, "Sector", 23_000, 151.0, "Industrial Select Sector SPDR Fund"),
    fund("XLY", SSGA, "Sector", 23_500, 228.0, "Consumer Discretionary Select Sector SPDR Fund"),
    fund("XLP", SSGA, "Sector", 16_000, 81.0, "Consumer Staples Select Sector SPDR Fund"),
    fund("XLU", SSGA, "Sector", 20_500, 86.0, "Utilities Select Sector SPDR Fund"),
    fund("XLB", SSGA, "Sector", 5_400, 90.0, "Materials Select Sector SPDR Fund"),
    fund("XLRE", SSGA, "Sector", 7_700, 42.0, "Real Estate Select Sector SPDR Fund"),
    fund("XLC", SSGA, "Sector", 24_500, 109.0, "Communication Services Select Sector SPDR Fund"),
    fund("VNQ", VAN, "Sector", 34_000, 90.0, "Vanguard Real Estate ETF"),
    fund("XBI", SSGA, "Sector", 5_300, 90.0, "SPDR S&P Biotech ETF"),
    fund("IBB", BLK, "Sector", 5_400, 137.0, "iShares Biotechnology ETF"),
    fund("KRE", SSGA, "Sector", 3_900, 62.0, "SPDR S&P Regional Banking ETF"),
    fund("ITA", BLK, "Sector", 8_900, 197.0, "iShares U.S. Aerospace & Defense ETF"),
    fund("ICLN", BLK, "Sector", 1_600, 14.4, "iShares Global Clean Energy ETF"),
    fund("TAN", INV, "Sector", 740, 38.0, "Invesco Solar ETF"),
    fund("VUG", VAN, "Growth", 184_000, 455.0, "Vanguard Growth ETF"),
    fund("IWF", BLK, "Growth", 116_000, 439.0, "iShares Russell 1000 Growth ETF"),
    fund("IVW", BLK, "Growth", 63_000, 113.0, "iShares S&P 500 Growth ETF"),
    fund("SCHG", CSW, "Growth", 47_500, 30.0, "Schwab U.S. Large-Cap Growth ETF"),
    fund("MGK", VAN, "Growth", 29_000, 382.0, "Vanguard Mega Cap Growth ETF"),
    fund("VBK", VAN, "Growth", 19_500, 285.0, "Vanguard Small-Cap Growth ETF"),
    fund("VTV", VAN, "Value", 144_000, 181.0, "Vanguard Value ETF"),
    fund("IWD", BLK, "Value", 63_000, 198.0, "iShares Russell 1000 Value ETF"),
    fund("IVE", BLK, "Value", 40_500, 200.0, "iShares S&P 500 Value ETF"),
    fund("SCHV", CSW, "Value", 13_200, 28.2, "Schwab U.S. Large-Cap Value ETF"),
    fund("VBR", VAN, "Value", 30_500, 204.0, "Vanguard Small-Cap Value ETF"),
    fund("AVUV", "Avantis", "Value", 17_400, 97.0, "Avantis U.S. Small Cap Value ETF"),
    fund("VXUS", VAN, INTL, 101_000, 72.0, "Vanguard Total International Stock ETF"),
    fund("VEA", VAN, INTL, 170_000, 59.0, "Vanguard FTSE Developed Markets ETF"),
    fund("VWO", VAN, INTL, 97_000, 52.0, "Vanguard FTSE Emerging Markets ETF"),
    fund("IEFA", BLK, INTL, 149_000, 86.0, "iShares Core MSCI EAFE ETF"),
    fund("IEMG", BLK, INTL, 101_000, 62.5, "iShares Core MSCI Emerging Markets ETF"),
    fund("EFA", BLK, INTL, 66_000, 92.0, "iShares MSCI EAFE ETF"),
    fund("EEM", BLK, INTL, 19_500, 49.7, "iShares MSCI Emerging Markets ETF"),
    fund("FXI", BLK, INTL, 6_300, 38.5, "iShares China Large-Cap ETF"),
    fund("EWJ", BLK, INTL, 15_000, 78.0, "iShares MSCI Japan ETF"),
    fund("INDA", BLK, INTL, 9_300, 53.0, "iShares MSCI India ETF"),
    fund("VGK", VAN, INTL, 27_000, 80.0, "Vanguard FTSE Europe ETF"),
    fund("AGG", BLK, "Bond", 129_000, 99.3, "iShares Core U.S. Aggregate Bond ETF"),
    fund("BND", VAN, "Bond", 133_000, 73.6, "Vanguard Total Bond Market ETF"),
    fund("BNDX", VAN, "Bond", 68_000, 49.4, "Vanguard Total International Bond ETF"),
    fund("TLT", BLK, "Bond", 48_500, 87.0, "iShares 20+ Year Treasury Bond ETF"),
    fund("IEF", BLK, "Bond", 36_500, 95.8, "iShares 7-10 Year Treasury Bond ETF"),
    fund("SHY", BLK, "Bond", 23_500, 82.8, "iShares 1-3 Year Treasury Bond ETF"),
    fund("BIL", SSGA, "Bond", 43_500, 91.6, "SPDR Bloomberg 1-3 Month T-Bill ETF"),
    fund("SGOV", BLK, "Bond", 53_500, 100.6, "iShares 0-3 Month Treasury Bond ETF"),
    fund("LQD", BLK, "Bond", 30_500, 110.0, "iShares iBoxx $ Investment Grade Corporate Bond ETF"),
    fund("HYG", BLK, "Bond", 17_800, 80.5, "iShares iBoxx $ High Yield Corporate Bond ETF"),
    fund("JNK", SSGA, "Bond", 7_700, 97.3, "SPDR Bloomberg High Yield Bond ETF"),
    fund("TIP", BLK, "Bond", 14_200, 110.5, "iShares TIPS Bond ETF"),
    fund("MUB", BLK, "Bond", 39_500, 104.5, "iShares National Muni Bond ETF"),
    fund("VCIT", VAN, "Bond", 56_000, 83.4, "Vanguard Intermediate-Term Corporate Bond ETF"),
    fund("BSV", VAN, "Bond", 39_000, 78.7, "Vanguard Short-Term Bond ETF"),
    fund("GLD", SSGA, "Commodity", 104_000, 308.0, "SPDR Gold Shares"),
    fund("IAU", BLK, "Commodity", 48_500, 63.0, "iShares Gold Trust"),
    fund("SLV", BLK, "Commodity", 18_700, 34.4, "iShares Silver Trust"),
    fund("USO", "USCF", "Commodity", 1_050, 73.0, "United States Oil Fund, LP"),
    fund("UNG", "USCF", "Commodity", 450, 12.6, "United States Natural Gas Fund, LP"),
    fund("DBC", INV, "Commodity", 1_200, 22.0, "Invesco DB Commodity Index Tracking Fund"),
    fund("PDBC", INV, "Commodity", 4_400, 13.2, "Invesco Optimum Yield Diversified Commodity Strategy ETF"),
    fund("IBIT", BLK, "Digital Asset", 84_000, 65.0, "iShares Bitcoin Trust ETF"),
    fund("BITO", PRO, "Digital Asset", 2_700, 19.6, "ProShares Bitcoin ETF"),
    fund("TQQQ", PRO, "Leveraged", 26_500, 90.0, "ProShares UltraPro QQQ"),
    fund("SQQQ", PRO, "Inverse", 2_600, 17.2, "ProShares UltraPro Short QQQ"),
    fund("SSO", PRO, "Leveraged", 6_500, 104.0, "ProShares Ultra S&P500"),
    fund("SH", PRO, "Inverse", 1_150, 38.0, "ProShares Short S&P500"),
    fund("SDS", PRO, "Inverse", 420, 15.4, "ProShares UltraShort S&P500"),
    fund("UPRO", PRO, "Leveraged", 4_500, 99.0, "ProShares UltraPro S&P500"),
    fund("SOXL", DRX, "Leveraged", 13_300, 26.5, "Direxion Daily Semiconductor Bull 3X Shares"),
    fund("SOXS", DRX, "Inverse", 1_050, 6.9, "Direxion Daily Semiconductor Bear 3X Shares"),
    fund("TNA", DRX, "Leveraged", 2_000, 38.0, "Direxion Daily Small Cap Bull 3X Shares"),
    fund("SPXU", PRO, "Inverse", 520, 15.7, "ProShares UltraPro Short S&P500"),
    fund("VXX", "iPath", "Volatility", 300, 39.0, "iPath Series B S&P 500 VIX Short-Term Futures ETN"),
];
