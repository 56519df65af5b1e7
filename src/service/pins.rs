//! Pinning and banning: a person's word against the rules, checked before it is written.
//!
//! A name that nobody knows is refused with the nearest known one, for a pin that is misspelled would do nothing for
//! months. Of a symbol and universe there is one decision: a pin in force stands in the way of a ban, and the other way
//! round. What is over stands in nobody's way.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};

use crate::domain::calendar::new_york_date;
use crate::domain::pin::{Pin, PinKind};
use crate::domain::security::Security;
use crate::domain::symbol::{Symbol, symbol_key};
use crate::domain::universe::UniverseName;
use crate::failure::Failure;
use crate::plan::explain::nearest_symbol;
use crate::plan::given::snapshot::Snapshot;
use crate::plan::members::universes::Universe;
use crate::plan::{excludes_each_other, idle_pins};
use crate::settings::{Settings, nearest};
use crate::store::pins::{self, StoredPin};
use crate::store::read::source::{Source, read_securities};
use crate::store::read::{Rules, read_rules};
use crate::store::{Database, Limits};

/// What somebody wants.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which way.
    pub kind: PinKind,
    /// The symbol, in whatever spelling of its share class.
    pub symbol: String,
    /// The universe.
    pub universe: String,
    /// Why.
    pub reason: String,
    /// The last date for which it counts.
    pub until: Option<NaiveDate>,
    /// Who wants it.
    pub created_by: String,
}

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// It is written.
    Written {
        /// As this.
        stored: StoredPin,
        /// In place of this, where the same had been decided before.
        replaced: Option<StoredPin>,
        /// Why it has no effect as things stand, where it has none.
        idle: Option<String>,
    },
    /// The source has no such symbol.
    UnknownSymbol {
        /// The one that may have been meant.
        nearest: Option<String>,
    },
    /// There is no such universe.
    UnknownUniverse {
        /// The one that may have been meant.
        nearest: Option<String>,
    },
    /// Something else was decided before.
    InTheWay(StoredPin),
}

/// Every pin and ban, those that are over included.
pub async fn list(database: &Database) -> Result<Vec<StoredPin>, Failure> {
    let mut client = database.client().await?;
    let tx = client.begin_read_only(Limits::default()).await?;
    pins::list(&tx).await
}

/// Checks a wish and writes it. It counts from the next sync on.
pub async fn decide(
    database: &Database,
    settings: &Settings,
    wish: Wish,
    now: DateTime<Utc>,
) -> Result<Decided, Failure> {
    let mut client = database.client().await?;
    let tx = client.begin().await?;
    let Rules { policy, .. } = read_rules(&tx, &settings.entries, &Arc::new(settings.policy())).await?;
    let universes: BTreeSet<UniverseName> = Universe::kinds_by_name(&policy).into_keys().collect();
    let Some(universe) = universes.get(wish.universe.as_str()) else {
        let nearest = nearest(&wish.universe, universes.iter().map(UniverseName::as_str));
        return Ok(Decided::UnknownUniverse { nearest: nearest.map(ToOwned::to_owned) });
    };
    let source = Source::discover(&tx, &settings.source).await?;
    let securities = read_securities(&tx, &source, None).await?.securities;
    let Some(symbol) = find(&securities, &wish.symbol) else {
        let symbols = securities.iter().map(|security| &security.symbol);
        let nearest = nearest_symbol(symbols, &wish.symbol);
        return Ok(Decided::UnknownSymbol { nearest: nearest.map(ToString::to_string) });
    };

    let Wish { kind, reason, until, created_by, .. } = wish;
    let pin = Pin { kind, symbol, universe: universe.clone(), reason, until };
    let today = new_york_date(now);
    let known = pins::list(&tx).await?;
    let of_symbol = || known.iter().filter(|stored| stored.pin.symbol.is_spelling_of(&pin.symbol));
    let in_the_way = |stored: &&StoredPin| {
        let other = &stored.pin;
        let contradicts = other.kind != kind && other.universe == pin.universe;
        let is_elsewhere = kind == PinKind::Pin
            && other.kind == PinKind::Pin
            && excludes_each_other(&pin.universe, &other.universe);
        other.is_in_force(today) && (contradicts || is_elsewhere)
    };
    if let Some(other) = of_symbol().find(in_the_way) {
        return Ok(Decided::InTheWay(other.clone()));
    }
    let replaced = of_symbol().find(|stored| stored.pin.universe == pin.universe).cloned();
    if let Some(old) = &replaced {
        // The source may spell the symbol otherwise now.
        pins::remove(&tx, &old.pin).await?;
    }
    pins::write(&tx, &pin, now, &created_by).await?;
    tx.commit().await.map_err(crate::failure::postgres("write a pin or ban"))?;

    let others = known.into_iter().map(|stored| stored.pin);
    let others = others.filter(|other| replaced.as_ref().is_none_or(|old| old.pin != *other));
    let pins = others.chain([pin.clone()]).collect();
    let as_of = securities.iter().filter_map(|security| security.close).map(|close| close.date).max();
    let snapshot = Snapshot { securities, pins, ..Snapshot::default() };
    let idle = idle_pins(&snapshot, as_of.unwrap_or(today), &policy);
    let about = format!("{} is pinned to {}, ", pin.symbol, pin.universe);
    let idle = idle.into_iter().find(|sentence| kind == PinKind::Pin && sentence.starts_with(&about));
    Ok(Decided::Written { stored: StoredPin { pin, created_at: now, created_by }, replaced, idle })
}

/// Takes a decision back; `None` where there was none, with what else was decided of the symbol.
pub async fn take_back(
    database: &Database,
    kind: PinKind,
    symbol: &str,
    universe: &str,
) -> Result<Result<StoredPin, Vec<StoredPin>>, Failure> {
    let mut client = database.client().await?;
    let tx = client.begin().await?;
    let known = pins::list(&tx).await?;
    let of_symbol = |stored: &StoredPin| stored.pin.symbol.key() == symbol_key(symbol);
    let is_meant = |stored: &StoredPin| stored.pin.kind == kind && stored.pin.universe.as_str() == universe;
    let mut of_symbol: Vec<StoredPin> = known.into_iter().filter(of_symbol).collect();
    let Some(place) = of_symbol.iter().position(is_meant) else { return Ok(Err(of_symbol)) };
    let meant = of_symbol.swap_remove(place);
    pins::remove(&tx, &meant.pin).await?;
    tx.commit().await.map_err(crate::failure::postgres("take a pin or ban back"))?;
    Ok(Ok(meant))
}

/// The symbol as the source spells it; of several spellings the one that was asked for, else the first.
fn find(securities: &[Security], text: &str) -> Option<Symbol> {
    let key = symbol_key(text);
    let spellings = securities.iter().map(|security| &security.symbol).filter(|symbol| symbol.key() == key);
    spellings.min_by_key(|symbol| (symbol.as_str() != text.trim(), *symbol)).cloned()
}
