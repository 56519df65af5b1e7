//! The universes at the end of the demo, for the eye to recognise: every one with its first members, those of themes
//! and new listings by name, and the day's newcomers marked wherever they are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::universe::{CacheType, Tier};

use super::screen::{self, Cell, Ink, Style, Table};

/// Members that are shown by symbol.
const SYMBOLS: usize = 10;
/// Members that are shown by name.
const NAMES: usize = 3;
/// What marks a newcomer.
const MARK: &str = "*";

/// A universe with all its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhibit {
    /// Its name.
    pub universe: String,
    /// Its kind.
    pub cache_type: CacheType,
    /// Its members, in their order.
    pub members: Vec<String>,
}

/// What is known of the securities.
#[derive(Debug, Clone, Default)]
pub struct Catalogue<'a> {
    /// The name of each symbol.
    pub names: BTreeMap<&'a str, &'a str>,
    /// Symbols that are new today.
    pub newcomers: BTreeSet<&'a str>,
}

impl Catalogue<'_> {
    /// `NVDA`, or `NEWT*` for a newcomer.
    fn symbol(&self, symbol: &str) -> String {
        format!("{symbol}{}", if self.newcomers.contains(symbol) { MARK } else { "" })
    }

    /// `NVDA NVIDIA`.
    fn named(&self, symbol: &str) -> String {
        let name = self.names.get(symbol).map(|name| short_name(name)).unwrap_or_default();
        format!("{} {name}", self.symbol(symbol)).trim_end().to_owned()
    }
}

/// All universes in groups, each with its first members, and then those of the newcomers that are not among them.
pub fn render_showcase(exhibits: &[Exhibit], catalogue: &Catalogue<'_>, style: &Style) -> String {
    let mut table = Table::new(["UNIVERSE", "#MEMBERS", "ITS FIRST MEMBERS"]);
    for (kind, title) in GROUPS {
        let mut group: Vec<&Exhibit> =
            exhibits.iter().filter(|exhibit| exhibit.cache_type == *kind).collect();
        group.sort_by_key(|exhibit| place(exhibit));
        if group.is_empty() {
            continue;
        }
        table.row(["".into(), "".into(), "".into()]);
        table.row([Cell::new(Ink::Bold, *title), "".into(), "".into()]);
        for exhibit in group {
            table.row([
                format!("  {}", exhibit.universe).into(),
                screen::thousands(exhibit.members.len() as u64).into(),
                members(exhibit, catalogue).into(),
            ]);
        }
    }
    table.render(style)
}

/// The kinds of universes in the order they are shown in.
const GROUPS: &[(CacheType, &str)] = &[
    (CacheType::MarketCap, "By market cap"),
    (CacheType::MarketLeader, "The largest"),
    (CacheType::SectorLeader, "The largest of each sector"),
    (CacheType::Theme, "Themes"),
    (CacheType::Ipo, "New listings"),
    (CacheType::Etf, "Exchange-traded funds"),
    (CacheType::Complete, "Everything"),
];

/// The place of a universe in its group: tiers from the largest, rankings from the shortest, others by name.
fn place(exhibit: &Exhibit) -> (usize, &str) {
    let name = exhibit.universe.as_str();
    let place = match exhibit.cache_type {
        CacheType::MarketCap => Tier::ALL.iter().position(|tier| tier.as_str() == name),
        CacheType::MarketLeader => Some(exhibit.members.len()),
        CacheType::SectorLeader
        | CacheType::Theme
        | CacheType::Ipo
        | CacheType::Etf
        | CacheType::Complete => None,
    };
    (place.unwrap_or_default(), name)
}

fn members(exhibit: &Exhibit, catalogue: &Catalogue<'_>) -> String {
    if exhibit.members.is_empty() {
        return "nobody: the source has no column to go by, and nothing is invented".to_owned();
    }
    let is_new = |member: &String| catalogue.newcomers.contains(member.as_str());
    let mut members: Vec<&String> = exhibit.members.iter().collect();
    if exhibit.cache_type == CacheType::Ipo {
        members.sort_by_key(|member| Reverse(is_new(member)));
    }
    let is_by_name = matches!(exhibit.cache_type, CacheType::Theme | CacheType::Ipo);
    let (shown, separator) = match exhibit.cache_type {
        CacheType::Theme => (NAMES, ", "),
        CacheType::Ipo => (NAMES.max(catalogue.newcomers.len()), ", "),
        _ => (SYMBOLS, " "),
    };
    let (first, rest) = members.split_at(shown.min(members.len()));
    let new = rest.iter().filter(|member| is_new(member));
    let text = |member: &&&String| {
        if is_by_name { catalogue.named(member) } else { catalogue.symbol(member) }
    };
    let listed = |members: Vec<String>| members.join(separator);
    let first = listed(first.iter().map(|member| text(&member)).collect());
    let new = listed(new.map(|member| text(&member)).collect());
    match (new.is_empty(), rest.is_empty()) {
        (true, true) => first,
        (true, false) => format!("{first} ..."),
        (false, _) => format!("{first} ... {new}"),
    }
}

/// Each newcomer with its name and all universes it is in.
pub fn render_newcomers(exhibits: &[Exhibit], catalogue: &Catalogue<'_>, style: &Style) -> String {
    let mut table = Table::new(["NEW TODAY", "NAME", "IS NOW IN"]);
    for newcomer in &catalogue.newcomers {
        let is_in = |exhibit: &&Exhibit| exhibit.members.iter().any(|member| member == newcomer);
        let universes: Vec<&str> =
            exhibits.iter().filter(is_in).map(|exhibit| exhibit.universe.as_str()).collect();
        let name = catalogue.names.get(newcomer).copied().unwrap_or_default();
        table.row([
            Cell::new(Ink::Green, catalogue.symbol(newcomer)),
            name.into(),
            universes.join(", ").into(),
        ]);
    }
    table.render(style)
}

/// What people call a company: its name without its legal form.
fn short_name(name: &str) -> String {
    const FORMS: &[&str] = &[
        "inc",
        "incorporated",
        "corp",
        "corporation",
        "co",
        "company",
        "ltd",
        "limited",
        "plc",
        "ag",
        "nv",
        "sa",
        "se",
        "lp",
        "llc",
        "holdings",
        "holding",
        "group",
        "the",
    ];
    let (name, _class) = name.split_once(" Class ").unwrap_or((name, ""));
    let mut words: Vec<&str> = name.split_whitespace().collect();
    let is_form = |word: &&str| {
        let plain: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
        FORMS.contains(&plain.to_lowercase().as_str()) || plain.is_empty()
    };
    while words.len() > 1 && words.last().is_some_and(is_form) {
        words.pop();
    }
    words.join(" ").trim_end_matches(',').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exhibit(universe: &str, cache_type: CacheType, members: &str) -> Exhibit {
        let members = members.split_whitespace().map(str::to_owned).collect();
        Exhibit { universe: universe.to_owned(), cache_type, members }
    }

    #[test]
    fn every_universe_is_shown_in_its_group_and_newcomers_wherever_they_are() {
        let exhibits = [
            exhibit("ai_ml_leaders", CacheType::Theme, "NVDA MSFT AMZN META NEWT"),
            exhibit("esg_leaders", CacheType::Theme, ""),
            exhibit("large_cap", CacheType::MarketCap, "A B C D E F G H I J K L NEWT M"),
            exhibit("mega_cap", CacheType::MarketCap, "NVDA MSFT"),
            exhibit("recent_ipos", CacheType::Ipo, "OLDE NEWT"),
            exhibit("top_100", CacheType::MarketLeader, "NVDA MSFT AMZN"),
            exhibit("top_50", CacheType::MarketLeader, "NVDA NEWT"),
        ];
        let catalogue = Catalogue {
            names: [
                ("AMZN", "Amazon.com, Inc."),
                ("META", "Meta Platforms, Inc. Class A Common Stock"),
                ("MSFT", "Microsoft Corporation"),
                ("NEWT", "Newt Robotics Holdings, Inc."),
                ("NVDA", "NVIDIA Corporation"),
                ("OLDE", "Olde & Co."),
            ]
            .into(),
            newcomers: ["NEWT"].into(),
        };
        let text = render_showcase(&exhibits, &catalogue, &Style::PLAIN)
            + &render_newcomers(&exhibits, &catalogue, &Style::PLAIN);
        insta::assert_snapshot!(text, @r"
        UNIVERSE         MEMBERS  ITS FIRST MEMBERS

        By market cap
          mega_cap             2  NVDA MSFT
          large_cap           14  A B C D E F G H I J ... NEWT*

        The largest
          top_50               2  NVDA NEWT*
          top_100              3  NVDA MSFT AMZN

        Themes
          ai_ml_leaders        5  NVDA NVIDIA, MSFT Microsoft, AMZN Amazon.com ... NEWT* Newt Robotics
          esg_leaders          0  nobody: the source has no column to go by, and nothing is invented

        New listings
          recent_ipos          2  NEWT* Newt Robotics, OLDE Olde
        NEW TODAY  NAME                          IS NOW IN
        NEWT*      Newt Robotics Holdings, Inc.  ai_ml_leaders, large_cap, recent_ipos, top_50
        ");
    }

    #[test]
    fn a_name_is_shown_without_its_legal_form() {
        for (name, short) in [
            ("NVIDIA Corporation", "NVIDIA"),
            ("Coinbase Global, Inc.", "Coinbase Global"),
            ("Berkshire Hathaway Inc. Class B", "Berkshire Hathaway"),
            ("The Company", "The"),
        ] {
            assert_eq!(short_name(name), short);
        }
    }
}
