//! Keeps what people have decided by hand: one row for each symbol and universe, a pin or a ban.
//!
//! A sync reads all of it with the snapshot. Only commands write it, without the lease: a decision counts from the next
//! snapshot on, and until then nothing has to be protected from it.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use tokio_postgres::types::Type;

use crate::domain::pin::{Pin, PinKind};
use crate::domain::symbol::Symbol;
use crate::domain::universe::UniverseName;
use crate::failure::Failure;
use crate::store::Transaction;

use super::statement::{Param, execute, query};

const READ: &str = "read the pins and bans";
const WRITE: &str = "write a pin or ban";

/// A pin or ban, with who made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredPin {
    /// What was decided.
    #[serde(flatten)]
    pub pin: Pin,
    /// When.
    pub created_at: DateTime<Utc>,
    /// By whom.
    pub created_by: String,
}

/// Every pin and ban, those that are over included, by universe and symbol.
pub async fn list(tx: &Transaction<'_>) -> Result<Vec<StoredPin>, Failure> {
    let rows = query(tx, READ, include_str!("../../sql/queries/pins_read.sql"), &[]).await?;
    let pins = rows.iter().filter_map(|row| {
        let pin = Pin {
            kind: PinKind::from_text(row.get("kind"))?,
            symbol: Symbol::parse(row.get("symbol"))?,
            universe: UniverseName::parse(row.get("universe")).ok()?,
            reason: row.get("reason"),
            until: row.get::<_, Option<NaiveDate>>("until"),
        };
        Some(StoredPin { pin, created_at: row.get("created_at"), created_by: row.get("created_by") })
    });
    Ok(pins.collect())
}

/// The same for a plan.
pub(super) async fn read(tx: &Transaction<'_>) -> Result<Vec<Pin>, Failure> {
    Ok(list(tx).await?.into_iter().map(|stored| stored.pin).collect())
}

/// Writes a decision in place of what was decided of its symbol and universe before.
pub async fn write(
    tx: &Transaction<'_>,
    pin: &Pin,
    now: DateTime<Utc>,
    created_by: &str,
) -> Result<(), Failure> {
    let params: [Param<'_>; 7] = [
        (&pin.universe.as_str(), Type::TEXT),
        (&pin.symbol.as_str(), Type::TEXT),
        (&pin.kind.as_str(), Type::TEXT),
        (&pin.reason, Type::TEXT),
        (&pin.until, Type::DATE),
        (&now, Type::TIMESTAMPTZ),
        (&created_by, Type::TEXT),
    ];
    execute(tx, WRITE, include_str!("../../sql/queries/pin_upsert.sql"), &params).await
}

/// Takes a decision back, where it stands there.
pub async fn remove(tx: &Transaction<'_>, pin: &Pin) -> Result<(), Failure> {
    let params: [Param<'_>; 3] = [
        (&pin.universe.as_str(), Type::TEXT),
        (&pin.symbol.as_str(), Type::TEXT),
        (&pin.kind.as_str(), Type::TEXT),
    ];
    execute(tx, WRITE, include_str!("../../sql/queries/pin_delete.sql"), &params).await
}
