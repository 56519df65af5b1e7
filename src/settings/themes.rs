//! Reads `themes.toml`: what the themes take, and of which category each exchange-traded product is.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use toml::Value;

use crate::domain::sector::Sector;
use crate::domain::sic::{SicRange, SicSet};
use crate::domain::symbol::{Symbol, symbol_key};
use crate::domain::universe::{FundCategory, UniverseName};
use crate::plan::given::policy::{
    EsgRules, Evidence, EvidenceRules, FundRules, Method, Pattern, Scoring, Theme, ThemeRules, WordTable,
    Words,
};

use super::layers::{Layers, Origin, nearest};
use super::rules::dollars;

/// The shipped rules.
const SHIPPED: &str = include_str!("../../config/themes.toml");
/// The curated list of funds, to which any line may be added.
const SECTIONS: &[&str] = &[CURATED];
const CURATED: &str = "etf.curated";
/// No theme has more seats; every stock of the market is fewer.
const MAX_MEMBERS: u32 = 1_000_000;

/// The lowest layer.
pub(super) fn layers() -> Layers {
    Layers::new("config/themes.toml", SHIPPED, SECTIONS)
}

/// The rules of the themes that the main file knows, switched on or off there.
pub(super) fn read(main: &mut Layers, themes: &mut Layers) -> ThemeRules {
    let scoring = scoring(themes);
    let switches: Vec<String> = main.section("themes").into_iter().map(|(key, _)| key).collect();
    let one = |key: String| {
        let is_enabled = main.switch(&format!("themes.{key}"));
        theme(themes, &key, is_enabled)
    };
    ThemeRules { scoring, themes: switches.into_iter().map(one).collect() }
}

fn scoring(layers: &mut Layers) -> Scoring {
    let mut weights = [0; Evidence::ALL.len()];
    for evidence in Evidence::ALL {
        weights[*evidence as usize] = layers.whole(&format!("scoring.{evidence}"), 0..=100);
    }
    let scoring = Scoring {
        weights,
        entry_score: layers.whole("scoring.entry_score", 1..=100),
        exit_score: layers.whole("scoring.exit_score", 1..=100),
        enter_at_pct: layers.whole("scoring.enter_at_pct", 1..=100) as usize,
        leave_at_pct: layers.whole("scoring.leave_at_pct", 100..=1_000) as usize,
    };
    let (entry, exit) = (scoring.entry_score.into(), scoring.exit_score.into());
    not_above(layers, ("scoring.exit_score", exit), ("scoring.entry_score", entry));
    scoring
}

fn theme(layers: &mut Layers, key: &str, is_enabled: bool) -> Theme {
    let of = |field: &str| format!("themes.{key}.{field}");
    let entry_floor = dollars(layers, &of("min_entry_usd"), 1);
    let exit_floor = dollars(layers, &of("min_exit_usd"), 0);
    not_above(layers, (&of("min_exit_usd"), exit_floor), (&of("min_entry_usd"), entry_floor));
    Theme {
        universe: UniverseName::known(key),
        name: layers.read(&of("name"), "a name", |value| {
            value.as_str().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
        }),
        is_enabled,
        curated: date(layers, &of("curated")),
        entry_floor,
        exit_floor,
        max_members: layers.whole(&of("max_members"), 1..=MAX_MEMBERS) as usize,
        seeds: symbols(layers, &of("seeds")),
        deny: symbols(layers, &of("deny")),
        method: method(layers, key),
    }
}

/// Three themes have a rule of their own; the others add evidence up.
fn method(layers: &mut Layers, key: &str) -> Method {
    let of = |field: &str| format!("themes.{key}.{field}");
    match key {
        "dividend_aristocrats" => {
            Method::DividendGrowth { min_years: layers.whole(&of("min_growth_years"), 1..=200) as i32 }
        }
        "esg_leaders" => {
            let rules = EsgRules {
                sector_share_pct: layers.whole(&of("sector_share_pct"), 1..=100),
                keep_share_pct: layers.whole(&of("keep_share_pct"), 1..=100),
                exclude_sic: sic_codes(layers, &of("exclude_sic")),
                exclude_symbols: symbols(layers, &of("exclude_symbols")),
            };
            let (join, stay) = (rules.sector_share_pct.into(), rules.keep_share_pct.into());
            not_above(layers, (&of("sector_share_pct"), join), (&of("keep_share_pct"), stay));
            Method::EsgScore(rules)
        }
        "technology_leaders" => {
            Method::SectorLeaders(layers.word(&of("sector"), Sector::ALL, Sector::from_text))
        }
        _ => Method::Evidence(Box::new(EvidenceRules {
            sic_core: sic_codes(layers, &of("sic_core")),
            sic_adjacent: sic_codes(layers, &of("sic_adjacent")),
            industry_terms: any_of(&layers.texts(&of("industry_terms"))),
            name: pattern(layers, &of("name_regex")),
            name_requires_sic: sic_codes(layers, &of("name_requires_sic")),
        })),
    }
}

/// How the category of an exchange-traded product is told.
pub(super) fn read_funds(layers: &mut Layers) -> FundRules {
    let curated = curated_funds(layers);
    let geared = words(layers, "etf.geared.words", "etf.geared.left_out");
    let (mut types, mut names) = (Vec::new(), Vec::new());
    for category in FundCategory::ALL {
        let of = |field: &str| format!("etf.{category}.{field}");
        let by_type = pattern(layers, &of("types")).map(|pattern| Words::new(pattern, None));
        types.extend(by_type.map(|words| (*category, words)));
        names.extend(words(layers, &of("names"), &of("left_out")).map(|words| (*category, words)));
    }
    FundRules::new(curated, geared, WordTable::new(types), WordTable::new(names))
}

/// The lines of the curated list under the spelling they are compared by; "" takes a shipped line out.
fn curated_funds(layers: &mut Layers) -> BTreeMap<String, FundCategory> {
    let (shipped, added): (Vec<_>, Vec<_>) =
        layers.section(CURATED).into_iter().partition(|(_, setting)| setting.origin == Origin::Shipped);
    let mut curated = BTreeMap::new();
    for (symbol, setting) in shipped.into_iter().chain(added) {
        let key = format!("{CURATED}.{symbol}");
        let Some(parsed) = Symbol::parse(&symbol) else {
            layers.refuse(&key, "is no symbol");
            continue;
        };
        match setting.value.as_str().map(|text| (text, FundCategory::from_text(text))) {
            Some(("", _)) => drop(curated.remove(&*parsed.key())),
            Some((_, Some(category))) => drop(curated.insert(parsed.key().into_owned(), category)),
            other => layers.refuse(&key, &no_category(other.map(|(text, _)| text))),
        }
    }
    curated
}

fn no_category(value: Option<&str>) -> String {
    let categories = || FundCategory::ALL.iter().map(|category| category.as_str());
    match value.and_then(|text| Some((text, nearest(text, categories())?))) {
        Some((text, near)) => format!("is {text:?}, which is no category; did you mean {near:?}?"),
        None => format!(
            "is no category; it must be \"\" for none, or one of {}",
            categories().collect::<Vec<_>>().join(", ")
        ),
    }
}

fn words(layers: &mut Layers, key: &str, left_out: &str) -> Option<Words> {
    let left_out = pattern(layers, left_out);
    pattern(layers, key).map(|pattern| Words::new(pattern, left_out))
}

/// A regular expression; none where the text is empty.
fn pattern(layers: &mut Layers, key: &str) -> Option<Pattern> {
    let text = layers.text(key);
    if text.is_empty() {
        return None;
    }
    match Pattern::new(&text) {
        Ok(pattern) => Some(pattern),
        Err(problem) => {
            layers.refuse(key, &format!("is no regular expression: {problem}"));
            None
        }
    }
}

/// A pattern that finds any of `terms`, read word for word.
fn any_of(terms: &[String]) -> Option<Pattern> {
    let terms: Vec<String> = terms.iter().map(|term| regex::escape(term)).collect();
    (!terms.is_empty()).then(|| Pattern::known(&terms.join("|")))
}

fn symbols(layers: &mut Layers, key: &str) -> BTreeSet<String> {
    let texts = layers.texts(key);
    let mut symbols = BTreeSet::new();
    for text in texts {
        match Symbol::parse(&text) {
            Some(_) => drop(symbols.insert(symbol_key(&text).into_owned())),
            None => layers.refuse(key, &format!("contains {text:?}, which is no symbol")),
        }
    }
    symbols
}

fn sic_codes(layers: &mut Layers, key: &str) -> SicSet {
    let texts = layers.texts(key);
    let mut ranges = Vec::new();
    for text in texts {
        match SicRange::parse(&text) {
            Some(range) => ranges.push(range),
            None => layers.refuse(
                key,
                &format!("contains {text:?}, which is no SIC code and no range such as \"3570-3579\""),
            ),
        }
    }
    SicSet::new(ranges)
}

fn date(layers: &mut Layers, key: &str) -> NaiveDate {
    layers.read(key, "a date such as \"2026-01-15\"", |value| match value {
        Value::String(text) => text.trim().parse().ok(),
        Value::Datetime(date) => date.to_string().parse().ok(),
        _ => None,
    })
}

/// Refuses the one of two values that was set, where the lower is above the upper.
fn not_above(layers: &mut Layers, lower: (&str, i64), upper: (&str, i64)) {
    if lower.1 <= upper.1 {
        return;
    }
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    if layers.origin(lower.0) == Some(&Origin::Shipped) {
        let sentence = format!("is {}, which is below {} ({})", upper.1, last(lower.0), lower.1);
        layers.refuse(upper.0, &sentence);
    } else {
        let sentence = format!("is {}, which is above {} ({})", lower.1, last(upper.0), upper.1);
        layers.refuse(lower.0, &sentence);
    }
}
