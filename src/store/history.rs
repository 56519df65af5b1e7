//! Looks universes and memberships up, for people.
//!
//! The fields of what is returned are called as the columns are, and so are the keys of its JSON.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, Transaction};

use crate::domain::symbol::{Symbol, symbol_key};
use crate::domain::universe::{CacheType, UniverseName};
use crate::failure::Failure;
use crate::settings::EntriesSettings;

use super::layout::appv2::{Slot, Table, tickers};
use super::layout::{self, Layout, rows};
use super::statement::query;

const DOING: &str = "look up history";

/// A universe of ours and how its last sync went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UniverseNow {
    /// Its name.
    pub universe: String,
    /// Its kind.
    pub cache_type: String,
    /// How many members it has.
    pub symbol_count: i32,
    /// How many joined in the last sync.
    pub added: i32,
    /// How many left in the last sync.
    pub removed: i32,
    /// Market cap of all members together, in dollars.
    pub total_market_cap: Decimal,
    /// The same by member with a cap; none where no member has one.
    pub average_market_cap: Option<Decimal>,
    /// `ok`, `held` or `no_source_data`.
    pub status: String,
    /// What is held and why; an empty object otherwise.
    pub detail: Value,
    /// When its members last changed.
    pub last_changed_at: DateTime<Utc>,
    /// When a sync last looked at it.
    pub last_synced_at: DateTime<Utc>,
    /// The job that did.
    pub last_job_id: String,
}

/// A member of a universe, now or on a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// The symbol.
    pub symbol: String,
    /// Its place from 1; none for a past date, of which history keeps no order.
    pub rank: Option<i64>,
    /// Since when; none in rows that are not ours.
    pub valid_from: Option<NaiveDate>,
    /// By which right; none in rows that are not ours.
    pub entry_reason: Option<String>,
    /// Whether this was not recorded on its day, but found out afterwards.
    pub reconstructed: bool,
}

/// One membership: a symbol in a universe from one date to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Membership {
    /// The universe.
    pub universe: String,
    /// The symbol.
    pub symbol: String,
    /// Whom the symbol stood for.
    pub instrument_id: i64,
    /// The first date.
    pub valid_from: NaiveDate,
    /// The date from which it is no longer a member; none while it is one.
    pub valid_to: Option<NaiveDate>,
    /// By which right it came.
    pub entry_reason: String,
    /// Why it went.
    pub exit_reason: Option<String>,
    /// Its place when it came.
    pub rank_at_entry: Option<i32>,
    /// Its market cap when it came, in dollars.
    pub cap_at_entry: Option<Decimal>,
    /// What spoke for it.
    pub evidence: Option<Value>,
    /// The job that let it in.
    pub job_id: String,
    /// The job that put it out.
    pub exit_job_id: Option<String>,
    /// When it was let in.
    pub recorded_at: DateTime<Utc>,
    /// Whether it was not recorded on its day, but found out afterwards.
    pub reconstructed: bool,
}

/// Every universe of ours, by name.
pub async fn universes_now(tx: &Transaction<'_>) -> Result<Vec<UniverseNow>, Failure> {
    let rows = query(tx, DOING, include_str!("../../sql/queries/universes_list.sql"), &[]).await?;
    let universes = rows.iter().map(|row| UniverseNow {
        universe: row.get("universe"),
        cache_type: row.get("cache_type"),
        symbol_count: row.get("symbol_count"),
        added: row.get("added"),
        removed: row.get("removed"),
        total_market_cap: row.get("total_market_cap"),
        average_market_cap: row.get("average_market_cap"),
        status: row.get("status"),
        detail: row.get("detail"),
        last_changed_at: row.get("last_changed_at"),
        last_synced_at: row.get("last_synced_at"),
        last_job_id: row.get("last_job_id"),
    });
    Ok(universes.collect())
}

/// The members of a universe, or `None` for a name that nobody knows.
///
/// Without `as_of`, those in `cache_entries` now, in their order, foreign rows included; in the layout of `AppV2`, where
/// a name alone finds no row, those of history in the order of the universe's row. With it, those after the sync of the
/// latest date on or before it, by symbol; before the first sync there are none.
pub async fn universe_members(
    tx: &Transaction<'_>,
    entries: &EntriesSettings,
    universe: &str,
    as_of: Option<NaiveDate>,
) -> Result<Option<Vec<Member>>, Failure> {
    match (as_of, layout::resolve(tx, entries).await?) {
        (Some(date), _) => members_on(tx, universe, date).await,
        (None, Layout::Universe) => members_now(tx, universe).await,
        (None, Layout::AppV2(table)) => members_in_appv2(tx, &table, universe).await,
    }
}

/// Every membership of a symbol, however its share class is spelled, by universe and date.
pub async fn symbol_history(tx: &Transaction<'_>, symbol: &Symbol) -> Result<Vec<Membership>, Failure> {
    let key = symbol_key(symbol.as_str());
    let spellings =
        [symbol.as_str().to_owned(), key.to_string(), key.replace('.', "/"), key.replace('.', "-")];
    let sql = include_str!("../../sql/queries/symbol_history.sql");
    let rows = query(tx, DOING, sql, &[(&spellings.as_slice(), Type::TEXT_ARRAY)]).await?;
    Ok(rows.iter().map(membership).collect())
}

async fn members_now(tx: &Transaction<'_>, universe: &str) -> Result<Option<Vec<Member>>, Failure> {
    let rows =
        query(tx, DOING, include_str!("../../sql/queries/members_now.sql"), &[(&universe, Type::TEXT)])
            .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let members = rows.iter().filter_map(|row| {
        Some(Member {
            symbol: row.get::<_, Option<String>>("symbol")?,
            rank: row.get("rank"),
            valid_from: row.get("valid_from"),
            entry_reason: row.get("entry_reason"),
            reconstructed: false,
        })
    });
    Ok(Some(members.collect()))
}

async fn members_in_appv2(
    tx: &Transaction<'_>,
    table: &Table,
    universe: &str,
) -> Result<Option<Vec<Member>>, Failure> {
    let universes = universes_now(tx).await?;
    let known = universes.iter().find(|known| known.universe == universe);
    let kind = known.and_then(|known| CacheType::from_text(&known.cache_type));
    let (Some(kind), Ok(name)) = (kind, UniverseName::parse(universe)) else { return Ok(None) };
    let read = rows::read(tx, table, vec![Slot::of_universe(&name, kind)]).await?;
    let value = read.first().and_then(|read| read.row.value.as_deref());
    let order = value.map(tickers).unwrap_or_default();
    let sql = include_str!("../../sql/queries/members_known.sql");
    let found = query(tx, DOING, sql, &[(&universe, Type::TEXT), (&order, Type::TEXT_ARRAY)]).await?;
    let members = (1..).zip(&found).map(|(rank, row)| Member {
        symbol: row.get("symbol"),
        rank: Some(rank),
        valid_from: row.get("valid_from"),
        entry_reason: row.get("entry_reason"),
        reconstructed: false,
    });
    Ok(Some(members.collect()))
}

async fn members_on(
    tx: &Transaction<'_>,
    universe: &str,
    date: NaiveDate,
) -> Result<Option<Vec<Member>>, Failure> {
    let sql = include_str!("../../sql/queries/members_on.sql");
    let rows = query(tx, DOING, sql, &[(&universe, Type::TEXT), (&date, Type::DATE)]).await?;
    if rows.is_empty() && !exists(tx, universe).await? {
        return Ok(None);
    }
    let members = rows.iter().map(|row| Member {
        symbol: row.get("symbol"),
        rank: None,
        valid_from: row.get("valid_from"),
        entry_reason: row.get("entry_reason"),
        reconstructed: row.get("reconstructed"),
    });
    Ok(Some(members.collect()))
}

async fn exists(tx: &Transaction<'_>, universe: &str) -> Result<bool, Failure> {
    let sql = include_str!("../../sql/queries/universe_exists.sql");
    let rows = query(tx, DOING, sql, &[(&universe, Type::TEXT)]).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

fn membership(row: &Row) -> Membership {
    Membership {
        universe: row.get("universe"),
        symbol: row.get("symbol"),
        instrument_id: row.get("instrument_id"),
        valid_from: row.get("valid_from"),
        valid_to: row.get("valid_to"),
        entry_reason: row.get("entry_reason"),
        exit_reason: row.get("exit_reason"),
        rank_at_entry: row.get("rank_at_entry"),
        cap_at_entry: row.get("cap_at_entry"),
        evidence: row.get("evidence"),
        job_id: row.get("job_id"),
        exit_job_id: row.get("exit_job_id"),
        recorded_at: row.get("recorded_at"),
        reconstructed: row.get("reconstructed"),
    }
}
