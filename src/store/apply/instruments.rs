//! Writes down who goes by which symbol now.

use chrono::NaiveDate;
use tokio_postgres::types::Type;

use crate::domain::identity::Identity;
use crate::domain::symbol::Symbol;
use crate::failure::Failure;
use crate::plan::market::identity::IdentityChange;
use crate::store::Transaction;

use super::super::statement::{Param, execute};
use super::DOING;

/// Follows what was found out. To be called when the memberships under the old symbols have ended, and before those
/// under the new ones begin.
pub(super) async fn follow(
    tx: &Transaction<'_>,
    as_of: NaiveDate,
    changes: &[IdentityChange],
) -> Result<(), Failure> {
    let parts: Vec<Parts<'_>> = changes.iter().map(parts).collect();
    let actions: Vec<&str> = parts.iter().map(|part| part.action).collect();
    let symbols: Vec<&str> = parts.iter().map(|part| part.symbol.as_str()).collect();
    let froms: Vec<Option<&str>> = parts.iter().map(|part| part.from.map(Symbol::as_str)).collect();
    let text = |of: fn(&Identity) -> Option<&str>| -> Vec<Option<&str>> {
        parts.iter().map(|part| of(part.identity)).collect()
    };
    let share_class_figis = text(|identity| identity.share_class_figi.as_deref());
    let composite_figis = text(|identity| identity.composite_figi.as_deref());
    let ciks = text(|identity| identity.cik.as_deref());
    let kinds = text(|identity| Some(&*identity.kind));
    let params: [Param<'_>; 8] = [
        (&as_of, Type::DATE),
        (&actions, Type::TEXT_ARRAY),
        (&symbols, Type::TEXT_ARRAY),
        (&froms, Type::TEXT_ARRAY),
        (&share_class_figis, Type::TEXT_ARRAY),
        (&composite_figis, Type::TEXT_ARRAY),
        (&ciks, Type::TEXT_ARRAY),
        (&kinds, Type::TEXT_ARRAY),
    ];
    // Two statements, for one symbol may have an instrument that ends and another one that begins.
    execute(tx, DOING, include_str!("../../../sql/queries/instruments_end.sql"), &params[..4]).await?;
    execute(tx, DOING, include_str!("../../../sql/queries/instruments_begin.sql"), &params).await?;
    let nobody: Vec<&str> = froms.iter().flatten().copied().filter(|from| !symbols.contains(from)).collect();
    if nobody.is_empty() {
        return Ok(());
    }
    let sql = include_str!("../../../sql/queries/instruments_forget.sql");
    execute(tx, DOING, sql, &[(&as_of, Type::DATE), (&nobody, Type::TEXT_ARRAY)]).await
}

struct Parts<'a> {
    action: &'static str,
    symbol: &'a Symbol,
    from: Option<&'a Symbol>,
    identity: &'a Identity,
}

fn parts(change: &IdentityChange) -> Parts<'_> {
    match change {
        IdentityChange::Renamed { from, symbol, identity } => {
            Parts { action: "renamed", symbol, from: Some(from), identity }
        }
        IdentityChange::Reused { symbol, identity } => {
            Parts { action: "reused", symbol, from: None, identity }
        }
        IdentityChange::Reorganised { symbol, identity } => {
            Parts { action: "reorganised", symbol, from: None, identity }
        }
        IdentityChange::Completed { symbol, identity } => {
            Parts { action: "completed", symbol, from: None, identity }
        }
    }
}
