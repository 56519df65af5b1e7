//! Sub-task 4: the nine themes.
//!
//! ```text
//! stocks in the global order
//!   ─ not eligible, no cap, denied, shell company ─> out
//!   ─ by evidence, dividends, score or sector ─────> candidates, each with its rank among them
//!   ─ seeds, newcomers near the top, members ──────> seats, max_members of them
//! ```
//! A stock joins from the entry score and the entry floor on, and a member stays down to the exit score and the exit
//! floor, so that nobody goes in and out with the wind. Ranks have the same kind of room: a newcomer needs one of the
//! first nine tenths of the seats, a member may fall a fifth behind the last.
//!
//! # Why seeds sit first
//! Rules alone find most biotech companies, but next to no cloud, crypto or fintech ones: nothing in their names or
//! codes says so. Those themes are lists that people keep, and the rules see to it that what is on them is still there.
//!
//! # Why a late listing is no seed
//! A list names tickers. One that was listed after the list was last gone through is another company with an old
//! ticker, or somebody forgot to write down the day. Either way a person should look, so it is left out and reported.

use crate::domain::task::SyncTask;

use crate::domain::wording::{counted, first_few};
use crate::plan::draft::guard;
use crate::plan::draft::{Change, Draft};
use crate::plan::given::policy::Theme;
use crate::plan::market::{Market, Standing};
use crate::plan::members::candidates::{Candidate, Judge, Marks, goes_by_list, is_listed_later};
use crate::plan::members::overrides::Hands;
use crate::plan::members::universes::{Rule, Universe, theme};

/// A list that nobody has gone through for so many days is reported.
const LIST_DAYS: i64 = 365;

/// What a theme calls for.
pub(crate) enum Proposal<'a> {
    /// These members; and why a guard does not believe the change, if one does not.
    Change { change: Change<'a>, doubt: Option<String> },
    /// Nothing can be said: the column that its rule goes by does not exist, and there is no list.
    NoSource(Universe),
}

/// Settles every theme.
pub(crate) fn rebalance(draft: &mut Draft, sector_doubt: Option<&str>) {
    let proposals = draft.themes.take().unwrap_or_else(|| propose(draft, sector_doubt));
    let changes = proposals.iter().filter_map(|proposal| match proposal {
        Proposal::Change { change, .. } => Some(change),
        Proposal::NoSource(_) => None,
    });
    guard::warn_of_long_gaps(draft, changes);
    for proposal in proposals {
        match proposal {
            Proposal::Change { change, doubt } => draft.settle_alone(change, doubt),
            Proposal::NoSource(universe) => {
                warn_of_pins_without_source(draft, &universe);
                let prior = draft.prior(&universe.name);
                draft.keep_without_source(&universe, &prior);
            }
        }
    }
    warn_of_lists(draft);
}

/// What each theme calls for, as its members stand before the plan.
pub(crate) fn propose<'a>(draft: &mut Draft<'a>, sector_doubt: Option<&str>) -> Vec<Proposal<'a>> {
    let judge = Judge::new(draft.market, draft.policy);
    let universes = Universe::of_task(draft.policy, SyncTask::ThemeRebalancing);
    let mut proposals = Vec::with_capacity(universes.len());
    for universe in universes {
        let Rule::Theme(place) = universe.rule else { continue };
        let prior = draft.prior(&universe.name);
        let members = Marks::new(draft.market, prior.members.iter().filter_map(|member| member.index));
        let is_first_fill = prior.members.is_empty();
        let theme = theme(draft.policy, place);
        let decided = ByHand::of(draft.market, &draft.hands, &universe);
        let Some(seating) = Seating::new(&judge, theme, members, is_first_fill, decided) else {
            proposals.push(Proposal::NoSource(universe));
            continue;
        };
        let change = draft.compare(universe, seating.seated);
        let doubt = guard::doubt_alone(draft, &change, sector_doubt);
        proposals.push(Proposal::Change { change, doubt });
    }
    proposals
}

/// Who would like a seat in a theme, and who gets one.
pub(crate) struct Seating {
    /// In the global order.
    pub(crate) candidates: Vec<Candidate>,
    /// Those of them who get one, in the same order.
    pub(crate) seated: Vec<u32>,
    /// Who had one before.
    pub(crate) members: Marks,
    /// Whether nobody had.
    pub(crate) is_first_fill: bool,
    /// Who is pinned, and takes a seat before everybody else.
    pub(crate) pins: Vec<u32>,
}

/// What people have decided of a theme.
#[derive(Debug, Default)]
pub(crate) struct ByHand {
    pins: Vec<u32>,
    bans: Marks,
}

impl ByHand {
    /// What they have decided of the theme with this universe.
    pub(crate) fn of(market: &Market, hands: &Hands, universe: &Universe) -> Self {
        if hands.are_empty() {
            return Self::default();
        }
        Self { pins: hands.pins(&universe.name), bans: Marks::new(market, hands.bans(&universe.name)) }
    }
}

impl Seating {
    /// The seating of a theme that has these members; `None` where what its rule goes by does not exist.
    pub(crate) fn new(
        judge: &Judge,
        theme: &Theme,
        members: Marks,
        is_first_fill: bool,
        decided: ByHand,
    ) -> Option<Self> {
        let ByHand { pins, bans } = decided;
        let mut candidates = judge.candidates(theme, &members)?;
        candidates.retain(|candidate| !bans.has(candidate.index));
        let mut seating = Self { candidates, seated: Vec::new(), members, is_first_fill, pins };
        seating.seated = seats(&seating, judge, theme);
        Some(seating)
    }

    /// The last rank among the candidates with which the one at `index` may have a seat.
    pub(crate) fn last_rank(&self, judge: &Judge, theme: &Theme, index: u32) -> usize {
        let (scoring, max) = (judge.scoring(), theme.max_members);
        if self.members.has(index) {
            Self::rank_at(theme, scoring.leave_at_pct)
        } else if self.is_first_fill || judge.market().is_new_listing(index) {
            max
        } else {
            Self::rank_at(theme, scoring.enter_at_pct)
        }
    }

    /// The last rank within so many percent of the seats.
    pub(crate) fn rank_at(theme: &Theme, pct: usize) -> usize {
        pct * theme.max_members / 100
    }
}

/// Who gets a seat, in the global order; whoever has no place in it comes last, by symbol.
fn seats(seating: &Seating, judge: &Judge, theme: &Theme) -> Vec<u32> {
    let (candidates, pins) = (&seating.candidates, &seating.pins);
    let max = theme.max_members.saturating_sub(pins.len());
    let belongs = |rank: usize, index: u32| rank <= seating.last_rank(judge, theme, index);
    let seeds = candidates.iter().filter(|candidate| candidate.is_seed && !pins.contains(&candidate.index));
    let mut seats_left = max.saturating_sub(seeds.count());
    let mut seeds_left = max;
    let mut seated = Vec::with_capacity(max.min(candidates.len()) + pins.len());
    for (place, Candidate { index, is_seed }) in candidates.iter().enumerate() {
        let left = if *is_seed { &mut seeds_left } else { &mut seats_left };
        if *left > 0 && !pins.contains(index) && (*is_seed || belongs(place + 1, *index)) {
            *left -= 1;
            seated.push(*index);
        }
    }
    if !pins.is_empty() {
        let market = judge.market();
        seated.extend(pins);
        seated.sort_by_key(|index| {
            let rank = market.rank(*index);
            (rank.is_none(), rank, market.security(*index).symbol.clone())
        });
    }
    seated
}

fn warn_of_pins_without_source(draft: &mut Draft, universe: &Universe) {
    let pins = draft.hands.pins(&universe.name);
    if !pins.is_empty() {
        let symbols: Vec<&str> =
            pins.iter().map(|index| draft.market.security(*index).symbol.as_str()).collect();
        let text = format!(
            "{} pinned to {}, which has no source data and stays as it is",
            first_few(symbols.iter()),
            universe.name
        );
        draft.warn("pin_without_effect", text);
    }
}

/// Tells of lists that nobody went through for long, and of those on them who are not there.
fn warn_of_lists(draft: &mut Draft) {
    let enabled = draft.policy.themes.themes.iter().filter(|theme| theme.is_enabled);
    let by_list = enabled.filter(|theme| !theme.seeds.is_empty() && goes_by_list(draft.market, theme));
    let themes: Vec<&Theme> = by_list.collect();
    let as_of = draft.order.as_of;
    let is_old = |theme: &&&Theme| (as_of - theme.curated).num_days() > LIST_DAYS;
    let old: Vec<String> = themes
        .iter()
        .filter(is_old)
        .map(|theme| format!("{} of {}", theme.universe, theme.curated))
        .collect();
    if !old.is_empty() {
        let lists = counted(old.len(), "curated list");
        let text = format!("{lists} not gone through for more than a year: {}", first_few(old.iter()));
        draft.warn("curated_list_old", text);
    }
    for theme in themes {
        warn_of_seeds(draft, theme);
    }
}

fn warn_of_seeds(draft: &mut Draft, theme: &Theme) {
    let (mut absent, mut later) = (Vec::new(), Vec::new());
    for key in &theme.seeds {
        match draft.market.find(key) {
            Some(index) if is_listed_later(draft.market, theme, index) => later.push(key),
            Some(index) if draft.market.standing(index) == Standing::Eligible => {}
            Some(_) | None => absent.push(key),
        }
    }
    let (name, of) = (&theme.universe, theme.seeds.len());
    if !absent.is_empty() {
        let text = format!(
            "{name}: {} of {} on its list missing, inactive or of another type: {}",
            absent.len(),
            counted(of, "symbol"),
            first_few(absent.iter())
        );
        draft.warn("seed_missing", text);
    }
    if !later.is_empty() {
        let text = format!(
            "{name}: listed after its list was last gone through on {}, so perhaps another company by an old ticker, \
             and not counted: {}; go through the list and write the day into themes.{name}.curated",
            theme.curated,
            first_few(later.iter())
        );
        draft.warn("seed_listed_later", text);
    }
}
