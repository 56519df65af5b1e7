//! The themes on companies that everybody knows: who should be in which, and who never should.
//!
//! Names, SIC codes and sectors are those of the demo's market; those below are beside it, because their names or codes
//! have misled others. `tests/data/theme_examples.txt` says who belongs where.

use std::collections::{BTreeMap, BTreeSet};

use cache_sync::demo::companies;
use cache_sync::domain::security::{Close, Security};
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::Mode;
use cache_sync::plan::given::policy::{Method, Policy};
use cache_sync::plan::given::snapshot::Snapshot;
use cache_sync::plan::market::Market;
use cache_sync::plan::{Order, review};
use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::world;

const EXAMPLES: &str = include_str!("../data/theme_examples.txt");
const AS_OF: NaiveDate = NaiveDate::from_ymd_opt(2026, 7, 21).expect("a date");

/// Symbol, type, SIC code, name.
const MISLEADING: [(&str, &str, &str, &str); 24] = [
    ("AIO", "FUND", "", "Virtus Artificial Intelligence & Technology Opportunities Fund"),
    ("SES", "CS", "3690", "SES AI Corporation Class A Common Stock"),
    ("KIDZ", "CS", "8200", "KIDZ AI Inc. Common Stock"),
    ("HCAI", "CS", "7520", "Huachen AI Parking Management Technology Holding Co., Ltd"),
    ("GCT", "CS", "5961", "GigaCloud Technology Inc Class A Ordinary Shares"),
    ("HOLO", "CS", "7372", "MicroCloud Hologram Inc. Ordinary Shares"),
    ("DSY", "CS", "2670", "Big Tree Cloud Holdings Limited Ordinary Shares"),
    ("CCSI", "CS", "4822", "Consensus Cloud Solutions, Inc. Common Stock"),
    ("EQPT", "CS", "7359", "EquipmentShare.com Inc. Common Stock"),
    ("GOLD", "CS", "5090", "Gold.com, Inc. Common Stock"),
    ("IBIT", "ETV", "6221", "iShares Bitcoin Trust ETF"),
    ("GBTC", "ETV", "6221", "Grayscale Bitcoin Trust ETF"),
    ("BITO", "ETF", "", "ProShares Bitcoin ETF"),
    ("B", "CS", "1040", "Barrick Mining Corporation Common Shares"),
    ("WBA", "CS", "5912", "Walgreens Boots Alliance, Inc. Common Stock"),
    ("TSLX", "CS", "6199", "Sixth Street Specialty Lending, Inc. Common Stock"),
    ("OCSL", "CS", "6199", "Oaktree Specialty Lending Corporation Common Stock"),
    ("CGBD", "CS", "6199", "Carlyle Secured Lending, Inc. Common Stock"),
    ("SEI", "CS", "1389", "Solaris Energy Infrastructure, Inc. Class A Common Stock"),
    ("SLSR", "CS", "1000", "Solaris Resources Inc. Common Shares"),
    ("GRBK", "CS", "1531", "Green Brick Partners, Inc. Common Stock"),
    ("GBX", "CS", "3743", "Greenbrier Companies, Inc. (The) Common Stock"),
    ("GFR", "CS", "1311", "Greenfire Resources Ltd. Common Shares"),
    ("GCBC", "CS", "6035", "Greene County Bancorp, Inc. Common Stock"),
];

#[test]
fn every_theme_finds_its_companies_whatever_their_rank() {
    let mut policy = generous();
    for theme in &mut policy.themes.themes {
        theme.max_members = 10_000;
        if let Method::EsgScore(rules) = &mut theme.method {
            (rules.sector_share_pct, rules.keep_share_pct) = (100, 100);
        }
    }
    let members = members(&policy, &scored(market()));
    let mut missing = Vec::new();
    for (theme, positives, _) in examples() {
        missing.extend(
            positives.iter().filter(|symbol| !members[theme].contains(**symbol)).map(|s| (theme, *s)),
        );
    }
    assert_eq!(missing, []);
}

#[test]
fn no_theme_takes_whom_it_must_not() {
    let few_seats = generous();
    let mut many_seats = generous();
    many_seats.themes.themes.iter_mut().for_each(|theme| theme.max_members = 10_000);
    for policy in [few_seats, many_seats] {
        let members = members(&policy, &scored(market()));
        let mut wrong = Vec::new();
        for (theme, _, must_not) in examples() {
            assert!(!members[theme].is_empty(), "{theme} has members");
            wrong.extend(
                must_not.iter().filter(|symbol| members[theme].contains(**symbol)).map(|s| (theme, *s)),
            );
        }
        assert_eq!(wrong, []);
    }
}

/// Deny lists are for what a feed may come up with; on codes as they should be, gates alone keep everybody out.
#[test]
fn the_rules_keep_them_out_without_deny_lists_as_well() {
    let mut policy = generous();
    for theme in &mut policy.themes.themes {
        theme.deny.clear();
        theme.max_members = 10_000;
    }
    let members = members(&policy, &market());
    for (theme, _, must_not) in examples() {
        let wrong: Vec<_> = must_not.iter().filter(|symbol| members[theme].contains(**symbol)).collect();
        assert!(wrong.is_empty(), "{theme} takes {wrong:?}");
    }
}

#[test]
fn the_rules_alone_find_biotech_and_hardly_anything_else() {
    let (policy, securities) = (generous(), market());
    let market = Market::new(&securities, AS_OF, &policy);
    let recalls: Vec<String> = review::recall(&market, &policy)
        .iter()
        .map(|recall| format!("{}: {} of {}", recall.theme, recall.found.len(), recall.present))
        .collect();
    insta::assert_snapshot!(recalls.join("\n"), @r"
    ai_ml_leaders: 3 of 39
    biotech_innovators: 34 of 40
    cloud_computing: 1 of 41
    crypto_blockchain: 3 of 27
    fintech_disruptors: 3 of 38
    green_energy: 8 of 33
    ");
}

#[test]
fn near_misses_are_new_listings_first_and_neither_members_nor_denied() {
    let policy = generous();
    let mut securities = market();
    securities.push(Security {
        name: Some("Newt Oncology Inc.".into()),
        sic_code: Some("3826".into()),
        list_date: AS_OF.pred_opt(),
        stored_cap: Decimal::from(50_000_000).into(),
        ..security("NEWT", "CS", None)
    });
    let market = Market::new(&securities, AS_OF, &policy);
    let near = review::candidates(&market, &policy);
    let first = &near[0];
    assert_eq!((first.symbol.as_str(), first.score, first.is_new_listing), ("NEWT", 1, true));
    assert_eq!((first.theme.as_str(), first.evidence.as_str()), ("biotech_innovators", "SIC 3826 nearby 1"));
    assert!(near.iter().skip(1).all(|found| !found.is_new_listing));
    for theme in &policy.themes.themes {
        let of_theme = near.iter().filter(|found| found.theme == theme.universe);
        for found in of_theme {
            assert!((1..3).contains(&found.score), "{found:?}");
            let key = found.symbol.key();
            assert!(!theme.deny.contains(&*key) && !theme.seeds.contains(&*key), "{found:?}");
        }
    }
}

/// The shipped rules, with depositary receipts let in: they can be in the wrong theme just as well.
fn generous() -> Policy {
    let mut policy = world::shipped_policy();
    policy.eligible_types.insert("ADRC".to_owned());
    policy
}

fn examples() -> impl Iterator<Item = (&'static str, Vec<&'static str>, Vec<&'static str>)> {
    EXAMPLES.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (theme, lists) = line.split_once(':').expect("a theme and its lists");
        let (positives, must_not) = lists.split_once('|').expect("two lists");
        (theme, positives.split_whitespace().collect(), must_not.split_whitespace().collect())
    })
}

/// Well-known companies and the misleading ones, each large enough for any theme.
fn market() -> Vec<Security> {
    let known = companies::well_known().map(|company| Security {
        name: Some(company.name.into()),
        sic_code: Some(company.sic.into()),
        sector: Some(company.sector.spellings()[0].into()),
        shares: Decimal::from((company.shares_millions * 1_000_000.0) as i64).into(),
        close: Some(Close { date: AS_OF, price: Decimal::new((company.dollars * 100.0) as i64, 2).into() }),
        ..security(company.symbol, if company.is_adr { "ADRC" } else { "CS" }, None)
    });
    let misleading = MISLEADING.iter().map(|(symbol, kind, sic, name)| Security {
        sic_code: (!sic.is_empty()).then(|| (*sic).into()),
        ..security(symbol, kind, Some(name))
    });
    known.chain(misleading).collect()
}

/// The same with high scores for all who should be leaders, and higher ones for all who must not.
fn scored(mut securities: Vec<Security>) -> Vec<Security> {
    let (_, positives, must_not) =
        examples().find(|(theme, ..)| *theme == "esg_leaders").expect("the theme is among the examples");
    for security in &mut securities {
        let symbol = security.symbol.as_str();
        let score = match (positives.contains(&symbol), must_not.contains(&symbol)) {
            (true, _) => 80,
            (_, true) => 95,
            _ => continue,
        };
        security.esg_score = Decimal::from(score).into();
    }
    securities
}

fn security(symbol: &str, kind: &str, name: Option<&str>) -> Security {
    Security {
        name: name.map(Into::into),
        stored_cap: Decimal::from(12_000_000_000_i64).into(),
        close: Some(Close { date: AS_OF, price: Decimal::ONE.into() }),
        ..Security::new(Symbol::parse(symbol).expect("a symbol"), kind)
    }
}

fn members(policy: &Policy, securities: &[Security]) -> BTreeMap<String, BTreeSet<String>> {
    let snapshot = Snapshot { securities: securities.to_vec(), ..Snapshot::default() };
    let order = Order { mode: Mode::Themes, accept_churn: false, as_of: AS_OF };
    let plan = cache_sync::plan::plan(&snapshot, policy, &order, &mut |_| {}).expect("nothing to refuse");
    let dotted = |members: Vec<String>| members.into_iter().map(|symbol| symbol.replace('/', ".")).collect();
    world::members(&plan).into_iter().map(|(theme, members)| (theme, dotted(members))).collect()
}
