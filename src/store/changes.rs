//! Reads what finished jobs did to memberships, for people who ask what moved.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Serialize;
use tokio_postgres::types::Type;

use crate::domain::job::JobId;
use crate::failure::Failure;

use super::statement::{Param, query};
use super::{Client, Limits};

const DOING: &str = "read what has changed";
/// The most changes that are read at once: some months of a whole market.
pub const MAX_CHANGES: usize = 100_000;

/// Which changes somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of the newest date that was synced.
    Newest,
    /// Those of one job.
    Job(JobId),
    /// Those of one date.
    Date(NaiveDate),
    /// Those of a date and all later ones.
    Since(NaiveDate),
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RecordedChanges {
    /// The jobs, oldest first. Jobs are forgotten after a time, and their changes are not.
    pub syncs: Vec<RecordedSync>,
    /// The changes, oldest first, and at most [`MAX_CHANGES`].
    pub changes: Vec<RecordedChange>,
    /// Whether there are more.
    pub are_cut: bool,
}

/// A job that applied a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedSync {
    /// Its id.
    pub job_id: String,
    /// The date that it synced.
    pub as_of: NaiveDate,
    /// Its mode.
    pub mode: String,
    /// What it did, in a few words.
    pub digest: String,
}

/// One change of a membership, or a universe that a guard held. Fields are called as the columns are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedChange {
    /// The job that made it.
    pub job_id: String,
    /// The date that it was made for.
    pub as_of: NaiveDate,
    /// The universe.
    pub universe: String,
    /// The symbol; none where the universe was held.
    pub symbol: Option<String>,
    /// `added`, `removed`, `renamed` or `held`.
    pub action: String,
    /// By which right it came, why it went, or why the universe was held.
    pub reason: String,
    /// The symbol that it had before, where it was renamed.
    pub renamed_from: Option<String>,
    /// What decided, in a few words.
    pub why: Option<String>,
    /// Its place when it came.
    pub rank: Option<i32>,
    /// Its market cap, in dollars.
    pub cap: Option<Decimal>,
    /// Of a universe that was held: how many would have joined.
    pub would_join: i32,
    /// Of a universe that was held: how many would have left.
    pub would_leave: i32,
}

/// Reads what changed, in all universes or in one.
pub async fn read(
    client: &mut Client,
    scope: &Scope,
    universe: Option<&str>,
) -> Result<RecordedChanges, Failure> {
    let transaction = client.begin_read_only(Limits::default()).await?;
    let (job_id, mut from, mut to) = match scope {
        Scope::Newest => (None, None, None),
        Scope::Job(id) => (Some(id.as_str()), None, None),
        Scope::Date(date) => (None, Some(*date), Some(*date)),
        Scope::Since(date) => (None, Some(*date), None),
    };
    let params: [Param<'_>; 3] = [(&job_id, Type::TEXT), (&from, Type::DATE), (&to, Type::DATE)];
    let rows =
        query(&transaction, DOING, include_str!("../../sql/queries/syncs_of_dates.sql"), &params).await?;
    let syncs: Vec<RecordedSync> = rows
        .iter()
        .map(|row| RecordedSync {
            job_id: row.get("job_id"),
            as_of: row.get("as_of"),
            mode: row.get("mode"),
            digest: row.get("digest"),
        })
        .collect();
    if *scope == Scope::Newest {
        let Some(newest) = syncs.first() else { return Ok(RecordedChanges::default()) };
        (from, to) = (Some(newest.as_of), Some(newest.as_of));
    }
    let at_most = MAX_CHANGES as i64 + 1;
    let params: [Param<'_>; 5] = [
        (&job_id, Type::TEXT),
        (&from, Type::DATE),
        (&to, Type::DATE),
        (&universe, Type::TEXT),
        (&at_most, Type::INT8),
    ];
    let rows =
        query(&transaction, DOING, include_str!("../../sql/queries/changes_read.sql"), &params).await?;
    let changes = rows.iter().take(MAX_CHANGES).map(|row| RecordedChange {
        job_id: row.get("job_id"),
        as_of: row.get("as_of"),
        universe: row.get("universe"),
        symbol: row.get("symbol"),
        action: row.get("action"),
        reason: row.get("reason"),
        renamed_from: row.get("renamed_from"),
        why: row.get("why"),
        rank: row.get("rank"),
        cap: row.get("cap"),
        would_join: row.get("would_join"),
        would_leave: row.get("would_leave"),
    });
    Ok(RecordedChanges { syncs, changes: changes.collect(), are_cut: rows.len() > MAX_CHANGES })
}
