//! Why a symbol is in a universe or is not: the rule, the evidence, the distance to each boundary, what it would take.
//!
//! [`Explainer`] looks at a market, plans on it as a sync would, and then [explains](Explainer::explain) one symbol
//! after another. Whether a symbol is a member is what stands in the universe; what a sync would do about it is taken
//! from that plan. The sentences are made of [`Check`]s, one for each thing that a rule asks, from the functions and
//! bounds that the planner decides by: all are met exactly where the rules want the symbol, and a test holds them to
//! that.
//!
//! | file | explains |
//! |---|---|
//! | `subject` | who it is, what it is worth and why, which sector it has and why |
//! | `stocks` | tiers, rankings, sector leaders, `all_stocks`, `recent_ipos` |
//! | `themes`, `funds` | these |
//! | `overrides` | what people have decided |
//! | `distance` | how far it is |
//! | `findings` | what all of them are made of |
//!
//! # Why the present and the rules are told apart
//! Between two syncs the market moves on, and a guard may hold a universe as it was. Then a symbol is a member that
//! the rules no longer want, or the other way round, and that is what somebody asks about. So both are told, and
//! [`Outlook`] says how they differ.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use crate::domain::symbol::{Symbol, symbol_key};
use crate::domain::task::{Mode, SyncTask};
use crate::domain::universe::{CacheType, UniverseName};
use crate::domain::words;

use crate::plan::given::notice::Refusal;
use crate::plan::given::order::Order;
use crate::plan::given::policy::Policy;
use crate::plan::given::snapshot::{Instrument, Snapshot};
use crate::plan::market::Market;
use crate::plan::market::identity::Identities;
use crate::plan::members::allocation::Seats;
use crate::plan::members::candidates::{Judge, Marks};
use crate::plan::members::overrides::Hands;
use crate::plan::members::theme_seats::{ByHand, Seating};
use crate::plan::members::universes::{Rule, Universe, theme};
use crate::plan::plan_on;
use crate::plan::result::{Plan, PlannedUniverse};

mod distance;
mod findings;
mod funds;
mod overrides;
mod stocks;
mod subject;
mod themes;

pub use findings::Check;
pub use subject::{StandingWord, Subject};

use findings::{Case, Findings};
use stocks::SeatsOf;

/// Everything about one symbol. Its JSON is what the command and the API give to programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The date of the market.
    pub as_of: NaiveDate,
    /// Who it is.
    #[serde(flatten)]
    pub subject: Subject,
    /// Why a sync would be refused now, where it would.
    pub refused: Option<String>,
    /// Every universe of ours: those it is in first, then by kind as a sync goes through them.
    pub universes: Vec<Verdict>,
}

/// One universe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Its name.
    pub universe: UniverseName,
    /// Its kind.
    pub cache_type: CacheType,
    /// The sub-task that owns it.
    pub task: SyncTask,
    /// Whether the symbol is a member now.
    pub is_member: bool,
    /// Its place in the universe, from 1.
    pub rank: Option<usize>,
    /// Since when it is a member.
    pub valid_from: Option<NaiveDate>,
    /// By which right it came.
    pub entry_reason: Option<String>,
    /// The sentence it came with.
    pub entry_evidence: Option<String>,
    /// Its last membership that ended.
    pub last_membership: Option<PastMembership>,
    /// What a sync would do about it now.
    pub outlook: Outlook,
    /// Why the universe is held, where a guard holds it.
    pub hold: Option<String>,
    /// Why it is wanted, or the first thing that is missing; with the distance.
    pub why: String,
    /// What the rule asks, one by one; it stops where nothing more can be said.
    pub checks: Vec<Check>,
    /// What would have to change for it to join, to stay or to leave.
    pub to_change: String,
}

words! {
    /// What a sync would do about a symbol in a universe now.
    Outlook {
        /// It is a member and stays one.
        StaysIn = "stays_in",
        /// It is none and stays out.
        StaysOut = "stays_out",
        /// It would be added.
        WouldJoin = "would_join",
        /// It would be removed.
        WouldLeave = "would_leave",
        /// The rules would remove it, but the universe is held or the job would be refused.
        HeldIn = "held_in",
        /// The rules would add it, but the universe is held or the job would be refused.
        HeldOut = "held_out",
    }
}

/// A membership as history knows it, of a symbol that was or is in a universe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// The universe.
    pub universe: String,
    /// The first date.
    pub valid_from: NaiveDate,
    /// The date from which it is no longer a member; none while it is one.
    pub valid_to: Option<NaiveDate>,
    /// By which right it came.
    pub entry_reason: String,
    /// Why it went.
    pub exit_reason: Option<String>,
    /// The sentence it came with.
    pub evidence: Option<String>,
}

/// A membership that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PastMembership {
    /// The first date.
    pub valid_from: NaiveDate,
    /// The date from which it was no longer a member.
    pub valid_to: NaiveDate,
    /// Why it went.
    pub exit_reason: Option<String>,
}

/// Explains symbols of one market.
pub struct Explainer<'a> {
    market: &'a Market<'a>,
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    judge: Judge<'a>,
    hands: Hands<'a>,
    seats: Seats<'a>,
    /// By theme that is kept up; none where it has no source.
    seatings: BTreeMap<UniverseName, Option<Seating>>,
    /// What a sync would do; where it would be refused, what it would do with its guards open.
    plan: Option<Plan>,
    refusal: Option<Refusal>,
}

impl<'a> Explainer<'a> {
    /// Plans on `market`, which is that of `snapshot`, as a sync of all universes would.
    pub fn new(market: &'a Market<'a>, snapshot: &'a Snapshot, policy: &'a Policy) -> Self {
        let order = Order { mode: Mode::Full, accept_churn: false, as_of: market.as_of() };
        let identities = Identities::find(market, snapshot, order);
        let decide = |accept_churn| {
            let order = Order { accept_churn, ..order };
            plan_on(market, &identities, snapshot, policy, order, &mut |_| {})
        };
        let (plan, refusal) = match decide(false) {
            Ok(plan) => (Some(plan), None),
            Err(refused) => (decide(true).ok(), Some(refused.refusal)),
        };
        let judge = Judge::new(market, policy);
        let hands = Hands::new(snapshot, market, policy);
        let seats = Seats::new(market, snapshot, policy, &hands);
        let seatings = BTreeMap::new();
        let mut explainer = Self { market, snapshot, policy, judge, hands, seats, seatings, plan, refusal };
        explainer.seatings = explainer.seat();
        explainer
    }

    /// The names of every universe that can be asked about, those of themes that are switched off included.
    pub fn universes(&self) -> Vec<UniverseName> {
        self.all_universes().into_iter().map(|universe| universe.name).collect()
    }

    /// Explains `symbol`, in whatever spelling of its share class; `history` is all of its memberships. `None` for a
    /// symbol that neither the source, nor a universe, nor history knows.
    pub fn explain(&self, symbol: &Symbol, history: &[Episode]) -> Option<Explanation> {
        let index = self.market.index_of(symbol);
        let is_known = index.is_some() || !history.is_empty() || self.is_anywhere(symbol);
        if !is_known {
            return None;
        }
        let mut universes: Vec<Verdict> = self
            .all_universes()
            .iter()
            .map(|universe| self.verdict(&Case { universe, symbol, index }, history))
            .collect();
        // Stable: the order of the sub-tasks stays.
        universes.sort_by_key(|verdict| !verdict.is_member);
        Some(Explanation {
            as_of: self.market.as_of(),
            subject: subject::subject(self.market, self.policy, symbol, index),
            refused: self.refusal.as_ref().map(ToString::to_string),
            universes,
        })
    }

    /// Whoever `symbol` stands for now, in the words of what is known of its instruments.
    pub fn remarks(symbol: &Symbol, instruments: &[Instrument]) -> Vec<String> {
        let of_symbol = || instruments.iter().filter(|known| known.symbol.is_spelling_of(symbol));
        let Some(latest) = of_symbol().max_by_key(|known| (known.valid_to.is_none(), known.valid_from))
        else {
            return Vec::new();
        };
        let others = of_symbol().filter(|known| known.lineage != latest.lineage);
        let others = others.filter_map(|known| {
            Some(format!("until {} this was the symbol of another company", known.valid_to?))
        });
        let names = instruments.iter().filter(|known| known.lineage == latest.lineage);
        let names = names.filter(|known| !known.symbol.is_spelling_of(symbol));
        let names = names.filter_map(|known| match (known.valid_to, latest.valid_to) {
            (None, Some(since)) => Some(format!("since {since} it goes by {}", known.symbol)),
            (Some(until), _) if until <= latest.valid_from => {
                Some(format!("until {until} as {}", known.symbol))
            }
            (Some(_) | None, _) => None,
        });
        others.chain(names).collect()
    }

    /// The symbol of the source that may have been meant by `text`: another case, or a letter off.
    pub fn nearest_symbol(&self, text: &str) -> Option<&'a Symbol> {
        nearest_symbol(self.market.securities().iter().map(|security| &security.symbol), text)
    }

    fn all_universes(&self) -> Vec<Universe> {
        let mut universes = Universe::all(self.policy);
        let idle = self.policy.themes.themes.iter().enumerate().filter(|(_, theme)| !theme.is_enabled);
        universes.extend(
            idle.map(|(place, theme)| Universe { name: theme.universe.clone(), rule: Rule::Theme(place) }),
        );
        universes
    }

    fn seat(&self) -> BTreeMap<UniverseName, Option<Seating>> {
        let mut seatings = BTreeMap::new();
        for universe in Universe::of_task(self.policy, SyncTask::ThemeRebalancing) {
            let Rule::Theme(place) = universe.rule else { continue };
            let stored = self.members(&universe.name);
            let known = stored.iter().filter_map(|symbol| self.market.index_of_member(symbol));
            let members = Marks::new(self.market, known);
            let theme = theme(self.policy, place);
            let decided = ByHand::of(self.market, &self.hands, &universe);
            let seating = Seating::new(&self.judge, theme, members, stored.is_empty(), decided);
            seatings.insert(universe.name, seating);
        }
        seatings
    }

    /// The members of a universe as they stand.
    fn members(&self, name: &UniverseName) -> &[Symbol] {
        self.snapshot.universes.get(name).map_or(&[], |stored| &stored.members)
    }

    fn is_anywhere(&self, symbol: &Symbol) -> bool {
        let mut members = self.snapshot.universes.values().flat_map(|stored| &stored.members);
        members.any(|member| member.is_spelling_of(symbol))
    }

    fn verdict(&self, case: &Case, history: &[Episode]) -> Verdict {
        let universe = case.universe;
        let place = self.place(case, self.members(&universe.name));
        let is_member = place.is_some();
        let planned = self.planned(&universe.name);
        let outlook = self.outlook(case, planned, is_member);
        let findings = self.findings(case, is_member);
        let of_universe = || history.iter().filter(|episode| episode.universe == universe.name.as_str());
        let open = of_universe().find(|episode| is_member && episode.valid_to.is_none());
        Verdict {
            universe: universe.name.clone(),
            cache_type: universe.cache_type(),
            task: universe.task(),
            is_member,
            rank: place,
            valid_from: open.map(|episode| episode.valid_from),
            entry_reason: open.map(|episode| episode.entry_reason.clone()),
            entry_evidence: open.and_then(|episode| episode.evidence.clone()),
            last_membership: of_universe().filter_map(Episode::ended).max_by_key(|ended| ended.valid_to),
            outlook,
            hold: planned.and_then(|planned| planned.hold.as_ref()).map(|hold| hold.reason.clone()),
            why: findings.why(),
            to_change: self.to_change(&findings, outlook),
            checks: findings.checks,
        }
    }

    /// The place, from 1, among members as they stand: of the same instrument, under whatever symbol they know it. Not of
    /// a company that had the ticker before.
    fn place(&self, case: &Case, members: &[Symbol]) -> Option<usize> {
        let is_it = |member: &Symbol| match case.index {
            Some(index) => {
                let has_its_symbol = member.is_spelling_of(case.symbol) && !self.market.has_new_owner(index);
                has_its_symbol || self.market.index_of_member(member) == Some(index)
            }
            None => member.is_spelling_of(case.symbol),
        };
        members.iter().position(is_it).map(|place| place + 1)
    }

    fn planned(&self, name: &UniverseName) -> Option<&PlannedUniverse> {
        self.plan.as_ref()?.universes.iter().find(|planned| planned.name == *name)
    }

    /// What a sync would do, from what it plans. A universe that no sync touches stays as it is.
    fn outlook(&self, case: &Case, planned: Option<&PlannedUniverse>, is_member: bool) -> Outlook {
        let stays = if is_member { Outlook::StaysIn } else { Outlook::StaysOut };
        let held = if is_member { Outlook::HeldIn } else { Outlook::HeldOut };
        let Some(planned) = planned else { return stays };
        if let Some(hold) = &planned.hold {
            let moves = if is_member {
                self.place(case, &hold.would_leave)
            } else {
                place_of(case.symbol, &hold.would_join)
            };
            if moves.is_some() {
                return held;
            }
        }
        let will_be_member = place_of(case.symbol, &planned.members).is_some();
        match (is_member, will_be_member) {
            (true, true) | (false, false) => stays,
            _ if self.refusal.is_some() => held,
            (false, true) => Outlook::WouldJoin,
            (true, false) => Outlook::WouldLeave,
        }
    }

    fn to_change(&self, findings: &Findings, outlook: Outlook) -> String {
        match outlook {
            Outlook::StaysIn if findings.are_met() => format!("to leave: {}", findings.leaves),
            Outlook::WouldJoin => "to join: nothing but a sync".to_owned(),
            Outlook::HeldOut if self.refusal.is_some() => "to join: a sync that is not refused".to_owned(),
            Outlook::HeldOut => "to join: nothing but that the universe is no longer held".to_owned(),
            Outlook::StaysOut => format!("to join: {}", findings.remedies()),
            Outlook::StaysIn | Outlook::WouldLeave | Outlook::HeldIn => {
                format!("to stay: {}", findings.remedies())
            }
        }
    }

    fn findings(&self, case: &Case, is_member: bool) -> Findings {
        let (market, policy) = (self.market, self.policy);
        // What a theme without source has, it keeps, whatever anybody says.
        let has_source = !matches!(self.seatings.get(&case.universe.name), Some(None));
        let decided = overrides::by_hand(market, policy, &self.seats, &self.hands, case);
        if let Some(findings) = decided.filter(|_| has_source) {
            return findings;
        }
        let seats = SeatsOf { seats: &self.seats, hands: &self.hands, is_member };
        match case.universe.rule {
            Rule::Tier(tier) => stocks::tier(market, policy, case, tier, &seats),
            Rule::Ranking(limit) => stocks::ranking(market, policy, case, limit, &seats),
            Rule::SectorLeader(sector) => stocks::sector_leader(market, policy, case, sector, &seats),
            Rule::AllStocks => stocks::all_stocks(market, policy, case),
            Rule::NewListing => stocks::new_listing(market, policy, case, is_member),
            Rule::Theme(place) => {
                let seating = self.seatings.get(&case.universe.name);
                themes::theme(&self.judge, policy, case, theme(policy, place), seating, is_member)
            }
            Rule::FundCategory(category) => funds::category(market, policy, case, category),
            Rule::AllFunds => funds::all(market, policy, case),
        }
    }
}

impl Outlook {
    /// Whether the rules want the symbol to be a member, by what a sync would do.
    pub fn is_wanted(self) -> bool {
        match self {
            Self::StaysIn | Self::WouldJoin | Self::HeldOut => true,
            Self::StaysOut | Self::WouldLeave | Self::HeldIn => false,
        }
    }
}

impl Episode {
    fn ended(&self) -> Option<PastMembership> {
        Some(PastMembership {
            valid_from: self.valid_from,
            valid_to: self.valid_to?,
            exit_reason: self.exit_reason.clone(),
        })
    }
}

/// The one of `symbols` that may have been meant by `text`: another case, or a letter off.
pub fn nearest_symbol<'s>(symbols: impl Iterator<Item = &'s Symbol>, text: &str) -> Option<&'s Symbol> {
    let text = symbol_key(text).to_uppercase();
    let distance = |symbol: &Symbol| strsim::damerau_levenshtein(&symbol.key().to_uppercase(), &text);
    let (distance, nearest) = symbols.map(|symbol| (distance(symbol), symbol)).min()?;
    // A letter off in three, two in six: of shorter ones everything is near to everything.
    (distance * 3 <= nearest.as_str().len()).then_some(nearest)
}

/// The place of a symbol, from 1, in whatever spelling.
fn place_of(symbol: &Symbol, members: &[Symbol]) -> Option<usize> {
    members.iter().position(|member| member.is_spelling_of(symbol)).map(|place| place + 1)
}
