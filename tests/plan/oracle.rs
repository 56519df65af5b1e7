//! The rules once more, slow and obvious, to hold the planner to.
//!
//! Nothing here is shared with the planner: caps are counted in cents, dates in days before the day of the sync, and
//! every list is found by looking at all rows again. All of it is about Tuesday 2026-07-21, so "five trading days
//! old" is seven calendar days.

use std::collections::BTreeMap;

/// The cents from which a tier starts, and below which it ends.
pub(crate) fn tier_cents(tier: &str) -> (i128, Option<i128>) {
    let (_, from, below) = TIERS.iter().find(|(name, _, _)| *name == tier).expect("a tier");
    (*from, Some(*below).filter(|below| *below < i128::MAX))
}

/// The tier of a row by its cap alone.
pub(crate) fn tier(row: &Row) -> Option<&'static str> {
    let cap = cap_cents(row)?;
    TIERS.iter().find(|(_, from, below)| cap >= *from && cap < *below).map(|(name, _, _)| *name)
}

/// One row of `symbols` with its latest close.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) symbol: String,
    pub(crate) kind: &'static str,
    pub(crate) active: Option<bool>,
    /// Days ago, negative in the future.
    pub(crate) delisted: Option<i64>,
    /// Days ago, and cents.
    pub(crate) close: Option<(i64, i64)>,
    pub(crate) shares: Option<i64>,
    pub(crate) stored_dollars: Option<i64>,
    pub(crate) sector: Option<&'static str>,
    /// Days ago, negative in the future.
    pub(crate) listed: Option<i64>,
}

pub(crate) const RANKINGS: [usize; 3] = [3, 10, 25];

/// Every sector text that means something, by the name of its universe.
const SECTORS: [(&str, &str); 4] = [
    ("Technology", "top_10_technology"),
    ("Information Technology", "top_10_technology"),
    ("Health Care", "top_10_healthcare"),
    ("Energy", "top_10_energy"),
];

/// `(universe, from cents, below cents)`
const TIERS: [(&str, i128, i128); 5] = [
    ("mega_cap", 20_000_000_000_000, i128::MAX),
    ("large_cap", 1_000_000_000_000, 20_000_000_000_000),
    ("mid_cap", 200_000_000_000, 1_000_000_000_000),
    ("small_cap", 30_000_000_000, 200_000_000_000),
    ("micro_cap", 5_000_000_000, 30_000_000_000),
];

const LARGEST_CENTS: i128 = 1_500_000_000_000_000;

fn dotted(byte: u8) -> u8 {
    if byte == b'/' || byte == b'-' { b'.' } else { byte }
}

/// Whether two spellings are one symbol.
pub(crate) fn same(a: &str, b: &str) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    // From the end: that is where symbols made in a row differ.
    for at in (0..a.len()).rev() {
        if dotted(a[at]) != dotted(b[at]) {
            return false;
        }
    }
    true
}

fn is_inactive(row: &Row) -> bool {
    if row.active == Some(false) {
        return true;
    }
    match row.delisted {
        Some(days_ago) => days_ago >= 0,
        None => false,
    }
}

fn is_active(row: &Row) -> bool {
    row.active == Some(true) && !is_inactive(row)
}

/// Whether no other row of the same symbol is better: active first, then dotted, then by bytes.
fn counts(rows: &[Row], row: &Row) -> bool {
    for other in rows {
        if !same(&other.symbol, &row.symbol) || other.symbol == row.symbol {
            continue;
        }
        let quality = |row: &Row| (is_active(row), !row.symbol.contains(['/', '-']));
        if quality(other) > quality(row) || (quality(other) == quality(row) && other.symbol < row.symbol) {
            return false;
        }
    }
    true
}

fn find<'r>(rows: &'r [Row], symbol: &str) -> Option<&'r Row> {
    rows.iter().find(|row| same(&row.symbol, symbol) && counts(rows, row))
}

pub(crate) fn cap_cents(row: &Row) -> Option<i128> {
    if let (Some((days_ago, price)), Some(shares)) = (row.close, row.shares) {
        let cap = i128::from(price) * i128::from(shares);
        if (0..=7).contains(&days_ago) && price > 0 && shares > 0 && cap <= LARGEST_CENTS {
            return Some(cap);
        }
    }
    let stored = i128::from(row.stored_dollars?) * 100;
    if stored > 0 && stored <= LARGEST_CENTS { Some(stored) } else { None }
}

fn is_eligible(rows: &[Row], row: &Row) -> bool {
    is_active(row) && row.kind == "CS" && counts(rows, row)
}

fn eligible(rows: &[Row]) -> Vec<&Row> {
    rows.iter().filter(|row| is_eligible(rows, row)).collect()
}

pub(crate) fn comes_before(a: &Row, b: &Row) -> bool {
    let (cap, other) = (cap_cents(a), cap_cents(b));
    if cap != other {
        return cap > other;
    }
    match (a.listed, b.listed) {
        (Some(a), Some(b)) if a != b => return a > b,
        (Some(_), None) => return true,
        (None, Some(_)) => return false,
        _ => {}
    }
    a.symbol < b.symbol
}

/// Those with a cap, best first, by picking the best of the rest again and again.
fn ranked<'r>(stocks: &[&'r Row]) -> Vec<&'r Row> {
    let mut rest: Vec<&Row> = stocks.iter().copied().filter(|row| cap_cents(row).is_some()).collect();
    let mut order = Vec::new();
    while !rest.is_empty() {
        let mut best = 0;
        for at in 1..rest.len() {
            if comes_before(rest[at], rest[best]) {
                best = at;
            }
        }
        order.push(rest.swap_remove(best));
    }
    order
}

/// The members of every universe.
pub(crate) fn universes(rows: &[Row]) -> BTreeMap<String, Vec<String>> {
    let stocks = eligible(rows);
    let ranked = ranked(&stocks);
    let mut universes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, from, below) in TIERS {
        let members = universes.entry(name.to_owned()).or_default();
        for row in &ranked {
            let cap = cap_cents(row).expect("ranked");
            if cap >= from && cap < below {
                members.push(row.symbol.clone());
            }
        }
    }
    for limit in RANKINGS {
        let members = universes.entry(format!("top_{limit}")).or_default();
        for row in &ranked {
            if members.len() < limit {
                members.push(row.symbol.clone());
            }
        }
    }
    for sector in [
        "technology",
        "healthcare",
        "financial_services",
        "consumer_discretionary",
        "consumer_staples",
        "industrials",
        "energy",
        "utilities",
        "materials",
        "real_estate",
        "communication_services",
    ] {
        let name = format!("top_10_{sector}");
        let members = universes.entry(name.clone()).or_default();
        for row in &ranked {
            if sector_universe(row) == Some(&name) && members.len() < 10 {
                members.push(row.symbol.clone());
            }
        }
    }
    let all = universes.entry("all_stocks".to_owned()).or_default();
    for row in &ranked {
        all.push(row.symbol.clone());
    }
    let mut others: Vec<String> =
        stocks.iter().filter(|row| cap_cents(row).is_none()).map(|row| row.symbol.clone()).collect();
    others.sort();
    all.extend(others);
    let all = all.clone();
    universes.insert("recent_ipos".to_owned(), new_listings(rows, &all));
    for category in CATEGORIES {
        universes.insert(format!("etf_{category}"), Vec::new());
    }
    universes.insert("etf_all".to_owned(), funds(rows));
    universes
}

/// No made fund has a name or a type text, so none has a category.
const CATEGORIES: [&str; 8] =
    ["bonds", "commodities", "international", "sectors", "technology", "growth", "value", "broad_market"];

/// Those of `all` that are new, day by day from the newest.
fn new_listings(rows: &[Row], all: &[String]) -> Vec<String> {
    let mut listings = Vec::new();
    for days_ago in 0..=30 {
        for symbol in all {
            let row = rows.iter().find(|row| row.symbol == *symbol).expect("a member has a row");
            if row.listed == Some(days_ago) && row.close.is_some() {
                listings.push(symbol.clone());
            }
        }
    }
    listings
}

fn is_fund(rows: &[Row], row: &Row) -> bool {
    is_active(row) && row.kind == "ETF" && counts(rows, row)
}

/// The funds, largest first, those without a cap last.
fn funds(rows: &[Row]) -> Vec<String> {
    let mut funds: Vec<&Row> = rows.iter().filter(|row| is_fund(rows, row)).collect();
    funds.sort_by(|a, b| a.symbol.cmp(&b.symbol));
    funds.sort_by_key(|row| -cap_cents(row).unwrap_or(-1));
    funds.iter().map(|row| row.symbol.clone()).collect()
}

pub(crate) fn sector_universe(row: &Row) -> Option<&'static str> {
    let text = row.sector?;
    SECTORS.iter().find(|(known, _)| *known == text).map(|(_, universe)| *universe)
}

/// The word for why a symbol that was a member is none in `rows`.
pub(crate) fn exit_reason(rows: &[Row], universe: &str, symbol: &str) -> &'static str {
    let Some(row) = find(rows, symbol) else { return "missing" };
    let belongs = if universe.starts_with("etf_") { is_fund(rows, row) } else { is_eligible(rows, row) };
    if is_inactive(row) {
        "delisted"
    } else if !belongs {
        "ineligible"
    } else if universe == "recent_ipos" {
        if row.listed.is_some_and(|days_ago| days_ago > 30) { "window_end" } else { "rule" }
    } else if universe != "all_stocks" && cap_cents(row).is_none() {
        "no_cap"
    } else {
        "rule"
    }
}

fn is_new_listing(rows: &[Row], symbol: &str) -> bool {
    let row = find(rows, symbol).expect("a joiner has a row");
    row.close.is_some() && row.listed.is_some_and(|days_ago| (0..=30).contains(&days_ago))
}

/// Whether what was yesterday may become what the rules want today, for one universe and one session later.
pub(crate) fn is_believed(rows: &[Row], universe: &str, was: &[String], wanted: &[String]) -> bool {
    if was.is_empty() {
        return true;
    }
    let mut added = 0;
    for symbol in wanted {
        if !was.iter().any(|member| same(member, symbol)) && !is_new_listing(rows, symbol) {
            added += 1;
        }
    }
    let (mut delisted, mut removed) = (0, 0);
    for symbol in was {
        if !wanted.iter().any(|member| same(member, symbol)) {
            if ["delisted", "window_end"].contains(&exit_reason(rows, universe, symbol)) {
                delisted += 1;
            } else {
                removed += 1;
            }
        }
    }
    if wanted.is_empty() && removed > 0 {
        return false;
    }
    if TIERS.iter().any(|(name, _, _)| *name == universe) || universe.starts_with("etf_") {
        let changed = added + removed;
        return changed < 5 || changed * 5 <= was.len();
    }
    match RANKINGS.iter().find(|limit| universe == format!("top_{limit}")) {
        Some(limit) => {
            // The seats of the delisted are filled by the next in line.
            let added: usize = added - delisted.min(added);
            added < 5 || added * 20 <= *limit
        }
        None => true,
    }
}

/// Whether a universe has its members by nothing but their caps: a tier or a ranking. While one of them is not believed,
/// nothing else that ranks by caps is.
pub(crate) fn goes_by_caps_alone(universe: &str) -> bool {
    TIERS.iter().any(|(name, _, _)| *name == universe)
        || RANKINGS.iter().any(|limit| universe == format!("top_{limit}"))
}

/// The universes that are held or go together with this one.
pub(crate) fn together_with(universe: &str) -> Vec<String> {
    let tiers: Vec<String> = TIERS.iter().map(|(name, _, _)| (*name).to_owned()).collect();
    let rankings: Vec<String> = RANKINGS.iter().map(|limit| format!("top_{limit}")).collect();
    if tiers.iter().any(|name| name == universe) {
        tiers
    } else if rankings.iter().any(|name| name == universe) {
        rankings
    } else {
        vec![universe.to_owned()]
    }
}

/// Whether the market as a whole may follow another a session later.
pub(crate) fn is_believed_as_a_whole(was: &[Row], now: &[Row]) -> bool {
    let (was, now) = (eligible(was), eligible(now));
    if now.len() < was.len() && (was.len() - now.len()) * 100 > was.len() * 3 {
        return false;
    }
    let (mut with_cap, mut lost) = (0, 0);
    for row in was.iter().filter(|row| cap_cents(row).is_some()) {
        with_cap += 1;
        if now.iter().any(|after| same(&after.symbol, &row.symbol) && cap_cents(after).is_none()) {
            lost += 1;
        }
    }
    lost * 100 <= with_cap
}

/// Whether the sectors of a market may follow those of another a session later.
pub(crate) fn are_sectors_believed(was: &[Row], now: &[Row]) -> bool {
    let (was, now) = (eligible(was), eligible(now));
    let (mut with_sector, mut changed) = (0, 0);
    for row in was.iter().filter(|row| sector_universe(row).is_some()) {
        with_sector += 1;
        let differs = |after: &&Row| sector_universe(after) != sector_universe(row);
        if now.iter().any(|after| same(&after.symbol, &row.symbol) && differs(after)) {
            changed += 1;
        }
    }
    changed * 10 <= with_sector
}
