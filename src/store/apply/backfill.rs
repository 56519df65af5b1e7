//! Writes history that was reconstructed, before all that was recorded.
//!
//! Whatever the number of days, their memberships and their audit are copied into one temporary table, and each table of
//! ours is then written by one statement. Nothing that exists is changed: no row of `cache_entries`, no run, no open
//! membership, no instrument.

use std::collections::HashMap;
use std::pin::pin;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::Value;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use crate::domain::security::Security;
use crate::domain::symbol::Symbol;
use crate::failure::{Failure, postgres};
use crate::plan::replay::history::{Change, Chronicled, Episode};
use crate::store::lease::Lease;
use crate::store::statement::{Param, execute};

use super::{BackfillContext, proposal, to_numeric};

const DOING: &str = "write reconstructed history";
/// Staged in place of an action of the audit for memberships.
const MEMBER: &str = "member";

const COLUMNS: [Type; 15] = [
    Type::TEXT,
    Type::DATE,
    Type::DATE,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::BOOL,
    Type::TEXT,
    Type::INT4,
    Type::NUMERIC,
    Type::TEXT,
    Type::JSONB,
    Type::TEXT,
    Type::TEXT,
];

/// See [`super::backfill`].
pub(super) async fn write(
    lease: &Lease<'_>,
    history: &Chronicled,
    securities: &[Security],
    ctx: BackfillContext<'_>,
) -> Result<(), Failure> {
    let tx = lease.transaction();
    tx.batch_execute(include_str!("../../../sql/queries/past_staged_create.sql"))
        .await
        .map_err(postgres(DOING))?;
    let copy = tx
        .prepare(include_str!("../../../sql/queries/past_staged_copy.sql"))
        .await
        .map_err(postgres(DOING))?;
    let known: HashMap<&str, &Security> =
        securities.iter().map(|security| (security.symbol.as_str(), security)).collect();
    let sink = tx.copy_in(&copy).await.map_err(postgres(DOING))?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &COLUMNS));
    for episode in &history.episodes {
        let row = Row::of_episode(episode, known.get(episode.symbol.as_str()).copied());
        writer.as_mut().write(&row.values()).await.map_err(postgres(DOING))?;
    }
    for change in &history.changes {
        writer.as_mut().write(&Row::of_change(change).values()).await.map_err(postgres(DOING))?;
    }
    writer.finish().await.map_err(postgres(DOING))?;

    let by_job: [Param<'_>; 2] = [(&ctx.job_id.as_str(), Type::TEXT), (&ctx.now, Type::TIMESTAMPTZ)];
    execute(tx, DOING, include_str!("../../../sql/queries/past_instruments_insert.sql"), &[]).await?;
    execute(tx, DOING, include_str!("../../../sql/queries/past_memberships_insert.sql"), &by_job).await?;
    execute(tx, DOING, include_str!("../../../sql/queries/past_changes_insert.sql"), &by_job).await
}

/// One row of `cache_sync_past_staged`.
struct Row<'a> {
    action: &'static str,
    as_of: NaiveDate,
    valid_to: Option<NaiveDate>,
    universe: &'a str,
    symbol: Option<&'a str>,
    reason: &'a str,
    exit_reason: Option<&'static str>,
    is_handed_over: bool,
    task: Option<&'static str>,
    rank: Option<i32>,
    cap: Option<Decimal>,
    why: Option<&'a str>,
    proposal: Option<Value>,
    cik: Option<&'a str>,
    figi: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn of_episode(episode: &'a Episode, security: Option<&'a Security>) -> Self {
        Self {
            action: MEMBER,
            as_of: episode.valid_from,
            valid_to: Some(episode.valid_to),
            universe: episode.universe.as_str(),
            symbol: Some(episode.symbol.as_str()),
            reason: episode.entry_reason.as_str(),
            exit_reason: Some(episode.exit_reason.as_str()),
            is_handed_over: episode.is_handed_over,
            task: None,
            rank: Some(episode.rank as i32),
            cap: episode.cap.map(to_numeric),
            why: Some(&episode.why),
            proposal: None,
            cik: security.and_then(|security| security.cik.as_deref()),
            figi: security.and_then(|security| {
                security.share_class_figi.as_deref().or(security.composite_figi.as_deref())
            }),
        }
    }

    fn of_change(change: &'a Change) -> Self {
        Self {
            action: change.action.as_str(),
            as_of: change.as_of,
            valid_to: None,
            universe: change.universe.as_str(),
            symbol: change.symbol.as_ref().map(Symbol::as_str),
            reason: &change.reason,
            exit_reason: None,
            is_handed_over: false,
            task: Some(change.task.as_str()),
            rank: change.rank.map(|rank| rank as i32),
            cap: change.cap.map(to_numeric),
            why: change.why.as_deref(),
            proposal: change.hold.as_ref().map(proposal),
            cik: None,
            figi: None,
        }
    }

    fn values(&self) -> [&(dyn ToSql + Sync); 15] {
        [
            &self.action,
            &self.as_of,
            &self.valid_to,
            &self.universe,
            &self.symbol,
            &self.reason,
            &self.exit_reason,
            &self.is_handed_over,
            &self.task,
            &self.rank,
            &self.cap,
            &self.why,
            &self.proposal,
            &self.cik,
            &self.figi,
        ]
    }
}
