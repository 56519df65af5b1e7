//! Dates that a person has rejected: their closes are no closes, so they are never synced.
//!
//! A revert puts the universes back, but the next signal would sync the same date again. And a date that never was, of
//! bars with a wrong year, stays the newest applied one for ever, before which nothing is synced. Rejecting a date
//! settles both: its bars are passed over when the source is read, and the runs that were made of it are forgotten.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use tokio_postgres::types::Type;

use crate::failure::Failure;
use crate::store::Transaction;

use super::lease::Lease;
use super::statement::{Param, execute, query, query_one};

const READ: &str = "read which dates are rejected";
const WRITE: &str = "reject the date";

/// A date that is not synced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedDate {
    /// The date.
    pub as_of: NaiveDate,
    /// When it was rejected.
    pub rejected_at: DateTime<Utc>,
    /// By whom.
    pub rejected_by: String,
    /// Why.
    pub reason: String,
}

/// What became of a rejection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// It is written.
    Written {
        /// The date applied before it, where it is the newest one and its runs are to be
        /// [forgotten](crate::store::apply::forget_date).
        forget_since: Option<NaiveDate>,
    },
    /// The universes still stand as jobs of that date have left them: these have to be reverted first, oldest first.
    Applied(Vec<String>),
}

/// The rejected dates, newest first.
pub async fn list(tx: &Transaction<'_>) -> Result<Vec<RejectedDate>, Failure> {
    let rows = query(tx, READ, include_str!("../../sql/queries/rejected_dates_read.sql"), &[]).await?;
    let rejected = rows.iter().map(|row| RejectedDate {
        as_of: row.get("as_of"),
        rejected_at: row.get("rejected_at"),
        rejected_by: row.get("rejected_by"),
        reason: row.get("reason"),
    });
    Ok(rejected.collect())
}

/// Rejects a date, unless the universes stand as it has left them.
pub async fn reject(lease: &Lease<'_>, date: &RejectedDate) -> Result<Rejection, Failure> {
    let tx = lease.transaction();
    let sql = include_str!("../../sql/queries/date_in_history.sql");
    let found = query_one(tx, WRITE, sql, &[(&date.as_of, Type::DATE)]).await?;
    let (is_in_history, is_passed): (bool, bool) = (found.get("is_in_history"), found.get("is_passed"));
    let jobs: Vec<String> = found.get("jobs");
    if !is_passed && is_in_history {
        return Ok(Rejection::Applied(jobs));
    }
    let applied_before: Option<NaiveDate> = found.get("applied_before");
    let params: [Param<'_>; 4] = [
        (&date.as_of, Type::DATE),
        (&date.rejected_at, Type::TIMESTAMPTZ),
        (&date.rejected_by, Type::TEXT),
        (&date.reason, Type::TEXT),
    ];
    execute(tx, WRITE, include_str!("../../sql/queries/rejected_date_upsert.sql"), &params).await?;
    Ok(Rejection::Written { forget_since: applied_before.filter(|_| !is_passed) })
}

/// Takes a rejection back; `false` where there was none.
pub async fn accept(tx: &Transaction<'_>, date: NaiveDate) -> Result<bool, Failure> {
    let sql = include_str!("../../sql/queries/rejected_date_delete.sql");
    Ok(!query(tx, "accept the date", sql, &[(&date, Type::DATE)]).await?.is_empty())
}
