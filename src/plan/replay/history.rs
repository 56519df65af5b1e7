//! The history that replayed days make: memberships from one date to another, and the audit of every change.
//!
//! A chronicle leads up to the history that was recorded. Who is still a member at its end leaves on the first date that
//! was recorded, for from there on the record counts: whoever is a member in it has a membership of its own that begins
//! on that very date. Such an end is no decision of any rule, so the audit has nothing of it.

use std::collections::HashMap;

use chrono::NaiveDate;

use crate::domain::change::{Action, EntryReason, ExitReason};
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::task::SyncTask;
use crate::domain::universe::UniverseName;

use crate::plan::result::{Hold, Plan};

/// The reason of an end that recorded history puts: its rules decide from there on.
const HANDED_OVER: ExitReason = ExitReason::Rule;

/// History in the making.
#[derive(Debug, Default)]
pub struct Chronicle {
    /// Memberships that have not ended, as places in `episodes`; two spellings of a symbol are one member.
    open: HashMap<(UniverseName, String), usize>,
    episodes: Vec<Open>,
    changes: Vec<Change>,
    days: Vec<NaiveDate>,
}

/// History as it is to be written.
#[derive(Debug, Default, PartialEq)]
pub struct Chronicled {
    /// The memberships, all of them ended.
    pub episodes: Vec<Episode>,
    /// The audit, day by day.
    pub changes: Vec<Change>,
    /// The first and the last day that were applied; none without any.
    pub span: Option<(NaiveDate, NaiveDate)>,
    /// How many days were applied.
    pub days: usize,
}

/// One membership.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// The universe.
    pub universe: UniverseName,
    /// The symbol.
    pub symbol: Symbol,
    /// The first date.
    pub valid_from: NaiveDate,
    /// The date from which it is no longer one.
    pub valid_to: NaiveDate,
    /// By which right it came.
    pub entry_reason: EntryReason,
    /// Why it ended.
    pub exit_reason: ExitReason,
    /// Whether it ended because recorded history begins.
    pub is_handed_over: bool,
    /// Its place when it came.
    pub rank: usize,
    /// Its market cap when it came.
    pub cap: Option<Usd>,
    /// Why it came, for a person.
    pub why: String,
}

/// One line of the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// When.
    pub as_of: NaiveDate,
    /// The universe.
    pub universe: UniverseName,
    /// What happened.
    pub action: Action,
    /// To whom; to nobody where a universe was held.
    pub symbol: Option<Symbol>,
    /// The reason, in the words of history; of a hold the sentence.
    pub reason: String,
    /// The sub-task that it is counted for.
    pub task: SyncTask,
    /// The place in the universe of who joins.
    pub rank: Option<usize>,
    /// The market cap then.
    pub cap: Option<Usd>,
    /// Why, for a person.
    pub why: Option<String>,
    /// What was kept back.
    pub hold: Option<Hold>,
}

#[derive(Debug)]
struct Open {
    episode: Episode,
    has_ended: bool,
}

impl Chronicle {
    /// Adds the day of a plan; days come in order.
    pub fn add(&mut self, plan: &Plan) {
        self.days.push(plan.as_of);
        for universe in &plan.universes {
            for left in &universe.left {
                self.end(&universe.name, &left.symbol, plan.as_of, left.reason);
                self.changes.push(Change {
                    symbol: Some(left.symbol.clone()),
                    cap: left.cap,
                    why: Some(left.why.to_string()),
                    ..change(plan, &universe.name, Action::Removed, left.reason.as_str(), left.task)
                });
            }
            for joined in &universe.joined {
                self.begin(Episode {
                    universe: universe.name.clone(),
                    symbol: joined.symbol.clone(),
                    valid_from: plan.as_of,
                    valid_to: plan.as_of,
                    entry_reason: joined.reason,
                    exit_reason: HANDED_OVER,
                    is_handed_over: true,
                    rank: joined.rank,
                    cap: joined.cap,
                    why: joined.why.to_string(),
                });
                self.changes.push(Change {
                    symbol: Some(joined.symbol.clone()),
                    rank: Some(joined.rank),
                    cap: joined.cap,
                    why: Some(joined.why.to_string()),
                    ..change(plan, &universe.name, Action::Added, joined.reason.as_str(), joined.task)
                });
            }
            self.changes.extend(universe.hold.iter().map(|hold| Change {
                hold: Some(hold.clone()),
                ..change(plan, &universe.name, Action::Held, &hold.reason, universe.task)
            }));
        }
    }

    /// The history, leading up to the first date that was recorded.
    pub fn lead_up_to(self, recorded: NaiveDate) -> Chronicled {
        let episodes = self.episodes.into_iter().map(|Open { mut episode, has_ended }| {
            if !has_ended {
                episode.valid_to = recorded;
            }
            episode
        });
        Chronicled {
            episodes: episodes.collect(),
            changes: self.changes,
            span: self.days.first().copied().zip(self.days.last().copied()),
            days: self.days.len(),
        }
    }

    fn begin(&mut self, episode: Episode) {
        let key = (episode.universe.clone(), episode.symbol.key().into_owned());
        self.open.insert(key, self.episodes.len());
        self.episodes.push(Open { episode, has_ended: false });
    }

    fn end(&mut self, universe: &UniverseName, symbol: &Symbol, as_of: NaiveDate, reason: ExitReason) {
        let Some(place) = self.open.remove(&(universe.clone(), symbol.key().into_owned())) else { return };
        let open = &mut self.episodes[place];
        open.has_ended = true;
        open.episode =
            Episode { valid_to: as_of, exit_reason: reason, is_handed_over: false, ..open.episode.clone() };
    }
}

fn change(plan: &Plan, universe: &UniverseName, action: Action, reason: &str, task: SyncTask) -> Change {
    Change {
        as_of: plan.as_of,
        universe: universe.clone(),
        action,
        symbol: None,
        reason: reason.to_owned(),
        task,
        rank: None,
        cap: None,
        why: None,
        hold: None,
    }
}
