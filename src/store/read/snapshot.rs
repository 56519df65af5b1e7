//! Reads the one consistent view that a plan is made from.
//!
//! Everything here runs in the caller's repeatable-read transaction, after the lease. Reading the source takes two
//! statements, the applied dates one, our own tables four; one more where closes lie after the date of the sync, one
//! more where a row of ours was edited, and one more where a price moved as by a split. Whatever the layout of
//! `cache_entries`, a plan is made from the same universes; only where their members are looked for differs.
//!
//! # Why a digest
//! History says who is a member, and the row in `cache_entries` repeats it for its readers. Anybody may edit that row,
//! so it is not believed; but reading history at every sync would cost more than the rest of a sync that changes
//! nothing. `cache_entries_metadata` keeps a digest of the members: a row that has it repeats history faithfully, and
//! history is read only for the others.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::NaiveDate;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::domain::calendar::sessions_back;
use crate::domain::change::ExitReason;
use crate::domain::identity::Identity;
use crate::domain::pin::Pin;
use crate::domain::sector::Sector;
use crate::domain::symbol::Symbol;
use crate::domain::task::Mode;
use crate::domain::universe::{CacheType, UniverseName};
use crate::failure::Failure;
use crate::plan::given::policy::Guards;
use crate::plan::given::snapshot::{
    EXIT_REASONS, EXIT_SESSIONS, ForeignRow, Instrument, RecentExit, RunState, Snapshot, StockState,
    StoredContent, StoredUniverse, UniverseState,
};
use crate::plan::market::screening::{Distrusted, Quarantine, in_doubt};
use crate::store::Transaction;

use super::source::{SourceMarket, SourceTables, read_volumes, reread_closes};
use crate::store::layout::Entries;
use crate::store::layout::appv2::{Rows, Slot, Table, list_slot, tickers};
use crate::store::layout::rows::{self, KnownUniverse, SlotRead};
use crate::store::statement::query;
use crate::store::{distrusts, pins};

const DOING: &str = "read the universes";
/// How many applied dates tell the usual number of closes.
const USUAL_DATES: i64 = 20;

/// What of our own tables a plan needs.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The universes that the policy keeps.
    pub universes: &'a [UniverseName],
    /// How their rows are found.
    pub rows: WantedRows<'a>,
}

/// How the rows of our universes are found in `cache_entries`.
#[derive(Debug, Clone, Copy)]
pub enum WantedRows<'a> {
    /// By their names.
    Universe {
        /// The `cache_type`s of foreign rows that stay out of it, or `None` where the mode cleans no foreign rows.
        clean_foreign: Option<&'a BTreeSet<String>>,
    },
    /// In the table of `TickStockAppV2`, whose foreign rows nobody cleans.
    AppV2 {
        /// The table.
        table: &'a Table,
        /// What of it is ours.
        slots: &'a [Slot],
    },
}

/// What else of our own tables a plan needs, once the date is known.
#[derive(Debug, Clone, Copy)]
pub struct Completing<'a> {
    /// The universes that the policy keeps.
    pub universes: &'a [UniverseName],
    /// The symbols whose instruments are wanted; see [`crate::plan::market::identity::in_question`].
    pub in_question: &'a [String],
    /// What says whose volumes are wanted; see [`in_doubt`].
    pub guards: &'a Guards,
}

/// What our own tables say.
#[derive(Debug, Clone, Default)]
pub struct StateRead {
    /// The universes that have a row or metadata.
    pub universes: BTreeMap<UniverseName, StoredUniverse>,
    /// Foreign rows that may be cleaned.
    pub foreign: Vec<ForeignRow>,
    /// What the last good run saw.
    pub last_run: Option<RunState>,
    /// What people have decided.
    pub pins: Vec<Pin>,
    /// Symbols whose value has been approved since.
    pub approved: Vec<Symbol>,
    /// Values that a person does not believe.
    pub distrusted: Vec<Distrusted>,
    /// What the rows looked like.
    pub entries: Entries,
}

/// The dates that were applied so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppliedDates {
    /// The newest one.
    pub last: Option<NaiveDate>,
    /// The modes that were applied for it.
    pub last_modes: Vec<Mode>,
    /// The closes seen on the newest 20, newest first.
    pub recent_closes: Vec<usize>,
}

/// Completes what was read to a snapshot of `as_of`: no close in it is later.
pub async fn complete(
    tx: &Transaction<'_>,
    source: &SourceTables,
    market: SourceMarket,
    state: StateRead,
    completing: Completing<'_>,
    as_of: NaiveDate,
) -> Result<(Snapshot, Entries), Failure> {
    let SourceMarket { mut securities, unreadable_symbols } = market;
    reread_closes(tx, source, &mut securities, as_of).await?;
    let StateRead { universes, foreign, last_run, approved, distrusted, pins, entries } = state;
    // Who is in doubt is looked for while the server reads the others.
    let volumes = async {
        let doubted = in_doubt(&securities, last_run.as_ref(), completing.guards);
        read_volumes(tx, source, &mut securities, &doubted, as_of).await
    };
    let (recent_exits, instruments, _) = tokio::try_join!(
        read_recent_exits(tx, as_of, completing.universes),
        read_instruments(tx, completing.in_question),
        volumes
    )?;
    let snapshot = Snapshot {
        securities,
        unreadable_symbols,
        universes,
        foreign,
        last_run,
        approved,
        distrusted,
        recent_exits,
        pins,
        instruments,
    };
    Ok((snapshot, entries))
}

/// Reads which dates were applied, to judge whether a date is complete.
pub async fn read_applied(tx: &Transaction<'_>) -> Result<AppliedDates, Failure> {
    let sql = include_str!("../../../sql/queries/applied_read.sql");
    let rows = query(tx, DOING, sql, &[(&USUAL_DATES, Type::INT8)]).await?;
    Ok(AppliedDates {
        last: rows.first().map(|row| row.get("as_of")),
        last_modes: rows.first().map(modes).unwrap_or_default(),
        recent_closes: rows.iter().map(|row| row.get::<_, i32>("closes") as usize).collect(),
    })
}

fn modes(row: &Row) -> Vec<Mode> {
    row.get::<_, Vec<&str>>("modes").into_iter().filter_map(Mode::from_text).collect()
}

/// Reads our own tables.
pub async fn read_state(tx: &Transaction<'_>, wanted: Wanted<'_>) -> Result<StateRead, Failure> {
    let universes = async {
        Ok(match wanted.rows {
            WantedRows::Universe { clean_foreign } => {
                let (universes, foreign) = read_entries(tx, wanted.universes, clean_foreign).await?;
                (universes, foreign, Entries::Universe)
            }
            WantedRows::AppV2 { table, slots } => {
                let (universes, rows) = read_appv2(tx, table, slots.to_vec()).await?;
                (universes, Vec::new(), Entries::AppV2 { table: table.clone(), rows, to_write: Vec::new() })
            }
        })
    };
    let ((universes, foreign, entries), (last_run, approved), distrusted, pins) =
        tokio::try_join!(universes, read_last_run(tx), distrusts::read(tx), pins::read(tx))?;
    Ok(StateRead { universes, foreign, last_run, pins, approved, distrusted, entries })
}

/// What tells two sets of members apart: sixteen hexadecimal digits of the SHA-256 of the sorted symbols.
pub fn members_digest(members: &[Symbol]) -> String {
    let mut sorted: Vec<&str> = members.iter().map(Symbol::as_str).collect();
    sorted.sort_unstable();
    let mut hash = Sha256::new();
    for symbol in sorted {
        hash.update(symbol);
        // No symbol holds a control character, so no two lists run together to the same text.
        hash.update("\n");
    }
    crate::domain::hex(&hash.finalize()[..8])
}

/// The universes of these names that have a row or metadata.
pub(in crate::store) async fn read_universes(
    tx: &Transaction<'_>,
    names: &[UniverseName],
) -> Result<BTreeMap<UniverseName, StoredUniverse>, Failure> {
    read_entries(tx, names, None).await.map(|(universes, _)| universes)
}

async fn read_entries(
    tx: &Transaction<'_>,
    universes: &[UniverseName],
    clean_foreign: Option<&BTreeSet<String>>,
) -> Result<(BTreeMap<UniverseName, StoredUniverse>, Vec<ForeignRow>), Failure> {
    let names: Vec<&str> = universes.iter().map(UniverseName::as_str).collect();
    let clean = clean_foreign.is_some();
    let protected: Vec<&str> = clean_foreign.into_iter().flatten().map(String::as_str).collect();
    let sql = include_str!("../../../sql/queries/entries_read.sql");
    let rows = query(
        tx,
        DOING,
        sql,
        &[(&names, Type::TEXT_ARRAY), (&clean, Type::BOOL), (&protected, Type::TEXT_ARRAY)],
    )
    .await?;
    let (ours, foreign): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.get("is_ours"));

    let mut universes = BTreeMap::new();
    let mut doubted = Vec::new();
    for row in ours {
        let name =
            UniverseName::parse(row.get("universe")).map_err(|problem| Failure::permanent(DOING, problem))?;
        let (stored, believed) = stored_universe(row);
        if !believed {
            doubted.push(name.clone());
        }
        universes.insert(name, stored);
    }
    consult_history(tx, &mut universes, &doubted).await?;
    Ok((universes, foreign.into_iter().map(foreign_row).collect()))
}

/// The universes of these slots of `AppV2`'s table, and what stands in every slot.
pub(in crate::store) async fn read_appv2(
    tx: &Transaction<'_>,
    table: &Table,
    slots: Vec<Slot>,
) -> Result<(BTreeMap<UniverseName, StoredUniverse>, Rows), Failure> {
    let reads = rows::read(tx, table, slots).await?;
    let value_of = |slot: &str| reads.iter().find(|read| read.slot.name == slot)?.row.value.as_deref();
    let mut universes = BTreeMap::new();
    let mut doubted = Vec::new();
    for read in &reads {
        let Some(cache_type) = read.slot.cache_type else { continue };
        let name =
            UniverseName::parse(&read.slot.name).map_err(|problem| Failure::permanent(DOING, problem))?;
        let list = value_of(&list_slot(&name));
        let Some((stored, believed)) = universe_in_slot(read, list, cache_type) else { continue };
        doubted.extend((!believed).then(|| name.clone()));
        universes.insert(name, stored);
    }
    consult_history(tx, &mut universes, &doubted).await?;
    let stored = reads.into_iter().map(|SlotRead { slot, mut row, .. }| {
        let members = universes.get(slot.name.as_str()).filter(|_| slot.at.is_none());
        row.value = row.value.or_else(|| Some(json_list(&members?.members)));
        (slot.name, row)
    });
    let stored = stored.collect();
    Ok((universes, stored))
}

/// A universe as its slot has it, and whether its members are those of history. A theme that was never ours may have
/// stood in its `list` alone.
fn universe_in_slot(
    read: &SlotRead,
    list: Option<&str>,
    cache_type: CacheType,
) -> Option<(StoredUniverse, bool)> {
    let known = read.known.as_ref();
    let value = read.row.value.as_deref().or(list.filter(|_| known.is_none()));
    if value.is_none() && known.is_none() {
        return None;
    }
    let texts = value.map(tickers).unwrap_or_default();
    let members: Vec<Symbol> = texts.iter().filter_map(|text| Symbol::parse(text)).collect();
    let believed = known.is_none_or(|known| known.members_digest == members_digest(&members));
    let stored = StoredUniverse {
        cache_type: value.map(|_| cache_type.to_string()),
        members: if known.is_none() { without_repeats(members) } else { members },
        // What else stands in the row is compared when the plan is projected.
        content: value.map(|_| StoredContent::Malformed),
        state: known.map(KnownUniverse::state),
    };
    Some((stored, believed))
}

fn json_list(members: &[Symbol]) -> String {
    serde_json::to_string(members).expect("texts are JSON")
}

/// A universe as its row has it, and whether its members are those of history. What was never ours is believed.
fn stored_universe(row: &Row) -> (StoredUniverse, bool) {
    let has_row: bool = row.get("has_row");
    let json: Option<&str> = row.get("content");
    let content = has_row.then(|| json.map_or(StoredContent::Malformed, StoredContent::parse));
    let members = match &content {
        None => Vec::new(),
        // Written by others, perhaps with less or more around its symbols than we write.
        Some(StoredContent::Malformed) => {
            let texts = texts_in(json, "/symbols").unwrap_or_default();
            texts.iter().filter_map(|text| Symbol::parse(text)).collect()
        }
        Some(well_formed) => well_formed.symbols().to_vec(),
    };
    let digest: Option<&str> = row.get("members_digest");
    let believed = digest.is_none_or(|digest| digest == members_digest(&members));
    let state = row
        .get::<_, Option<NaiveDate>>("last_as_of")
        .map(|last_as_of| UniverseState { last_as_of, held_runs: row.get::<_, i32>("held_runs") as u32 });
    let members = if believed && state.is_none() { without_repeats(members) } else { members };
    (StoredUniverse { cache_type: row.get("cache_type"), members, content, state }, believed)
}

/// A row that we never wrote may name a symbol twice; it is a member once.
fn without_repeats(members: Vec<Symbol>) -> Vec<Symbol> {
    let mut seen = HashSet::with_capacity(members.len());
    members.into_iter().filter(|symbol| seen.insert(symbol.clone())).collect()
}

/// Replaces the members of the universes in `doubted` by those that history has, the stored ones among them first.
async fn consult_history(
    tx: &Transaction<'_>,
    universes: &mut BTreeMap<UniverseName, StoredUniverse>,
    doubted: &[UniverseName],
) -> Result<(), Failure> {
    if doubted.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = doubted.iter().map(UniverseName::as_str).collect();
    let sql = include_str!("../../../sql/queries/members_read.sql");
    let rows = query(tx, DOING, sql, &[(&names, Type::TEXT_ARRAY)]).await?;
    let mut history: BTreeMap<&str, Vec<Symbol>> = BTreeMap::new();
    for row in &rows {
        history.entry(row.get(0)).or_default().extend(Symbol::parse(row.get(1)));
    }
    for name in doubted {
        let universe = universes.get_mut(name).expect("only universes that were read are doubted");
        let known = history.remove(name.as_str()).unwrap_or_default();
        let stored = std::mem::take(&mut universe.members);
        universe.members = in_stored_order(stored, known);
    }
    Ok(())
}

fn in_stored_order(stored: Vec<Symbol>, known: Vec<Symbol>) -> Vec<Symbol> {
    let mut left: BTreeSet<Symbol> = known.into_iter().collect();
    let mut members: Vec<Symbol> = stored.into_iter().filter(|symbol| left.remove(symbol)).collect();
    members.extend(left);
    members
}

fn foreign_row(row: &Row) -> ForeignRow {
    ForeignRow { universe: row.get("universe"), symbols: texts_in(row.get("foreign_symbols"), "") }
}

/// The texts in an array of `json`, found by a JSON pointer; `None` where there is no array.
pub(in crate::store) fn texts_in(json: Option<&str>, pointer: &str) -> Option<Vec<String>> {
    let json: Value = serde_json::from_str(json?).ok()?;
    let elements = json.pointer(pointer)?.as_array()?;
    Some(elements.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// What the last good run saw, and the symbols approved since. Without a run there is nothing to approve.
async fn read_last_run(tx: &Transaction<'_>) -> Result<(Option<RunState>, Vec<Symbol>), Failure> {
    let rows = query(tx, DOING, include_str!("../../../sql/queries/run_read.sql"), &[]).await?;
    let Some(row) = rows.first() else { return Ok((None, Vec::new())) };
    Ok((Some(run_state(row)?), approved(row)))
}

/// What a row of `cache_sync_runs` says the run saw.
pub(in crate::store) fn run_state(row: &Row) -> Result<RunState, Failure> {
    Ok(RunState {
        as_of: row.get("as_of"),
        active_stocks: row.get::<_, i32>("active_stocks") as usize,
        closes: row.get::<_, i32>("closes") as usize,
        stocks: stocks(row),
        quarantine: quarantine(row)?,
        identities: row.get("identities"),
    })
}

/// What a row of `cache_sync_runs` says the run did not believe.
pub(in crate::store) fn quarantine(row: &Row) -> Result<Quarantine, Failure> {
    serde_json::from_str(row.get("quarantine"))
        .map_err(|problem| Failure::permanent("read what is in quarantine", problem))
}

/// The symbols that a row names as approved.
pub(in crate::store) fn approved(row: &Row) -> Vec<Symbol> {
    let symbols: Option<Vec<&str>> = row.get("approved");
    symbols.unwrap_or_default().into_iter().filter_map(Symbol::parse).collect()
}

/// Puts the parallel arrays of a run together again.
fn stocks(row: &Row) -> Vec<StockState> {
    let symbols: Vec<&str> = row.get("symbols");
    let caps: Vec<Option<i64>> = row.get("caps_cents");
    let closes: Vec<Option<f64>> = row.get("closes_dollars");
    let shares: Vec<Option<f64>> = row.get("shares");
    let sectors: Vec<Option<&str>> = row.get("sectors");
    let facts = caps.into_iter().zip(closes).zip(shares).zip(sectors);
    let stocks = symbols.into_iter().zip(facts).filter_map(|(symbol, (((cap, close), shares), sector))| {
        Some(StockState {
            symbol: Symbol::parse(symbol)?,
            cap_cents: cap,
            close_dollars: close,
            shares,
            sector: sector.and_then(Sector::from_text),
        })
    });
    stocks.collect()
}

async fn read_recent_exits(
    tx: &Transaction<'_>,
    as_of: NaiveDate,
    universes: &[UniverseName],
) -> Result<Vec<RecentExit>, Failure> {
    read_exits(tx, sessions_back(as_of, EXIT_SESSIONS), as_of, universes).await
}

/// The memberships that ended in a span of dates because the security itself went away.
pub(in crate::store) async fn read_exits(
    tx: &Transaction<'_>,
    first: NaiveDate,
    last: NaiveDate,
    universes: &[UniverseName],
) -> Result<Vec<RecentExit>, Failure> {
    let reasons = EXIT_REASONS.map(ExitReason::as_str);
    let names: Vec<&str> = universes.iter().map(UniverseName::as_str).collect();
    let sql = include_str!("../../../sql/queries/exits_read.sql");
    let rows = query(
        tx,
        DOING,
        sql,
        &[
            (&first, Type::DATE),
            (&last, Type::DATE),
            (&reasons.as_slice(), Type::TEXT_ARRAY),
            (&names, Type::TEXT_ARRAY),
        ],
    )
    .await?;
    let exits = rows.iter().filter_map(|row| {
        Some(RecentExit {
            universe: UniverseName::parse(row.get("universe")).ok()?,
            symbol: Symbol::parse(row.get("symbol"))?,
            as_of: row.get("as_of"),
            reason: ExitReason::from_text(row.get("reason"))?,
        })
    });
    Ok(exits.collect())
}

/// Who these symbols have been, and by which other symbols the same instruments have gone, in any order.
pub(in crate::store) async fn read_instruments(
    tx: &Transaction<'_>,
    symbols: &[String],
) -> Result<Vec<Instrument>, Failure> {
    if symbols.is_empty() {
        return Ok(Vec::new());
    }
    let sql = include_str!("../../../sql/queries/instruments_read.sql");
    let rows = query(tx, DOING, sql, &[(&symbols, Type::TEXT_ARRAY)]).await?;
    let instruments = rows.iter().filter_map(|row| {
        Some(Instrument {
            symbol: Symbol::parse(row.get("symbol"))?,
            lineage: row.get("lineage_id"),
            identity: identity(row),
            valid_from: row.get("valid_from"),
            valid_to: row.get("valid_to"),
        })
    });
    Ok(instruments.collect())
}

/// Who it was. Rows of earlier versions have one FIGI and don't say which; it is compared as what it mostly was.
fn identity(row: &Row) -> Identity {
    let composite_figi: Option<String> = row.get("composite_figi");
    let share_class_figi: Option<String> = row.get("share_class_figi");
    let is_told = share_class_figi.is_some() || composite_figi.is_some();
    Identity {
        share_class_figi: share_class_figi
            .or_else(|| row.get::<_, Option<String>>("figi").filter(|_| !is_told)),
        composite_figi,
        cik: row.get("cik"),
        kind: row.get::<_, Option<String>>("kind").unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(texts: &[&str]) -> Vec<Symbol> {
        texts.iter().filter_map(|text| Symbol::parse(text)).collect()
    }

    #[test]
    fn the_digest_of_members_knows_no_order_but_every_symbol() {
        assert_eq!(members_digest(&symbols(&["A", "B"])), members_digest(&symbols(&["B", "A"])));
        assert_ne!(members_digest(&symbols(&["A", "B"])), members_digest(&symbols(&["AB"])));
        assert_ne!(members_digest(&symbols(&["A"])), members_digest(&symbols(&["A", "A"])));
        assert_eq!(members_digest(&[]).len(), 16);
    }

    #[test]
    fn of_an_edited_row_the_members_of_history_remain_stored_ones_first() {
        let members = in_stored_order(symbols(&["Z", "X", "B", "Z"]), symbols(&["A", "B", "C", "Z"]));
        assert_eq!(members, symbols(&["Z", "B", "A", "C"]));
    }
}
