//! The lease: one job at a time changes universes.
//!
//! The lease is the table lock on `cache_sync_lease`, taken as the first statement of the transaction that reads,
//! plans and writes. It ends with that transaction, needs no session state, and because nothing took a snapshot
//! before it, whoever gets it after waiting sees all that the one before committed.
//!
//! ```text
//!   begin repeatable read ─► set local ─► LOCK TABLE ─► read ─► plan ─► apply ─► job row (fence) ─► commit
//! ```
//!
//! | what happens | what follows |
//! |---|---|
//! | the worker dies | its connection closes, the transaction rolls back, the lease is free |
//! | the worker is stopped or its network hangs | its owner row runs out; the next in line ends its backend |
//! | it wakes afterwards | its connection is gone; if not, the job's lease number has moved on and its commit changes nothing |

use tokio_postgres::Transaction;

use super::owners::Backend;
use super::{Client, Limits};
use crate::failure::{Failure, postgres};
use crate::fault;

/// The right to change universes, and the transaction to do it in. Dropping it rolls back.
pub struct Lease<'a> {
    transaction: Transaction<'a>,
    backend: Backend,
}

impl<'a> Lease<'a> {
    /// Takes the lease, waiting in line for up to `limits.lock`; each statement under it may take
    /// `limits.statement`. A caller that gives up earlier drops the future and closes the connection.
    pub async fn acquire(client: &'a mut Client, limits: Limits) -> Result<Self, Failure> {
        let doing = "take the lease";
        // The wait is a statement too, so it is bounded as such first.
        let waiting = Limits { statement: limits.lock, lock: limits.lock };
        let transaction = client.begin_repeatable(waiting).await?;
        let lock = format!(
            "lock table cache_sync_lease in exclusive mode; set local statement_timeout = {}",
            limits.statement.as_millis()
        );
        fault::point("lease.before").await?;
        transaction.batch_execute(&lock).await.map_err(postgres(doing))?;
        fault::point("lease.after").await?;
        let sql = include_str!("../../sql/queries/lease_backend.sql");
        let rows = transaction.query_typed(sql, &[]).await.map_err(postgres(doing))?;
        let row = rows
            .first()
            .ok_or_else(|| Failure::transient(doing, "the server does not list this connection"))?;
        let backend = Backend { pid: row.get("pid"), transaction_start: row.get("xact_start") };
        Ok(Self { transaction, backend })
    }

    /// The transaction under the lease.
    pub fn transaction(&self) -> &Transaction<'a> {
        &self.transaction
    }

    /// The backend that holds it.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Makes everything done under the lease true, and ends it.
    pub async fn commit(self) -> Result<(), Failure> {
        fault::point("commit.before").await?;
        self.transaction.commit().await.map_err(postgres("commit"))?;
        Ok(fault::point("commit.after").await?)
    }
}
