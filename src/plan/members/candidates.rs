//! Who may have a seat in a theme: the stocks that its rule finds, in the global order.
//!
//! A theme takes eligible stocks with a cap that are neither denied nor shell companies. Which of them are candidates
//! depends on its [`Method`]: evidence that adds up, years of dividend increases, a score, a sector. Members have lower
//! bars than newcomers, so whoever asks says who they are.

use std::collections::HashMap;

use crate::domain::figure::Figure;
use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::symbol::Symbol;

use super::evidence::{Facts, weigh};
use crate::plan::given::policy::{EsgRules, EvidenceRules, Method, Policy, Scoring, Theme};
use crate::plan::market::Market;

/// A stock that may have a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) index: u32,
    /// Whether a person put it on the theme's list, and the list counts.
    pub(crate) is_seed: bool,
}

/// What a theme asks of a stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bars {
    /// The least cap.
    pub(crate) floor: Usd,
    /// The least score, where evidence adds up.
    pub(crate) score: u32,
}

impl Bars {
    /// The bars of a theme for a member, or for one that would join.
    pub(crate) fn of(theme: &Theme, scoring: &Scoring, is_member: bool) -> Self {
        let (entry, exit) = (scoring.entry_score, scoring.exit_score);
        if is_member {
            Self { floor: Usd::dollars(theme.exit_floor), score: entry.min(exit) }
        } else {
            Self { floor: Usd::dollars(theme.entry_floor), score: entry }
        }
    }
}

/// Judges the stocks of a market by the rules of a policy. What all themes need of a stock is prepared once.
pub(crate) struct Judge<'a> {
    market: &'a Market<'a>,
    policy: &'a Policy,
    /// The ranked stocks, in the global order, with their facts.
    stocks: Vec<(u32, Facts<'a>)>,
}

impl<'a> Judge<'a> {
    /// A judge of `market`.
    pub(crate) fn new(market: &'a Market<'a>, policy: &'a Policy) -> Self {
        let facts = |index: &u32| (*index, Facts::of(market.security(*index)));
        Self { market, policy, stocks: market.ranked().iter().map(facts).collect() }
    }

    /// The candidates of a theme in the global order; `None` where what its rule goes by does not exist.
    pub(crate) fn candidates(&self, theme: &Theme, members: &Marks) -> Option<Vec<Candidate>> {
        let candidates = match &theme.method {
            Method::Evidence(rules) => self.by_evidence(theme, rules, members),
            Method::SectorLeaders(sector) => self.by_sector(theme, *sector, members),
            Method::DividendGrowth { min_years } if has_dividends(self.market) => {
                self.by_dividends(theme, *min_years, members)
            }
            Method::EsgScore(rules) if has_scores(self.market) => self.by_score(theme, rules, members),
            Method::DividendGrowth { .. } | Method::EsgScore(_) if theme.seeds.is_empty() => return None,
            Method::DividendGrowth { .. } | Method::EsgScore(_) => {
                self.by_evidence(theme, &EvidenceRules::default(), members)
            }
        };
        Some(candidates)
    }

    /// The market that is judged.
    pub(crate) fn market(&self) -> &'a Market<'a> {
        self.market
    }

    /// What evidence is worth, and how seats are given.
    pub(crate) fn scoring(&self) -> &'a Scoring {
        &self.policy.themes.scoring
    }

    fn by_evidence(&self, theme: &Theme, rules: &EvidenceRules, members: &Marks) -> Vec<Candidate> {
        let scoring = self.scoring();
        let seeds = seeds(self.market, theme);
        let judged = |index: u32, facts: &Facts| {
            let is_seed = seeds.has(index);
            let score = weigh(rules, facts, is_seed).score(scoring);
            let enough = score >= Bars::of(theme, scoring, members.has(index)).score;
            (enough && !is_shell(facts, is_seed)).then_some(Candidate { index, is_seed })
        };
        let large_enough = self.large_enough(theme, members);
        large_enough.filter_map(|(index, facts)| judged(*index, facts)).collect()
    }

    fn by_dividends(&self, theme: &Theme, min_years: i32, members: &Marks) -> Vec<Candidate> {
        let years = |index: u32| self.market.security(index).dividend_growth_years;
        let large_enough = self.large_enough(theme, members);
        let grown = large_enough.filter(|(index, facts)| {
            years(*index).is_some_and(|years| years >= min_years) && !is_shell(facts, false)
        });
        grown.map(|(index, _)| Candidate { index: *index, is_seed: false }).collect()
    }

    fn by_sector(&self, theme: &Theme, sector: Sector, members: &Marks) -> Vec<Candidate> {
        let of_sector = self
            .large_enough(theme, members)
            .filter(|(index, facts)| self.market.sector(*index) == Some(sector) && !is_shell(facts, false));
        let indices: Vec<u32> = of_sector.map(|(index, _)| *index).collect();
        let lines = one_line_a_company(self.market, &indices, members);
        lines.into_iter().map(|index| Candidate { index, is_seed: false }).collect()
    }

    /// Of every sector the best scores, down to a share of what the sector's companies are worth together.
    fn by_score(&self, theme: &Theme, rules: &EsgRules, members: &Marks) -> Vec<Candidate> {
        let is_out = |index: u32, facts: &Facts| {
            is_excluded(rules, &self.market.security(index).symbol, facts) || is_shell(facts, false)
        };
        let score = |index: u32| self.market.security(index).esg_score.value();
        let large_enough = self.large_enough(theme, members);
        let scored = large_enough.filter(|(index, facts)| score(*index).is_some() && !is_out(*index, facts));
        let scored: Vec<u32> = scored.map(|(index, _)| *index).collect();
        let mut chosen = Vec::new();
        for sector in Sector::ALL {
            let of_sector =
                scored.iter().copied().filter(|index| self.market.sector(*index) == Some(*sector));
            let mut lines = one_line_a_company(self.market, &of_sector.collect::<Vec<u32>>(), members);
            // Stable: equal scores stay in the global order.
            lines.sort_by_key(|index| std::cmp::Reverse(score(*index)));
            chosen.extend(self.best_share(&lines, self.cap_of_companies(*sector), rules, members));
        }
        chosen.sort_unstable_by_key(|index| self.market.rank(*index));
        chosen.into_iter().map(|index| Candidate { index, is_seed: false }).collect()
    }

    /// The first of `lines` until they make up the share of `total`; members until the larger share.
    fn best_share(&self, lines: &[u32], total: Usd, rules: &EsgRules, members: &Marks) -> Vec<u32> {
        let mut before = Usd::ZERO;
        let mut best = Vec::new();
        for index in lines {
            let is_member = members.has(*index);
            let share = if is_member { rules.keep_share_pct } else { rules.sector_share_pct };
            if before.is_below_share_of(total, share) {
                best.push(*index);
            }
            before = before + self.market.cap(*index).unwrap_or_default();
        }
        best
    }

    /// What the companies of a sector are worth together, each counted once.
    fn cap_of_companies(&self, sector: Sector) -> Usd {
        let lines = one_line_a_company(self.market, self.market.ranked_in(sector), &Marks::default());
        lines.iter().filter_map(|index| self.market.cap(*index)).sum()
    }

    /// The stocks whose cap is enough and who are not denied.
    fn large_enough<'s>(
        &'s self,
        theme: &Theme,
        members: &'s Marks,
    ) -> impl Iterator<Item = &'s (u32, Facts<'a>)> + use<'s, 'a> {
        let denied = denied(self.market, theme);
        let bars = [false, true].map(|is_member| Bars::of(theme, self.scoring(), is_member));
        self.stocks.iter().filter(move |(index, _)| {
            let cap = self.market.cap(*index).unwrap_or_default();
            let floor = bars[usize::from(members.has(*index))].floor;
            cap >= floor && !denied.has(*index)
        })
    }
}

/// Whether the curated list of a theme has a say on this market.
pub(crate) fn goes_by_list(market: &Market, theme: &Theme) -> bool {
    match theme.method {
        Method::Evidence(_) => true,
        Method::DividendGrowth { .. } => !has_dividends(market),
        Method::EsgScore(_) => !has_scores(market),
        Method::SectorLeaders(_) => false,
    }
}

/// Whether it is a shell company to a theme. A person who lists one that a feed still takes for a shell knows better.
pub(crate) fn is_shell(facts: &Facts, is_seed: bool) -> bool {
    facts.is_blank_check() && !is_seed
}

/// Whether a theme of the best scores leaves a stock out, whatever its score.
pub(crate) fn is_excluded(rules: &EsgRules, symbol: &Symbol, facts: &Facts) -> bool {
    rules.exclude_symbols.contains(&*symbol.key())
        || facts.sic().is_some_and(|sic| rules.exclude_sic.contains(sic))
}

fn has_dividends(market: &Market) -> bool {
    market.securities().iter().any(|security| security.dividend_growth_years.is_some())
}

fn has_scores(market: &Market) -> bool {
    market.securities().iter().any(|security| security.esg_score != Figure::Missing)
}

/// Whether a ticker of the list belongs to a company that was listed after the list was made. One that only changed its
/// symbol is as old as it was.
pub(crate) fn is_listed_later(market: &Market, theme: &Theme, index: u32) -> bool {
    !market.has_gone_by_another(index)
        && market.security(index).list_date.is_some_and(|listed| listed > theme.curated)
}

/// Whether a stock is on the list of a theme, and counts as a seed.
pub(crate) fn is_seed(market: &Market, theme: &Theme, index: u32) -> bool {
    market.is_on(&theme.seeds, index) && !is_listed_later(market, theme, index)
}

/// Those on the list of a theme that count as seeds.
pub(crate) fn seeds(market: &Market, theme: &Theme) -> Marks {
    let known = theme.seeds.iter().filter_map(|key| market.find_listed(key));
    Marks::new(market, known.filter(|index| !is_listed_later(market, theme, *index)))
}

/// Those that a theme never takes.
pub(crate) fn denied(market: &Market, theme: &Theme) -> Marks {
    Marks::new(market, theme.deny.iter().filter_map(|key| market.find_listed(key)))
}

/// Of several share classes of one company (by CIK) one: the one that is a member, else the first. The order stays.
fn one_line_a_company(market: &Market, indices: &[u32], members: &Marks) -> Vec<u32> {
    let company = |index: &u32| company(market, *index);
    let mut lines: HashMap<&str, u32> = HashMap::new();
    for index in indices {
        let Some(cik) = company(index) else { continue };
        let line = lines.entry(cik).or_insert(*index);
        if members.has(*index) && !members.has(*line) {
            *line = *index;
        }
    }
    indices.iter().copied().filter(|index| company(index).is_none_or(|cik| lines[cik] == *index)).collect()
}

/// Whose share class it is: the issuer's number, without idle zeros.
pub(crate) fn company<'a>(market: &Market<'a>, index: u32) -> Option<&'a str> {
    market.security(index).cik()
}

/// Some of the securities of a market; asking for one costs one look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks(Vec<bool>);

impl Marks {
    /// The securities at `indices`.
    pub(crate) fn new(market: &Market, indices: impl IntoIterator<Item = u32>) -> Self {
        let mut marks = vec![false; market.len()];
        for index in indices {
            marks[index as usize] = true;
        }
        Self(marks)
    }

    /// Whether nobody can be one of them.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the security at `index` is one of them.
    pub(crate) fn has(&self, index: u32) -> bool {
        self.0.get(index as usize).copied().unwrap_or(false)
    }
}
