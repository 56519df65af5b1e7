//! Why a security joined or left a universe, in a few words and numbers for a person.

use crate::domain::change::ExitReason;
use crate::domain::identity::SameBy;
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::universe::Tier;

use crate::domain::universe::{LISTING_DAYS, SECTOR_LEADERS};
use crate::domain::wording::{bound, counted, grouped};
use crate::plan::given::policy::{EvidenceRules, FundKind, Method, Policy, Theme};
use crate::plan::market::Market;
use crate::plan::members::allocation::{Seats, band, buffer};
use crate::plan::members::candidates;
use crate::plan::members::candidates::goes_by_list;
use crate::plan::members::eligibility::{delisted, ineligible};
use crate::plan::members::evidence::{Facts, Found, in_words, weigh};
use crate::plan::members::funds;
use crate::plan::members::overrides::Hands;
use crate::plan::members::universes::{Rule, Universe, theme, tier_bounds};

/// Why the security at `index` is a member, at `place` from 1; `rank` is what its seat goes by.
pub(crate) fn joined(
    market: &Market,
    policy: &Policy,
    universe: &Universe,
    index: u32,
    rank: usize,
    place: usize,
) -> String {
    // Members that stay behind a newcomer leave it a better place than its rank.
    let ranked = if rank == place { format!("rank {rank}") } else { format!("rank {rank}, place {place}") };
    let cap = market.cap(index).map_or_else(|| "no cap".to_owned(), |cap| format!("cap {}", cap.short()));
    let why = match universe.rule {
        Rule::Tier(tier) => {
            let (floor, _) = tier_bounds(policy, tier);
            format!("{cap}, {} starts at {}", universe.name, bound(Usd::dollars(floor)))
        }
        Rule::Ranking(limit) => format!("{ranked} of {limit}"),
        Rule::SectorLeader(sector) => format!("{ranked} of {SECTOR_LEADERS} in {}", sector.title()),
        Rule::AllStocks => format!("eligible, {cap}"),
        Rule::NewListing => format!("{}, {cap}", listed(market, index)),
        Rule::Theme(at) => {
            let theme = theme(policy, at);
            format!("{}, {cap}, place {place} of {}", merit(market, policy, theme, index), theme.max_members)
        }
        Rule::FundCategory(_) | Rule::AllFunds => fund(market, policy, index),
    };
    why + &of_quarantine(market, index)
}

/// What the cap in a reason is, where it is not the one that was found.
fn of_quarantine(market: &Market, index: u32) -> String {
    let entry = market.quarantined_at(index);
    entry.map_or_else(String::new, |entry| format!("; {}", entry.of_cap()))
}

/// Why a member goes on under another symbol than `from`; `why` is why it would join.
pub(crate) fn renamed(from: &Symbol, by: SameBy, why: &str) -> String {
    let sign = match by {
        SameBy::ShareClassFigi => "share-class FIGI",
        SameBy::CompositeFigi => "composite FIGI",
        SameBy::Cik => "CIK and type",
    };
    format!("was {from} until now, same {sign}; {why}")
}

fn listed(market: &Market, index: u32) -> String {
    market
        .security(index)
        .list_date
        .map_or_else(|| "no listing date".to_owned(), |date| format!("listed {date}"))
}

/// What makes a stock a candidate for a theme.
pub(crate) fn merit(market: &Market, policy: &Policy, theme: &Theme, index: u32) -> String {
    let security = market.security(index);
    match &theme.method {
        _ if goes_by_list(market, theme) => {
            let (score, evidence) = evidence(market, policy, theme, index);
            format!("score {score} of {}: {evidence}", policy.themes.scoring.entry_score)
        }
        Method::DividendGrowth { .. } => match security.dividend_growth_years {
            Some(years) => format!("dividend raised for {} in a row", counted(years.max(0) as usize, "year")),
            None => "years of dividend increases unknown".to_owned(),
        },
        Method::EsgScore(_) => match security.esg_score.value() {
            Some(score) => format!("ESG score {}", score.normalize()),
            None => "no ESG score".to_owned(),
        },
        Method::SectorLeaders(_) | Method::Evidence(_) => match market.sector(index) {
            Some(sector) => format!("sector {}", sector.title()),
            None => "no known sector".to_owned(),
        },
    }
}

/// What the evidence for a stock in a theme adds up to, and the pieces in words.
pub(crate) fn evidence(market: &Market, policy: &Policy, theme: &Theme, index: u32) -> (u32, String) {
    let scoring = &policy.themes.scoring;
    let (found, facts) = found(market, theme, index);
    (found.score(scoring), in_words(found, &facts, scoring))
}

fn found<'a>(market: &Market<'a>, theme: &Theme, index: u32) -> (Found, Facts<'a>) {
    let security = market.security(index);
    let facts = Facts::of(security);
    let is_seed = candidates::is_seed(market, theme, index);
    match &theme.method {
        Method::Evidence(rules) => (weigh(rules, &facts, is_seed), facts),
        _ => (weigh(&EvidenceRules::default(), &facts, is_seed), facts),
    }
}

pub(crate) fn fund(market: &Market, policy: &Policy, index: u32) -> String {
    match funds::kind(market, policy, index) {
        FundKind::Curated(category) => format!("{category} by the curated list"),
        FundKind::Geared => "leveraged or inverse".to_owned(),
        FundKind::Typed(category, text) => format!("{category} by its type {text:?}"),
        FundKind::Named(category) => format!("{category} by its name"),
        FundKind::Unknown => "no known category".to_owned(),
    }
}

/// Why the stock at `index`, or one that `symbols` no longer has, is a member no more.
pub(crate) fn left(
    market: &Market,
    policy: &Policy,
    universe: &Universe,
    index: Option<u32>,
    reason: ExitReason,
) -> String {
    let Some(index) = index else { return "no row in symbols".to_owned() };
    match reason {
        ExitReason::Delisted => delisted(market, index),
        ExitReason::Ineligible => ineligible(market, universe, index),
        ExitReason::NoCap => "no valid market cap".to_owned(),
        ExitReason::WindowEnd => format!("{}, {LISTING_DAYS} days are over", listed(market, index)),
        _ => outranked(market, policy, universe, index) + &of_quarantine(market, index),
    }
}

fn outranked(market: &Market, policy: &Policy, universe: &Universe, index: u32) -> String {
    let name = &universe.name;
    match universe.rule {
        Rule::Tier(tier) => match market.cap(index) {
            Some(cap) => out_of_tier(policy, tier, cap),
            None => "no valid market cap".to_owned(),
        },
        Rule::Ranking(limit) => match market.rank(index) {
            Some(rank) => format!("rank {rank}, {name} takes {limit}"),
            None => "no valid market cap".to_owned(),
        },
        Rule::SectorLeader(sector) => match (market.sector(index), market.rank_in_sector(index)) {
            (None, _) => "no known sector".to_owned(),
            (Some(now), _) if now != sector => format!("sector is {}", now.title()),
            (Some(_), Some(rank)) => {
                format!("rank {rank} in {}, {name} takes {SECTOR_LEADERS}", sector.title())
            }
            (Some(_), None) => "no valid market cap".to_owned(),
        },
        Rule::AllStocks => "not eligible".to_owned(),
        Rule::NewListing => format!("{}, {LISTING_DAYS} days are new", listed(market, index)),
        Rule::Theme(place) => out_of_theme(market, policy, theme(policy, place), index),
        Rule::FundCategory(_) | Rule::AllFunds => fund(market, policy, index),
    }
}

/// Why a stock lost its seat in a tier, ranking or sector that gives out seats as `seats` has them.
pub(crate) fn out_of_seats(
    market: &Market,
    policy: &Policy,
    universe: &Universe,
    seats: &Seats,
    hands: &Hands,
    index: u32,
) -> Option<String> {
    let (limit, of) = match universe.rule {
        Rule::Tier(tier) if policy.stability.has_bands() => {
            let cap = market.cap(index)?;
            return Some(format!("{}, {}", out_of_tier(policy, tier, cap), out_of_band(policy, tier, cap)));
        }
        Rule::Ranking(limit) => (limit, String::new()),
        Rule::SectorLeader(sector) => (SECTOR_LEADERS, format!(" in {}", sector.title())),
        _ => return None,
    };
    let (rank, last) = (seats.rank(universe.rule, index)?, buffer(policy, universe.rule)?.last);
    let pinned = hands.pins(&universe.name).len();
    let own = format!("rank {rank}{of}");
    Some(if rank <= last && pinned > 0 {
        format!("{own}, {pinned} of {} in {} by hand", counted(limit, "seat"), universe.name)
    } else if last > limit {
        format!("{own}, {} takes {limit}, members stay down to rank {}", universe.name, grouped(last))
    } else {
        format!("{own}, {} takes {limit}", universe.name)
    })
}

/// Where the band of a tier ends, on the side on which a cap is out of it.
fn out_of_band(policy: &Policy, tier: Tier, cap: Usd) -> String {
    match band(policy, tier) {
        (_, Some(below)) if cap >= below => format!("members stay below {}", bound(below)),
        (from, _) => format!("members stay down to {}", bound(from)),
    }
}

fn out_of_theme(market: &Market, policy: &Policy, theme: &Theme, index: u32) -> String {
    let floor = Usd::dollars(theme.exit_floor);
    let merit = merit(market, policy, theme, index);
    let security = market.security(index);
    let falls_short = match &theme.method {
        _ if theme.deny.contains(&*security.symbol.key()) => Some("denied by a person".to_owned()),
        _ if market.cap(index).is_some_and(|cap| cap < floor) => {
            let cap = market.cap(index).unwrap_or_default();
            Some(format!("cap fell to {}, members need {}", cap.short(), bound(floor)))
        }
        _ if goes_by_list(market, theme) => {
            let scoring = &policy.themes.scoring;
            let score = found(market, theme, index).0.score(scoring);
            (score < scoring.exit_score).then(|| format!("members need {}: {merit}", scoring.exit_score))
        }
        Method::DividendGrowth { min_years } => {
            let is_short = security.dividend_growth_years.is_none_or(|years| years < *min_years);
            is_short.then(|| format!("{merit}, {min_years} are needed"))
        }
        Method::EsgScore(_) => Some(format!("{merit}, excluded or not among the best of its sector")),
        Method::SectorLeaders(sector) => (market.sector(index) != Some(*sector)).then(|| merit.clone()),
        Method::Evidence(_) => None,
    };
    falls_short.unwrap_or_else(|| format!("outranked for {}: {merit}", counted(theme.max_members, "seat")))
}

fn out_of_tier(policy: &Policy, tier: Tier, cap: Usd) -> String {
    let (floor, ceiling) = tier_bounds(policy, tier);
    match ceiling.map(Usd::dollars) {
        Some(ceiling) if cap >= ceiling => {
            format!("cap rose to {}, {tier} ends at {}", cap.short(), bound(ceiling))
        }
        _ => format!("cap fell to {}, {tier} starts at {}", cap.short(), bound(Usd::dollars(floor))),
    }
}
