//! Values that people don't believe: written by a command, read by the next run with its snapshot, and used up when that
//! is applied. Whoever writes one needs no lease, for nothing but that row is written.

use chrono::{DateTime, Utc};
use tokio_postgres::types::Type;

use crate::domain::job::JobId;
use crate::domain::symbol::Symbol;
use crate::failure::Failure;
use crate::plan::market::screening::{Distrusted, TakenValue};
use crate::store::Transaction;

use super::statement::{Param, execute, query};

const DOING: &str = "read which values are doubted by hand";
/// The runs of so many dates are looked through for a value that differs.
const DATES: i64 = 60;

/// The values that the next run is to doubt.
pub async fn read(tx: &Transaction<'_>) -> Result<Vec<Distrusted>, Failure> {
    let rows = query(tx, DOING, include_str!("../../sql/queries/distrusts_read.sql"), &[]).await?;
    let distrusted = rows.iter().filter_map(|row| {
        let good = TakenValue {
            as_of: row.get("good_as_of"),
            cap_cents: row.get("good_cap_cents"),
            close_dollars: row.get("good_close_dollars"),
        };
        Some(Distrusted { symbol: Symbol::parse(row.get("symbol"))?, good })
    });
    Ok(distrusted.collect())
}

/// What the last runs took for the value of a stock, newest first.
pub async fn values_taken(tx: &Transaction<'_>, symbol: &Symbol) -> Result<Vec<TakenValue>, Failure> {
    let params: [Param<'_>; 2] = [(&symbol.as_str(), Type::TEXT), (&DATES, Type::INT8)];
    let rows = query(tx, DOING, include_str!("../../sql/queries/values_taken.sql"), &params).await?;
    let values = rows.iter().filter_map(|row| {
        let close_dollars = row.get::<_, Option<f64>>("close_dollars").filter(|close| *close > 0.0)?;
        let cap_cents = row.get::<_, Option<i64>>("cap_cents").filter(|cap| *cap > 0)?;
        Some(TakenValue { as_of: row.get("as_of"), cap_cents, close_dollars })
    });
    Ok(values.collect())
}

/// Has the next run doubt a value; `false` where that is asked for already.
pub async fn write(
    tx: &Transaction<'_>,
    distrusted: &Distrusted,
    by: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool, Failure> {
    let good = distrusted.good;
    let params: [Param<'_>; 7] = [
        (&distrusted.symbol.as_str(), Type::TEXT),
        (&now, Type::TIMESTAMPTZ),
        (&by, Type::TEXT),
        (&reason, Type::TEXT),
        (&good.as_of, Type::DATE),
        (&good.cap_cents, Type::INT8),
        (&good.close_dollars, Type::FLOAT8),
    ];
    let sql = include_str!("../../sql/queries/distrust_insert.sql");
    Ok(!query(tx, "doubt the value", sql, &params).await?.is_empty())
}

/// Takes it back, as far as no run has used it; `false` where there was nothing to take back.
pub async fn remove(tx: &Transaction<'_>, symbol: &Symbol) -> Result<bool, Failure> {
    let open = read(tx).await?;
    let meant = open.iter().filter(|distrusted| distrusted.symbol.is_spelling_of(symbol));
    let spellings: Vec<&str> = meant.map(|distrusted| distrusted.symbol.as_str()).collect();
    let sql = include_str!("../../sql/queries/distrust_delete.sql");
    let rows = query(tx, "believe the value", sql, &[(&spellings, Type::TEXT_ARRAY)]).await?;
    Ok(!rows.is_empty())
}

/// Marks what a run has seen as used by it.
pub(super) async fn mark_used(
    tx: &Transaction<'_>,
    distrusted: &[Distrusted],
    job_id: &JobId,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    if distrusted.is_empty() {
        return Ok(());
    }
    let symbols: Vec<&str> = distrusted.iter().map(|distrusted| distrusted.symbol.as_str()).collect();
    let params: [Param<'_>; 3] =
        [(&symbols, Type::TEXT_ARRAY), (&now, Type::TIMESTAMPTZ), (&job_id.as_str(), Type::TEXT)];
    execute(tx, "use up a doubt", include_str!("../../sql/queries/distrusts_use.sql"), &params).await
}
