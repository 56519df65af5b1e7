//! A unit of work: a transaction in which nothing is waited for without a bound.

use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{CopyInSink, Row, RowStream, Statement, ToStatement};
use tokio_util::bytes::Buf;

use super::watch::Watch;
use crate::failure::PostgresError;

/// How much later than the server ends a statement by itself its answer may come.
const GRACE: Duration = Duration::from_secs(1);

/// A transaction of a [`Client`](super::Client). Dropping it rolls back.
///
/// Each answer is waited for a little longer than the server lets the statement run. Whoever does not hear one by then
/// learns [`PostgresError::Silent`], and the connection is used no more.
pub struct Transaction<'a> {
    inner: tokio_postgres::Transaction<'a>,
    watch: Watch,
    /// The longest wait for an answer.
    bound: Duration,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(inner: tokio_postgres::Transaction<'a>, watch: Watch, statement: Duration) -> Self {
        Self { inner, watch, bound: statement + GRACE }
    }

    /// Waits for later answers a little longer than a statement may take from now on.
    pub(super) fn allow(&mut self, statement: Duration) {
        self.bound = statement + GRACE;
    }

    /// The rows that a statement answers with.
    pub async fn query_typed(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, PostgresError> {
        self.watch.hear(self.bound, self.inner.query_typed(sql, params)).await
    }

    /// The one row that a statement answers with.
    pub async fn query_typed_one(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Row, PostgresError> {
        self.watch.hear(self.bound, self.inner.query_typed_one(sql, params)).await
    }

    /// The rows that a statement answers with, as they come.
    pub async fn query_typed_raw<P, I>(&self, sql: &str, params: I) -> Result<RowStream, PostgresError>
    where
        P: tokio_postgres::types::BorrowToSql,
        I: IntoIterator<Item = (P, Type)> + Sync + Send,
    {
        self.watch.hear(self.bound, self.inner.query_typed_raw(sql, params)).await
    }

    /// Runs a statement; how many rows it changed.
    pub async fn execute_typed(
        &self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<u64, PostgresError> {
        self.watch.hear(self.bound, self.inner.execute_typed(sql, params)).await
    }

    /// Runs statements that answer with nothing.
    pub async fn batch_execute(&self, sql: &str) -> Result<(), PostgresError> {
        self.watch.hear(self.bound, self.inner.batch_execute(sql)).await
    }

    /// Gives a statement a name, for COPY.
    pub async fn prepare(&self, sql: &str) -> Result<Statement, PostgresError> {
        self.watch.hear(self.bound, self.inner.prepare(sql)).await
    }

    /// Begins to send rows.
    pub async fn copy_in<T, U>(&self, statement: &T) -> Result<CopyInSink<U>, PostgresError>
    where
        T: ?Sized + ToStatement,
        U: Buf + 'static + Send,
    {
        self.watch.hear(self.bound, self.inner.copy_in(statement)).await
    }

    /// Makes it true.
    pub async fn commit(self) -> Result<(), PostgresError> {
        self.watch.hear(self.bound, self.inner.commit()).await
    }

    /// Undoes it.
    pub async fn rollback(self) -> Result<(), PostgresError> {
        self.watch.hear(self.bound, self.inner.rollback()).await
    }
}
