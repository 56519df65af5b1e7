//! Themes: what speaks for a stock, what is missing, and whether there is a seat.

use crate::domain::money::Usd;
use crate::domain::sector::Sector;

use super::distance::{above, below, less, more, short};
use super::findings::{Case, Findings};
use super::stocks::{eligible, in_sector, with_cap};
use crate::domain::wording::{bound, counted, grouped};
use crate::plan::draft::reason;
use crate::plan::given::policy::{EsgRules, Method, Policy, Theme};
use crate::plan::market::Market;
use crate::plan::members::candidates::{
    Bars, Judge, company, goes_by_list, is_excluded, is_listed_later, is_seed, is_shell,
};
use crate::plan::members::evidence::Facts;
use crate::plan::members::theme_seats::Seating;

/// A theme as one stock meets it.
struct Door<'d, 'a> {
    judge: &'d Judge<'a>,
    market: &'d Market<'a>,
    policy: &'d Policy,
    theme: &'d Theme,
    seating: &'d Seating,
    index: u32,
    facts: Facts<'a>,
    /// Whether a person put it on the theme's list, and the list counts.
    is_seed: bool,
    /// What is asked of it.
    bars: Bars,
    /// `members` or `newcomers`: whose bars these are.
    who: &'static str,
}

/// The evidence for a theme, and a seat in it. `seating` is none for a theme that is switched off.
pub(super) fn theme(
    judge: &Judge,
    policy: &Policy,
    case: &Case,
    theme: &Theme,
    seating: Option<&Option<Seating>>,
    is_member: bool,
) -> Findings {
    let mut findings = Findings::default();
    let market = judge.market();
    let Some(seating) = with_source(&mut findings, theme, seating) else { return findings };
    let Some(index) = eligible(&mut findings, market, policy, case) else { return findings };
    let Some(cap) = with_cap(&mut findings, market, index) else { return findings };
    let is_seed = goes_by_list(market, theme) && is_seed(market, theme, index);
    let door = Door {
        judge,
        market,
        policy,
        theme,
        seating,
        index,
        facts: Facts::of(market.security(index)),
        is_seed,
        bars: Bars::of(theme, judge.scoring(), is_member),
        who: if is_member { "members" } else { "newcomers" },
    };
    door.wanted_by_people(&mut findings);
    door.large_enough(&mut findings, cap);
    let merit = door.by_its_method(&mut findings);
    if findings.are_met() {
        let seat = door.seat(&mut findings, cap);
        findings.margin = format!("{merit}; {seat}");
        findings.leaves = door.leaves(cap);
    }
    findings
}

fn with_source<'s>(
    findings: &mut Findings,
    theme: &Theme,
    seating: Option<&'s Option<Seating>>,
) -> Option<&'s Seating> {
    match seating {
        Some(Some(seating)) => return Some(seating),
        Some(None) => findings.unmet(
            "source",
            format!("no source data: {}, so the theme keeps what it has", missing_column(&theme.method)),
            "such a column in the source, or a list in themes.toml",
        ),
        None => findings.unmet(
            "switch",
            "the theme is switched off, its row stays as it is",
            format!("themes.{} = true in the configuration", theme.universe),
        ),
    }
    None
}

fn missing_column(method: &Method) -> &'static str {
    match method {
        Method::DividendGrowth { .. } => "no security has years of dividend increases",
        Method::EsgScore(_) => "no security has an ESG score",
        Method::Evidence(_) | Method::SectorLeaders(_) => "there is nothing to go by",
    }
}

impl Door<'_, '_> {
    /// Neither denied nor a shell company.
    fn wanted_by_people(&self, findings: &mut Findings) {
        if self.theme.deny.contains(&*self.market.security(self.index).symbol.key()) {
            findings.unmet(
                "denied",
                "denied by a person, in themes.toml",
                "to be off the deny list in themes.toml",
            );
        }
        if is_shell(&self.facts, self.is_seed) {
            let text = "a shell company that looks for a business to buy";
            findings.unmet("shell", text, "a business of its own, and the SIC code or industry of it");
        }
    }

    fn large_enough(&self, findings: &mut Findings, cap: Usd) {
        let floor = self.bars.floor;
        let needed = format!("{}, {} need {}", cap.short(), self.who, bound(floor));
        if cap >= floor {
            findings.met("floor", format!("{needed}, {}", above(cap, floor)));
        } else {
            let text = format!("{needed}, {}", short(cap, floor));
            findings.unmet("floor", text, format!("a cap of {} ({})", bound(floor), more(cap, floor)));
        }
    }

    /// What makes a candidate of it; in a few words, what speaks for it.
    fn by_its_method(&self, findings: &mut Findings) -> String {
        match &self.theme.method {
            _ if goes_by_list(self.market, self.theme) => self.by_evidence(findings),
            Method::DividendGrowth { min_years } => self.by_dividends(findings, *min_years),
            Method::EsgScore(rules) => self.by_score(findings, rules),
            Method::SectorLeaders(sector) => self.by_sector(findings, *sector),
            Method::Evidence(_) => unreachable!("such a theme goes by its list, too"),
        }
    }

    fn by_evidence(&self, findings: &mut Findings) -> String {
        let (score, evidence) = reason::evidence(self.market, self.policy, self.theme, self.index);
        let needed = self.bars.score;
        let text = format!("score {score}, {} need {needed}: {evidence}{}", self.who, self.doubt_of_list());
        if score >= needed {
            findings.met("evidence", text.clone());
        } else {
            let remedy = format!("evidence worth {needed}, or a place among the seeds in themes.toml");
            findings.unmet("evidence", text.clone(), remedy);
        }
        text
    }

    /// That it is on the list, but listed later.
    fn doubt_of_list(&self) -> String {
        let security = self.market.security(self.index);
        let is_on_list = self.theme.seeds.contains(&*security.symbol.key());
        match security.list_date {
            Some(listed) if is_on_list && is_listed_later(self.market, self.theme, self.index) => format!(
                "; on the list of {}, but listed {listed}, so perhaps another company by an old ticker, and not \
                 counted",
                self.theme.curated
            ),
            _ => String::new(),
        }
    }

    fn by_dividends(&self, findings: &mut Findings, min_years: i32) -> String {
        let merit = reason::merit(self.market, self.policy, self.theme, self.index);
        let years = self.market.security(self.index).dividend_growth_years;
        let text = format!("{merit}, {min_years} are needed");
        if years.is_some_and(|years| years >= min_years) {
            findings.met("dividends", text.clone());
        } else {
            findings.unmet("dividends", text.clone(), format!("{min_years} years of increases in a row"));
        }
        text
    }

    fn by_sector(&self, findings: &mut Findings, sector: Sector) -> String {
        in_sector(findings, self.market, self.policy, self.index, sector);
        if findings.are_met() && self.rank().is_none() {
            self.another_line(findings);
        }
        reason::merit(self.market, self.policy, self.theme, self.index)
    }

    fn by_score(&self, findings: &mut Findings, rules: &EsgRules) -> String {
        let merit = reason::merit(self.market, self.policy, self.theme, self.index);
        let security = self.market.security(self.index);
        if is_excluded(rules, &security.symbol, &self.facts) {
            let text = format!("{merit}, but its symbol or line of business is excluded");
            findings.unmet("score", text, "to be off the exclusions in themes.toml");
        } else if security.esg_score.value().is_none() {
            findings.unmet("score", merit.clone(), "an ESG score");
        } else if self.market.sector(self.index).is_none() {
            findings.unmet("score", format!("{merit}, but no known sector"), "a sector, by text or SIC code");
        } else if findings.are_met() && self.rank().is_none() {
            self.not_among_the_best(findings, &merit, rules);
        } else {
            findings.met("score", merit.clone());
        }
        merit
    }

    fn not_among_the_best(&self, findings: &mut Findings, merit: &str, rules: &EsgRules) {
        if self.line_of_company().is_some() {
            return self.another_line(findings);
        }
        let sector = self.market.sector(self.index);
        let of_sector = self.seating.candidates.iter().map(|candidate| candidate.index);
        let scores = of_sector
            .filter(|index| self.market.sector(*index) == sector)
            .filter_map(|index| self.market.security(index).esg_score.value());
        let lowest = scores.min().map_or_else(
            || "none is taken".to_owned(),
            |lowest| format!("the lowest taken is {}", lowest.normalize()),
        );
        let name = sector.map(Sector::title).unwrap_or_default();
        let share = if self.who == "members" { rules.keep_share_pct } else { rules.sector_share_pct };
        let text =
            format!("{merit}; of {name} the best scores are taken up to {share} % of its cap, {lowest}");
        findings.unmet("score", text, format!("a higher score than others of {name}"));
    }

    fn another_line(&self, findings: &mut Findings) {
        let other = self.line_of_company().map(|other| &self.market.security(other).symbol);
        let text = other.map_or_else(
            || "another share class of its company stands for it".to_owned(),
            |other| format!("{other} stands for its company, one line each"),
        );
        findings.unmet("line", text, "that the other share class is no member and ranks behind it");
    }

    /// The candidate that is of the same company.
    fn line_of_company(&self) -> Option<u32> {
        let own = company(self.market, self.index)?;
        let mut candidates = self.seating.candidates.iter().map(|candidate| candidate.index);
        candidates.find(|index| *index != self.index && company(self.market, *index) == Some(own))
    }

    /// Its rank among the candidates.
    fn rank(&self) -> Option<usize> {
        let place = self.seating.candidates.iter().position(|candidate| candidate.index == self.index);
        place.map(|place| place + 1)
    }

    /// Whether there is a seat for it; in words, on which side of the last one it is.
    fn seat(&self, findings: &mut Findings, cap: Usd) -> String {
        const CHECK: &str = "seat";
        let rank = self.rank().unwrap_or_default();
        let last = self.seating.last_rank(self.judge, self.theme, self.index);
        let all = counted(self.seating.candidates.len(), "candidate");
        let own = format!("rank {} of {all}", grouped(rank));
        let seats = counted(self.theme.max_members, "seat");
        if self.seating.seated.contains(&self.index) {
            let by_right = if self.is_seed { "seated as on the list".to_owned() } else { self.needed(last) };
            let text = format!("{own} for {seats}, {by_right}");
            findings.met(CHECK, text.clone());
            text
        } else if rank <= last || self.is_seed {
            let text = format!("{own}, but all {seats} are taken by seeds and larger ones");
            findings.unmet(CHECK, text.clone(), "a free seat");
            text
        } else {
            let (short_by, remedy) = self.distance_to(last, cap);
            let text = format!("{own} for {seats}, {}{short_by}", self.needed(last));
            findings.unmet(CHECK, text.clone(), remedy);
            text
        }
    }

    fn needed(&self, last: usize) -> String {
        let last = grouped(last);
        if self.seating.members.has(self.index) {
            format!("members stay down to rank {last}")
        } else if self.seating.is_first_fill {
            format!("the first fill goes down to rank {last}")
        } else if self.market.is_new_listing(self.index) {
            format!("new listings need rank {last}")
        } else {
            format!("newcomers need rank {last}")
        }
    }

    /// How far its cap is below the last rank that would do, and what it would take.
    fn distance_to(&self, last: usize, cap: Usd) -> (String, String) {
        let holder = last.checked_sub(1).and_then(|place| self.seating.candidates.get(place));
        let Some((holder, needed)) =
            holder.and_then(|holder| Some((holder.index, self.market.cap(holder.index)?)))
        else {
            return (String::new(), "more seats (max_members in themes.toml)".to_owned());
        };
        let symbol = &self.market.security(holder).symbol;
        let remedy = format!(
            "a cap above {}, that of {symbol} at rank {} ({})",
            needed.short(),
            grouped(last),
            more(cap, needed)
        );
        (format!(", {} it", below(cap, needed)), remedy)
    }

    fn leaves(&self, cap: Usd) -> String {
        let member = Bars::of(self.theme, self.judge.scoring(), true);
        let mut ways = Vec::new();
        if member.floor > Usd::ZERO {
            ways.push(format!("a cap below {} ({})", bound(member.floor), less(cap, member.floor)));
        }
        match &self.theme.method {
            _ if goes_by_list(self.market, self.theme) => {
                ways.push(format!("a score below {}", member.score));
            }
            Method::DividendGrowth { min_years } => ways.push(format!("fewer than {min_years} years")),
            Method::EsgScore(_) => ways.push("a lower score than others of its sector".to_owned()),
            Method::SectorLeaders(_) | Method::Evidence(_) => ways.push("another sector".to_owned()),
        }
        if !self.is_seed {
            let scoring = self.judge.scoring();
            let last = Seating::rank_at(self.theme, scoring.leave_at_pct);
            ways.push(format!("a rank behind {} of the candidates", grouped(last)));
        }
        ways.push("or to be denied".to_owned());
        ways.join(", ")
    }
}
