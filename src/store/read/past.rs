//! Reads past days: the universes as they were on the evening before, and then, day by day, the securities as far as is
//! known of them.
//!
//! Everything here runs in the caller's read-only transaction. `symbols` is read once; each day then takes one statement
//! that probes the last close of every security on or before it, about as much as a sync reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use tokio_postgres::types::Type;

use crate::domain::calendar::{self, new_york_date};
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;
use crate::domain::task::Mode;
use crate::domain::universe::UniverseName;
use crate::failure::Failure;
use crate::plan::given::policy::Policy;
use crate::plan::given::snapshot::{EXIT_SESSIONS, RunState, UniverseState};
use crate::plan::members::universes::Universe;
use crate::plan::replay::{
    AppliedJob, Beginning, EveningBefore, PastPin, Seen, USUAL_DATES, as_they_were, states,
};
use crate::store::{Transaction, rejected};

use super::snapshot::{read_exits, run_state};
use super::source::{SourceTables, Volumes, read_securities, reread_closes};
use super::{Rules, Sources, read_rules};
use crate::store::pins::{self, StoredPin};
use crate::store::statement::{query, query_one};

const DOING: &str = "read past days";
/// Jobs that tell how universes fared: more than the sessions after which nothing is compared any more.
const JOBS: i64 = 100;

/// The past as far as it is known here.
#[derive(Debug)]
pub struct Past {
    /// The rules in force.
    pub policy: Arc<Policy>,
    /// What was known of it.
    pub known: KnownPast,
    source: SourceTables,
    /// Every security as it is today.
    today: Vec<Security>,
    /// The kept runs, oldest first.
    runs: Vec<KeptRun>,
    /// What the run saw that was asked for last.
    seen: Option<(i64, RunState)>,
}

/// What was known of the past, for those who read what was made of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownPast {
    /// The first and the last date whose run is kept, with its shares and sectors.
    pub kept_runs: Option<(NaiveDate, NaiveDate)>,
    /// Whether the universes begin as history has them; else the first day fills them.
    pub begins_with_history: bool,
    /// The date of the run that the first day is compared with.
    pub last_run: Option<NaiveDate>,
    /// The newest close.
    pub newest_close: Option<NaiveDate>,
    /// Securities that still traded on the first day and are inactive now, without a date since when.
    pub undated: usize,
}

#[derive(Debug, Clone, Copy)]
struct KeptRun {
    id: i64,
    as_of: NaiveDate,
    closes: usize,
}

impl Past {
    /// Reads what does not depend on the day, and what the first one begins with.
    pub async fn read(
        tx: &Transaction<'_>,
        from: Sources<'_>,
        first: NaiveDate,
    ) -> Result<(Self, Beginning), Failure> {
        // Any close of these days may be in doubt, and bars that are read once more have their volumes anyway.
        let (rules, source, rejected) = tokio::try_join!(
            read_rules(tx, from.entries, from.policy),
            SourceTables::discover_with(tx, from.source, Volumes::Read),
            rejected::list(tx)
        )?;
        let Rules { policy, .. } = rules;
        let source = source.without(&rejected.iter().map(|date| date.as_of).collect::<Vec<_>>());
        let today = Box::pin(read_securities(tx, &source, None)).await?.securities;
        let runs = kept_runs(tx).await?;
        let mut past = Self { policy, known: KnownPast::default(), source, today, runs, seen: None };
        let evening = past.evening_before(tx, first).await?;
        let before = past.runs.iter().rev().filter(|run| run.as_of < first);
        let closes = before.map(|run| run.closes).take(USUAL_DATES).collect();
        past.known = past.known(&evening, first);
        let beginning =
            Beginning { state: evening.into_snapshot(&past.policy), closes, pins: past_pins(tx).await? };
        Ok((past, beginning))
    }

    /// Every security as it is today.
    pub fn into_today(self) -> Vec<Security> {
        self.today
    }

    /// The securities of a day, as far as is known of them.
    pub async fn securities(
        &mut self,
        tx: &Transaction<'_>,
        date: NaiveDate,
    ) -> Result<Vec<Security>, Failure> {
        let mut then = self.today.clone();
        reread_closes(tx, &self.source, &mut then, date).await?;
        self.load_run(tx, date).await?;
        let seen = self.seen.as_ref().map(|(_, run)| Seen::by(run));
        Ok(as_they_were(&self.today, then, seen.as_ref(), date, &self.policy))
    }

    async fn evening_before(
        &mut self,
        tx: &Transaction<'_>,
        first: NaiveDate,
    ) -> Result<EveningBefore, Failure> {
        let evening = first - Days::new(1);
        let names: Vec<UniverseName> = Universe::kinds_by_name(&self.policy).into_keys().collect();
        let members = members_on(tx, &names, evening).await?;
        let jobs = jobs_until(tx, evening).await?;
        let mut states = states(&self.policy, &jobs);
        for name in members.keys() {
            // The job that filled it is forgotten; nothing says that it was not applied ever since.
            let applied = calendar::session_on_or_before(evening);
            states.entry(name.clone()).or_insert(UniverseState { last_as_of: applied, held_runs: 0 });
        }
        self.load_run(tx, evening).await?;
        let last_run = self.seen.as_ref().map(|(_, run)| run.clone());
        let from = calendar::sessions_back(first, EXIT_SESSIONS);
        let recent_exits = read_exits(tx, from, evening, &names).await?;
        Ok(EveningBefore { members, states, last_run, recent_exits })
    }

    fn known(&self, evening: &EveningBefore, first: NaiveDate) -> KnownPast {
        let dates = self.runs.iter().map(|run| run.as_of);
        let is_undated = |security: &&Security| {
            security.active == Some(false)
                && security.delisted_date.is_none()
                && security.close.is_some_and(|close| close.date >= first)
        };
        KnownPast {
            kept_runs: dates.clone().min().zip(dates.max()),
            begins_with_history: !evening.members.is_empty(),
            last_run: evening.last_run.as_ref().map(|run| run.as_of),
            newest_close: self.today.iter().filter_map(|security| Some(security.close?.date)).max(),
            undated: self.today.iter().filter(is_undated).count(),
        }
    }

    /// Has what the run of a date saw in `seen`, or the last kept one before it.
    async fn load_run(&mut self, tx: &Transaction<'_>, date: NaiveDate) -> Result<(), Failure> {
        let run = self.runs.iter().rev().find(|run| run.as_of <= date).map(|run| run.id);
        if run == self.seen.as_ref().map(|(id, _)| *id) {
            return Ok(());
        }
        self.seen = None;
        if let Some(id) = run {
            let sql = include_str!("../../../sql/queries/past_run_read.sql");
            let row = query_one(tx, DOING, sql, &[(&id, Type::INT8)]).await?;
            self.seen = Some((id, run_state(&row)?));
        }
        Ok(())
    }
}

/// The first date that history tells of.
pub async fn history_begins(tx: &Transaction<'_>) -> Result<Option<NaiveDate>, Failure> {
    let row = query_one(tx, DOING, include_str!("../../../sql/queries/history_begins.sql"), &[]).await?;
    Ok(row.get(0))
}

async fn past_pins(tx: &Transaction<'_>) -> Result<Vec<PastPin>, Failure> {
    let stored = pins::list(tx).await?.into_iter();
    Ok(stored
        .map(|StoredPin { pin, created_at, .. }| PastPin { pin, made_on: new_york_date(created_at) })
        .collect())
}

async fn kept_runs(tx: &Transaction<'_>) -> Result<Vec<KeptRun>, Failure> {
    let rows = query(tx, DOING, include_str!("../../../sql/queries/past_runs.sql"), &[]).await?;
    let runs = rows.iter().map(|row| KeptRun {
        id: row.get("id"),
        as_of: row.get("as_of"),
        closes: row.get::<_, i32>("closes") as usize,
    });
    Ok(runs.collect())
}

async fn members_on(
    tx: &Transaction<'_>,
    names: &[UniverseName],
    date: NaiveDate,
) -> Result<BTreeMap<UniverseName, Vec<Symbol>>, Failure> {
    let texts: Vec<&str> = names.iter().map(UniverseName::as_str).collect();
    let sql = include_str!("../../../sql/queries/past_members.sql");
    let rows = query(tx, DOING, sql, &[(&texts, Type::TEXT_ARRAY), (&date, Type::DATE)]).await?;
    let mut members: BTreeMap<UniverseName, Vec<Symbol>> = BTreeMap::new();
    for row in &rows {
        let name = UniverseName::parse(row.get(0)).map_err(|problem| Failure::permanent(DOING, problem))?;
        members.entry(name).or_default().extend(Symbol::parse(row.get(1)));
    }
    Ok(members)
}

async fn jobs_until(tx: &Transaction<'_>, date: NaiveDate) -> Result<Vec<AppliedJob>, Failure> {
    let sql = include_str!("../../../sql/queries/past_jobs.sql");
    let rows = query(tx, DOING, sql, &[(&date, Type::DATE), (&JOBS, Type::INT8)]).await?;
    let jobs = rows.iter().filter_map(|row| {
        let held: Vec<&str> = row.get("held");
        Some(AppliedJob {
            mode: Mode::from_text(row.get("mode"))?,
            as_of: row.get("as_of"),
            held: held.into_iter().map(ToOwned::to_owned).collect(),
        })
    });
    Ok(jobs.collect())
}
