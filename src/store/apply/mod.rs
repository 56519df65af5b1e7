//! Carries a plan out, whole or not at all.
//!
//! Runs inside the transaction whose snapshot the plan was made from, and only while that transaction holds the lease:
//! this is the one place that writes memberships. Whatever the number of symbols, the changes are copied into one
//! temporary table and each table of ours is then written by one statement.
//!
//! ```text
//! plan ─┬─ changes ──COPY──> cache_sync_staged ─┬─> cache_sync_instruments     who they are
//!       │                                       ├─> universe_membership        out, then in
//!       │                                       ├─> cache_sync_retractions     what it says no longer
//!       │                                       └─> cache_sync_changes         the audit
//!       ├─ what was seen ───────────────────────> cache_sync_runs              with the old content of rows below
//!       ├─ what a person approved ──────────────> cache_sync_approvals         used up, where there was something
//!       ├─ rows to write ───────────────────────> cache_entries                in the layout it has
//!       ├─ how each fares ──────────────────────> cache_entries_metadata
//!       ├─ rows that come back (revert) ────────> cache_entries
//!       ├─ foreign rows, last ──────────────────> cache_entries
//!       └─ the same members in groups ──────────> definition_groups, group_memberships
//! ```
//! A plan without changes needs two statements: how each universe fares, and what was seen.
//!
//! What is reconstructed of the past, [`backfill`] writes into history and audit alone.
//!
//! # Why foreign rows and groups come last
//! Others write them. The later we touch them, the shorter others wait for us, and the less is lost when one of them
//! was faster and the transaction has to be done again.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::iter::Peekable;
use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use postgres_protocol::types::{ArrayDimension, array_to_sql};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};
use tokio_util::bytes::BytesMut;

use crate::domain::change::{Action, EntryReason, ExitReason};
use crate::domain::job::JobId;
use crate::domain::money::Usd;
use crate::domain::sector::Sector;
use crate::domain::security::Security;
use crate::domain::symbol::Symbol;
use crate::domain::task::SyncTask;
use crate::failure::{Failure, postgres};
use crate::plan::given::snapshot::{RunState, Snapshot, StockState};
use crate::plan::replay::history::Chronicled;
use crate::plan::result::{Hold, Plan, PlannedUniverse, RestoredAs, RestoredRow};
use crate::store::{Transaction, distrusts};

use super::layout::Entries;
use super::layout::appv2::Table;
use super::layout::groups::Groups;
use super::lease::Lease;
use super::leftovers::Leftover;
use super::read::snapshot::members_digest;
use super::statement::{Param, execute, query_one};

mod appv2;
mod backfill;
mod groups;
mod instruments;
mod leftovers;

const DOING: &str = "apply the plan";
/// Runs that are kept: so far back reaches a revert.
const KEPT_RUNS: i64 = 30;
/// Changes from which on the tables they are joined by are analysed first. A table that was filled in this transaction has
/// no statistics, or those of a fill that was rolled back, by which it looks empty: the join then reads all of one table
/// for each row of the other. Below it that costs less than to analyse.
const ANALYZED_FROM: usize = 1_000;
/// Staged in place of [`Action`] for symbols that were members before there was history.
const ADOPTED: &str = "adopted";

/// What a plan is carried out for.
#[derive(Debug, Clone, Copy)]
pub struct ApplyContext<'a> {
    /// The job, as history and audit will name it.
    pub job_id: &'a JobId,
    /// The time of every row that is written.
    pub now: DateTime<Utc>,
    /// Changes a message to the server carries; at least 1.
    pub batch_size: usize,
    /// What stands in `cache_entries`, and which rows of it are to be written where the plan alone does not say so.
    pub entries: &'a Entries,
    /// What stands in the group tables and what of it changes, where they are written.
    pub groups: Option<&'a Groups>,
}

/// What reconstructed history is written for.
#[derive(Debug, Clone, Copy)]
pub struct BackfillContext<'a> {
    /// The job, as history and audit will name it.
    pub job_id: &'a JobId,
    /// The time of every row that is written.
    pub now: DateTime<Utc>,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Memberships added, adopted ones not counted.
    pub added: usize,
    /// Memberships removed from our universes.
    pub removed: usize,
    /// Memberships that go on under another symbol.
    pub renamed: usize,
    /// Symbols adopted into history.
    pub adopted: usize,
    /// Rows of `cache_entries` that were written for our universes.
    pub rewritten: usize,
    /// Elements taken out of foreign rows.
    pub foreign_removed: usize,
    /// Universes held.
    pub held: usize,
    /// Memberships that history began or took up again. Less than `added + adopted` where it had them open already.
    pub opened: usize,
    /// Memberships that history ended. Less than `removed` for rows that had no history.
    pub closed: usize,
}

/// Writes everything that `plan` calls for into the transaction under the lease; commits nothing.
///
/// `snapshot` must have been read in that transaction too.
/// [`Failure::Conflict`] says that another transaction wrote one of the rows: the job is to be redone from a fresh
/// snapshot.
pub async fn apply(
    lease: &Lease<'_>,
    plan: &Plan,
    snapshot: &Snapshot,
    ctx: ApplyContext<'_>,
) -> Result<Applied, Failure> {
    let tx = lease.transaction();
    let mut changes = staged_changes(plan, snapshot).peekable();
    let mut applied = count(plan);
    let has_changes = changes.peek().is_some();
    if has_changes {
        stage(tx, changes, ctx.batch_size).await?;
    }
    write_history(tx, plan, ctx, has_changes, &mut applied).await?;
    let write_entries = async {
        match ctx.entries {
            Entries::Universe => upsert_entries(tx, plan, ctx.now).await,
            Entries::AppV2 { table, to_write, .. } => appv2::write_rows(tx, table, to_write, ctx.now).await,
        }
    };
    // Sent in this order without waiting for answers. Of several failures the first counts: the rest only say that the
    // transaction is over.
    tokio::try_join!(
        biased;
        insert_run(tx, plan, snapshot.last_run.as_ref(), ctx),
        use_approvals(tx, &snapshot.approved, ctx),
        distrusts::mark_used(tx, &snapshot.distrusted, ctx.job_id, ctx.now),
        write_entries,
        upsert_metadata(tx, plan, ctx),
    )?;
    release(tx, plan, ctx).await?;
    match ctx.entries {
        Entries::Universe => restore_entries(tx, plan, ctx.now).await?,
        Entries::AppV2 { table, rows, .. } => appv2::restore_rows(tx, plan, table, rows, ctx.now).await?,
    }
    if !plan.foreign.is_empty() {
        let sql = include_str!("../../../sql/queries/foreign_clean.sql");
        execute(tx, DOING, sql, &[(&ctx.now, Type::TIMESTAMPTZ)]).await?;
    }
    note_foreign_left(tx, plan, ctx.job_id).await?;
    if let Some(groups) = ctx.groups {
        groups::write_groups(tx, groups, ctx.job_id, ctx.now).await?;
    }
    Ok(applied)
}

/// Forgets the runs of `date`, whose jobs were reverted, so that `before` is the last applied date again.
pub async fn forget_date(lease: &Lease<'_>, date: NaiveDate, before: NaiveDate) -> Result<(), Failure> {
    let params: [Param<'_>; 2] = [(&date, Type::DATE), (&before, Type::DATE)];
    let sql = include_str!("../../../sql/queries/date_forget.sql");
    execute(lease.transaction(), "forget the date", sql, &params).await
}

/// Writes reconstructed history into the transaction under the lease; commits nothing, and changes nothing that exists.
///
/// `securities` are those of today: they say who a symbol is. Everything in `history` must lie before all that was
/// recorded, which the caller has looked at in the same transaction.
pub async fn backfill(
    lease: &Lease<'_>,
    history: &Chronicled,
    securities: &[Security],
    ctx: BackfillContext<'_>,
) -> Result<(), Failure> {
    backfill::write(lease, history, securities, ctx).await
}

/// Removes rows of `AppV2`'s table that nobody keeps, and keeps them to the letter; commits nothing.
pub async fn remove_leftovers(
    lease: &Lease<'_>,
    table: &Table,
    leftovers: &[Leftover],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    leftovers::remove(lease.transaction(), table, leftovers, now).await
}

/// Puts the rows back that were removed last, and commits nothing; how many rows that were.
pub async fn restore_leftovers(lease: &Lease<'_>, now: DateTime<Utc>) -> Result<i64, Failure> {
    leftovers::restore(lease.transaction(), now).await
}

/// One row of `cache_sync_staged`.
struct StagedChange<'a> {
    action: &'static str,
    universe: &'a str,
    symbol: Option<&'a str>,
    reason: &'a str,
    task: SyncTask,
    rank: Option<usize>,
    cap: Option<Usd>,
    why: Option<&'a str>,
    proposal: Option<Value>,
    security: Option<&'a Security>,
    renamed_from: Option<&'a str>,
    is_foreign: bool,
}

/// The changes of a plan, one at a time: all of them at once would take as much memory as the plan.
fn staged_changes<'a>(plan: &'a Plan, snapshot: &'a Snapshot) -> impl Iterator<Item = StagedChange<'a>> {
    let somebody_joins = plan.universes.iter().any(|universe| !universe.joined.is_empty());
    let known = if somebody_joins { snapshot.securities.as_slice() } else { &[] };
    let securities: HashMap<&str, &Security> =
        known.iter().map(|security| (security.symbol.as_str(), security)).collect();
    let securities = Arc::new(securities);
    let ours = plan.universes.iter().flat_map(move |universe| {
        let held = universe.hold.iter().map(|hold| held(universe, hold));
        let joined = additions(universe, Arc::clone(&securities));
        removals(universe).chain(joined).chain(renamings(universe)).chain(held)
    });
    ours.chain(foreign_removals(plan)).chain(plan.restored.iter().flat_map(foreign_restorations))
}

fn additions<'a>(
    universe: &'a PlannedUniverse,
    securities: Arc<HashMap<&'a str, &'a Security>>,
) -> impl Iterator<Item = StagedChange<'a>> {
    universe.joined.iter().map(move |joined| {
        let symbol = joined.symbol.as_str();
        let adopted = joined.reason == EntryReason::Adopted;
        StagedChange {
            symbol: Some(symbol),
            rank: Some(joined.rank),
            cap: joined.cap,
            why: Some(&joined.why),
            security: securities.get(symbol).copied(),
            ..StagedChange::new(
                if adopted { ADOPTED } else { Action::Added.as_str() },
                universe.name.as_str(),
                joined.reason.as_str(),
                joined.task,
            )
        }
    })
}

fn removals(universe: &PlannedUniverse) -> impl Iterator<Item = StagedChange<'_>> {
    universe.left.iter().map(|left| StagedChange {
        symbol: Some(left.symbol.as_str()),
        cap: left.cap,
        why: Some(&left.why),
        ..StagedChange::new(Action::Removed.as_str(), universe.name.as_str(), left.reason.as_str(), left.task)
    })
}

fn renamings(universe: &PlannedUniverse) -> impl Iterator<Item = StagedChange<'_>> {
    universe.renamed.iter().map(|renamed| StagedChange {
        symbol: Some(renamed.symbol.as_str()),
        rank: Some(renamed.rank),
        cap: renamed.cap,
        why: Some(&renamed.why),
        renamed_from: Some(renamed.from.as_str()),
        ..StagedChange::new(
            Action::Renamed.as_str(),
            universe.name.as_str(),
            renamed.by.as_str(),
            universe.task,
        )
    })
}

fn held<'a>(universe: &'a PlannedUniverse, hold: &'a Hold) -> StagedChange<'a> {
    StagedChange {
        proposal: Some(proposal(hold)),
        ..StagedChange::new(Action::Held.as_str(), universe.name.as_str(), &hold.reason, universe.task)
    }
}

fn foreign_removals(plan: &Plan) -> impl Iterator<Item = StagedChange<'_>> {
    plan.foreign.iter().flat_map(|row| {
        row.elements.iter().map(|element| StagedChange {
            symbol: Some(element),
            is_foreign: true,
            ..StagedChange::new(
                Action::Removed.as_str(),
                &row.universe,
                ExitReason::Delisted.as_str(),
                SyncTask::DelistedCleanup,
            )
        })
    })
}

/// What the revert of a clean-up does to the symbols of a foreign row.
fn foreign_restorations(row: &RestoredRow) -> Vec<StagedChange<'_>> {
    let RestoredAs::Foreign { added, removed } = &row.becomes else { return Vec::new() };
    let change = |action: Action, element| StagedChange {
        symbol: Some(element),
        is_foreign: true,
        ..StagedChange::new(
            action.as_str(),
            &row.universe,
            EntryReason::Revert.as_str(),
            SyncTask::DelistedCleanup,
        )
    };
    let removals = removed.iter().map(|element| change(Action::Removed, element));
    removals.chain(added.iter().map(|element| change(Action::Added, element))).collect()
}

impl<'a> StagedChange<'a> {
    fn new(action: &'static str, universe: &'a str, reason: &'a str, task: SyncTask) -> Self {
        Self {
            action,
            universe,
            symbol: None,
            reason,
            task,
            rank: None,
            cap: None,
            why: None,
            proposal: None,
            security: None,
            renamed_from: None,
            is_foreign: false,
        }
    }

    fn cik(&self) -> Option<&str> {
        self.security?.cik.as_deref()
    }

    /// The share class identifies best; what identifies the security across a country's exchanges comes second.
    fn figi(&self) -> Option<&str> {
        let security = self.security?;
        security.share_class_figi.as_deref().or(security.composite_figi.as_deref())
    }
}

fn proposal(hold: &Hold) -> Value {
    let texts = |symbols: &[Symbol]| symbols.iter().map(Symbol::as_str).map(Value::from).collect::<Vec<_>>();
    json!({
        "reason": hold.reason,
        "runs": hold.runs,
        "would_join": texts(&hold.would_join),
        "would_leave": texts(&hold.would_leave),
    })
}

fn count(plan: &Plan) -> Applied {
    let joiners = |universe: &PlannedUniverse| universe.joiners().count();
    let mut applied = Applied::default();
    for universe in &plan.universes {
        applied.added += joiners(universe);
        applied.adopted += universe.joined.len() - joiners(universe);
        applied.removed += universe.left.len();
        applied.renamed += universe.renamed.len();
        applied.rewritten += usize::from(universe.rewrite);
        applied.held += usize::from(universe.hold.is_some());
    }
    applied.foreign_removed = plan.foreign.iter().map(|row| row.elements.len()).sum();
    applied
}

/// Copies the changes to the server, `batch_size` rows a message.
async fn stage<'a>(
    tx: &Transaction<'_>,
    mut changes: Peekable<impl Iterator<Item = StagedChange<'a>>>,
    batch_size: usize,
) -> Result<(), Failure> {
    const COLUMNS: [Type; 16] = [
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::INT4,
        Type::NUMERIC,
        Type::TEXT,
        Type::JSONB,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::BOOL,
    ];
    tx.batch_execute(include_str!("../../../sql/queries/staged_create.sql"))
        .await
        .map_err(postgres(DOING))?;
    // The protocol has no COPY without a name for the statement; it lives as long as this function.
    let copy =
        tx.prepare(include_str!("../../../sql/queries/staged_copy.sql")).await.map_err(postgres(DOING))?;
    let mut staged = 0;
    while changes.peek().is_some() {
        let sink = tx.copy_in(&copy).await.map_err(postgres(DOING))?;
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &COLUMNS));
        for change in changes.by_ref().take(batch_size.max(1)) {
            staged += 1;
            let rank = change.rank.map(|rank| rank as i32);
            let cap = change.cap.map(to_numeric);
            writer
                .as_mut()
                .write(&[
                    &change.action,
                    &change.universe,
                    &change.symbol,
                    &change.reason,
                    &change.task.as_str(),
                    &rank,
                    &cap,
                    &change.why,
                    &change.proposal,
                    &change.cik(),
                    &change.figi(),
                    &change.security.and_then(|security| security.share_class_figi.as_deref()),
                    &change.security.and_then(|security| security.composite_figi.as_deref()),
                    &change.security.map(|security| &*security.kind),
                    &change.renamed_from,
                    &change.is_foreign,
                ])
                .await
                .map_err(postgres(DOING))?;
        }
        writer.finish().await.map_err(postgres(DOING))?;
    }
    if staged >= ANALYZED_FROM {
        tx.batch_execute("analyze cache_sync_staged").await.map_err(postgres(DOING))?;
    }
    Ok(())
}

/// Carries what is known of symbols and the staged changes into instruments, memberships and audit.
async fn write_history(
    tx: &Transaction<'_>,
    plan: &Plan,
    ctx: ApplyContext<'_>,
    is_staged: bool,
    applied: &mut Applied,
) -> Result<(), Failure> {
    let as_of = plan.as_of;
    let (job_id, now) = (ctx.job_id.as_str(), ctx.now);
    let params: [Param<'_>; 3] = [(&as_of, Type::DATE), (&job_id, Type::TEXT), (&now, Type::TIMESTAMPTZ)];
    if applied.removed + applied.renamed + applied.foreign_removed > 0 {
        let sql = include_str!("../../../sql/queries/memberships_close.sql");
        applied.closed = counted(tx, sql, &params).await?;
    }
    if !plan.identities.is_empty() {
        // After the ends, which are of those who had the symbols before, and before the beginnings.
        instruments::follow(tx, as_of, &plan.identities).await?;
    }
    if applied.added + applied.adopted + applied.renamed > 0 {
        // Memberships point to instruments, so those come first.
        let sql = include_str!("../../../sql/queries/instruments_open.sql");
        execute(tx, DOING, sql, &[(&as_of, Type::DATE)]).await?;
        if applied.added + applied.adopted + applied.renamed >= ANALYZED_FROM {
            // Where the table is another role's, Postgres warns and leaves it.
            tx.batch_execute("analyze cache_sync_instruments").await.map_err(postgres(DOING))?;
        }
        let sql = include_str!("../../../sql/queries/memberships_open.sql");
        applied.opened = counted(tx, sql, &params).await?;
    }
    if !is_staged {
        return Ok(());
    }
    let sql = include_str!("../../../sql/queries/changes_insert.sql");
    execute(tx, DOING, sql, &[(&job_id, Type::TEXT), (&as_of, Type::DATE), (&now, Type::TIMESTAMPTZ)]).await
}

/// Records what was seen. What the last run saw already is not sent again.
async fn insert_run(
    tx: &Transaction<'_>,
    plan: &Plan,
    last: Option<&RunState>,
    ctx: ApplyContext<'_>,
) -> Result<(), Failure> {
    let stocks = &plan.run.stocks;
    let is_news = last.is_none_or(|last| last.stocks != *stocks);
    let symbols = is_news.then_some(Column(stocks, |stock| stock.symbol.as_str()));
    let caps = is_news.then_some(Column(stocks, |stock| stock.cap_cents));
    let closes = is_news.then_some(Column(stocks, |stock| stock.close_dollars));
    let shares = is_news.then_some(Column(stocks, |stock| stock.shares));
    let sectors = is_news.then_some(Column(stocks, |stock| stock.sector.map(Sector::as_str)));
    let quarantine =
        Some(&plan.run.quarantine).filter(|now| last.is_none_or(|last| last.quarantine != **now));
    let quarantine =
        quarantine.map(|now| serde_json::to_string(now).expect("texts, dates and numbers are JSON"));
    let identities = plan.run.identities.as_deref();
    let identities = identities.filter(|now| last.and_then(|last| last.identities.as_deref()) != Some(*now));
    let (sql, previous): (&str, Param<'_>);
    let (names, kept);
    match ctx.entries {
        Entries::Universe => {
            names = written_names(plan);
            sql = include_str!("../../../sql/queries/run_insert.sql");
            previous = (&names, Type::TEXT_ARRAY);
        }
        Entries::AppV2 { rows, to_write, .. } => {
            kept = appv2::kept_rows(plan, rows, to_write);
            sql = include_str!("../../../sql/queries/run_insert_appv2.sql");
            previous = (&kept, Type::TEXT);
        }
    }
    execute(
        tx,
        DOING,
        sql,
        &[
            (&plan.as_of, Type::DATE),
            (&ctx.job_id.as_str(), Type::TEXT),
            (&plan.mode.as_str(), Type::TEXT),
            (&ctx.now, Type::TIMESTAMPTZ),
            (&(plan.run.active_stocks as i32), Type::INT4),
            (&(plan.run.closes as i32), Type::INT4),
            (&symbols, Type::TEXT_ARRAY),
            (&caps, Type::INT8_ARRAY),
            (&closes, Type::FLOAT8_ARRAY),
            (&shares, Type::FLOAT8_ARRAY),
            (&sectors, Type::TEXT_ARRAY),
            previous,
            (&(KEPT_RUNS - 1), Type::INT8),
            (&quarantine, Type::TEXT),
            (&identities, Type::INT8_ARRAY),
        ],
    )
    .await
}

/// One fact of every stock as an array, written as it is walked through and never put together.
struct Column<'a, T>(&'a [StockState], fn(&'a StockState) -> T);

impl<T> fmt::Debug for Column<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of {} stocks", self.0.len())
    }
}

impl<T: ToSql> ToSql for Column<'_, T> {
    fn to_sql(&self, array: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Kind::Array(element) = array.kind() else { return Err(format!("{array} is no array").into()) };
        let dimension = ArrayDimension { len: self.0.len().try_into()?, lower_bound: 1 };
        let elements = self.0.iter().map(self.1);
        let write = |value: T, out: &mut BytesMut| {
            Ok(match value.to_sql(element, out)? {
                IsNull::Yes => postgres_protocol::IsNull::Yes,
                IsNull::No => postgres_protocol::IsNull::No,
            })
        };
        array_to_sql(Some(dimension), element.oid(), elements, write, out)?;
        Ok(IsNull::No)
    }

    fn accepts(array: &Type) -> bool {
        matches!(array.kind(), Kind::Array(element) if T::accepts(element))
    }

    to_sql_checked!();
}

/// An approval is used by the first run that saw it, whether it found something to approve or not.
async fn use_approvals(
    tx: &Transaction<'_>,
    approved: &[Symbol],
    ctx: ApplyContext<'_>,
) -> Result<(), Failure> {
    if approved.is_empty() {
        return Ok(());
    }
    let symbols: Vec<&str> = approved.iter().map(Symbol::as_str).collect();
    let params: [Param<'_>; 3] =
        [(&symbols, Type::TEXT_ARRAY), (&ctx.now, Type::TIMESTAMPTZ), (&ctx.job_id.as_str(), Type::TEXT)];
    execute(tx, DOING, include_str!("../../../sql/queries/approvals_use.sql"), &params).await
}

/// The rows of `cache_entries` in the universe layout that are about to be written.
fn written_names(plan: &Plan) -> Vec<&str> {
    let ours = rewritten(plan).map(|universe| universe.name.as_str());
    let foreign = plan.foreign.iter().map(|row| row.universe.as_str());
    let restored = plan.restored.iter().map(|row| row.universe.as_str());
    ours.chain(foreign).chain(restored).collect()
}

async fn upsert_entries(tx: &Transaction<'_>, plan: &Plan, now: DateTime<Utc>) -> Result<(), Failure> {
    let names: Vec<&str> = rewritten(plan).map(|universe| universe.name.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let contents: Vec<String> = rewritten(plan).map(|universe| content(universe, now)).collect();
    let types: Vec<&str> = rewritten(plan).map(|universe| universe.cache_type.as_str()).collect();
    execute(
        tx,
        DOING,
        include_str!("../../../sql/queries/entries_upsert.sql"),
        &[
            (&names, Type::TEXT_ARRAY),
            (&contents, Type::TEXT_ARRAY),
            (&types, Type::TEXT_ARRAY),
            (&now, Type::TIMESTAMPTZ),
        ],
    )
    .await
}

/// Writes the rows that a revert puts back, and takes away those that were not there.
async fn restore_entries(tx: &Transaction<'_>, plan: &Plan, now: DateTime<Utc>) -> Result<(), Failure> {
    let rows = &plan.restored;
    if rows.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = rows.iter().map(|row| row.universe.as_str()).collect();
    let contents: Vec<Option<&str>> =
        rows.iter().map(|row| row.content.as_ref().map(|content| content.json.as_str())).collect();
    let types: Vec<Option<&str>> =
        rows.iter().map(|row| row.content.as_ref()?.cache_type.as_deref()).collect();
    let ours: Vec<bool> = rows.iter().map(|row| row.becomes == RestoredAs::Ours).collect();
    execute(
        tx,
        DOING,
        include_str!("../../../sql/queries/entries_restore.sql"),
        &[
            (&names, Type::TEXT_ARRAY),
            (&contents, Type::TEXT_ARRAY),
            (&types, Type::TEXT_ARRAY),
            (&ours, Type::BOOL_ARRAY),
            (&now, Type::TIMESTAMPTZ),
            (&last_updated(now), Type::TEXT),
        ],
    )
    .await
}

/// Ends the history of universes that a revert makes rows of others again, and forgets what is known of them.
async fn release(tx: &Transaction<'_>, plan: &Plan, ctx: ApplyContext<'_>) -> Result<(), Failure> {
    let released = plan.restored.iter().filter(|row| row.becomes == RestoredAs::Released);
    let names: Vec<&str> = released.map(|row| row.universe.as_str()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let params: [Param<'_>; 5] = [
        (&plan.as_of, Type::DATE),
        (&ctx.job_id.as_str(), Type::TEXT),
        (&names, Type::TEXT_ARRAY),
        (&ExitReason::Revert.as_str(), Type::TEXT),
        (&ctx.now, Type::TIMESTAMPTZ),
    ];
    execute(tx, DOING, include_str!("../../../sql/queries/memberships_release.sql"), &params).await?;
    let sql = include_str!("../../../sql/queries/metadata_forget.sql");
    execute(tx, DOING, sql, &[(&names, Type::TEXT_ARRAY)]).await
}

/// Notes what foreign rows look like now, so that a revert can tell whether somebody else wrote them since.
async fn note_foreign_left(tx: &Transaction<'_>, plan: &Plan, job_id: &JobId) -> Result<(), Failure> {
    let cleaned = plan.foreign.iter().map(|row| row.universe.as_str());
    let restored = plan.restored.iter().filter(|row| matches!(row.becomes, RestoredAs::Foreign { .. }));
    let names: Vec<&str> = cleaned.chain(restored.map(|row| row.universe.as_str())).collect();
    if names.is_empty() {
        return Ok(());
    }
    let sql = include_str!("../../../sql/queries/run_note_left.sql");
    execute(tx, DOING, sql, &[(&job_id.as_str(), Type::TEXT), (&names, Type::TEXT_ARRAY)]).await
}

fn rewritten(plan: &Plan) -> impl Iterator<Item = &PlannedUniverse> {
    plan.universes.iter().filter(|universe| universe.rewrite)
}

/// The JSON of a row of `cache_entries`.
fn content(universe: &PlannedUniverse, now: DateTime<Utc>) -> String {
    #[derive(Serialize)]
    struct Content<'a> {
        symbols: &'a [Symbol],
        count: usize,
        last_updated: String,
        metadata: &'a Value,
    }
    let content = Content {
        symbols: &universe.members,
        count: universe.members.len(),
        last_updated: last_updated(now),
        metadata: &universe.metadata,
    };
    serde_json::to_string(&content).expect("texts and numbers are JSON")
}

fn last_updated(now: DateTime<Utc>) -> String {
    now.to_rfc3339_opts(SecondsFormat::Millis, true)
}

async fn upsert_metadata(tx: &Transaction<'_>, plan: &Plan, ctx: ApplyContext<'_>) -> Result<(), Failure> {
    let universes = &plan.universes;
    let names: Vec<&str> = universes.iter().map(|u| u.name.as_str()).collect();
    let types: Vec<&str> = universes.iter().map(|u| u.cache_type.as_str()).collect();
    let members: Vec<i32> = universes.iter().map(|u| u.members.len() as i32).collect();
    // Whoever goes on under another symbol is new to the row as that, and gone from it as this.
    let added: Vec<i32> = universes.iter().map(|u| (u.joiners().count() + u.renamed.len()) as i32).collect();
    let removed: Vec<i32> = universes.iter().map(|u| (u.left.len() + u.renamed.len()) as i32).collect();
    let totals: Vec<Decimal> = universes.iter().map(|u| to_numeric(u.total_cap)).collect();
    let averages: Vec<Option<Decimal>> =
        universes.iter().map(|u| u.total_cap.divided_by(u.members_with_cap).map(to_numeric)).collect();
    let statuses: Vec<&str> = universes.iter().map(|u| u.status.as_str()).collect();
    let details: Vec<Value> =
        universes.iter().map(|u| u.hold.as_ref().map_or_else(|| json!({}), proposal)).collect();
    let digests: Vec<String> = universes.iter().map(|u| members_digest(&u.members)).collect();
    let recalculated: Vec<bool> = universes.iter().map(|universe| plan.recalculates(universe)).collect();
    let held_runs: Vec<i32> =
        universes.iter().map(|u| u.hold.as_ref().map_or(0, |hold| hold.runs as i32)).collect();
    execute(
        tx,
        DOING,
        include_str!("../../../sql/queries/metadata_upsert.sql"),
        &[
            (&ctx.job_id.as_str(), Type::TEXT),
            // The date of what the universes are made from: after a revert an older one than that of the plan.
            (&plan.run.as_of, Type::DATE),
            (&ctx.now, Type::TIMESTAMPTZ),
            (&names, Type::TEXT_ARRAY),
            (&types, Type::TEXT_ARRAY),
            (&members, Type::INT4_ARRAY),
            (&added, Type::INT4_ARRAY),
            (&removed, Type::INT4_ARRAY),
            (&totals, Type::NUMERIC_ARRAY),
            (&averages, Type::NUMERIC_ARRAY),
            (&statuses, Type::TEXT_ARRAY),
            (&details, Type::JSONB_ARRAY),
            (&digests, Type::TEXT_ARRAY),
            (&held_runs, Type::INT4_ARRAY),
            (&recalculated, Type::BOOL_ARRAY),
        ],
    )
    .await
}

/// Dollars and cents, cut off.
fn to_numeric(amount: Usd) -> Decimal {
    Decimal::try_from_i128_with_scale(amount.cents(), 2).expect("no Usd has more cents than a decimal holds")
}

/// Runs a statement that answers with one count.
async fn counted(tx: &Transaction<'_>, sql: &str, params: &[Param<'_>]) -> Result<usize, Failure> {
    let row = query_one(tx, DOING, sql, params).await?;
    Ok(row.get::<_, i64>(0) as usize)
}
