//! Looks universes and memberships up, for people.
//!
//! The fields of what is returned are called as the columns are, and so are the keys of its JSON.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::domain::symbol::{Symbol, symbol_key};
use crate::domain::universe::{CacheType, UniverseName};
use crate::failure::Failure;
use crate::plan::given::snapshot::Instrument;
use crate::settings::EntriesSettings;
use crate::store::Transaction;

use super::layout::appv2::{Slot, Table, tickers};
use super::layout::{self, Layout, rows};
use super::read::snapshot::read_instruments;
use super::statement::{Param, query};

const DOING: &str = "look up history";

/// Memberships that overlap the next one of the same universe and symbol, a sentence each: there must be none.
pub async fn overlapping(tx: &Transaction<'_>, at_most: i64) -> Result<Vec<String>, Failure> {
    let sql = include_str!("../../sql/queries/memberships_overlapping.sql");
    let rows = query(tx, DOING, sql, &[(&at_most, Type::INT8)]).await?;
    let sentences = rows.iter().map(|row| {
        let (universe, symbol): (&str, &str) = (row.get("universe"), row.get("symbol"));
        let (from, next): (NaiveDate, NaiveDate) = (row.get("valid_from"), row.get("next_from"));
        format!("{symbol} in {universe} from {from} beyond {next}")
    });
    Ok(sentences.collect())
}

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

/// The time that somebody asks about; by default now, as far as it is known now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct When {
    /// After the sync of the latest date on or before this one.
    pub as_of: Option<NaiveDate>,
    /// By what had been recorded at this moment: what the application showed then.
    pub known_at: Option<DateTime<Utc>>,
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
    /// What is the same for all symbols that an instrument has had.
    pub lineage_id: i64,
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
    /// When it was put out, as far as somebody wrote it down.
    pub exit_recorded_at: Option<DateTime<Utc>>,
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
/// Now, those in `cache_entries`, in their order, foreign rows included; in the layout of `AppV2`, where a name alone
/// finds no row, those of history in the order of the universe's row. With a date, those after the sync of the latest
/// date on or before it, by symbol; before the first sync there are none. With a moment, those that stood in the
/// universe's row then, by symbol; with both, those of the date as far as they were known at the moment.
pub async fn universe_members(
    tx: &Transaction<'_>,
    entries: &EntriesSettings,
    universe: &str,
    when: When,
) -> Result<Option<Vec<Member>>, Failure> {
    match when {
        When { known_at: Some(moment), as_of } => members_as_known(tx, universe, as_of, moment).await,
        When { known_at: None, as_of: Some(date) } => members_on(tx, universe, date).await,
        When { known_at: None, as_of: None } => match layout::resolve(tx, entries).await? {
            Layout::Universe => members_now(tx, universe).await,
            Layout::AppV2(table) => members_in_appv2(tx, &table, universe).await,
        },
    }
}

/// Every membership of a symbol, however its share class is spelled, and of the instruments that have gone by it, by
/// universe and date; as it is known now, or as it was known at a moment.
pub async fn symbol_history(
    tx: &Transaction<'_>,
    symbol: &Symbol,
    known_at: Option<DateTime<Utc>>,
) -> Result<Vec<Membership>, Failure> {
    let spellings = spellings(symbol);
    let sql = include_str!("../../sql/queries/symbol_history.sql");
    let params: [Param<'_>; 2] = [(&spellings.as_slice(), Type::TEXT_ARRAY), (&known_at, Type::TIMESTAMPTZ)];
    let rows = query(tx, DOING, sql, &params).await?;
    Ok(rows.iter().map(membership).collect())
}

/// Who a symbol has been, however its share class is spelled, and by which other symbols the same instruments have gone,
/// the oldest first.
pub async fn instruments(tx: &Transaction<'_>, symbol: &Symbol) -> Result<Vec<Instrument>, Failure> {
    let mut instruments = read_instruments(tx, &spellings(symbol)).await?;
    instruments.sort_by(|a, b| (a.valid_from, &a.symbol).cmp(&(b.valid_from, &b.symbol)));
    Ok(instruments)
}

fn spellings(symbol: &Symbol) -> [String; 4] {
    let key = symbol_key(symbol.as_str());
    [symbol.as_str().to_owned(), key.to_string(), key.replace('.', "/"), key.replace('.', "-")]
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
    members_of_the_past(tx, universe, &rows).await
}

async fn members_as_known(
    tx: &Transaction<'_>,
    universe: &str,
    date: Option<NaiveDate>,
    moment: DateTime<Utc>,
) -> Result<Option<Vec<Member>>, Failure> {
    let sql = include_str!("../../sql/queries/members_as_known.sql");
    let params: [Param<'_>; 3] = [(&universe, Type::TEXT), (&date, Type::DATE), (&moment, Type::TIMESTAMPTZ)];
    let rows = query(tx, DOING, sql, &params).await?;
    members_of_the_past(tx, universe, &rows).await
}

async fn members_of_the_past(
    tx: &Transaction<'_>,
    universe: &str,
    rows: &[Row],
) -> Result<Option<Vec<Member>>, Failure> {
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
        lineage_id: row.get("lineage_id"),
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
        exit_recorded_at: row.get("exit_recorded_at"),
    }
}
