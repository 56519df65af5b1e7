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

use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;

use super::owners::Backend;
use super::{Client, Limits, Transaction};
use crate::failure::{Failure, postgres};
use crate::fault;

/// How long the server lets a worker wait in line before it has to ask again. One long wait could not be told from a
/// connection that has gone silent. Asking again costs the place in line, which matters to nobody.
const TURN: Duration = Duration::from_secs(3);

/// Makes the transaction usable again after a turn in vain.
const GIVE_UP_TURN: &str = "rollback to savepoint in_line; release savepoint in_line";

/// Takes the lock, or leaves the transaction as it was before. The savepoint takes no snapshot, and is gone with the lock.
fn lock_statements(limits: Limits) -> String {
    format!(
        "savepoint in_line; lock table cache_sync_lease in exclusive mode; release savepoint in_line; \
         set local statement_timeout = {}; set local lock_timeout = {}",
        limits.statement.as_millis(),
        limits.lock.as_millis()
    )
}

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
        let waiting = Limits { statement: TURN + TURN, lock: TURN };
        let mut transaction = client.begin_repeatable(waiting).await?;
        fault::point("lease.before").await?;
        let began = Instant::now();
        while let Err(error) = transaction.batch_execute(&lock_statements(limits)).await {
            let is_still_in_line = error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
            if !is_still_in_line || began.elapsed() >= limits.lock {
                return Err(postgres(doing)(error));
            }
            transaction.batch_execute(GIVE_UP_TURN).await.map_err(postgres(doing))?;
        }
        transaction.allow(limits.statement);
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
