//! Sectors, SIC codes and the words that companies of an industry like in their names.
//!
//! One row of [`INDUSTRIES`] says everything an invented company takes from its line of business, so that its SIC
//! code, industry text, sector and name agree with each other the way they do in a vendor's feed.
//!
//! # Why one sector has several spellings
//! Vendors do not agree on them, and some feeds mix them. A market with one tidy spelling would not notice when
//! the table of sector names loses a row.

/// One of the eleven sectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sector {
    /// Software, semiconductors, hardware.
    Technology,
    /// Drug makers, devices, insurers, hospitals.
    Healthcare,
    /// Banks, insurers, brokers, payment networks.
    FinancialServices,
    /// What people buy when they feel rich.
    ConsumerDiscretionary,
    /// What people buy anyway.
    ConsumerStaples,
    /// Machines, aircraft, railways, business services.
    Industrials,
    /// Oil, gas and coal.
    Energy,
    /// Power, gas and water suppliers.
    Utilities,
    /// Chemicals, metals, packaging.
    Materials,
    /// Property trusts and agents.
    RealEstate,
    /// Telephone, media, search and social networks.
    CommunicationServices,
}

impl Sector {
    /// All sectors, in the order they are declared.
    pub const ALL: [Sector; 11] = [
        Sector::Technology,
        Sector::Healthcare,
        Sector::FinancialServices,
        Sector::ConsumerDiscretionary,
        Sector::ConsumerStaples,
        Sector::Industrials,
        Sector::Energy,
        Sector::Utilities,
        Sector::Materials,
        Sector::RealEstate,
        Sector::CommunicationServices,
    ];

    /// How vendors spell it, the commonest first.
    pub fn spellings(self) -> &'static [&'static str] {
        match self {
            Sector::Technology => &["Technology", "Information Technology", "Tech"],
            Sector::Healthcare => &["Healthcare", "Health Care"],
            Sector::FinancialServices => &["Financial Services", "Financials", "Finance"],
            Sector::ConsumerDiscretionary => &["Consumer Discretionary", "Consumer Cyclical"],
            Sector::ConsumerStaples => &["Consumer Staples", "Consumer Defensive"],
            Sector::Industrials => &["Industrials"],
            Sector::Energy => &["Energy"],
            Sector::Utilities => &["Utilities", "Public Utilities"],
            Sector::Materials => &["Materials", "Basic Materials"],
            Sector::RealEstate => &["Real Estate", "REIT"],
            Sector::CommunicationServices => {
                &["Communication Services", "Telecommunications", "Communications"]
            }
        }
    }

    /// How many of a thousand common stocks belong to it. They add up to 1,000.
    pub fn per_thousand(self) -> u32 {
        match self {
            Sector::Technology => 140,
            Sector::Healthcare => 190,
            Sector::FinancialServices => 170,
            Sector::ConsumerDiscretionary => 130,
            Sector::ConsumerStaples | Sector::Energy | Sector::Materials => 45,
            Sector::Industrials => 125,
            Sector::Utilities => 25,
            Sector::RealEstate => 50,
            Sector::CommunicationServices => 35,
        }
    }
}

/// A line of business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Industry {
    /// Four digits, as text: vendors keep leading zeros and so do we.
    pub sic: &'static str,
    /// The sector that companies of this industry mostly belong to.
    pub sector: Sector,
    /// The vendor's industry text.
    pub title: &'static str,
    /// How common it is beside the other industries of its sector; 0: only well-known companies have it.
    pub weight: u32,
    /// Words that follow the invented part of a company's name.
    pub words: &'static [&'static str],
}

/// The SIC code of shell companies that look for someone to merge with.
pub const BLANK_CHECK_SIC: &str = "6770";
/// The industry text of such shells.
pub const BLANK_CHECK_TITLE: &str = "Blank Checks";

/// The industry of a SIC code.
pub fn by_sic(sic: &str) -> Option<&'static Industry> {
    INDUSTRIES.iter().find(|industry| industry.sic == sic)
}

/// The sector whose share of all stocks `slot` falls into.
///
/// # Panics
/// When `slot` is 1,000 or more.
pub fn sector_at(slot: u32) -> Sector {
    let mut below = 0;
    for sector in Sector::ALL {
        below += sector.per_thousand();
        if slot < below {
            return sector;
        }
    }
    panic!("the sectors share 1,000 slots, so slot {slot} has no sector");
}

/// An industry of `sector`, drawn by weight.
pub fn draw(rng: &mut fastrand::Rng, sector: Sector) -> &'static Industry {
    let total: u32 = of_sector(sector).map(|industry| industry.weight).sum();
    let mut ticket = rng.u32(0..total);
    for industry in of_sector(sector) {
        if ticket < industry.weight {
            return industry;
        }
        ticket -= industry.weight;
    }
    unreachable!("the ticket is below the sum of the weights")
}

fn of_sector(sector: Sector) -> impl Iterator<Item = &'static Industry> {
    INDUSTRIES.iter().filter(move |industry| industry.sector == sector)
}

const fn row(
    sic: &'static str,
    sector: Sector,
    weight: u32,
    title: &'static str,
    words: &'static [&'static str],
) -> Industry {
    Industry { sic, sector, title, weight, words }
}

use Sector::{
    CommunicationServices as Com, ConsumerDiscretionary as Dis, ConsumerStaples as Sta, Energy as Ene,
    FinancialServices as Fin, Healthcare as Hea, Industrials as Ind, Materials as Mat, RealEstate as Rea,
    Technology as Tec, Utilities as Uti,
};

/// Every industry a made company can have, by SIC code.
pub const INDUSTRIES: &[Industry] = &[
    row("0100", Sta, 4, "Agricultural Production-Crops", &["Farms", "Agri", "Growers"]),
    row("1000", Mat, 12, "Metal Mining", &["Metals", "Mining", "Copper"]),
    row("1040", Mat, 14, "Gold & Silver Ores", &["Gold", "Silver", "Resources"]),
    row("1221", Ene, 4, "Bituminous Coal & Lignite Surface Mining", &["Coal", "Resources"]),
    row("1311", Ene, 30, "Crude Petroleum & Natural Gas", &["Oil", "Petroleum", "Exploration", "Energy"]),
    row("1381", Ene, 6, "Drilling Oil & Gas Wells", &["Drilling", "Offshore"]),
    row("1389", Ene, 12, "Oil & Gas Field Services, NEC", &["Oilfield Services", "Well Services"]),
    row("1400", Mat, 4, "Mining & Quarrying of Nonmetallic Minerals", &["Minerals", "Lithium", "Aggregates"]),
    row("1531", Dis, 8, "Operative Builders", &["Homes", "Builders"]),
    row("1700", Ind, 6, "Construction-Special Trade Contractors", &["Contractors", "Services Group"]),
    row("2000", Sta, 8, "Food and Kindred Products", &["Foods", "Brands"]),
    row("2011", Sta, 3, "Meat Packing Plants", &["Foods", "Provisions"]),
    row("2030", Sta, 3, "Canned, Frozen & Preserved Fruit, Veg & Food Specialties", &["Foods"]),
    row("2033", Sta, 2, "Canned, Fruits, Veg & Preserves, Jams & Jellies", &["Orchards"]),
    row("2040", Sta, 2, "Grain Mill Products", &["Mills"]),
    row("2060", Sta, 3, "Sugar & Confectionery Products", &["Confections"]),
    row("2070", Sta, 2, "Fats & Oils", &["Ingredients"]),
    row("2080", Sta, 6, "Beverages", &["Beverage", "Spirits", "Brewing"]),
    row("2086", Sta, 3, "Bottled & Canned Soft Drinks & Carbonated Waters", &["Beverages"]),
    row("2090", Sta, 2, "Miscellaneous Food Preparations & Kindred Products", &["Kitchens", "Nutrition"]),
    row("2111", Sta, 2, "Cigarettes", &["Tobacco"]),
    row("2300", Dis, 6, "Apparel & Other Finished Products of Fabrics", &["Apparel", "Outfitters"]),
    row("2320", Ind, 1, "Men's & Boys' Furnishings, Work Clothing", &["Uniforms"]),
    row("2510", Dis, 3, "Household Furniture", &["Furniture", "Interiors"]),
    row("2621", Mat, 3, "Paper Mills", &["Paper", "Pulp"]),
    row("2650", Mat, 3, "Paperboard Containers & Boxes", &["Packaging"]),
    row("2711", Com, 3, "Newspapers: Publishing or Publishing & Printing", &["Publishing", "News"]),
    row("2800", Mat, 6, "Chemicals & Allied Products", &["Chemical", "Chemicals"]),
    row("2810", Mat, 4, "Industrial Inorganic Chemicals", &["Industrial Gases", "Chemicals"]),
    row("2821", Mat, 4, "Plastic Materials, Synth Resins & Nonvulcan Elastomers", &["Polymers", "Resins"]),
    row(
        "2834",
        Hea,
        70,
        "Pharmaceutical Preparations",
        &["Pharmaceuticals", "Therapeutics", "Pharma", "Oncology", "Biopharma"],
    ),
    row("2835", Hea, 8, "In Vitro & In Vivo Diagnostic Substances", &["Diagnostics", "Genomics"]),
    row(
        "2836",
        Hea,
        50,
        "Biological Products (No Diagnostic Substances)",
        &["Therapeutics", "Biosciences", "Biologics", "Bio", "Genetics", "Immunotherapeutics"],
    ),
    row("2840", Sta, 3, "Soap, Detergents, Cleaning Preparations, Perfumes", &["Household Products"]),
    row("2844", Sta, 3, "Perfumes, Cosmetics & Other Toilet Preparations", &["Beauty", "Cosmetics"]),
    row("2851", Mat, 2, "Paints, Varnishes, Lacquers, Enamels & Allied Prods", &["Coatings"]),
    row("2860", Ene, 3, "Industrial Organic Chemicals", &["Renewable Fuels", "Biofuels"]),
    row("2870", Mat, 3, "Agricultural Chemicals", &["Crop Sciences", "Nutrients"]),
    row("2911", Ene, 6, "Petroleum Refining", &["Refining", "Petroleum"]),
    row("3021", Dis, 3, "Rubber & Plastics Footwear", &["Footwear"]),
    row("3060", Hea, 1, "Fabricated Rubber Products, NEC", &["Elastomers"]),
    row("3080", Mat, 3, "Miscellaneous Plastics Products", &["Plastics"]),
    row("3241", Mat, 2, "Cement, Hydraulic", &["Cement"]),
    row("3312", Mat, 5, "Steel Works, Blast Furnaces & Rolling Mills", &["Steel"]),
    row("3334", Mat, 2, "Primary Production of Aluminum", &["Aluminum"]),
    row("3420", Ind, 2, "Cutlery, Handtools & General Hardware", &["Tools"]),
    row("3433", Ind, 3, "Heating Equip, Except Elec & Warm Air; & Plumbing Fixtures", &["Solar", "Thermal"]),
    row("3510", Ind, 2, "Engines & Turbines", &["Turbines", "Power Systems"]),
    row("3523", Ind, 3, "Farm Machinery & Equipment", &["Equipment"]),
    row("3530", Ind, 3, "Construction, Mining & Materials Handling Machinery", &["Machinery", "Handling"]),
    row("3531", Ind, 3, "Construction Machinery & Equip", &["Machinery"]),
    row("3533", Ene, 4, "Oil & Gas Field Machinery & Equipment", &["Oilfield Equipment"]),
    row("3550", Ind, 3, "Special Industry Machinery (No Metalworking Machinery)", &["Automation"]),
    row("3559", Tec, 6, "Special Industry Machinery, NEC", &["Process Systems", "Wafer Systems"]),
    row("3560", Ind, 6, "General Industrial Machinery & Equipment", &["Industries", "Industrial"]),
    row("3561", Ind, 2, "Pumps & Pumping Equipment", &["Pumps", "Flow"]),
    row("3569", Ind, 3, "General Industrial Machinery & Equipment, NEC", &["Robotics", "Filtration"]),
    row("3570", Tec, 3, "Computer & Office Equipment", &["Business Machines"]),
    row("3571", Tec, 4, "Electronic Computers", &["Computer", "Computing"]),
    row("3572", Tec, 3, "Computer Storage Devices", &["Storage"]),
    row("3576", Tec, 6, "Computer Communications Equipment", &["Networks"]),
    row("3577", Tec, 5, "Computer Peripheral Equipment, NEC", &["Devices", "Security"]),
    row("3590", Ind, 2, "Misc Industrial & Commercial Machinery & Equipment", &["Controls"]),
    row("3600", Ind, 4, "Electronic & Other Electrical Equipment (No Computer Equip)", &["Electric"]),
    row("3620", Ind, 3, "Electrical Industrial Apparatus", &["Charging", "Power", "Hydrogen"]),
    row("3621", Ind, 2, "Motors & Generators", &["Motors"]),
    row("3630", Ind, 2, "Household Appliances", &["Appliances"]),
    row("3661", Tec, 3, "Telephone & Telegraph Apparatus", &["Telecom Systems"]),
    row("3663", Tec, 6, "Radio & TV Broadcasting & Communications Equipment", &["Wireless", "Satellite"]),
    row("3669", Tec, 2, "Communications Equipment, NEC", &["Sensors"]),
    row("3672", Tec, 3, "Printed Circuit Boards", &["Circuits"]),
    row(
        "3674",
        Tec,
        24,
        "Semiconductors & Related Devices",
        &["Semiconductor", "Microelectronics", "Silicon", "Photonics", "Solar"],
    ),
    row("3678", Tec, 2, "Electronic Connectors", &["Connectors"]),
    row("3679", Tec, 4, "Electronic Components, NEC", &["Electronics", "Components"]),
    row(
        "3690",
        Ind,
        5,
        "Miscellaneous Electrical Machinery, Equipment & Supplies",
        &["Energy Storage", "Battery"],
    ),
    row("3711", Dis, 6, "Motor Vehicles & Passenger Car Bodies", &["Motors", "Electric Vehicles"]),
    row("3714", Dis, 8, "Motor Vehicle Parts & Accessories", &["Automotive", "Driveline"]),
    row("3720", Ind, 2, "Aircraft & Parts", &["Aviation"]),
    row("3721", Ind, 3, "Aircraft", &["Aerospace"]),
    row("3724", Ind, 3, "Aircraft Engines & Engine Parts", &["Aero Engines"]),
    row("3730", Ind, 2, "Ship & Boat Building & Repairing", &["Marine Works"]),
    row("3743", Ind, 2, "Railroad Equipment", &["Rail"]),
    row("3760", Ind, 2, "Guided Missiles & Space Vehicles & Parts", &["Space", "Defense"]),
    row("3812", Ind, 4, "Search, Detection, Navigation, Guidance, Aeronautical Sys", &["Defense Systems"]),
    row("3823", Tec, 3, "Industrial Instruments for Measurement, Display, and Control", &["Instruments"]),
    row("3825", Tec, 3, "Instruments for Meas & Testing of Electricity & Elec Signals", &["Test Systems"]),
    row("3826", Hea, 8, "Laboratory Analytical Instruments", &["Analytics", "Scientific"]),
    row("3827", Tec, 3, "Optical Instruments & Lenses", &["Optics"]),
    row("3829", Hea, 2, "Measuring & Controlling Devices, NEC", &["Metrology"]),
    row(
        "3841",
        Hea,
        28,
        "Surgical & Medical Instruments & Apparatus",
        &["Medical", "Surgical", "Medical Devices"],
    ),
    row("3842", Hea, 8, "Orthopedic, Prosthetic & Surgical Appliances & Supplies", &["Orthopedics"]),
    row("3845", Hea, 12, "Electromedical & Electrotherapeutic Apparatus", &["Medical Systems", "Neuro"]),
    row("3944", Dis, 3, "Games, Toys & Children's Vehicles (No Dolls & Bicycles)", &["Toys", "Games"]),
    row("3990", Mat, 2, "Miscellaneous Manufacturing Industries", &["Containers", "Products"]),
    row("4011", Ind, 2, "Railroads, Line-Haul Operating", &["Railway"]),
    row("4210", Ind, 3, "Trucking & Courier Services (No Air)", &["Freight"]),
    row("4213", Ind, 5, "Trucking (No Local)", &["Transport", "Trucking"]),
    row("4400", Dis, 3, "Water Transportation", &["Cruises"]),
    row("4412", Ind, 5, "Deep Sea Foreign Transportation of Freight", &["Shipping", "Tankers", "Maritime"]),
    row("4512", Ind, 4, "Air Transportation, Scheduled", &["Airlines", "Airways"]),
    row("4513", Ind, 1, "Air Courier Services", &["Express"]),
    row("4610", Ene, 4, "Pipe Lines (No Natural Gas)", &["Pipelines"]),
    row("4700", Dis, 4, "Transportation Services", &["Travel"]),
    row("4731", Ind, 3, "Arrangement of Transportation of Freight & Cargo", &["Logistics"]),
    row("4812", Com, 4, "Radiotelephone Communications", &["Mobile", "Wireless"]),
    row("4813", Com, 8, "Telephone Communications (No Radiotelephone)", &["Telecom", "Fiber"]),
    row("4832", Com, 3, "Radio Broadcasting Stations", &["Radio"]),
    row("4833", Com, 5, "Television Broadcasting Stations", &["Broadcasting", "Media"]),
    row("4841", Com, 5, "Cable & Other Pay Television Services", &["Cable", "Entertainment"]),
    row("4899", Com, 4, "Communications Services, NEC", &["Satellite", "Communications"]),
    row("4911", Uti, 14, "Electric Services", &["Electric", "Power", "Renewables"]),
    row("4922", Ene, 6, "Natural Gas Transmission", &["Midstream"]),
    row("4923", Ene, 4, "Natural Gas Transmission & Distribution", &["Gas Partners"]),
    row("4924", Uti, 5, "Natural Gas Distribution", &["Gas"]),
    row("4931", Uti, 6, "Electric & Other Services Combined", &["Energy Services", "Utilities"]),
    row("4932", Uti, 2, "Gas & Other Services Combined", &["Gas & Power"]),
    row("4941", Uti, 5, "Water Supply", &["Water"]),
    row("4953", Ind, 3, "Refuse Systems", &["Environmental", "Recycling"]),
    row("4991", Uti, 4, "Cogeneration Services & Small Power Producers", &["Clean Energy", "Cogeneration"]),
    row("5000", Ind, 3, "Wholesale-Durable Goods", &["Supply", "Distribution"]),
    row("5013", Dis, 2, "Wholesale-Motor Vehicle Supplies & New Parts", &["Parts"]),
    row("5122", Hea, 3, "Wholesale-Drugs, Proprietaries & Druggists' Sundries", &["Drug Supply"]),
    row("5140", Sta, 3, "Wholesale-Groceries & Related Products", &["Provisions"]),
    row("5200", Dis, 2, "Retail-Building Materials, Hardware, Garden Supply", &["Hardware"]),
    row("5211", Dis, 2, "Retail-Lumber & Other Building Materials Dealers", &["Lumber"]),
    row("5331", Sta, 3, "Retail-Variety Stores", &["Stores"]),
    row("5411", Sta, 4, "Retail-Grocery Stores", &["Markets", "Grocers"]),
    row("5500", Dis, 4, "Retail-Auto Dealers & Gasoline Stations", &["Auto Group"]),
    row("5531", Dis, 2, "Retail-Auto & Home Supply Stores", &["Auto Parts"]),
    row("5651", Dis, 6, "Retail-Family Clothing Stores", &["Clothing", "Outlets"]),
    row("5810", Dis, 2, "Retail-Eating & Drinking Places", &["Coffee"]),
    row("5812", Dis, 10, "Retail-Eating Places", &["Restaurants", "Grill", "Kitchen"]),
    row("5912", Hea, 1, "Retail-Drug Stores and Proprietary Stores", &["Drugstores"]),
    row("5961", Dis, 8, "Retail-Catalog & Mail-Order Houses", &["Online", "Direct", "Commerce"]),
    row("6021", Fin, 26, "National Commercial Banks", &["Bancorp", "National Bank", "Bancshares"]),
    row("6022", Fin, 44, "State Commercial Banks", &["Bancorp", "Bank", "Bancshares", "Financial"]),
    row("6035", Fin, 12, "Savings Institution, Federally Chartered", &["Savings", "Federal Bancorp"]),
    row("6099", Fin, 2, "Functions Related to Depository Banking, NEC", &["Payments", "Remittance"]),
    row("6141", Fin, 4, "Personal Credit Institutions", &["Credit", "Lending"]),
    row("6163", Fin, 2, "Loan Brokers", &["Loans"]),
    row("6199", Fin, 5, "Finance Services", &["Capital", "Digital Assets"]),
    row("6200", Fin, 3, "Security & Commodity Brokers, Dealers, Exchanges & Services", &["Exchange"]),
    row("6211", Fin, 8, "Security Brokers, Dealers & Flotation Companies", &["Securities", "Partners"]),
    row("6282", Fin, 8, "Investment Advice", &["Asset Management", "Advisors"]),
    row("6311", Fin, 6, "Life Insurance", &["Life", "Assurance"]),
    row("6321", Fin, 2, "Accident & Health Insurance", &["Insurance"]),
    row("6324", Hea, 4, "Hospital & Medical Service Plans", &["Health Plans", "Health"]),
    row("6331", Fin, 12, "Fire, Marine & Casualty Insurance", &["Insurance", "Casualty", "Re"]),
    row("6411", Fin, 4, "Insurance Agents, Brokers & Service", &["Brokerage"]),
    row("6500", Rea, 5, "Real Estate", &["Land", "Properties"]),
    row("6512", Rea, 3, "Operators of Nonresidential Buildings", &["Offices"]),
    row("6531", Rea, 5, "Real Estate Agents & Managers (For Others)", &["Realty"]),
    row(BLANK_CHECK_SIC, Fin, 0, BLANK_CHECK_TITLE, &["Acquisition"]),
    row("6798", Rea, 40, "Real Estate Investment Trusts", &["Properties", "Realty", "REIT", "Property"]),
    row("7011", Dis, 6, "Hotels & Motels", &["Hotels", "Resorts"]),
    row("7311", Com, 3, "Services-Advertising Agencies", &["Advertising", "Media"]),
    row("7320", Fin, 2, "Services-Consumer Credit Reporting, Collection Agencies", &["Ratings"]),
    row("7340", Dis, 2, "Services-to Dwellings & Other Buildings", &["Stays"]),
    row("7350", Ind, 3, "Services-Misc Equipment Rental & Leasing", &["Rentals", "Leasing"]),
    row("7363", Ind, 4, "Services-Help Supply Services", &["Staffing"]),
    row(
        "7370",
        Tec,
        8,
        "Services-Computer Programming, Data Processing, Etc.",
        &["Digital", "Online", "Interactive"],
    ),
    row("7371", Tec, 10, "Services-Computer Programming Services", &["Technologies", "AI", "Labs"]),
    row(
        "7372",
        Tec,
        40,
        "Services-Prepackaged Software",
        &["Software", "Systems", "Technologies", "Cloud", "Analytics", "AI", "Cyber"],
    ),
    row("7373", Tec, 8, "Services-Computer Integrated Systems Design", &["Integration", "Networks"]),
    row("7374", Tec, 8, "Services-Computer Processing & Data Preparation", &["Data", "Data Centers"]),
    row("7389", Ind, 8, "Services-Business Services, NEC", &["Services", "Solutions", "Payments"]),
    row("7812", Com, 4, "Services-Motion Picture & Video Tape Production", &["Pictures", "Studios"]),
    row("7841", Com, 1, "Services-Video Tape Rental", &["Streaming"]),
    row("7990", Dis, 8, "Services-Miscellaneous Amusement & Recreation", &["Parks", "Leisure", "Gaming"]),
    row("8062", Hea, 4, "Services-General Medical & Surgical Hospitals, NEC", &["Hospitals", "Health"]),
    row("8071", Hea, 4, "Services-Medical Laboratories", &["Labs", "Diagnostics"]),
    row("8090", Hea, 4, "Services-Misc Health & Allied Services, NEC", &["Care", "Clinics"]),
    row("8200", Dis, 4, "Services-Educational Services", &["Education", "Learning"]),
    row("8700", Ind, 5, "Services-Engineering, Accounting, Research, Management", &["Engineering"]),
    row("8731", Hea, 8, "Services-Commercial Physical & Biological Research", &["Research", "Genomics"]),
    row("8742", Ind, 4, "Services-Management Consulting Services", &["Consulting"]),
    row("8744", Ind, 1, "Services-Facilities Support Management Services", &["Facilities"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sectors_share_a_thousand_slots() {
        assert_eq!(Sector::ALL.iter().map(|sector| sector.per_thousand()).sum::<u32>(), 1_000);
        assert_eq!(sector_at(0), Sector::Technology);
        assert_eq!(sector_at(999), Sector::CommunicationServices);
    }

    #[test]
    fn industries_are_listed_once_in_the_order_of_their_codes() {
        assert!(INDUSTRIES.windows(2).all(|pair| pair[0].sic < pair[1].sic));
        assert!(INDUSTRIES.iter().all(|industry| industry.sic.len() == 4 && !industry.words.is_empty()));
    }

    #[test]
    fn a_drawn_industry_belongs_to_its_sector_and_is_never_a_shell() {
        let mut rng = fastrand::Rng::with_seed(1);
        for sector in Sector::ALL {
            for _ in 0..200 {
                let industry = draw(&mut rng, sector);
                assert_eq!(industry.sector, sector);
                assert_ne!(industry.sic, BLANK_CHECK_SIC);
            }
        }
    }
}
