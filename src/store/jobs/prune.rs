//! Jobs, events and owners are forgotten when their time is over.

use tokio_postgres::types::{ToSql, Type};

use crate::failure::{Failure, postgres};
use crate::store::{Client, Limits};

/// Days a job is kept after its end.
const KEEP_JOBS_DAYS: i32 = 400;
/// Days an event is kept after it was told.
const KEEP_EVENTS_DAYS: i32 = 7;
/// Rows forgotten in one go, so that no round holds locks for long; the rest goes in the next.
const FORGET_AT_ONCE: i64 = 10_000;

/// Forgets jobs, events and owners whose time is over. History and audit are kept for ever.
pub async fn forget_old(client: &mut Client) -> Result<(), Failure> {
    let doing = "forget old jobs and events";
    let transaction = client.begin_within(Limits::default()).await?;
    let rounds = [
        (include_str!("../../../sql/queries/jobs_prune.sql"), KEEP_JOBS_DAYS),
        (include_str!("../../../sql/queries/outbox_prune.sql"), KEEP_EVENTS_DAYS),
    ];
    for (sql, days) in rounds {
        let params: [(&(dyn ToSql + Sync), Type); 2] = [(&days, Type::INT4), (&FORGET_AT_ONCE, Type::INT8)];
        transaction.query_typed(sql, &params).await.map_err(postgres(doing))?;
    }
    let sql = include_str!("../../../sql/queries/owners_prune.sql");
    transaction.query_typed(sql, &[]).await.map_err(postgres(doing))?;
    transaction.commit().await.map_err(postgres(doing))
}
