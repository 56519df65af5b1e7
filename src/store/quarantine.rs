//! What is in quarantine as the universes stand, and its approval by a person.
//!
//! An approval is a row that the next run reads with its snapshot and marks as used when it is applied. Whoever approves
//! needs no lease, for nothing but that row is written.

use chrono::{DateTime, NaiveDate, Utc};
use tokio_postgres::types::Type;

use crate::domain::symbol::Symbol;
use crate::failure::Failure;
use crate::plan::market::screening::Quarantined;
use crate::store::Transaction;

use super::read::snapshot;
use super::statement::{Param, query};

/// The quarantine of the last run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuarantineNow {
    /// The date of the run; none before the first.
    pub as_of: Option<NaiveDate>,
    /// The stocks, by symbol.
    pub symbols: Vec<Quarantined>,
    /// The symbols that the next run takes for good.
    pub approved: Vec<Symbol>,
}

impl QuarantineNow {
    /// The entry of `symbol`, in whatever spelling.
    pub fn entry(&self, symbol: &Symbol) -> Option<&Quarantined> {
        self.symbols.iter().find(|entry| entry.symbol.is_spelling_of(symbol))
    }

    /// Whether the next run takes the value of `symbol` for good.
    pub fn is_approved(&self, symbol: &Symbol) -> bool {
        self.approved.iter().any(|approved| approved.is_spelling_of(symbol))
    }
}

/// Reads what the last run did not believe.
pub async fn read(tx: &Transaction<'_>) -> Result<QuarantineNow, Failure> {
    let sql = include_str!("../../sql/queries/quarantine_read.sql");
    let rows = query(tx, "read what is in quarantine", sql, &[]).await?;
    let Some(row) = rows.first() else { return Ok(QuarantineNow::default()) };
    Ok(QuarantineNow {
        as_of: row.get("as_of"),
        symbols: snapshot::quarantine(row)?.symbols,
        approved: snapshot::approved(row),
    })
}

/// Takes the approval of a value back, as far as no run has used it; `false` where there was none.
pub async fn withdraw(tx: &Transaction<'_>, symbol: &Symbol) -> Result<bool, Failure> {
    let open = read(tx).await?.approved;
    let meant = open.iter().filter(|approved| approved.is_spelling_of(symbol));
    let spellings: Vec<&str> = meant.map(Symbol::as_str).collect();
    let sql = include_str!("../../sql/queries/approval_delete.sql");
    let rows = query(tx, "take the approval back", sql, &[(&spellings, Type::TEXT_ARRAY)]).await?;
    Ok(!rows.is_empty())
}

/// Has the next run take the value of a stock for good; `false` where that was approved already.
pub async fn approve(
    tx: &Transaction<'_>,
    entry: &Quarantined,
    by: &str,
    now: DateTime<Utc>,
) -> Result<bool, Failure> {
    let seen = format!("{}: {}", entry.anomaly, entry.seen());
    let params: [Param<'_>; 4] = [
        (&entry.symbol.as_str(), Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
        (&by, Type::TEXT),
        (&seen, Type::TEXT),
    ];
    let sql = include_str!("../../sql/queries/approval_insert.sql");
    Ok(!query(tx, "approve the value", sql, &params).await?.is_empty())
}
