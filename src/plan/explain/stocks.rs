//! Tiers, rankings, sector leaders, `all_stocks` and `recent_ipos`.

use chrono::Days;

use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::universe::Tier;

use super::super::market::{MAX_CLOSE_AGE_SESSIONS, Market, Standing};
use super::super::policy::Policy;
use super::super::universes::{LISTING_DAYS, SECTOR_LEADERS, tier_bounds};
use super::super::why;
use super::super::wording::{bound, counted, grouped};
use super::distance::{above, above_that_of, below, is_nearer_to_upper, less, more, short};
use super::subject::{no_cap, sector_basis};
use super::{Case, Findings};

/// What is said of a symbol that `symbols` does not have.
pub(super) const NO_ROW: &str = "no row in symbols";

/// A cap within the bounds of a tier.
pub(super) fn tier(market: &Market, policy: &Policy, case: &Case, tier: Tier) -> Findings {
    let mut findings = Findings::default();
    let Some((_, cap)) = ranked_stock(&mut findings, market, policy, case) else { return findings };
    let (floor, ceiling) = tier_bounds(policy, tier);
    let (floor, ceiling) = (Usd::dollars(floor), ceiling.map(Usd::dollars));
    let starts = format!("{}, {tier} starts at {}", cap.short(), bound(floor));
    let is_in = policy.tier_of(cap) == Some(tier);
    match ceiling {
        _ if is_in => {
            findings.met("bounds", format!("{starts}, {}", above(cap, floor)));
            findings.margin = nearest_bound(policy, tier, cap);
            findings.leaves = out_of_tier(cap, floor, ceiling);
        }
        Some(ceiling) if cap >= ceiling => findings.unmet(
            "bounds",
            format!("{}, {tier} ends at {}, {}", cap.short(), bound(ceiling), above(cap, ceiling)),
            format!("a cap below {} ({})", bound(ceiling), less(cap, ceiling)),
        ),
        _ => findings.unmet(
            "bounds",
            format!("{starts}, {}", short(cap, floor)),
            format!("a cap of {} ({})", bound(floor), more(cap, floor)),
        ),
    }
    findings
}

/// The bound of its own tier that is nearer: `9.71B, large_cap starts at 10B, 3.0 % short`.
fn nearest_bound(policy: &Policy, tier: Tier, cap: Usd) -> String {
    let (floor, ceiling) = tier_bounds(policy, tier);
    let (floor, ceiling) = (Usd::dollars(floor), ceiling.map(Usd::dollars));
    match ceiling {
        Some(ceiling) if is_nearer_to_upper(floor, cap, ceiling) => {
            let next = policy.tier_of(ceiling).map_or("the next tier", Tier::as_str);
            format!("{}, {next} starts at {}, {}", cap.short(), bound(ceiling), short(cap, ceiling))
        }
        _ => format!("{}, {tier} starts at {}, {}", cap.short(), bound(floor), above(cap, floor)),
    }
}

fn out_of_tier(cap: Usd, floor: Usd, ceiling: Option<Usd>) -> String {
    let down = format!("a cap below {} ({})", bound(floor), less(cap, floor));
    match ceiling {
        Some(ceiling) => format!("{down} or of {} ({})", bound(ceiling), more(cap, ceiling)),
        None => down,
    }
}

/// One of so many largest.
pub(super) fn ranking(market: &Market, policy: &Policy, case: &Case, limit: usize) -> Findings {
    let mut findings = Findings::default();
    let Some((index, cap)) = ranked_stock(&mut findings, market, policy, case) else { return findings };
    let rank = market.rank(index).unwrap_or_default();
    let row = Row { ranked: market.ranked(), rank, limit, of: String::new() };
    in_the_first(&mut findings, market, cap, &row);
    findings
}

/// One of the largest of a sector.
pub(super) fn sector_leader(market: &Market, policy: &Policy, case: &Case, sector: Sector) -> Findings {
    let mut findings = Findings::default();
    let Some(index) = eligible(&mut findings, market, policy, case) else { return findings };
    in_sector(&mut findings, market, policy, index, sector);
    let Some(cap) = with_cap(&mut findings, market, index) else { return findings };
    if !findings.are_met() {
        return findings;
    }
    let rank = market.rank_in_sector(index).unwrap_or_default();
    let of = format!(" in {}", sector.title());
    let row = Row { ranked: market.ranked_in(sector), rank, limit: SECTOR_LEADERS, of };
    in_the_first(&mut findings, market, cap, &row);
    findings
}

/// Being eligible.
pub(super) fn all_stocks(market: &Market, policy: &Policy, case: &Case) -> Findings {
    let mut findings = Findings::default();
    let Some(index) = eligible(&mut findings, market, policy, case) else { return findings };
    findings.margin = match market.rank(index) {
        Some(rank) => format!("eligible, rank {} of {}", grouped(rank), grouped(market.ranked().len())),
        None => format!("eligible, without a rank for want of a cap: {}", no_cap(market, index)),
    };
    "another type, or to trade no more".clone_into(&mut findings.leaves);
    findings
}

/// Having been listed in the last days, and having traded.
pub(super) fn new_listing(market: &Market, policy: &Policy, case: &Case) -> Findings {
    let mut findings = Findings::default();
    let Some(index) = eligible(&mut findings, market, policy, case) else { return findings };
    let security = market.security(index);
    let (Some(listed), Some(days)) = (security.list_date, market.days_listed(index)) else {
        findings.unmet(
            "listing",
            "no listing date, and being new to the source says nothing",
            "a listing date",
        );
        return findings;
    };
    let last_day = listed + Days::new(LISTING_DAYS as u64);
    if market.is_in_listing_window(index) {
        findings.met("listing", format!("listed {listed}, day {days} of {LISTING_DAYS}"));
    } else if days < 0 {
        let ahead = counted(days.unsigned_abs() as usize, "day");
        findings.unmet("listing", format!("listed {listed}, in {ahead}"), format!("the listing, in {ahead}"));
    } else {
        let ago = counted(days as usize, "day");
        let text = format!("listed {listed}, {ago} ago, {LISTING_DAYS} are new");
        findings.unmet("listing", text, format!("a listing date of the last {LISTING_DAYS} days"));
    }
    match security.close {
        Some(close) => findings.met("close", format!("last close of {}", close.date)),
        None => findings.unmet("close", "no close yet", "a close"),
    }
    findings.margin = format!("listed {listed}, day {days} of {LISTING_DAYS}, the last is {last_day}");
    findings.leaves = format!("the end of its {LISTING_DAYS} days after {last_day}");
    findings
}

/// Checks that it is an eligible stock, and returns its index if so.
pub(super) fn eligible(
    findings: &mut Findings,
    market: &Market,
    policy: &Policy,
    case: &Case,
) -> Option<u32> {
    const CHECK: &str = "eligible";
    let Some(index) = case.index else {
        findings.unmet(CHECK, NO_ROW, "a row in symbols");
        return None;
    };
    let types: Vec<&str> = policy.eligible_types.iter().map(String::as_str).collect();
    let types = types.join(" or ");
    match market.standing(index) {
        Standing::Eligible => {
            findings.met(CHECK, format!("active, type {}", market.security(index).kind));
            return Some(index);
        }
        Standing::Delisted => {
            findings.unmet(CHECK, why::delisted(market, index), "to be active, without a date of delisting");
        }
        Standing::ActivityUnknown => {
            findings.unmet(CHECK, why::ineligible(market, case.universe, index), "active = true in symbols");
        }
        Standing::Fund | Standing::OtherType | Standing::Duplicate => {
            let text = format!("{}, {types} is", why::ineligible(market, case.universe, index));
            findings.unmet(
                CHECK,
                text,
                format!("type {types}, or {} in source.eligible_types", market.security(index).kind),
            );
        }
    }
    None
}

/// Checks that it has a cap, and returns it if so.
pub(super) fn with_cap(findings: &mut Findings, market: &Market, index: u32) -> Option<Usd> {
    let cap = market.cap(index);
    if let Some(cap) = cap {
        findings.met("cap", format!("cap {}", cap.short()));
    } else {
        let remedy =
            format!("a close of the last {MAX_CLOSE_AGE_SESSIONS} sessions and shares, or a stored cap");
        findings.unmet("cap", format!("no cap: {}", no_cap(market, index)), remedy);
    }
    cap
}

/// Checks that it is of a sector.
pub(super) fn in_sector(
    findings: &mut Findings,
    market: &Market,
    policy: &Policy,
    index: u32,
    sector: Sector,
) {
    let basis = sector_basis(policy, market.security(index));
    let remedy = || format!("sector {}, say by a line in sectors.toml", sector.title());
    match market.sector(index) {
        Some(own) if own == sector => findings.met("sector", format!("sector {}, {basis}", own.title())),
        Some(own) => findings.unmet("sector", format!("sector is {}", own.title()), remedy()),
        None => findings.unmet("sector", format!("no known sector: {basis}"), remedy()),
    }
}

fn ranked_stock(
    findings: &mut Findings,
    market: &Market,
    policy: &Policy,
    case: &Case,
) -> Option<(u32, Usd)> {
    let index = eligible(findings, market, policy, case)?;
    Some((index, with_cap(findings, market, index)?))
}

/// A row of stocks in order, the place of one of them, and how many of them are taken.
struct Row<'m> {
    ranked: &'m [u32],
    rank: usize,
    limit: usize,
    /// What the row is of: nothing, or ` in Technology`.
    of: String,
}

fn in_the_first(findings: &mut Findings, market: &Market, cap: Usd, row: &Row) {
    const CHECK: &str = "rank";
    let Row { ranked, rank, limit, of } = row;
    let holder = |rank: usize| {
        let index = *ranked.get(rank - 1)?;
        let cap = market.cap(index)?;
        Some((
            cap,
            format!("{}, that of {} at rank {}", cap.short(), market.security(index).symbol, grouped(rank)),
        ))
    };
    let own = format!("rank {}{of}", grouped(*rank));
    if rank > limit {
        let Some((last, name)) = holder(*limit) else { return };
        let place = grouped(*limit);
        let text = if cap == last {
            format!("{own}, level with rank {place}, which is the older listing or first by symbol")
        } else {
            format!("{own}, {} rank {place}", below(cap, last))
        };
        findings.unmet(CHECK, text, format!("a cap above {name} ({})", more(cap, last)));
    } else if let Some((next, name)) = holder(limit + 1) {
        findings.met(CHECK, format!("{own}, {} taken", taken(*limit)));
        let whose = format!("rank {}", grouped(limit + 1));
        findings.margin = format!("{own}, {}", above_that_of(cap, next, &whose));
        findings.leaves = format!("a cap below {name} ({})", less(cap, next));
    } else {
        findings.met(CHECK, format!("{own}, {} taken", taken(*limit)));
        findings.margin =
            format!("rank {} of {}{of}, {} taken", grouped(*rank), grouped(ranked.len()), taken(*limit));
        "to lose its cap, while there are so few".clone_into(&mut findings.leaves);
    }
}

fn taken(limit: usize) -> String {
    format!("the first {} are", grouped(limit))
}
