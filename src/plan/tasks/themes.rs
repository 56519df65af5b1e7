//! Sub-task 4: the nine themes.
//!
//! ```text
//! stocks in the global order
//!   ─ not eligible, no cap, denied, shell company ─> out
//!   ─ by evidence, dividends, score or sector ─────> candidates, each with its rank among them
//!   ─ seeds, newcomers near the top, members ──────> seats, max_members of them
//! ```
//! A stock joins from the entry score and the entry floor on, and a member stays down to the exit score and the exit
//! floor, so that membership does not flap. Ranks have the same kind of buffer: a newcomer needs one of the
//! first nine tenths of the seats, a member may fall a fifth behind the last.
//!
//! # Why seeds sit first
//! Rules alone find most biotech companies, but next to no cloud, crypto or fintech ones: neither their names nor
//! their codes say so. Those themes are lists that people keep; the rules check that each symbol on a list still trades.
//!
//! # Why a late listing is no seed
//! A list names tickers. If a ticker was listed after the list was last reviewed, it now belongs to another company, or
//! somebody forgot to update the date of the review. Either way a person should look, so it is left out and reported.

use crate::domain::task::SyncTask;

use crate::domain::wording::{counted, first_few};
use crate::plan::draft::guard;
use crate::plan::draft::{Change, Draft};
use crate::plan::given::policy::Theme;
use crate::plan::market::Standing;
use crate::plan::members::candidates::{Judge, Marks, goes_by_list, is_listed_later};
use crate::plan::members::theme_seats::{Seating, ThemeOverrides};
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

/// The proposals for all themes, made once in a plan and used by both sub-tasks that seat stocks in themes.
#[derive(Default)]
pub(crate) struct Proposals<'a>(Option<Vec<Proposal<'a>>>);

impl<'a> Proposals<'a> {
    /// The proposals; the first sub-task that asks makes them.
    pub(crate) fn get(&mut self, draft: &mut Draft<'a>, sector_doubt: Option<&str>) -> &[Proposal<'a>] {
        self.0.get_or_insert_with(|| propose(draft, sector_doubt))
    }

    fn take(self, draft: &mut Draft<'a>, sector_doubt: Option<&str>) -> Vec<Proposal<'a>> {
        self.0.unwrap_or_else(|| propose(draft, sector_doubt))
    }
}

/// Finalizes every theme.
pub(crate) fn rebalance<'a>(draft: &mut Draft<'a>, proposals: Proposals<'a>, sector_doubt: Option<&str>) {
    let proposals = proposals.take(draft, sector_doubt);
    let changes = proposals.iter().filter_map(|proposal| match proposal {
        Proposal::Change { change, .. } => Some(change),
        Proposal::NoSource(_) => None,
    });
    guard::warn_of_long_gaps(draft, changes);
    for proposal in proposals {
        match proposal {
            Proposal::Change { change, doubt } => draft.finalize_alone(change, doubt),
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
fn propose<'a>(draft: &mut Draft<'a>, sector_doubt: Option<&str>) -> Vec<Proposal<'a>> {
    let judge = Judge::new(draft.market, draft.policy);
    let universes = Universe::of_task(draft.policy, SyncTask::ThemeRebalancing);
    let mut proposals = Vec::with_capacity(universes.len());
    for universe in universes {
        let Rule::Theme(place) = universe.rule else { continue };
        let prior = draft.prior(&universe.name);
        let members = Marks::new(draft.market, prior.members.iter().filter_map(|member| member.index));
        let is_first_fill = prior.members.is_empty();
        let theme = theme(draft.policy, place);
        let decided = ThemeOverrides::of(draft.market, &draft.overrides, &universe);
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

fn warn_of_pins_without_source(draft: &mut Draft, universe: &Universe) {
    let pins = draft.overrides.pins(&universe.name);
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

/// Whether a seed trades, and is of a type that can't count and that it had before: nobody needs to hear of that every
/// night. It is said on the first fill of the theme and when the type changes; `doctor` lists it at any time.
fn is_of_old_of_another_type(draft: &Draft, theme: &Theme, index: u32) -> bool {
    let is_of_another_type = matches!(draft.market.standing(index), Standing::OtherType | Standing::Fund);
    let is_first_fill =
        draft.snapshot.universes.get(&theme.universe).is_none_or(|stored| stored.state.is_none());
    let was_eligible = draft.snapshot.last_run.as_ref().is_some_and(|last| {
        last.stocks.iter().any(|stock| draft.market.index_of(&stock.symbol) == Some(index))
    });
    is_of_another_type && !is_first_fill && !was_eligible
}

fn warn_of_seeds(draft: &mut Draft, theme: &Theme) {
    let (mut absent, mut later) = (Vec::new(), Vec::new());
    for key in &theme.seeds {
        match draft.market.find(key) {
            Some(index) if is_listed_later(draft.market, theme, index) => later.push(key),
            Some(index) if draft.market.standing(index) == Standing::Eligible => {}
            Some(index) if is_of_old_of_another_type(draft, theme, index) => {}
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
