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

use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::{CancelToken, Transaction};

use super::owners::Backend;
use super::{Client, Limits};
use crate::failure::{Failure, postgres};

/// How long one try to get the lease waits. Between tries the worker looks whether it should stop, whether the job
/// was cancelled, and whether the holder is stuck.
const PATIENCE: Duration = Duration::from_millis(500);

/// The right to change universes, and the transaction to do it in. Dropping it rolls back.
pub struct Lease<'a> {
    transaction: Transaction<'a>,
    backend: Backend,
}

/// What a try to get the lease gives.
pub enum Acquired<'a> {
    /// It is held now.
    Held(Lease<'a>),
    /// Another job holds it.
    Busy,
}

impl<'a> Lease<'a> {
    /// Tries to get the lease for a little while. `statement` bounds each statement made under it.
    pub async fn acquire(client: &'a mut Client, statement: Duration) -> Result<Acquired<'a>, Failure> {
        let doing = "take the lease";
        let transaction = client.begin_repeatable(Limits { statement, lock: PATIENCE }).await?;
        if let Err(error) = transaction.batch_execute("lock table cache_sync_lease in exclusive mode").await {
            if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
                transaction.rollback().await.map_err(postgres(doing))?;
                return Ok(Acquired::Busy);
            }
            return Err(postgres(doing)(error));
        }
        let sql = include_str!("../../sql/queries/lease_backend.sql");
        let rows = transaction.query_typed(sql, &[]).await.map_err(postgres(doing))?;
        let row = rows
            .first()
            .ok_or_else(|| Failure::transient(doing, "the server does not list this connection"))?;
        let backend = Backend { pid: row.get("pid"), transaction_start: row.get("xact_start") };
        Ok(Acquired::Held(Self { transaction, backend }))
    }

    /// The transaction under the lease.
    pub fn transaction(&self) -> &Transaction<'a> {
        &self.transaction
    }

    /// The backend that holds it.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Stops a running statement from outside.
    pub fn cancel_token(&self) -> CancelToken {
        self.transaction.cancel_token()
    }

    /// Makes everything done under the lease true, and ends it.
    pub async fn commit(self) -> Result<(), Failure> {
        self.transaction.commit().await.map_err(postgres("commit"))
    }
}
