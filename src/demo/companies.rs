//! The companies everyone knows, so that the rankings of a made market look familiar.
//!
//! Tickers, names and sectors are real; share counts are rounded and **prices are made up**, only near enough to
//! what they once were that Apple ranks beside Microsoft. Nothing here may be read as a quotation. Each table is
//! one sector; a row is ticker, name, exchange, SIC code, millions of shares, dollars a share.
//!
//! # Why two share classes appear with the same share count
//! Vendors give each class the shares of the whole company, converted into that class. So `GOOG` and `GOOGL` both
//! carry the cap of Alphabet, and a program that adds caps by ticker counts Alphabet twice.

use super::industries::Sector;

/// One well-known company, or one share class of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Company {
    /// The ticker as this feed spells it: share classes mostly with a dot (`BRK.B`), once with a slash (`BF/B`).
    pub symbol: &'static str,
    /// The name as a vendor writes it.
    pub name: &'static str,
    /// The sector it is commonly counted in.
    pub sector: Sector,
    /// The exchange it is listed on.
    pub exchange: &'static str,
    /// Its SIC code, four digits.
    pub sic: &'static str,
    /// Roughly its shares, in millions, of the whole company in terms of this class.
    pub shares_millions: f64,
    /// A made-up price in dollars.
    pub dollars: f64,
    /// True for an American depositary receipt.
    pub is_adr: bool,
}

/// Every well-known company: common stocks sector by sector, then depositary receipts.
pub fn well_known() -> impl Iterator<Item = Company> {
    let stocks = STOCKS.iter().flat_map(|(sector, rows)| rows.iter().map(|row| company(*sector, row, false)));
    stocks.chain(ADRS.iter().map(|(sector, row)| company(*sector, row, true)))
}

/// Tickers that are another class of the company named second: they share its CIK.
pub const SECOND_CLASSES: &[(&str, &str)] = &[
    ("GOOG", "GOOGL"),
    ("BRK.A", "BRK.B"),
    ("BF/A", "BF/B"),
    ("FOX", "FOXA"),
    ("NWS", "NWSA"),
    ("LEN.B", "LEN"),
    ("HEI.A", "HEI"),
    ("UA", "UAA"),
    ("BIO.B", "BIO"),
];

/// Real tickers that an invented company must not be given, because lists of themes name them.
pub const RESERVED: &[&str] = &[
    "AIO", "AMRX", "B", "CCEC", "CCSI", "CGBD", "DSY", "EQPT", "FI", "GBTC", "GBX", "GCBC", "GCT", "GDOT",
    "GFR", "GLRE", "GOLD", "GRBK", "GSK", "HCAI", "HOLO", "HSDT", "KIDZ", "NCDL", "OCSL", "SEI", "SES",
    "SLSR", "SNY", "SQ", "TAK", "TSLX", "WBA", "WIMI",
];

type Row = (&'static str, &'static str, &'static str, &'static str, f64, f64);

fn company(sector: Sector, row: &Row, is_adr: bool) -> Company {
    let (symbol, name, exchange, sic, shares_millions, dollars) = *row;
    Company { symbol, name, sector, exchange, sic, shares_millions, dollars, is_adr }
}

const Q: &str = "NASDAQ";
const N: &str = "NYSE";
const A: &str = "AMEX";

const STOCKS: &[(Sector, &[Row])] = &[
    (Sector::Technology, TECHNOLOGY),
    (Sector::CommunicationServices, COMMUNICATION_SERVICES),
    (Sector::Healthcare, HEALTHCARE),
    (Sector::FinancialServices, FINANCIAL_SERVICES),
    (Sector::ConsumerDiscretionary, CONSUMER_DISCRETIONARY),
    (Sector::ConsumerStaples, CONSUMER_STAPLES),
    (Sector::Industrials, INDUSTRIALS),
    (Sector::Energy, ENERGY),
    (Sector::Utilities, UTILITIES),
    (Sector::Materials, MATERIALS),
    (Sector::RealEstate, REAL_ESTATE),
];

const TECHNOLOGY: &[Row] = &[
    ("NVDA", "NVIDIA Corporation", Q, "3674", 24_400.0, 175.0),
    ("MSFT", "Microsoft Corporation", Q, "7372", 7_433.0, 508.0),
    ("AAPL", "Apple Inc.", Q, "3571", 14_840.0, 227.5),
    ("AVGO", "Broadcom Inc.", Q, "3674", 4_700.0, 294.0),
    ("ORCL", "Oracle Corporation", N, "7372", 2_810.0, 235.0),
    ("PLTR", "Palantir Technologies Inc.", Q, "7372", 2_370.0, 157.0),
    ("CSCO", "Cisco Systems, Inc.", Q, "3576", 3_960.0, 67.5),
    ("AMD", "Advanced Micro Devices, Inc.", Q, "3674", 1_622.0, 166.0),
    ("CRM", "Salesforce, Inc.", N, "7372", 956.0, 247.0),
    ("IBM", "International Business Machines Corporation", N, "3570", 931.0, 241.0),
    ("INTU", "Intuit Inc.", Q, "7372", 279.0, 694.0),
    ("NOW", "ServiceNow, Inc.", N, "7372", 208.0, 872.0),
    ("TXN", "Texas Instruments Incorporated", Q, "3674", 909.0, 197.0),
    ("QCOM", "QUALCOMM Incorporated", Q, "3663", 1_079.0, 157.0),
    ("ACN", "Accenture plc", N, "7389", 623.0, 255.0),
    ("SHOP", "Shopify Inc.", Q, "7372", 1_299.0, 141.0),
    ("ADBE", "Adobe Inc.", Q, "7372", 424.0, 354.0),
    ("ANET", "Arista Networks, Inc.", N, "3576", 1_257.0, 133.0),
    ("MU", "Micron Technology, Inc.", Q, "3674", 1_119.0, 119.0),
    ("AMAT", "Applied Materials, Inc.", Q, "3559", 797.0, 163.0),
    ("LRCX", "Lam Research Corporation", Q, "3559", 1_266.0, 101.0),
    ("APH", "Amphenol Corporation", N, "3678", 1_221.0, 109.0),
    ("PANW", "Palo Alto Networks, Inc.", Q, "3577", 668.0, 184.0),
    ("CRWD", "CrowdStrike Holdings, Inc.", Q, "7372", 250.0, 418.0),
    ("ADI", "Analog Devices, Inc.", Q, "3674", 493.0, 244.0),
    ("KLAC", "KLA Corporation", Q, "3827", 132.0, 880.0),
    ("INTC", "Intel Corporation", Q, "3674", 4_377.0, 24.4),
    ("SNPS", "Synopsys, Inc.", Q, "7372", 186.0, 598.0),
    ("CDNS", "Cadence Design Systems, Inc.", Q, "7372", 272.0, 348.0),
    ("DELL", "Dell Technologies Inc.", N, "3571", 678.0, 131.0),
    ("SNOW", "Snowflake Inc.", N, "7372", 334.0, 196.0),
    ("MSTR", "MicroStrategy Incorporated", Q, "7372", 284.0, 344.0),
    ("MRVL", "Marvell Technology, Inc.", Q, "3674", 862.0, 72.0),
    ("CRWV", "CoreWeave, Inc. Class A", Q, "7374", 488.0, 93.0),
    ("NET", "Cloudflare, Inc.", N, "7372", 348.0, 196.0),
    ("ROP", "Roper Technologies, Inc.", Q, "3823", 107.0, 527.0),
    ("FTNT", "Fortinet, Inc.", Q, "3577", 766.0, 78.0),
    ("ADSK", "Autodesk, Inc.", Q, "7372", 213.0, 288.0),
    ("MSI", "Motorola Solutions, Inc.", N, "3663", 167.0, 470.0),
    ("TEL", "TE Connectivity plc", N, "3678", 296.0, 202.0),
    ("GLW", "Corning Incorporated", N, "3679", 857.0, 65.0),
    ("NXPI", "NXP Semiconductors N.V.", Q, "3674", 252.0, 222.0),
    ("WDAY", "Workday, Inc.", Q, "7374", 267.0, 219.0),
    ("DDOG", "Datadog, Inc.", Q, "7372", 346.0, 130.0),
    ("TEAM", "Atlassian Corporation", Q, "7372", 262.0, 168.0),
    ("ZS", "Zscaler, Inc.", Q, "7372", 156.0, 275.0),
    ("VEEV", "Veeva Systems Inc.", N, "7372", 163.0, 284.0),
    ("MPWR", "Monolithic Power Systems, Inc.", Q, "3674", 47.9, 832.0),
    ("MCHP", "Microchip Technology Incorporated", Q, "3674", 539.0, 65.0),
    ("STX", "Seagate Technology Holdings plc", Q, "3572", 213.0, 157.0),
    ("WDC", "Western Digital Corporation", Q, "3572", 346.0, 77.0),
    ("HPQ", "HP Inc.", N, "3570", 940.0, 26.5),
    ("HPE", "Hewlett Packard Enterprise Company", N, "3570", 1_312.0, 21.4),
    ("NTAP", "NetApp, Inc.", Q, "3572", 200.0, 110.0),
    ("CTSH", "Cognizant Technology Solutions Corporation", Q, "7371", 488.0, 71.0),
    ("KEYS", "Keysight Technologies, Inc.", N, "3825", 172.0, 163.0),
    ("FSLR", "First Solar, Inc.", Q, "3674", 107.0, 206.0),
    ("ON", "ON Semiconductor Corporation", Q, "3674", 409.0, 50.0),
    ("ALAB", "Astera Labs, Inc.", Q, "3674", 167.0, 178.0),
    ("CRDO", "Credo Technology Group Holding Ltd", Q, "3674", 172.0, 112.0),
    ("SMCI", "Super Micro Computer, Inc.", Q, "3571", 597.0, 44.0),
    ("HUBS", "HubSpot, Inc.", N, "7372", 52.7, 440.0),
    ("IOT", "Samsara Inc.", N, "7372", 572.0, 34.0),
    ("MDB", "MongoDB, Inc.", Q, "7372", 81.7, 214.0),
    ("GDDY", "GoDaddy Inc.", N, "7370", 138.0, 147.0),
    ("RBRK", "Rubrik, Inc.", N, "7372", 197.0, 88.0),
    ("NBIS", "Nebius Group N.V.", Q, "7374", 239.0, 68.0),
    ("NTNX", "Nutanix, Inc.", Q, "7372", 268.0, 68.0),
    ("TWLO", "Twilio Inc.", N, "7372", 153.0, 101.0),
    ("DOCU", "DocuSign, Inc.", Q, "7372", 202.0, 70.0),
    ("OKTA", "Okta, Inc.", Q, "7372", 175.0, 90.0),
    ("SYM", "Symbotic Inc.", Q, "3569", 587.0, 47.0),
    ("DT", "Dynatrace, Inc.", N, "7372", 300.0, 49.0),
    ("AKAM", "Akamai Technologies, Inc.", Q, "7389", 144.0, 77.0),
    ("PAYC", "Paycom Software, Inc.", N, "7372", 57.6, 222.0),
    ("PCTY", "Paylocity Holding Corporation", Q, "7372", 55.0, 180.0),
    ("S", "SentinelOne, Inc.", N, "7372", 331.0, 17.4),
    ("ESTC", "Elastic N.V.", N, "7372", 106.0, 84.0),
    ("ZM", "Zoom Communications, Inc.", Q, "7370", 299.0, 81.0),
    ("DBX", "Dropbox, Inc.", Q, "7372", 272.0, 28.4),
    ("GTLB", "GitLab Inc.", Q, "7372", 166.0, 44.0),
    ("KVYO", "Klaviyo, Inc.", N, "7372", 300.0, 31.0),
    ("APPF", "AppFolio, Inc.", Q, "7372", 35.8, 268.0),
    ("PATH", "UiPath Inc.", N, "7372", 532.0, 11.1),
    ("BOX", "Box, Inc.", N, "7372", 145.0, 31.6),
    ("SOUN", "SoundHound AI, Inc.", Q, "7372", 406.0, 12.4),
    ("AI", "C3.ai, Inc.", N, "7372", 138.0, 16.7),
    ("BBAI", "BigBear.ai Holdings, Inc.", N, "7373", 370.0, 5.4),
    ("DOCN", "DigitalOcean Holdings, Inc.", N, "7370", 91.0, 30.5),
    ("FSLY", "Fastly, Inc.", N, "7372", 147.0, 7.4),
    ("ENPH", "Enphase Energy, Inc.", Q, "3674", 131.0, 34.0),
    ("SEDG", "SolarEdge Technologies, Inc.", Q, "3674", 59.2, 31.0),
    ("POWI", "Power Integrations, Inc.", Q, "3674", 56.0, 43.0),
    ("APLD", "Applied Digital Corporation", Q, "7374", 262.0, 14.7),
    ("CIFR", "Cipher Mining Inc.", Q, "6199", 393.0, 5.6),
    ("IREN", "IREN Limited", Q, "6199", 272.0, 19.2),
    ("WULF", "TeraWulf Inc.", Q, "7374", 391.0, 8.7),
    ("CORZ", "Core Scientific, Inc.", Q, "7374", 305.0, 13.8),
    ("BTDR", "Bitdeer Technologies Group", Q, "7374", 200.0, 12.8),
    ("TYL", "Tyler Technologies, Inc.", N, "7372", 43.2, 574.0),
    ("FFIV", "F5, Inc.", Q, "3576", 57.4, 318.0),
    ("SWKS", "Skyworks Solutions, Inc.", Q, "3674", 148.0, 74.0),
];

const COMMUNICATION_SERVICES: &[Row] = &[
    ("GOOGL", "Alphabet Inc. Class A", Q, "7370", 12_100.0, 201.5),
    ("GOOG", "Alphabet Inc. Class C", Q, "7370", 12_100.0, 202.1),
    ("META", "Meta Platforms, Inc.", Q, "7370", 2_512.0, 745.0),
    ("NFLX", "Netflix, Inc.", Q, "7841", 425.0, 1_208.0),
    ("TMUS", "T-Mobile US, Inc.", Q, "4812", 1_125.0, 254.0),
    ("DIS", "The Walt Disney Company", N, "7990", 1_798.0, 117.5),
    ("T", "AT&T Inc.", N, "4813", 7_150.0, 29.0),
    ("VZ", "Verizon Communications Inc.", N, "4813", 4_216.0, 48.0),
    ("CMCSA", "Comcast Corporation", Q, "4841", 3_690.0, 33.6),
    ("EA", "Electronic Arts Inc.", Q, "7372", 250.0, 173.0),
    ("RBLX", "Roblox Corporation", N, "7372", 693.0, 119.0),
    ("TTWO", "Take-Two Interactive Software, Inc.", Q, "7372", 184.0, 231.0),
    ("CHTR", "Charter Communications, Inc.", Q, "4841", 137.0, 262.0),
    ("WBD", "Warner Bros. Discovery, Inc.", Q, "4841", 2_476.0, 11.9),
    ("FOXA", "Fox Corporation Class A", Q, "4833", 444.0, 58.0),
    ("FOX", "Fox Corporation Class B", Q, "4833", 444.0, 53.0),
    ("NWSA", "News Corporation Class A", Q, "2711", 566.0, 29.3),
    ("NWS", "News Corporation Class B", Q, "2711", 566.0, 33.6),
    ("OMC", "Omnicom Group Inc.", N, "7311", 194.0, 77.0),
    ("PINS", "Pinterest, Inc.", N, "7370", 679.0, 36.0),
    ("MTCH", "Match Group, Inc.", Q, "7370", 241.0, 37.0),
    ("SIRI", "Sirius XM Holdings Inc.", Q, "4832", 337.0, 22.6),
];

const HEALTHCARE: &[Row] = &[
    ("LLY", "Eli Lilly and Company", N, "2834", 946.0, 705.0),
    ("JNJ", "Johnson & Johnson", N, "2834", 2_408.0, 177.5),
    ("ABBV", "AbbVie Inc.", N, "2834", 1_767.0, 207.0),
    ("UNH", "UnitedHealth Group Incorporated", N, "6324", 906.0, 304.0),
    ("ABT", "Abbott Laboratories", N, "2834", 1_740.0, 132.0),
    ("MRK", "Merck & Co., Inc.", N, "2834", 2_498.0, 86.0),
    ("TMO", "Thermo Fisher Scientific Inc.", N, "3829", 378.0, 491.0),
    ("ISRG", "Intuitive Surgical, Inc.", Q, "3845", 358.0, 477.0),
    ("AMGN", "Amgen Inc.", Q, "2836", 538.0, 295.0),
    ("BSX", "Boston Scientific Corporation", N, "3841", 1_482.0, 104.0),
    ("SYK", "Stryker Corporation", N, "3841", 382.0, 387.0),
    ("DHR", "Danaher Corporation", N, "3823", 716.0, 209.0),
    ("GILD", "Gilead Sciences, Inc.", Q, "2836", 1_241.0, 115.0),
    ("PFE", "Pfizer Inc.", N, "2834", 5_686.0, 25.3),
    ("MDT", "Medtronic plc", N, "3845", 1_282.0, 92.5),
    ("VRTX", "Vertex Pharmaceuticals Incorporated", Q, "2834", 256.0, 395.0),
    ("BMY", "Bristol-Myers Squibb Company", N, "2834", 2_035.0, 48.0),
    ("MCK", "McKesson Corporation", N, "5122", 124.0, 692.0),
    ("HCA", "HCA Healthcare, Inc.", N, "8062", 234.0, 402.0),
    ("CVS", "CVS Health Corporation", N, "5912", 1_268.0, 71.0),
    ("ZTS", "Zoetis Inc.", N, "2834", 443.0, 155.0),
    ("CI", "The Cigna Group", N, "6324", 267.0, 300.0),
    ("ELV", "Elevance Health, Inc.", N, "6324", 225.0, 312.0),
    ("REGN", "Regeneron Pharmaceuticals, Inc.", Q, "2834", 106.0, 578.0),
    ("ALNY", "Alnylam Pharmaceuticals, Inc.", Q, "2834", 131.0, 452.0),
    ("BDX", "Becton, Dickinson and Company", N, "3841", 286.0, 196.0),
    ("EW", "Edwards Lifesciences Corporation", N, "3842", 587.0, 80.0),
    ("IDXX", "IDEXX Laboratories, Inc.", Q, "2835", 80.0, 640.0),
    ("CAH", "Cardinal Health, Inc.", N, "5122", 239.0, 149.0),
    ("RPRX", "Royalty Pharma plc", Q, "2834", 560.0, 36.5),
    ("A", "Agilent Technologies, Inc.", N, "3826", 284.0, 118.0),
    ("MTD", "Mettler-Toledo International Inc.", N, "3826", 20.6, 1_300.0),
    ("KVUE", "Kenvue Inc.", N, "2844", 1_919.0, 21.3),
    ("WST", "West Pharmaceutical Services, Inc.", N, "3060", 71.9, 248.0),
    ("NTRA", "Natera, Inc.", Q, "8071", 137.0, 163.0),
    ("INSM", "Insmed Incorporated", Q, "2836", 211.0, 123.0),
    ("BIIB", "Biogen Inc.", Q, "2836", 147.0, 137.0),
    ("UTHR", "United Therapeutics Corporation", Q, "2834", 45.1, 312.0),
    ("NBIX", "Neurocrine Biosciences, Inc.", Q, "2836", 99.0, 135.0),
    ("INCY", "Incyte Corporation", Q, "8731", 195.0, 86.0),
    ("SMMT", "Summit Therapeutics Inc.", Q, "2834", 743.0, 25.6),
    ("ILMN", "Illumina, Inc.", Q, "3826", 155.0, 99.0),
    ("VTRS", "Viatris Inc.", Q, "2834", 1_166.0, 10.4),
    ("TEM", "Tempus AI, Inc.", Q, "8090", 173.0, 75.0),
    ("MRNA", "Moderna, Inc.", Q, "2836", 389.0, 25.7),
    ("BMRN", "BioMarin Pharmaceutical Inc.", Q, "2834", 192.0, 58.5),
    ("EXEL", "Exelixis, Inc.", Q, "8731", 269.0, 38.0),
    ("MDGL", "Madrigal Pharmaceuticals, Inc.", Q, "2834", 22.3, 390.0),
    ("ROIV", "Roivant Sciences Ltd.", Q, "2834", 682.0, 11.9),
    ("ELAN", "Elanco Animal Health Incorporated", N, "2834", 496.0, 17.8),
    ("HALO", "Halozyme Therapeutics, Inc.", Q, "2836", 117.0, 70.0),
    ("IONS", "Ionis Pharmaceuticals, Inc.", Q, "2834", 159.0, 43.0),
    ("RVMD", "Revolution Medicines, Inc.", Q, "2834", 186.0, 37.5),
    ("BIO", "Bio-Rad Laboratories, Inc. Class A", N, "3826", 27.1, 290.0),
    ("BIO.B", "Bio-Rad Laboratories, Inc. Class B", N, "3826", 27.1, 288.0),
    ("CYTK", "Cytokinetics, Incorporated", Q, "2834", 119.0, 36.0),
    ("AXSM", "Axsome Therapeutics, Inc.", Q, "2834", 49.8, 111.0),
    ("KRYS", "Krystal Biotech, Inc.", Q, "2836", 28.9, 147.0),
    ("CRSP", "CRISPR Therapeutics AG", Q, "2836", 90.0, 55.0),
    ("PTCT", "PTC Therapeutics, Inc.", Q, "2834", 79.3, 49.5),
    ("ACAD", "ACADIA Pharmaceuticals Inc.", Q, "2834", 168.0, 24.8),
    ("RARE", "Ultragenyx Pharmaceutical Inc.", Q, "2834", 96.0, 29.3),
    ("VKTX", "Viking Therapeutics, Inc.", Q, "2834", 112.0, 26.0),
    ("ARWR", "Arrowhead Pharmaceuticals, Inc.", Q, "2834", 138.0, 19.1),
    ("DNLI", "Denali Therapeutics Inc.", Q, "2836", 146.0, 15.0),
    ("IMVT", "Immunovant, Inc.", Q, "2836", 174.0, 15.1),
    ("RXRX", "Recursion Pharmaceuticals, Inc.", Q, "2836", 435.0, 5.0),
    ("TVTX", "Travere Therapeutics, Inc.", Q, "2834", 89.0, 17.0),
    ("SRPT", "Sarepta Therapeutics, Inc.", Q, "2836", 97.7, 19.6),
    ("BEAM", "Beam Therapeutics Inc.", Q, "2836", 101.0, 16.2),
    ("TWST", "Twist Bioscience Corporation", Q, "2836", 60.0, 26.9),
    ("NVAX", "Novavax, Inc.", Q, "2836", 162.0, 8.1),
    ("NTLA", "Intellia Therapeutics, Inc.", Q, "2836", 107.0, 10.2),
    ("OGN", "Organon & Co.", N, "2834", 260.0, 9.6),
    ("PRGO", "Perrigo Company plc", N, "2834", 138.0, 23.0),
    ("PBH", "Prestige Consumer Healthcare Inc.", N, "2834", 49.3, 66.0),
    ("EDIT", "Editas Medicine, Inc.", Q, "2836", 84.0, 2.6),
];

const FINANCIAL_SERVICES: &[Row] = &[
    ("BRK.B", "Berkshire Hathaway Inc. Class B", N, "6331", 2_157.0, 495.7),
    ("BRK.A", "Berkshire Hathaway Inc. Class A", N, "6331", 1.438, 743_500.0),
    ("JPM", "JPMorgan Chase & Co.", N, "6021", 2_750.0, 291.0),
    ("V", "Visa Inc.", N, "7389", 1_940.0, 343.0),
    ("MA", "Mastercard Incorporated", N, "7389", 904.0, 588.0),
    ("BAC", "Bank of America Corporation", N, "6021", 7_407.0, 47.6),
    ("WFC", "Wells Fargo & Company", N, "6021", 3_204.0, 77.6),
    ("MS", "Morgan Stanley", N, "6211", 1_597.0, 144.0),
    ("GS", "The Goldman Sachs Group, Inc.", N, "6211", 303.0, 721.0),
    ("AXP", "American Express Company", N, "6199", 696.0, 306.0),
    ("BX", "Blackstone Inc.", N, "6282", 1_221.0, 167.0),
    ("SCHW", "The Charles Schwab Corporation", N, "6211", 1_815.0, 96.0),
    ("BLK", "BlackRock, Inc.", N, "6211", 155.0, 1_130.0),
    ("C", "Citigroup Inc.", N, "6021", 1_841.0, 92.5),
    ("SPGI", "S&P Global Inc.", N, "7320", 305.0, 556.0),
    ("PGR", "The Progressive Corporation", N, "6331", 586.0, 248.0),
    ("COF", "Capital One Financial Corporation", N, "6021", 640.0, 217.0),
    ("CB", "Chubb Limited", N, "6331", 399.0, 272.0),
    ("MMC", "Marsh & McLennan Companies, Inc.", N, "6411", 492.0, 208.0),
    ("ICE", "Intercontinental Exchange, Inc.", N, "6200", 573.0, 178.0),
    ("KKR", "KKR & Co. Inc.", N, "6282", 891.0, 139.0),
    ("HOOD", "Robinhood Markets, Inc.", Q, "6211", 889.0, 109.0),
    ("CME", "CME Group Inc.", Q, "6200", 360.0, 271.0),
    ("COIN", "Coinbase Global, Inc.", Q, "6199", 257.0, 304.0),
    ("USB", "U.S. Bancorp", N, "6021", 1_556.0, 46.4),
    ("PNC", "The PNC Financial Services Group, Inc.", N, "6021", 394.0, 194.0),
    ("FISV", "Fiserv, Inc.", Q, "7374", 544.0, 137.0),
    ("MCO", "Moody's Corporation", N, "7320", 179.0, 511.0),
    ("PYPL", "PayPal Holdings, Inc.", Q, "7389", 955.0, 68.0),
    ("BK", "The Bank of New York Mellon Corporation", N, "6022", 705.0, 102.0),
    ("TRV", "The Travelers Companies, Inc.", N, "6331", 225.0, 268.0),
    ("AFL", "Aflac Incorporated", N, "6321", 535.0, 106.0),
    ("TFC", "Truist Financial Corporation", N, "6021", 1_290.0, 44.5),
    ("ALL", "The Allstate Corporation", N, "6331", 264.0, 208.0),
    ("MET", "MetLife, Inc.", N, "6311", 665.0, 77.0),
    ("NU", "Nu Holdings Ltd.", N, "6022", 4_835.0, 13.2),
    ("XYZ", "Block, Inc.", N, "7372", 610.0, 74.0),
    ("AIG", "American International Group, Inc.", N, "6331", 554.0, 79.0),
    ("PRU", "Prudential Financial, Inc.", N, "6311", 352.0, 107.0),
    ("FIS", "Fidelity National Information Services, Inc.", N, "7389", 522.0, 71.0),
    ("CRCL", "Circle Internet Group, Inc.", N, "6199", 223.0, 138.0),
    ("BRO", "Brown & Brown, Inc.", N, "6411", 330.0, 95.0),
    ("SOFI", "SoFi Technologies, Inc.", Q, "6141", 1_198.0, 22.7),
    ("AFRM", "Affirm Holdings, Inc.", Q, "7389", 323.0, 72.0),
    ("CINF", "Cincinnati Financial Corporation", Q, "6331", 156.0, 150.0),
    ("CPAY", "Corpay, Inc.", N, "7389", 70.6, 325.0),
    ("TROW", "T. Rowe Price Group, Inc.", Q, "6282", 220.0, 106.0),
    ("GPN", "Global Payments Inc.", N, "7389", 243.0, 86.0),
    ("TOST", "Toast, Inc.", N, "7372", 586.0, 41.0),
    ("CBOE", "Cboe Global Markets, Inc.", N, "6200", 105.0, 245.0),
    ("ERIE", "Erie Indemnity Company", Q, "6411", 52.3, 360.0),
    ("FDS", "FactSet Research Systems Inc.", N, "7374", 37.8, 370.0),
    ("BEN", "Franklin Resources, Inc.", N, "6282", 522.0, 25.2),
    ("JKHY", "Jack Henry & Associates, Inc.", Q, "7373", 72.8, 164.0),
    ("GLXY", "Galaxy Digital Inc.", Q, "6211", 377.0, 25.0),
    ("CHYM", "Chime Financial, Inc.", Q, "6199", 373.0, 27.0),
    ("KLAR", "Klarna Group plc", N, "6141", 377.0, 41.0),
    ("BLSH", "Bullish", N, "6200", 146.0, 62.0),
    ("FIGR", "Figure Technology Solutions, Inc.", Q, "6199", 212.0, 36.0),
    ("GEMI", "Gemini Space Station, Inc.", Q, "6200", 117.0, 25.0),
    ("BMNR", "BitMine Immersion Technologies, Inc.", A, "6199", 173.0, 48.0),
    ("UPST", "Upstart Holdings, Inc.", Q, "6199", 96.0, 66.0),
    ("FOUR", "Shift4 Payments, Inc.", N, "7389", 89.0, 87.0),
    ("WEX", "WEX Inc.", N, "7389", 34.3, 170.0),
    ("BILL", "BILL Holdings, Inc.", N, "7372", 102.0, 43.0),
    ("MARA", "MARA Holdings, Inc.", Q, "6199", 370.0, 15.3),
    ("RIOT", "Riot Platforms, Inc.", Q, "6199", 369.0, 12.5),
    ("LMND", "Lemonade, Inc.", N, "6331", 73.6, 53.0),
    ("STNE", "StoneCo Ltd.", Q, "7372", 269.0, 15.0),
    ("DLO", "DLocal Limited", Q, "7389", 294.0, 12.1),
    ("QTWO", "Q2 Holdings, Inc.", N, "7372", 62.4, 75.0),
    ("ABTC", "American Bitcoin Corp.", Q, "6199", 909.0, 5.2),
    ("NCNO", "nCino, Inc.", Q, "7372", 115.0, 29.0),
    ("PAY", "Paymentus Holdings, Inc.", N, "7389", 125.0, 35.0),
    ("SBET", "SharpLink Gaming, Inc.", Q, "7389", 167.0, 19.3),
    ("SEZL", "Sezzle Inc.", Q, "7389", 34.1, 93.0),
    ("FLYW", "Flywire Corporation", Q, "7389", 122.0, 12.7),
    ("PAGS", "PagSeguro Digital Ltd.", N, "7389", 300.0, 8.6),
    ("CLSK", "CleanSpark, Inc.", Q, "6199", 281.0, 9.7),
    ("ALKT", "Alkami Technology, Inc.", Q, "7372", 104.0, 24.2),
    ("DAVE", "Dave Inc.", Q, "7372", 13.4, 205.0),
    ("HUT", "Hut 8 Corp.", Q, "6199", 105.0, 22.0),
    ("PAYO", "Payoneer Global Inc.", Q, "7389", 361.0, 6.6),
    ("MQ", "Marqeta, Inc.", Q, "7389", 449.0, 5.8),
    ("RELY", "Remitly Global, Inc.", Q, "7389", 206.0, 18.6),
    ("EXOD", "Exodus Movement, Inc.", A, "7372", 28.6, 27.0),
    ("ROOT", "Root, Inc.", Q, "6331", 15.4, 88.0),
    ("TREE", "LendingTree, Inc.", Q, "6163", 13.6, 64.0),
    ("BTBT", "Bit Digital, Inc.", Q, "6199", 321.0, 2.8),
    ("HIVE", "HIVE Digital Technologies Ltd.", Q, "6199", 212.0, 2.2),
    ("BKKT", "Bakkt Holdings, Inc.", N, "6199", 14.6, 9.4),
    ("HASI", "HA Sustainable Infrastructure Capital, Inc.", N, "6798", 124.0, 27.5),
];

const CONSUMER_DISCRETIONARY: &[Row] = &[
    ("AMZN", "Amazon.com, Inc.", Q, "5961", 10_660.0, 224.0),
    ("TSLA", "Tesla, Inc.", Q, "3711", 3_225.0, 323.0),
    ("HD", "The Home Depot, Inc.", N, "5211", 995.0, 404.0),
    ("MCD", "McDonald's Corporation", N, "5812", 714.0, 312.0),
    ("BKNG", "Booking Holdings Inc.", Q, "4700", 32.4, 5_500.0),
    ("TJX", "The TJX Companies, Inc.", N, "5651", 1_113.0, 136.0),
    ("LOW", "Lowe's Companies, Inc.", N, "5211", 561.0, 254.0),
    ("MELI", "MercadoLibre, Inc.", Q, "5961", 50.7, 2_370.0),
    ("NKE", "NIKE, Inc.", N, "3021", 1_477.0, 77.0),
    ("SBUX", "Starbucks Corporation", Q, "5810", 1_137.0, 91.0),
    ("DASH", "DoorDash, Inc.", Q, "7389", 427.0, 244.0),
    ("ABNB", "Airbnb, Inc.", Q, "7340", 614.0, 126.0),
    ("ORLY", "O'Reilly Automotive, Inc.", Q, "5531", 847.0, 103.0),
    ("RCL", "Royal Caribbean Cruises Ltd.", N, "4400", 272.0, 325.0),
    ("MAR", "Marriott International, Inc.", Q, "7011", 272.0, 267.0),
    ("AZO", "AutoZone, Inc.", N, "5531", 16.7, 4_070.0),
    ("HLT", "Hilton Worldwide Holdings Inc.", N, "7011", 235.0, 271.0),
    ("CMG", "Chipotle Mexican Grill, Inc.", N, "5812", 1_341.0, 43.0),
    ("F", "Ford Motor Company", N, "3711", 3_980.0, 11.4),
    ("GM", "General Motors Company", N, "3711", 952.0, 57.0),
    ("EBAY", "eBay Inc.", Q, "7389", 457.0, 96.0),
    ("DHI", "D.R. Horton, Inc.", N, "1531", 298.0, 166.0),
    ("LVS", "Las Vegas Sands Corp.", N, "7011", 687.0, 55.0),
    ("LEN", "Lennar Corporation Class A", N, "1531", 258.0, 131.0),
    ("LEN.B", "Lennar Corporation Class B", N, "1531", 258.0, 125.0),
    ("GPC", "Genuine Parts Company", N, "5013", 139.0, 138.0),
    ("WYNN", "Wynn Resorts, Limited", Q, "7011", 104.0, 112.0),
    ("VFC", "V.F. Corporation", N, "2300", 390.0, 14.0),
    ("UAA", "Under Armour, Inc. Class A", N, "2300", 426.0, 5.1),
    ("UA", "Under Armour, Inc. Class C", N, "2300", 426.0, 4.9),
    ("EVGO", "EVgo, Inc.", Q, "5500", 307.0, 3.8),
    ("LEG", "Leggett & Platt, Incorporated", N, "2510", 135.0, 9.6),
    ("SG", "Sweetgreen, Inc.", N, "5812", 118.0, 9.3),
    ("TRUE", "TrueCar, Inc.", Q, "7370", 88.0, 2.1),
];

const CONSUMER_STAPLES: &[Row] = &[
    ("WMT", "Walmart Inc.", N, "5331", 7_980.0, 101.5),
    ("COST", "Costco Wholesale Corporation", Q, "5331", 443.0, 976.0),
    ("PG", "The Procter & Gamble Company", N, "2840", 2_341.0, 158.0),
    ("KO", "The Coca-Cola Company", N, "2080", 4_304.0, 70.4),
    ("PM", "Philip Morris International Inc.", N, "2111", 1_557.0, 168.0),
    ("PEP", "PepsiCo, Inc.", Q, "2080", 1_369.0, 150.0),
    ("MO", "Altria Group, Inc.", N, "2111", 1_680.0, 67.0),
    ("MDLZ", "Mondelez International, Inc.", Q, "2060", 1_294.0, 62.0),
    ("CL", "Colgate-Palmolive Company", N, "2844", 808.0, 86.0),
    ("MNST", "Monster Beverage Corporation", Q, "2086", 976.0, 64.0),
    ("TGT", "Target Corporation", N, "5331", 454.0, 98.0),
    ("KR", "The Kroger Co.", N, "5411", 661.0, 69.0),
    ("KMB", "Kimberly-Clark Corporation", N, "2621", 332.0, 132.0),
    ("SYY", "Sysco Corporation", N, "5140", 479.0, 80.0),
    ("HSY", "The Hershey Company", N, "2060", 203.0, 183.0),
    ("KHC", "The Kraft Heinz Company", Q, "2030", 1_184.0, 27.5),
    ("GIS", "General Mills, Inc.", N, "2040", 542.0, 49.5),
    ("ADM", "Archer-Daniels-Midland Company", N, "2070", 481.0, 62.0),
    ("CHD", "Church & Dwight Co., Inc.", N, "2840", 240.0, 94.0),
    ("MKC", "McCormick & Company, Incorporated", N, "2090", 268.0, 71.0),
    ("HRL", "Hormel Foods Corporation", N, "2011", 550.0, 28.6),
    ("CLX", "The Clorox Company", N, "2840", 122.0, 121.0),
    ("BF/B", "Brown-Forman Corporation Class B", N, "2080", 472.0, 30.6),
    ("BF/A", "Brown-Forman Corporation Class A", N, "2080", 472.0, 30.4),
    ("SJM", "The J. M. Smucker Company", N, "2033", 106.0, 112.0),
];

const INDUSTRIALS: &[Row] = &[
    ("GE", "General Electric Company", N, "3724", 1_060.0, 268.0),
    ("CAT", "Caterpillar Inc.", N, "3531", 468.0, 432.0),
    ("RTX", "RTX Corporation", N, "3724", 1_339.0, 155.0),
    ("UBER", "Uber Technologies, Inc.", N, "7389", 2_085.0, 96.2),
    ("BA", "The Boeing Company", N, "3721", 756.0, 226.0),
    ("GEV", "GE Vernova Inc.", N, "3510", 272.0, 615.0),
    ("HON", "Honeywell International Inc.", Q, "3724", 635.0, 218.0),
    ("ETN", "Eaton Corporation plc", N, "3590", 389.0, 349.0),
    ("DE", "Deere & Company", N, "3523", 271.0, 490.0),
    ("UNP", "Union Pacific Corporation", N, "4011", 593.0, 224.0),
    ("ADP", "Automatic Data Processing, Inc.", Q, "7374", 405.0, 303.0),
    ("LMT", "Lockheed Martin Corporation", N, "3760", 233.0, 444.0),
    ("WM", "Waste Management, Inc.", N, "4953", 403.0, 227.0),
    ("MMM", "3M Company", N, "3841", 533.0, 155.0),
    ("GD", "General Dynamics Corporation", N, "3730", 269.0, 318.0),
    ("NOC", "Northrop Grumman Corporation", N, "3812", 143.0, 590.0),
    ("CTAS", "Cintas Corporation", Q, "2320", 403.0, 217.0),
    ("EMR", "Emerson Electric Co.", N, "3600", 563.0, 133.0),
    ("ITW", "Illinois Tool Works Inc.", N, "3560", 292.0, 262.0),
    ("UPS", "United Parcel Service, Inc.", N, "4210", 847.0, 87.0),
    ("CSX", "CSX Corporation", Q, "4011", 1_864.0, 35.0),
    ("FDX", "FedEx Corporation", N, "4513", 236.0, 229.0),
    ("CMI", "Cummins Inc.", N, "3510", 138.0, 398.0),
    ("FAST", "Fastenal Company", Q, "5200", 1_148.0, 49.0),
    ("VRT", "Vertiv Holdings Co", N, "3679", 382.0, 127.0),
    ("GWW", "W.W. Grainger, Inc.", N, "5000", 47.8, 985.0),
    ("HEI", "HEICO Corporation", N, "3724", 139.0, 312.0),
    ("HEI.A", "HEICO Corporation Class A", N, "3724", 139.0, 246.0),
    ("DAL", "Delta Air Lines, Inc.", N, "4512", 653.0, 58.0),
    ("XYL", "Xylem Inc.", N, "3561", 243.0, 142.0),
    ("DOV", "Dover Corporation", N, "3530", 137.0, 177.0),
    ("PNR", "Pentair plc", N, "3550", 164.0, 107.0),
    ("EXPD", "Expeditors International of Washington, Inc.", N, "4731", 136.0, 120.0),
    ("CHRW", "C.H. Robinson Worldwide, Inc.", Q, "4731", 118.0, 124.0),
    ("NDSN", "Nordson Corporation", Q, "3569", 56.4, 220.0),
    ("SWK", "Stanley Black & Decker, Inc.", N, "3420", 155.0, 74.0),
    ("AOS", "A. O. Smith Corporation", N, "3630", 140.0, 72.0),
    ("BE", "Bloom Energy Corporation", N, "3620", 234.0, 46.0),
    ("NXT", "Nextracker Inc.", Q, "3674", 148.0, 62.0),
    ("ENS", "EnerSys", N, "3690", 37.8, 100.0),
    ("AIR", "AAR Corp.", N, "3720", 36.1, 75.0),
    ("QS", "QuantumScape Corporation", N, "3690", 560.0, 8.3),
    ("RUN", "Sunrun Inc.", Q, "3433", 231.0, 15.4),
    ("GEO", "The GEO Group, Inc.", N, "8744", 139.0, 21.0),
    ("EOSE", "Eos Energy Enterprises, Inc.", Q, "3690", 256.0, 6.3),
    ("PLUG", "Plug Power Inc.", Q, "3620", 1_155.0, 1.6),
    ("AMSC", "American Superconductor Corporation", Q, "3621", 45.0, 49.0),
    ("ARRY", "Array Technologies, Inc.", Q, "3433", 153.0, 8.5),
    ("FLNC", "Fluence Energy, Inc.", Q, "3690", 183.0, 7.6),
    ("AMRC", "Ameresco, Inc.", N, "1700", 52.6, 24.0),
    ("SHLS", "Shoals Technologies Group, Inc.", Q, "3674", 167.0, 6.2),
    ("CHPT", "ChargePoint Holdings, Inc.", N, "3620", 23.0, 11.4),
    ("BLNK", "Blink Charging Co.", Q, "3620", 103.0, 0.98),
    ("FCEL", "FuelCell Energy, Inc.", Q, "3690", 30.0, 7.8),
    ("STEM", "Stem, Inc.", N, "3690", 8.3, 16.0),
];

const ENERGY: &[Row] = &[
    ("XOM", "Exxon Mobil Corporation", N, "2911", 4_263.0, 108.5),
    ("CVX", "Chevron Corporation", N, "2911", 1_740.0, 155.0),
    ("COP", "ConocoPhillips", N, "2911", 1_249.0, 95.0),
    ("WMB", "The Williams Companies, Inc.", N, "4922", 1_221.0, 58.0),
    ("EOG", "EOG Resources, Inc.", N, "1311", 546.0, 119.0),
    ("KMI", "Kinder Morgan, Inc.", N, "4922", 2_222.0, 26.8),
    ("MPC", "Marathon Petroleum Corporation", N, "2911", 304.0, 169.0),
    ("PSX", "Phillips 66", N, "2911", 404.0, 127.0),
    ("SLB", "Schlumberger Limited", N, "1389", 1_494.0, 34.5),
    ("OKE", "ONEOK, Inc.", N, "4923", 629.0, 74.0),
    ("OXY", "Occidental Petroleum Corporation", N, "1311", 984.0, 45.5),
    ("FANG", "Diamondback Energy, Inc.", Q, "1311", 289.0, 142.0),
    ("BKR", "Baker Hughes Company", Q, "3533", 986.0, 44.0),
    ("HAL", "Halliburton Company", N, "1389", 853.0, 21.6),
    ("BTU", "Peabody Energy Corporation", N, "1221", 122.0, 17.0),
    ("GPRE", "Green Plains Inc.", Q, "2860", 65.5, 9.8),
    ("CLNE", "Clean Energy Fuels Corp.", Q, "4923", 219.0, 2.4),
    ("GEVO", "Gevo, Inc.", Q, "2860", 242.0, 1.5),
];

const UTILITIES: &[Row] = &[
    ("NEE", "NextEra Energy, Inc.", N, "4911", 2_059.0, 76.0),
    ("SO", "The Southern Company", N, "4911", 1_100.0, 95.0),
    ("CEG", "Constellation Energy Corporation", Q, "4911", 312.0, 315.0),
    ("DUK", "Duke Energy Corporation", N, "4931", 777.0, 124.0),
    ("VST", "Vistra Corp.", N, "4911", 339.0, 193.0),
    ("AEP", "American Electric Power Company, Inc.", Q, "4911", 534.0, 112.0),
    ("SRE", "Sempra", N, "4932", 652.0, 82.0),
    ("D", "Dominion Energy, Inc.", N, "4911", 853.0, 61.0),
    ("EXC", "Exelon Corporation", Q, "4931", 1_010.0, 44.5),
    ("PEG", "Public Service Enterprise Group Incorporated", N, "4931", 499.0, 84.0),
    ("XEL", "Xcel Energy Inc.", Q, "4931", 591.0, 72.0),
    ("ED", "Consolidated Edison, Inc.", N, "4931", 360.0, 101.0),
    ("AWK", "American Water Works Company, Inc.", N, "4941", 195.0, 144.0),
    ("ATO", "Atmos Energy Corporation", N, "4924", 160.0, 167.0),
    ("ES", "Eversource Energy", N, "4911", 371.0, 64.0),
    ("AES", "The AES Corporation", N, "4991", 712.0, 13.1),
    ("BEPC", "Brookfield Renewable Corporation", N, "4911", 179.0, 34.5),
    ("CWEN", "Clearway Energy, Inc.", N, "4911", 118.0, 30.0),
    ("ORA", "Ormat Technologies, Inc.", N, "4911", 60.7, 92.0),
    ("MNTK", "Montauk Renewables, Inc.", Q, "4932", 142.0, 2.1),
];

const MATERIALS: &[Row] = &[
    ("LIN", "Linde plc", Q, "2810", 469.0, 477.0),
    ("SHW", "The Sherwin-Williams Company", N, "5200", 249.0, 362.0),
    ("NEM", "Newmont Corporation", N, "1040", 1_098.0, 69.0),
    ("ECL", "Ecolab Inc.", N, "2840", 284.0, 275.0),
    ("APD", "Air Products and Chemicals, Inc.", N, "2810", 223.0, 289.0),
    ("FCX", "Freeport-McMoRan Inc.", N, "1000", 1_436.0, 42.0),
    ("NUE", "Nucor Corporation", N, "3312", 230.0, 145.0),
    ("PPG", "PPG Industries, Inc.", N, "2851", 226.0, 111.0),
    ("AMCR", "Amcor plc", N, "3990", 2_304.0, 8.6),
    ("HL", "Hecla Mining Company", N, "1040", 670.0, 8.3),
    ("CDE", "Coeur Mining, Inc.", N, "1040", 643.0, 12.2),
    ("ALB", "Albemarle Corporation", N, "2821", 118.0, 78.0),
    ("AA", "Alcoa Corporation", N, "3334", 259.0, 30.5),
];

const REAL_ESTATE: &[Row] = &[
    ("WELL", "Welltower Inc.", N, "6798", 669.0, 165.0),
    ("PLD", "Prologis, Inc.", N, "6798", 928.0, 107.0),
    ("AMT", "American Tower Corporation", N, "6798", 468.0, 210.0),
    ("EQIX", "Equinix, Inc.", Q, "6798", 97.9, 780.0),
    ("SPG", "Simon Property Group, Inc.", N, "6798", 326.0, 175.0),
    ("DLR", "Digital Realty Trust, Inc.", N, "6798", 341.0, 167.0),
    ("O", "Realty Income Corporation", N, "6798", 914.0, 58.0),
    ("PSA", "Public Storage", N, "6798", 175.0, 287.0),
    ("CBRE", "CBRE Group, Inc.", N, "6531", 298.0, 158.0),
    ("CCI", "Crown Castle Inc.", N, "6798", 435.0, 103.0),
    ("ESS", "Essex Property Trust, Inc.", N, "6798", 64.4, 260.0),
    ("FRT", "Federal Realty Investment Trust", N, "6798", 86.3, 95.0),
    ("SLG", "SL Green Realty Corp.", N, "6798", 71.0, 55.0),
    ("CXW", "CoreCivic, Inc.", N, "6798", 107.0, 20.0),
];

const ADRS: &[(Sector, Row)] = &[
    (
        Sector::Technology,
        ("TSM", "Taiwan Semiconductor Manufacturing Company Limited", N, "3674", 5_186.0, 232.0),
    ),
    (Sector::Technology, ("ARM", "Arm Holdings plc", Q, "3674", 1_058.0, 138.0)),
    (Sector::Technology, ("SAP", "SAP SE", N, "7372", 1_166.0, 271.0)),
    (Sector::Technology, ("CSIQ", "Canadian Solar Inc.", Q, "3674", 67.0, 10.4)),
    (Sector::Technology, ("CAN", "Canaan Inc.", Q, "3571", 480.0, 0.74)),
    (Sector::ConsumerDiscretionary, ("BABA", "Alibaba Group Holding Limited", N, "5961", 2_385.0, 121.0)),
    (Sector::ConsumerDiscretionary, ("TM", "Toyota Motor Corporation", N, "3711", 1_303.0, 194.0)),
    (Sector::ConsumerDiscretionary, ("TCOM", "Trip.com Group Limited", Q, "4700", 654.0, 65.0)),
    (Sector::Healthcare, ("AZN", "AstraZeneca PLC", Q, "2834", 3_101.0, 79.0)),
    (Sector::Healthcare, ("NVS", "Novartis AG", N, "2834", 1_935.0, 126.0)),
    (Sector::Healthcare, ("NVO", "Novo Nordisk A/S", N, "2834", 3_380.0, 54.0)),
    (Sector::Healthcare, ("TEVA", "Teva Pharmaceutical Industries Limited", N, "2834", 1_147.0, 17.6)),
    (Sector::ConsumerStaples, ("BTI", "British American Tobacco p.l.c.", N, "2111", 2_193.0, 58.0)),
    (Sector::Energy, ("SHEL", "Shell plc", N, "2911", 2_940.0, 73.0)),
    (Sector::FinancialServices, ("HSBC", "HSBC Holdings plc", N, "6021", 3_470.0, 65.0)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::demo::industries;

    #[test]
    fn every_well_known_company_has_an_industry_and_a_ticker_of_its_own() {
        let mut tickers = BTreeSet::new();
        for company in well_known() {
            assert!(tickers.insert(company.symbol), "{} appears twice", company.symbol);
            assert!(industries::by_sic(company.sic).is_some(), "{}: SIC {}", company.symbol, company.sic);
        }
        assert!(tickers.len() >= 250);
    }

    #[test]
    fn all_eleven_sectors_have_at_least_ten_well_known_leaders() {
        for sector in Sector::ALL {
            let leaders = well_known().filter(|c| c.sector == sector && !c.is_adr).count();
            assert!(leaders >= 10, "{sector:?} has {leaders}");
        }
    }

    #[test]
    fn a_second_class_stands_beside_a_first_one_of_nearly_the_same_worth() {
        let worth = |symbol: &str| {
            let company = well_known().find(|c| c.symbol == symbol).expect("listed");
            company.shares_millions * company.dollars
        };
        for (second, first) in SECOND_CLASSES {
            let ratio = worth(second) / worth(first);
            assert!((0.7..1.4).contains(&ratio), "{second} and {first} differ by {ratio}");
        }
    }

    #[test]
    fn no_reserved_ticker_is_used() {
        assert!(well_known().all(|company| !RESERVED.contains(&company.symbol)));
    }
}
