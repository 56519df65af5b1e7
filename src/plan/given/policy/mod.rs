//! The rules in force: thresholds, limits, sectors, themes, funds, guards.
//!
//! A [`Policy`] is made from the configuration and exists only validated. Its fingerprint tells whether two workers
//! decide by the same rules.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::security::Security;
use crate::domain::sic::{Sic, SicRange};
use crate::domain::symbol::symbol_key;
use crate::domain::universe::{Tier, UniverseName};

mod funds;
mod pattern;
mod rows;
mod stability;
mod themes;

pub use funds::{FundKind, FundRules, FundSorter};
pub use pattern::{Pattern, WordTable, Words};
pub use rows::{ConfigRow, Overridden};
pub use stability::{Buffer, ShareClasses, Stability};
pub use themes::{EsgRules, Evidence, EvidenceRules, Method, Scoring, Theme, ThemeRules};

/// The largest ranking; every security of the world is fewer.
pub const MAX_RANKING: i64 = 1_000_000;
/// The highest tier bound: no market cap above it is taken for real.
pub const MAX_FLOOR: i64 = 15_000_000_000_000;

/// Everything that steers a plan, besides the snapshot.
#[derive(Debug, Clone, Serialize)]
pub struct Policy {
    /// Types whose securities may be in stock universes.
    pub eligible_types: BTreeSet<String>,
    /// The lower bound of each tier in whole dollars, from mega to micro, strictly descending.
    pub tier_floors: Vec<(Tier, i64)>,
    /// The rankings, by size.
    pub rankings: Vec<Ranking>,
    /// How a security's sector is told.
    pub sectors: SectorTable,
    /// What the themes take.
    pub themes: ThemeRules,
    /// How the category of an exchange-traded product is told.
    pub funds: FundRules,
    /// The bounds beyond which a change is not believed.
    pub guards: Guards,
    /// What keeps members in. Literal rules have the fingerprint that they had before there was a choice.
    #[serde(skip_serializing_if = "Stability::is_literal")]
    pub stability: Stability,
    /// Take over rows of our names that have another `cache_type`.
    pub adopt_existing: bool,
    /// `cache_type`s of foreign rows that are never touched.
    pub protected_types: BTreeSet<String>,
}

/// One `top_N` universe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ranking {
    /// Its name.
    pub universe: UniverseName,
    /// How many it takes.
    pub limit: usize,
}

impl Ranking {
    /// The rankings of `AppV2` that are not among the usual ones.
    pub fn of_appv2() -> Vec<Self> {
        let ranking = |limit| Self { universe: UniverseName::known(&format!("top_{limit}")), limit };
        [10, 50, 250].map(ranking).into()
    }

    /// `name` as the name of a ranking, or what is wrong with it: `top_` and a number, for nothing else can be told
    /// from the universes of tiers, sectors, themes and funds.
    pub fn name(name: &str) -> Result<UniverseName, String> {
        let universe =
            UniverseName::parse(name).map_err(|problem| format!("can't be a universe: {problem}"))?;
        let digits = name.strip_prefix("top_").unwrap_or_default();
        if digits.starts_with(|first: char| first.is_ascii_digit() && first != '0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            Ok(universe)
        } else if name.starts_with("top_10_") {
            Err("has the name of a sector's leaders; rankings are called top_N, such as top_250".to_owned())
        } else {
            Err("is no ranking; rankings are called top_N, such as top_250".to_owned())
        }
    }
}

/// Puts rankings into the order in which a policy has them: by size.
pub fn sort_rankings(rankings: &mut [Ranking]) {
    rankings.sort_by(|a, b| (a.limit, &a.universe).cmp(&(b.limit, &b.universe)));
}

/// Bounds of the guards; percentages are of the size named beside each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Guards {
    /// Fewer active stocks than this are no market, when no good run is known.
    pub min_active_stocks: usize,
    /// Largest believable fall of active stocks against the last good run.
    pub max_active_drop_pct: f64,
    /// Largest believable share of stocks that lost their cap since the last good run.
    pub max_caps_missing_pct: f64,
    /// Largest believable (added + removed) / size of a tier, theme or ETF universe a session.
    pub tier_churn_pct: f64,
    /// Largest believable added / N of `top_100` a session.
    pub top_100_added_pct: f64,
    /// Largest believable added / N of the other rankings a session.
    pub ranking_added_pct: f64,
    /// Whether single values that can't be believed are put in [quarantine](crate::plan::market::screening).
    pub quarantine: bool,
    /// A split of n:1 is suspected only of a share that cost at least so many dollars.
    pub split_min_close: usize,
    /// A split is suspected whatever the share cost, and 2:1 and 3:1 too, of a company worth at least so many dollars.
    pub split_large_cap: i64,
    /// No split is suspected where in the session of the new close shares worth more than so much of the last good cap
    /// were traded; 0 asks for no volume.
    pub split_max_turnover: f64,
    /// The same of a merger of shares, as a share of the cap as found; 0 asks for no volume.
    pub merger_max_turnover: f64,
    /// No merger of shares is suspected where more than so many times as much was traded as in the session before; 0
    /// does not ask.
    pub merger_max_trade_growth: f64,
    /// Shares that jump by 2x are doubted of companies worth at least so many dollars.
    pub jump_min_cap: i64,
    /// For so many sessions they are; 0 doubts none.
    pub jump_sessions: u32,
}

impl Guards {
    /// Largest believable share of stocks whose sector is blank or another at once.
    pub const MAX_SECTORS_CHANGED_PCT: f64 = 10.0;

    /// Whether any rule asks for volumes.
    pub fn asks_for_volumes(&self) -> bool {
        let bounds = [self.split_max_turnover, self.merger_max_turnover, self.merger_max_trade_growth];
        bounds.into_iter().any(|bound| bound > 0.0)
    }
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            min_active_stocks: 100,
            max_active_drop_pct: 3.0,
            max_caps_missing_pct: 1.0,
            tier_churn_pct: 20.0,
            top_100_added_pct: 10.0,
            ranking_added_pct: 5.0,
            quarantine: true,
            split_min_close: 40,
            split_large_cap: 10_000_000_000,
            split_max_turnover: 0.025,
            merger_max_turnover: 0.15,
            merger_max_trade_growth: 70.0,
            jump_min_cap: 2_000_000_000,
            jump_sessions: 5,
        }
    }
}

/// How a security's sector is told: by symbol, else by sector text, else by SIC code.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SectorTable {
    /// Symbol (as [`symbol_key`] spells it) to sector; the first to decide.
    overrides: BTreeMap<String, Sector>,
    /// Sector text in lower case to sector.
    names: BTreeMap<String, Sector>,
    /// SIC codes to sector.
    sic: Vec<(SicRange, Sector)>,
    /// The same, one place a code, up to the highest code that has a sector.
    #[serde(skip)]
    by_code: Vec<Option<Sector>>,
}

/// What told the sector of a security.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldBy<'a> {
    /// The list of exceptions names it.
    Symbol,
    /// Its sector text.
    Text(&'a str),
    /// Its SIC code.
    Sic(Sic),
}

impl SectorTable {
    /// A table of symbols and of sector texts, both compared as [`symbol_key`] and without case.
    pub fn new(
        overrides: impl IntoIterator<Item = (String, Sector)>,
        names: impl IntoIterator<Item = (String, Sector)>,
    ) -> Self {
        Self {
            overrides: overrides
                .into_iter()
                .map(|(symbol, sector)| (symbol_key(&symbol).into_owned(), sector))
                .collect(),
            names: names.into_iter().map(|(name, sector)| (name.trim().to_lowercase(), sector)).collect(),
            sic: Vec::new(),
            by_code: Vec::new(),
        }
    }

    /// The same table with the sectors of SIC codes. A code in several ranges has the sector of the narrowest, and of
    /// two equally narrow ones that of the later.
    #[must_use]
    pub fn with_sic(mut self, ranges: impl IntoIterator<Item = (SicRange, Sector)>) -> Self {
        self.sic = ranges.into_iter().collect();
        self.sic.sort_by_key(|(range, _)| (std::cmp::Reverse(range.codes().len()), *range));
        for (range, sector) in &self.sic {
            let last = usize::from(*range.codes().end());
            self.by_code.resize(self.by_code.len().max(last + 1), None);
            for code in range.codes() {
                self.by_code[usize::from(code)] = Some(*sector);
            }
        }
        self
    }

    /// Tells the sectors of many securities, looking at each text once.
    pub fn sorter(&self) -> SectorSorter<'_> {
        SectorSorter { table: self, texts: FxHashMap::default() }
    }

    /// The sector of a security and what told it; none where neither symbol nor text nor code tells.
    pub fn sector_of<'s>(&self, security: &'s Security) -> Option<(Sector, ToldBy<'s>)> {
        self.told(security, |text| self.by_text(text))
    }

    fn told<'s>(
        &self,
        security: &'s Security,
        mut by_text: impl FnMut(&'s str) -> Option<Sector>,
    ) -> Option<(Sector, ToldBy<'s>)> {
        if let Some(sector) = self.by_symbol(&security.symbol.key()) {
            return Some((sector, ToldBy::Symbol));
        }
        if let Some((sector, text)) =
            security.sector.as_deref().and_then(|text| by_text(text).map(|sector| (sector, text)))
        {
            return Some((sector, ToldBy::Text(text)));
        }
        let sic = security.sic_code.as_deref().and_then(Sic::parse)?;
        self.by_sic(sic).map(|sector| (sector, ToldBy::Sic(sic)))
    }

    /// The sector by the text and the one by the SIC code, where the text decides, and the two disagree.
    pub fn text_against_sic(&self, security: &Security) -> Option<(Sector, Sector)> {
        let (by_text, ToldBy::Text(_)) = self.sector_of(security)? else { return None };
        let by_sic = self.by_sic(security.sic_code.as_deref().and_then(Sic::parse)?)?;
        (by_text != by_sic).then_some((by_text, by_sic))
    }

    /// The sector that the list of exceptions gives a symbol.
    fn by_symbol(&self, symbol_key: &str) -> Option<Sector> {
        self.overrides.get(symbol_key).copied()
    }

    /// The sector that a sector text stands for; none for an unknown one.
    fn by_text(&self, text: &str) -> Option<Sector> {
        self.names.get(&text.trim().to_lowercase()).copied()
    }

    /// The sector of a SIC code: that of the narrowest range around it.
    pub fn by_sic(&self, sic: Sic) -> Option<Sector> {
        self.by_code.get(usize::from(sic.code())).copied().flatten()
    }
}

/// Tells the sectors of many securities. Thousands of them share a dozen texts.
#[derive(Debug)]
pub struct SectorSorter<'a> {
    table: &'a SectorTable,
    texts: FxHashMap<&'a str, Option<Sector>>,
}

impl<'a> SectorSorter<'a> {
    /// The sector of a security; none where neither symbol nor text nor code tells.
    pub fn sector_of(&mut self, security: &'a Security) -> Option<Sector> {
        let table = self.table;
        let by_text = |text| *self.texts.entry(text).or_insert_with(|| table.by_text(text));
        table.told(security, by_text).map(|(sector, _)| sector)
    }
}

impl Policy {
    /// The tier of a cap; none below the smallest.
    pub fn tier_of(&self, cap: Usd) -> Option<Tier> {
        self.tier_floors.iter().find(|(_, floor)| cap >= Usd::dollars(*floor)).map(|(tier, _)| *tier)
    }

    /// Sixteen hexadecimal digits that differ where two policies differ.
    pub fn fingerprint(&self) -> String {
        let canonical = serde_json::to_vec(self).expect("a policy is plain data");
        let digest = Sha256::digest(&canonical);
        crate::domain::hex(&digest[..8])
    }
}
