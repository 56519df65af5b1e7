//! Decides what puts the universes back as they were before a job.
//!
//! Every run keeps what stood in the rows that it wrote. Of all runs from the job's own on, the earliest one that wrote
//! a row knows what stood there before the job, so later jobs are undone with it. The result is a [`Plan`] like that of
//! a sync: rows come back to the letter, and history, audit and events follow from who joins and who leaves by that.
//!
//! | before the job | now | what happens |
//! |---|---|---|
//! | a universe of ours | a universe of ours | the row comes back; memberships begin and end with reason `revert` |
//! | a row that was not ours yet | adopted | the row comes back in its own shape; its history ends, as if never adopted |
//! | no row | a universe of ours | the row goes, its history ends |
//! | a row of ours that is no universe | another content | it comes back |
//! | a foreign row | cleaned of symbols | it comes back, unless somebody else has written it since |
//!
//! # What the next sync compares with
//! The plan's run state is that of the run before the job, so the guards judge the next sync as if the undone ones had
//! never been. The date stays the newest one applied: history only goes forward.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use serde_json::json;

use crate::domain::change::{EntryReason, ExitReason, UniverseStatus};
use crate::domain::job::JobId;
use crate::domain::money::Usd;
use crate::domain::symbol::Symbol;
use crate::domain::task::{Mode, SyncTask};
use crate::domain::universe::{CacheType, UniverseName};

use crate::domain::wording::{counted, first_few};
use crate::plan::given::notice::{Refusal, Warning};
use crate::plan::given::snapshot::{RunState, StoredUniverse};
use crate::plan::market::Counts;
use crate::plan::result::{
    Before, EarlierContent, Joined, Left, Plan, PlannedUniverse, RestoredAs, RestoredRow,
};

/// The job that is to be undone, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// There is no such job.
    Unknown,
    /// It has not ended, so there is nothing to undo yet.
    Unfinished,
    /// It ended without writing a row: refused, failed, cancelled, or nothing was to be done.
    ChangedNothing,
    /// It changed something, but what stood there before is no longer kept.
    Forgotten,
    /// It changed something in `cache_entries` while that table had another layout.
    OtherLayout,
    /// It changed this.
    Kept(Box<Undoing>),
}

/// What a revert is decided from.
#[derive(Debug, Clone, PartialEq)]
pub struct Undoing {
    /// The newest date that was applied.
    pub as_of: NaiveDate,
    /// The closes seen on it.
    pub closes: usize,
    /// The date of the job that is to be undone.
    pub undone_as_of: NaiveDate,
    /// What the run before it saw; `None` where it was the first, or the one before is no longer kept.
    pub run_before: Option<RunState>,
    /// The jobs that ran after it, oldest first.
    pub later_jobs: Vec<String>,
    /// Every row that it or a later job wrote, by name.
    pub rows: Vec<EarlierRow>,
    /// The universes of ours that none of them wrote.
    pub unwritten: Vec<Unwritten>,
}

/// A universe whose row stands as it stood. Only what is known about it goes back.
#[derive(Debug, Clone, PartialEq)]
pub struct Unwritten {
    /// Its name.
    pub name: UniverseName,
    /// Its kind.
    pub cache_type: CacheType,
    /// Its members.
    pub members: Vec<Symbol>,
    /// How it fares.
    pub status: UniverseStatus,
}

/// A row of `cache_entries` before the job.
#[derive(Debug, Clone, PartialEq)]
pub struct EarlierRow {
    /// The row's name.
    pub universe: String,
    /// What stood there, `None` where there was no row.
    pub content: Option<EarlierContent>,
    /// The texts in `content.symbols`.
    pub symbols: Vec<String>,
    /// Whether just this stands there now.
    pub stands_again: bool,
    /// Whose row it is.
    pub owner: Owner,
}

/// Whose row it is that a run wrote.
#[derive(Debug, Clone, PartialEq)]
pub enum Owner {
    /// A universe of ours.
    Ours {
        /// Its name.
        name: UniverseName,
        /// Its kind.
        cache_type: CacheType,
        /// How it fared before the job; `None` where it was not ours yet and had no history.
        was: Option<UniverseStatus>,
        /// It as it stands now.
        now: Option<StoredUniverse>,
    },
    /// A row of ours that goes along with universes and is none.
    Companion,
    /// Somebody else's.
    Foreign {
        /// The texts in its `symbols` now.
        symbols_now: Vec<String>,
        /// Whether it is as our last run left it.
        is_as_left: bool,
    },
}

/// Decides how `job` is undone, or why it can't be.
pub fn plan(job: &JobId, target: &Target) -> Result<Plan, Refusal> {
    let (code, text) = match target {
        Target::Kept(undoing) => return undo(job, undoing),
        Target::Unknown => {
            ("unknown_job", format!("there is no job \"{job}\"; `cache-sync jobs` lists the recent ones"))
        }
        Target::Unfinished => (
            "unfinished_job",
            format!(
                "job {job} has not ended, so there is nothing to revert yet; wait for its end, or cancel it"
            ),
        ),
        Target::ChangedNothing => {
            ("nothing_to_revert", format!("job {job} changed no universe, so there is nothing to revert"))
        }
        Target::Forgotten => (
            "run_forgotten",
            format!(
                "what stood in the universes before job {job} is no longer kept; only the last 30 runs can be reverted"
            ),
        ),
        Target::OtherLayout => (
            "other_layout",
            format!(
                "cache_entries has another layout now than when job {job} wrote it, so what stood there before can't be put back"
            ),
        ),
    };
    Err(Refusal { code, text })
}

fn undo(job: &JobId, undoing: &Undoing) -> Result<Plan, Refusal> {
    let run = run_state(undoing);
    let reverting = Reverting { why: format!("job {job} is reverted"), caps: caps_of(&run) };
    // Of universes without known caps, such as those of funds, nothing better is known than what stands there.
    let unwritten = undoing.unwritten.iter().map(|universe| reverting.unwritten(universe));
    let mut universes: Vec<PlannedUniverse> =
        unwritten.filter(|universe| universe.members_with_cap > 0).collect();
    let mut restored = Vec::new();
    let mut changed_since = Vec::new();
    for row in &undoing.rows {
        match &row.owner {
            Owner::Ours { name, cache_type, was, now } => {
                let universe = reverting.universe(name, *cache_type, row, *was, now.as_ref());
                let becomes = match (was.is_some(), universe.before == Before::Managed) {
                    // Not ours then and not ours now: it is its owner's business.
                    (false, false) => continue,
                    (false, true) => Some(RestoredAs::Released),
                    (true, false) => Some(RestoredAs::Ours),
                    (true, true) => {
                        let differs = !row.stands_again || universe.changes() > 0;
                        differs.then_some(RestoredAs::Ours)
                    }
                };
                restored.extend(becomes.map(|becomes| restored_row(row, becomes)));
                universes.push(universe);
            }
            Owner::Companion | Owner::Foreign { .. } if row.stands_again => {}
            Owner::Companion => restored.push(restored_row(row, RestoredAs::Companion)),
            Owner::Foreign { is_as_left: false, .. } => changed_since.push(&row.universe),
            Owner::Foreign { symbols_now, .. } => {
                let added = beyond(&row.symbols, symbols_now);
                let removed = beyond(symbols_now, &row.symbols);
                restored.push(restored_row(row, RestoredAs::Foreign { added, removed }));
            }
        }
    }
    universes.sort_by(|a, b| a.name.cmp(&b.name));
    let warnings = warnings(&undoing.later_jobs, &changed_since);
    if restored.is_empty() {
        let text = match changed_since.as_slice() {
            [] => format!(
                "the universes stand as they stood before job {job} already; nothing is left to revert"
            ),
            names => format!(
                "all that job {job} changed and that does not stand as before already has been written by somebody else since: {}",
                first_few(names.iter())
            ),
        };
        return Err(Refusal { code: "nothing_to_revert", text });
    }
    Ok(Plan {
        as_of: undoing.as_of,
        mode: Mode::Revert,
        universes,
        foreign: Vec::new(),
        restored,
        identities: Vec::new(),
        tasks: Vec::new(),
        warnings,
        measures: Vec::new(),
        run,
        released: Vec::new(),
        counts: Counts::default(),
        total_symbols: 0,
    })
}

/// The state of the run before the job. Where none is known the next sync is judged as a first one; the closes stay
/// those of the newest date, for they are a fact about the date.
fn run_state(undoing: &Undoing) -> RunState {
    let unknown = || RunState { as_of: undoing.undone_as_of, ..RunState::default() };
    RunState { closes: undoing.closes, ..undoing.run_before.clone().unwrap_or_else(unknown) }
}

fn restored_row(row: &EarlierRow, becomes: RestoredAs) -> RestoredRow {
    RestoredRow { universe: row.universe.clone(), content: row.content.clone(), becomes }
}

fn caps_of(run: &RunState) -> HashMap<&str, Usd> {
    let caps = run
        .stocks
        .iter()
        .filter_map(|stock| Some((stock.symbol.as_str(), Usd::from_cents(stock.cap_cents?))));
    caps.collect()
}

/// What every universe of a revert is planned with.
struct Reverting<'a> {
    why: String,
    caps: HashMap<&'a str, Usd>,
}

impl Reverting<'_> {
    /// A universe as it was, with who joins and who leaves by that.
    fn universe(
        &self,
        name: &UniverseName,
        cache_type: CacheType,
        row: &EarlierRow,
        was: Option<UniverseStatus>,
        now: Option<&StoredUniverse>,
    ) -> PlannedUniverse {
        let before = match now {
            Some(StoredUniverse { state: Some(_), .. }) => Before::Managed,
            Some(StoredUniverse { content: Some(_), .. }) => Before::Unmanaged,
            Some(_) | None => Before::Nothing,
        };
        let is_adopted = was.is_some() && before != Before::Managed;
        let members = without_repeats(row.symbols.iter().filter_map(|text| Symbol::parse(text)));
        let members_now = without_repeats(now.into_iter().flat_map(|now| now.members.iter().cloned()));
        let task = cache_type.task();
        PlannedUniverse {
            joined: self.joined(&members, &members_now, is_adopted, task),
            left: self.left(&members, &members_now, task),
            before,
            ..self.unchanged(name, cache_type, members, was.unwrap_or(UniverseStatus::Ok))
        }
    }

    fn joined(&self, members: &[Symbol], now: &[Symbol], is_adopted: bool, task: SyncTask) -> Vec<Joined> {
        let now: HashSet<&Symbol> = now.iter().collect();
        let joined = (1..).zip(members).filter_map(|(rank, symbol)| {
            let reason = match (now.contains(symbol), is_adopted) {
                (false, _) => EntryReason::Revert,
                (true, true) => EntryReason::Adopted,
                (true, false) => return None,
            };
            let cap = self.cap(symbol);
            Some(Joined { symbol: symbol.clone(), reason, task, rank, cap, why: self.why.as_str().into() })
        });
        joined.collect()
    }

    fn left(&self, members: &[Symbol], now: &[Symbol], task: SyncTask) -> Vec<Left> {
        let members: HashSet<&Symbol> = members.iter().collect();
        let left = now.iter().filter(|symbol| !members.contains(symbol)).map(|symbol| Left {
            symbol: symbol.clone(),
            reason: ExitReason::Revert,
            task,
            cap: self.cap(symbol),
            why: self.why.as_str().into(),
        });
        left.collect()
    }

    fn unwritten(&self, universe: &Unwritten) -> PlannedUniverse {
        self.unchanged(&universe.name, universe.cache_type, universe.members.clone(), universe.status)
    }

    /// A universe of ours in which nothing changes. Its row is none of its business: it comes back whole, or stays.
    fn unchanged(
        &self,
        name: &UniverseName,
        cache_type: CacheType,
        members: Vec<Symbol>,
        status: UniverseStatus,
    ) -> PlannedUniverse {
        let caps = || members.iter().filter_map(|symbol| self.cap(symbol));
        PlannedUniverse {
            name: name.clone(),
            cache_type,
            task: cache_type.task(),
            metadata: json!({}),
            rewrite: false,
            before: Before::Managed,
            joined: Vec::new(),
            left: Vec::new(),
            renamed: Vec::new(),
            // What was held back is not known any more; the next sync decides it anew.
            status: match status {
                UniverseStatus::Ok | UniverseStatus::Held => UniverseStatus::Ok,
                UniverseStatus::NoSourceData => UniverseStatus::NoSourceData,
            },
            hold: None,
            total_cap: caps().sum(),
            members_with_cap: caps().count(),
            members,
        }
    }

    fn cap(&self, symbol: &Symbol) -> Option<Usd> {
        self.caps.get(symbol.as_str()).copied()
    }
}

fn without_repeats(symbols: impl Iterator<Item = Symbol>) -> Vec<Symbol> {
    let mut seen = HashSet::new();
    symbols.filter(|symbol| seen.insert(symbol.clone())).collect()
}

/// The texts that stand in `texts` more often than in `others`, as often as that.
fn beyond(texts: &[String], others: &[String]) -> Vec<String> {
    let mut matched: HashMap<&str, usize> = HashMap::new();
    for text in others {
        *matched.entry(text).or_default() += 1;
    }
    let mut found = Vec::new();
    for text in texts {
        match matched.get_mut(text.as_str()) {
            Some(count) if *count > 0 => *count -= 1,
            Some(_) | None => found.push(text.clone()),
        }
    }
    found
}

fn warnings(later_jobs: &[String], changed_since: &[&String]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if !later_jobs.is_empty() {
        let text = format!(
            "{} that ran later {} undone with it: {}",
            counted(later_jobs.len(), "job"),
            if later_jobs.len() == 1 { "is" } else { "are" },
            first_few(later_jobs.iter())
        );
        warnings.push(Warning { code: "later_jobs_undone", text });
    }
    if !changed_since.is_empty() {
        let text = format!(
            "{} written by somebody else since the clean-up, left as it is: {}",
            counted(changed_since.len(), "foreign row"),
            first_few(changed_since.iter())
        );
        warnings.push(Warning { code: "foreign_changed", text });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::given::snapshot::{StockState, StoredContent, UniverseState};
    use crate::plan::market::screening::Quarantine;

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("a date")
    }

    fn job() -> JobId {
        JobId::parse("bad").expect("an id")
    }

    fn texts(symbols: &[&str]) -> Vec<String> {
        symbols.iter().map(ToString::to_string).collect()
    }

    fn symbols(symbols: &[&str]) -> Vec<Symbol> {
        symbols.iter().filter_map(|text| Symbol::parse(text)).collect()
    }

    fn content() -> EarlierContent {
        EarlierContent { json: "{}".to_owned(), cache_type: None }
    }

    /// `top_100` as it was and is.
    fn ours(was: Option<&[&str]>, was_ours: bool, now: Option<&[&str]>) -> EarlierRow {
        let name = UniverseName::known("top_100");
        let now = now.map(|members| StoredUniverse {
            cache_type: None,
            members: symbols(members),
            content: Some(StoredContent::Malformed),
            state: Some(UniverseState { last_as_of: date("2026-03-03"), held_runs: 0 }),
        });
        EarlierRow {
            universe: name.to_string(),
            content: was.map(|_| content()),
            symbols: texts(was.unwrap_or_default()),
            stands_again: false,
            owner: Owner::Ours {
                name,
                cache_type: CacheType::MarketLeader,
                was: was_ours.then_some(UniverseStatus::Ok),
                now,
            },
        }
    }

    fn foreign(was: &[&str], now: &[&str], is_as_left: bool) -> EarlierRow {
        EarlierRow {
            universe: "watchlist".to_owned(),
            content: Some(content()),
            symbols: texts(was),
            stands_again: was == now,
            owner: Owner::Foreign { symbols_now: texts(now), is_as_left },
        }
    }

    fn undoing(rows: Vec<EarlierRow>) -> Undoing {
        let stock = StockState {
            symbol: Symbol::parse("A").expect("a symbol"),
            cap_cents: Some(700),
            close_dollars: None,
            shares: None,
            sector: None,
        };
        Undoing {
            as_of: date("2026-03-04"),
            closes: 130,
            undone_as_of: date("2026-03-03"),
            run_before: Some(RunState {
                as_of: date("2026-03-02"),
                active_stocks: 120,
                closes: 119,
                stocks: vec![stock],
                quarantine: Quarantine::default(),
                identities: None,
            }),
            later_jobs: Vec::new(),
            rows,
            unwritten: Vec::new(),
        }
    }

    fn planned(rows: Vec<EarlierRow>) -> Result<Plan, Refusal> {
        plan(&job(), &Target::Kept(Box::new(undoing(rows))))
    }

    fn said(plan: &Plan) -> Vec<String> {
        let universe = &plan.universes[0];
        let joined = universe.joined.iter().map(|joined| format!("+{} {}", joined.symbol, joined.reason));
        joined.chain(universe.left.iter().map(|left| format!("-{} {}", left.symbol, left.reason))).collect()
    }

    #[test]
    fn who_came_goes_and_who_went_comes_back() {
        let plan = planned(vec![ours(Some(&["B", "A"]), true, Some(&["C", "B"]))]).expect("a plan");
        assert_eq!(said(&plan), ["+A revert", "-C revert"]);
        assert_eq!(plan.universes[0].joined[0].rank, 2);
        assert_eq!(
            (plan.universes[0].total_cap, plan.universes[0].members_with_cap),
            (Usd::from_cents(700), 1)
        );
        assert_eq!(plan.restored[0].becomes, RestoredAs::Ours);
    }

    #[test]
    fn the_date_and_its_closes_stay_and_all_else_is_as_the_run_before_saw_it() {
        let plan = planned(vec![ours(Some(&["A"]), true, Some(&[]))]).expect("a plan");
        assert_eq!((plan.as_of, plan.run.closes), (date("2026-03-04"), 130));
        assert_eq!((plan.run.as_of, plan.run.active_stocks), (date("2026-03-02"), 120));
    }

    #[test]
    fn a_row_that_was_not_there_goes_with_everybody_in_it() {
        let plan = planned(vec![ours(None, false, Some(&["A", "B"]))]).expect("a plan");
        assert_eq!(said(&plan), ["-A revert", "-B revert"]);
        assert_eq!(
            (plan.restored[0].content.as_ref(), &plan.restored[0].becomes),
            (None, &RestoredAs::Released)
        );
    }

    #[test]
    fn an_adopted_row_is_released_and_adopted_again_by_the_revert_of_the_revert() {
        let released = planned(vec![ours(Some(&["A", "X"]), false, Some(&["A", "B"]))]).expect("a plan");
        assert_eq!(said(&released), ["+X revert", "-B revert"]);
        assert_eq!(released.restored[0].becomes, RestoredAs::Released);

        let mut row = ours(Some(&["A", "B"]), true, Some(&["A", "X"]));
        if let Owner::Ours { now: Some(now), .. } = &mut row.owner {
            now.state = None;
        }
        let adopted = planned(vec![row]).expect("a plan");
        assert_eq!(said(&adopted), ["+A adopted", "+B revert", "-X revert"]);
        assert_eq!(adopted.restored[0].becomes, RestoredAs::Ours);
    }

    #[test]
    fn what_stands_again_is_left_alone_and_where_all_does_the_revert_is_refused() {
        let again = EarlierRow { stands_again: true, ..ours(Some(&["A"]), true, Some(&["A"])) };
        let refusal = planned(vec![again.clone(), foreign(&["A"], &["A"], true)]).expect_err("a refusal");
        assert_eq!(refusal.code, "nothing_to_revert");
        let plan = planned(vec![again, foreign(&["A", "B"], &["A"], true)]).expect("a plan");
        assert_eq!((plan.universes[0].changes(), plan.restored.len()), (0, 1));
        assert_eq!(plan.restored[0].universe, "watchlist");
    }

    #[test]
    fn a_row_that_reads_the_same_but_has_another_history_is_not_the_same() {
        let row = EarlierRow { stands_again: true, ..ours(Some(&["A"]), true, Some(&["A", "B"])) };
        assert_eq!(said(&planned(vec![row]).expect("a plan")), ["-B revert"]);
    }

    #[test]
    fn a_foreign_row_gets_its_symbols_back_unless_somebody_else_wrote_it_since() {
        let plan = planned(vec![foreign(&["G", "A", "G"], &["A"], true)]).expect("a plan");
        let put_back = RestoredAs::Foreign { added: texts(&["G", "G"]), removed: Vec::new() };
        assert_eq!(plan.restored[0].becomes, put_back);
        assert_eq!((plan.total_changes(), plan.updated()), (2, texts(&["watchlist"])));

        let both = vec![ours(Some(&["A"]), true, Some(&[])), foreign(&["G", "A"], &["A", "N"], false)];
        let plan = planned(both).expect("a plan");
        assert_eq!(plan.restored.len(), 1);
        assert_eq!(plan.warnings[0].code, "foreign_changed");
    }

    #[test]
    fn jobs_that_ran_later_are_named() {
        let rows = vec![ours(Some(&["A"]), true, Some(&[]))];
        let later = Undoing { later_jobs: texts(&["next"]), ..undoing(rows) };
        let plan = plan(&job(), &Target::Kept(Box::new(later))).expect("a plan");
        assert_eq!(
            plan.warnings[0].to_string(),
            "later_jobs_undone: 1 job that ran later is undone with it: next"
        );
    }

    #[test]
    fn a_job_that_can_not_be_undone_is_refused_with_the_reason() {
        for (target, code) in [
            (Target::Unknown, "unknown_job"),
            (Target::Unfinished, "unfinished_job"),
            (Target::ChangedNothing, "nothing_to_revert"),
            (Target::Forgotten, "run_forgotten"),
        ] {
            assert_eq!(plan(&job(), &target).expect_err(code).code, code);
        }
    }
}
