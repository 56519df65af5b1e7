//! Tiers, rankings, sector leaders, `all_stocks` and `recent_ipos`.

use chrono::Days;

use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::universe::Tier;

use super::distance::{above, above_that_of, below, is_nearer_to_upper, less, more, short};
use super::findings::{Case, Findings, NO_ROW};
use super::subject::{no_cap, sector_basis};
use crate::domain::universe::{LISTING_DAYS, SECTOR_LEADERS};
use crate::domain::wording::{bound, counted, grouped, percent};
use crate::plan::given::policy::{Buffer, Policy};
use crate::plan::market::{MAX_CLOSE_AGE_SESSIONS, Market, Standing};
use crate::plan::members::allocation::{Seats, band};
use crate::plan::members::eligibility;
use crate::plan::members::overrides::Hands;
use crate::plan::members::universes::tier_bounds;

/// Who has the seats that are given out by rank and size.
pub(super) struct SeatsOf<'s, 'a> {
    pub(super) seats: &'s Seats<'a>,
    pub(super) hands: &'s Hands<'a>,
    /// Whether the symbol has one now.
    pub(super) is_member: bool,
}

/// A cap within the bounds of a tier, or within its band for a member.
pub(super) fn tier(market: &Market, policy: &Policy, case: &Case, tier: Tier, seats: &SeatsOf) -> Findings {
    let mut findings = Findings::default();
    let Some((index, cap)) = ranked_stock(&mut findings, market, policy, case) else { return findings };
    if !stands_for_its_company(&mut findings, market, case, index, seats) {
        return findings;
    }
    let holder = |tier: Tier| seats.seats.of(&tier.universe()).contains(&index);
    let own = Size {
        policy,
        cap,
        by_rule: policy.tier_of(cap),
        seated: Tier::ALL.iter().copied().find(|t| holder(*t)),
    };
    match (own.seated == Some(tier), own.by_rule == Some(tier)) {
        (true, true) => own.is_in(&mut findings, tier),
        (true, false) => own.is_kept_in(&mut findings, tier),
        (false, true) => own.is_kept_elsewhere(&mut findings, tier),
        (false, false) => own.is_out(&mut findings, tier),
    }
    findings
}

/// A cap, the tier that it is in by the rule, and the one that it has a seat in.
struct Size<'p> {
    policy: &'p Policy,
    cap: Usd,
    by_rule: Option<Tier>,
    seated: Option<Tier>,
}

impl Size<'_> {
    fn is_in(&self, findings: &mut Findings, tier: Tier) {
        let (floor, _) = bounds(self.policy, tier);
        let starts = format!("{}, {tier} starts at {}", self.cap.short(), bound(floor));
        findings.met("bounds", format!("{starts}, {}", above(self.cap, floor)));
        findings.margin = format!("{}{}", nearest_bound(self.policy, tier, self.cap), self.room(tier));
        findings.leaves = self.leaves(tier);
    }

    fn is_kept_in(&self, findings: &mut Findings, tier: Tier) {
        let text = self.kept(tier);
        findings.met("bounds", text.clone());
        let (from, below) = band(self.policy, tier);
        findings.margin = match below.filter(|_| self.is_above(tier)) {
            Some(below) => format!("{text}, {} of {}, where it leaves", short(self.cap, below), bound(below)),
            None => format!("{text}, {} {}, below which it leaves", above(self.cap, from), bound(from)),
        };
        findings.leaves = self.leaves(tier);
    }

    /// In this tier by the rule, but kept in another one.
    fn is_kept_elsewhere(&self, findings: &mut Findings, tier: Tier) {
        let Some(keeper) = self.seated else {
            // Only somebody's decision leaves a stock in no tier that has one by the rule, and that is told elsewhere.
            return findings.unmet("bounds", format!("{tier} by the rule, but not in it"), "a sync");
        };
        let (from, below) = band(self.policy, keeper);
        let remedy = match below.filter(|_| self.is_above(keeper)) {
            Some(below) => format!("a cap of {} ({})", bound(below), more(self.cap, below)),
            None => format!("a cap below {} ({})", bound(from), less(self.cap, from)),
        };
        findings.unmet("bounds", self.kept(keeper), remedy);
    }

    fn is_out(&self, findings: &mut Findings, tier: Tier) {
        let (floor, ceiling) = bounds(self.policy, tier);
        // Its present tier keeps it for a while.
        let kept = self.seated.map(|seated| band(self.policy, seated));
        let cap = self.cap;
        match ceiling {
            Some(ceiling) if cap >= ceiling => {
                let needed = kept.map_or(ceiling, |(from, _)| from.min(ceiling));
                findings.unmet(
                    "bounds",
                    format!("{}, {tier} ends at {}, {}", cap.short(), bound(ceiling), above(cap, ceiling)),
                    format!("a cap below {} ({})", bound(needed), less(cap, needed)),
                );
            }
            _ => {
                let needed = kept.and_then(|(_, below)| below).map_or(floor, |below| below.max(floor));
                findings.unmet(
                    "bounds",
                    format!("{}, {tier} starts at {}, {}", cap.short(), bound(floor), short(cap, floor)),
                    format!("a cap of {} ({})", bound(needed), more(cap, needed)),
                );
            }
        }
    }

    /// `mid_cap by the rule, kept in large_cap: 9.71B is within 5 % of 10B`.
    fn kept(&self, keeper: Tier) -> String {
        let (floor, ceiling) = bounds(self.policy, keeper);
        let nearest = ceiling.filter(|_| self.is_above(keeper)).unwrap_or(floor);
        format!(
            "{} by the rule, kept in {keeper}: {} is within {} of {}",
            self.by_rule.map_or("in no tier", Tier::as_str),
            self.cap.short(),
            percent(self.policy.stability.tier_band_pct),
            bound(nearest)
        )
    }

    fn is_above(&self, tier: Tier) -> bool {
        bounds(self.policy, tier).1.is_some_and(|ceiling| self.cap >= ceiling)
    }

    /// How far a member of the tier may go beyond its bounds, where it may.
    fn room(&self, tier: Tier) -> String {
        if !self.policy.stability.has_bands() {
            return String::new();
        }
        match band(self.policy, tier) {
            (from, Some(below)) => format!("; members stay from {} to below {}", bound(from), bound(below)),
            (from, None) => format!("; members stay from {}", bound(from)),
        }
    }

    fn leaves(&self, tier: Tier) -> String {
        let (from, below) = band(self.policy, tier);
        let down = format!("a cap below {} ({})", bound(from), less(self.cap, from));
        match below {
            Some(below) => format!("{down} or of {} ({})", bound(below), more(self.cap, below)),
            None => down,
        }
    }
}

fn bounds(policy: &Policy, tier: Tier) -> (Usd, Option<Usd>) {
    let (floor, ceiling) = tier_bounds(policy, tier);
    (Usd::dollars(floor), ceiling.map(Usd::dollars))
}

/// The bound of its own tier that is nearer: `9.71B, large_cap starts at 10B, 3.0 % short`.
fn nearest_bound(policy: &Policy, tier: Tier, cap: Usd) -> String {
    let (floor, ceiling) = bounds(policy, tier);
    match ceiling {
        Some(ceiling) if is_nearer_to_upper(floor, cap, ceiling) => {
            let next = policy.tier_of(ceiling).map_or("the next tier", Tier::as_str);
            format!("{}, {next} starts at {}, {}", cap.short(), bound(ceiling), short(cap, ceiling))
        }
        _ => format!("{}, {tier} starts at {}, {}", cap.short(), bound(floor), above(cap, floor)),
    }
}

/// One of so many largest.
pub(super) fn ranking(
    market: &Market,
    policy: &Policy,
    case: &Case,
    limit: usize,
    seats: &SeatsOf,
) -> Findings {
    let mut findings = Findings::default();
    let Some((index, cap)) = ranked_stock(&mut findings, market, policy, case) else { return findings };
    if !stands_for_its_company(&mut findings, market, case, index, seats) {
        return findings;
    }
    let row = Row {
        market,
        case,
        index,
        cap,
        limit,
        buffer: policy.stability.buffer(limit),
        of: String::new(),
        seats,
    };
    row.seat(&mut findings);
    findings
}

/// One of the largest of a sector.
pub(super) fn sector_leader(
    market: &Market,
    policy: &Policy,
    case: &Case,
    sector: Sector,
    seats: &SeatsOf,
) -> Findings {
    let mut findings = Findings::default();
    let Some(index) = eligible(&mut findings, market, policy, case) else { return findings };
    in_sector(&mut findings, market, policy, index, sector);
    let Some(cap) = with_cap(&mut findings, market, index) else { return findings };
    if !findings.are_met() || !stands_for_its_company(&mut findings, market, case, index, seats) {
        return findings;
    }
    let of = format!(" in {}", sector.title());
    let buffer = policy.stability.sector_buffer();
    Row { market, case, index, cap, limit: SECTOR_LEADERS, buffer, of, seats }.seat(&mut findings);
    findings
}

/// Checks that no other class of its company takes its place.
fn stands_for_its_company(
    findings: &mut Findings,
    market: &Market,
    case: &Case,
    index: u32,
    seats: &SeatsOf,
) -> bool {
    let is_seated = seats.seats.of(&case.universe.name).contains(&index);
    let Some(line) = seats.seats.line_instead(index).filter(|_| !is_seated) else { return true };
    let line = &market.security(line).symbol;
    findings.unmet(
        "line",
        format!("{line} stands for its company, one line each"),
        format!("to trade 10 % more than {line}"),
    );
    false
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
pub(super) fn new_listing(market: &Market, policy: &Policy, case: &Case, is_member: bool) -> Findings {
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
    if market.has_gone_by_another(index) && !is_member {
        let text = format!("listed {listed}, but under another symbol before");
        findings.unmet("listing", text, "to be new, under whatever symbol");
    } else if market.is_in_listing_window(index) {
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
            findings.unmet(
                CHECK,
                eligibility::delisted(market, index),
                "to be active, without a date of delisting",
            );
        }
        Standing::ActivityUnknown => {
            findings.unmet(
                CHECK,
                eligibility::ineligible(market, case.universe, index),
                "active = true in symbols",
            );
        }
        Standing::Fund | Standing::OtherType | Standing::Duplicate => {
            let text = format!("{}, {types} is", eligibility::ineligible(market, case.universe, index));
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

/// A stock among those that compete for so many seats.
struct Row<'r, 'a> {
    market: &'r Market<'a>,
    case: &'r Case<'r>,
    index: u32,
    cap: Usd,
    limit: usize,
    /// Where members stay, and newcomers are in at once.
    buffer: Buffer,
    /// What the row is of: nothing, or ` in Technology`.
    of: String,
    seats: &'r SeatsOf<'r, 'a>,
}

impl Row<'_, '_> {
    fn seat(&self, findings: &mut Findings) {
        let universe = self.case.universe;
        let rank = self.seats.seats.rank(universe.rule, self.index).unwrap_or_default();
        let is_seated = self.seats.seats.of(&universe.name).contains(&self.index);
        let own = format!("rank {}{}", grouped(rank), self.of);
        let is_within = rank <= if self.seats.is_member { self.buffer.last } else { self.limit };
        match (is_seated, is_within) {
            (true, _) => self.is_seated(findings, rank, &own, rank <= self.limit),
            (false, true) => self.finds_no_seat(findings, &own),
            (false, false) => self.is_too_far_behind(findings, &own),
        }
    }

    fn is_seated(&self, findings: &mut Findings, rank: usize, own: &str, is_among: bool) {
        let taken = format!("the first {} are taken", grouped(self.limit));
        let text = if is_among {
            format!("{own}, {taken}")
        } else if self.has_room() && self.seats.is_member {
            format!("{own}, kept: members stay down to rank {}", grouped(self.buffer.last))
        } else {
            format!("{own}, next in line for {} seats", grouped(self.limit))
        };
        findings.met("rank", text.clone());
        let Some((next, cap, name)) = self.first_outside().and_then(|rank| self.holder(rank)) else {
            let all = grouped(self.contest().len());
            findings.margin = format!("rank {} of {all}{}, {taken}", grouped(rank), self.of);
            "to lose its cap, while there are so few".clone_into(&mut findings.leaves);
            return;
        };
        let whose = format!("rank {}", grouped(next));
        let distance = above_that_of(self.cap, cap, &whose);
        findings.margin = if is_among && !self.has_room() {
            format!("{own}, {distance}")
        } else if is_among {
            format!("{own}, {distance}; members stay down to rank {}", grouped(self.buffer.last))
        } else {
            format!("{text}, {distance}")
        };
        findings.leaves = format!("a cap below {name} ({})", less(self.cap, cap));
    }

    /// Its rank would do, but others have a right to their seats.
    fn finds_no_seat(&self, findings: &mut Findings, own: &str) {
        let pinned = self.seats.hands.pins(&self.case.universe.name).len();
        let by = if self.has_room() && self.seats.is_member {
            " by those before it".to_owned()
        } else if self.has_room() {
            format!(" by members, who stay down to rank {}", grouped(self.buffer.last))
        } else {
            String::new()
        };
        let by_hand =
            if pinned > 0 { format!(", {} of them by hand", grouped(pinned)) } else { String::new() };
        let text = format!("{own}, but all {} seats are taken{by}{by_hand}", grouped(self.limit));
        let mut remedy = "a seat that somebody leaves".to_owned();
        if let Some((_, _, name)) =
            Some(self.buffer.first).filter(|_| self.has_room()).and_then(|rank| self.holder(rank))
        {
            remedy = format!("{remedy}, or a cap above {name}");
        }
        findings.unmet("rank", text, remedy);
    }

    fn is_too_far_behind(&self, findings: &mut Findings, own: &str) {
        // A member is measured by the last rank with which it would stay.
        let wanted = if self.seats.is_member { self.buffer.last } else { self.limit };
        let rank =
            if self.holder(wanted).is_some_and(|(_, cap, _)| cap >= self.cap) { wanted } else { self.limit };
        let Some((_, last, name)) = self.holder(rank) else { return };
        let place = grouped(rank);
        let mut text = if self.cap == last {
            format!("{own}, level with rank {place}, which is the older listing or first by symbol")
        } else {
            format!("{own}, {} rank {place}", below(self.cap, last))
        };
        let mut remedy = format!("a cap above {name} ({})", more(self.cap, last));
        if self.has_room() && rank == self.buffer.last {
            text.push_str(", down to which members stay");
        } else if self.has_room() {
            text.push_str(", members stay down to rank ");
            text.push_str(&grouped(self.buffer.last));
            remedy.push_str(", and a seat that a member leaves");
        }
        findings.unmet("rank", text, remedy);
    }

    fn contest(&self) -> &[u32] {
        self.seats.seats.contest(self.case.universe.rule)
    }

    /// Whether members may fall behind a little.
    fn has_room(&self) -> bool {
        self.buffer.is_any()
    }

    /// The first rank with which a member has no seat.
    fn first_outside(&self) -> Option<usize> {
        if self.has_room() {
            return Some(self.buffer.last + 1);
        }
        let universe = &self.case.universe.name;
        let seated = self.seats.seats.of(universe);
        let is_outside =
            |index: &u32| !seated.contains(index) && self.seats.hands.ban(universe, *index).is_none();
        self.contest().iter().position(is_outside).map(|place| place + 1)
    }

    /// A rank, the cap of the stock that has it, and both in words.
    fn holder(&self, rank: usize) -> Option<(usize, Usd, String)> {
        let index = *self.contest().get(rank.checked_sub(1)?)?;
        let cap = self.market.cap(index)?;
        let symbol = &self.market.security(index).symbol;
        Some((rank, cap, format!("{}, that of {symbol} at rank {}", cap.short(), grouped(rank))))
    }
}
