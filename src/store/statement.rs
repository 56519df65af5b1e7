//! Sends statements without names, so that a pooler in transaction mode may stand between.

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::failure::{Failure, postgres};
use crate::store::Transaction;

/// A value and the type it is sent as.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Runs a statement and returns its rows; `doing` completes the sentence "unable to ...".
pub(super) async fn query(
    tx: &Transaction<'_>,
    doing: &str,
    sql: &str,
    params: &[Param<'_>],
) -> Result<Vec<Row>, Failure> {
    tx.query_typed(sql, params).await.map_err(postgres(doing))
}

/// Runs a statement that answers with one row.
pub(super) async fn query_one(
    tx: &Transaction<'_>,
    doing: &str,
    sql: &str,
    params: &[Param<'_>],
) -> Result<Row, Failure> {
    tx.query_typed_one(sql, params).await.map_err(postgres(doing))
}

/// Runs a statement that answers with nothing.
pub(super) async fn execute(
    tx: &Transaction<'_>,
    doing: &str,
    sql: &str,
    params: &[Param<'_>],
) -> Result<(), Failure> {
    tx.execute_typed(sql, params).await.map(drop).map_err(postgres(doing))
}
