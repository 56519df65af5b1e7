//! A person's word on single values: what hangs on it, and taking it back.
//!
//! Approving stands in [`approve_value`](super::approve_value). Everything here reads the market of the newest complete
//! date as the next sync would, so what is shown is what would come of it.

use chrono::{DateTime, Utc};

use crate::domain::job::{JobId, JobRequest};
use crate::domain::symbol::Symbol;
use crate::domain::task::Mode;
use crate::failure::{Failure, postgres};
use crate::plan::Order;
use crate::plan::given::notice::Refusal;
use crate::plan::impact::{Hanging, Impact, hanging};
use crate::plan::market::Market;
use crate::plan::market::screening::{Distrusted, TakenValue};
use crate::plan::market_of;
use crate::settings::Settings;
use crate::store::quarantine::{self, QuarantineNow};
use crate::store::read::Ready;
use crate::store::{Database, Limits, distrusts};

use super::{PREVIEW_LIMITS, read_for};

/// What came of doubting a value by hand.
#[derive(Debug)]
pub enum Distrust {
    /// The next sync goes by the good value.
    Given {
        /// What is doubted, and the good value.
        distrusted: Distrusted,
        /// Whether nobody had said so before.
        is_new: bool,
        /// What comes of it, or why that can't be told.
        impact: Result<Impact, Refusal>,
    },
    /// No stock of the market has the symbol.
    UnknownSymbol,
    /// Its value is in quarantine already.
    InQuarantine,
    /// It is approved: one of the two has to be taken back.
    Approved,
    /// It has had this value for as long as is known.
    NothingElseKnown,
    /// Values are not screened.
    SwitchedOff,
}

/// What approving `symbol` would come to in the next full sync.
pub async fn impact_of_approval(
    database: &Database,
    settings: &Settings,
    symbol: &Symbol,
    now: DateTime<Utc>,
) -> Result<Result<Impact, Refusal>, Failure> {
    let ready = read_full(database, settings, now).await?;
    Ok(ready
        .and_then(|ready| Impact::of_approval(&ready.snapshot, &ready.policy, full_order(&ready), symbol)))
}

/// What is in quarantine, with what hangs on each value; the plain list where the market can't be read.
pub async fn quarantine_with_what_hangs(
    database: &Database,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<(QuarantineNow, Vec<Hanging>), Failure> {
    let mut client = database.client().await?;
    let transaction = client.begin_read_only(Limits::default()).await?;
    let found = quarantine::read(&transaction).await?;
    drop(transaction);
    if found.symbols.is_empty() {
        return Ok((found, Vec::new()));
    }
    let plain =
        |entry: &_| Hanging { entry: Clone::clone(entry), name: None, universes: Vec::new(), seats: 0 };
    let hanging = match read_full(database, settings, now).await? {
        Ok(ready) => {
            let market = market_of(&ready.snapshot, ready.as_of, &ready.policy);
            hanging(&found.symbols, &market, &ready.snapshot, &ready.policy)
        }
        Err(_) => found.symbols.iter().map(plain).collect(),
    };
    Ok((found, hanging))
}

/// Has the next sync doubt the value of `symbol` and go by the last one that differs.
pub async fn distrust_value(
    database: &Database,
    settings: &Settings,
    symbol: &Symbol,
    word: Word<'_>,
    now: DateTime<Utc>,
) -> Result<Distrust, Failure> {
    if !settings.policy().guards.quarantine {
        return Ok(Distrust::SwitchedOff);
    }
    let ready = match read_full(database, settings, now).await? {
        Ok(ready) => ready,
        Err(refusal) => return Err(Failure::permanent("doubt the value", refusal)),
    };
    let (index_symbol, found) = {
        let market = market_of(&ready.snapshot, ready.as_of, &ready.policy);
        let Some(index) = market.index_of(symbol) else { return Ok(Distrust::UnknownSymbol) };
        if market.quarantined_at(index).is_some() {
            return Ok(Distrust::InQuarantine);
        }
        (market.security(index).symbol.clone(), found_value(&market, index))
    };
    if ready.snapshot.approved.iter().any(|approved| approved.is_spelling_of(&index_symbol)) {
        return Ok(Distrust::Approved);
    }
    let mut client = database.client().await?;
    let transaction = client.begin().await?;
    let mut values = distrusts::values_taken(&transaction, &index_symbol).await?;
    // What the next sync would find comes before what the last ones took, where it is of a later date.
    if let Some(found) = found.filter(|found| values.first().is_none_or(|taken| taken.as_of < found.as_of)) {
        values.insert(0, found);
    }
    let Some(distrusted) = Distrusted::first_of(&index_symbol, &values) else {
        return Ok(Distrust::NothingElseKnown);
    };
    let is_new = distrusts::write(&transaction, &distrusted, word.by, word.reason, now).await?;
    transaction.commit().await.map_err(postgres("doubt the value"))?;
    let impact = Impact::of_distrust(&ready.snapshot, &ready.policy, full_order(&ready), &distrusted);
    Ok(Distrust::Given { distrusted, is_new, impact })
}

/// Who doubts a value, and why.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// Who.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
}

/// What a person may take back as long as no sync has used it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// That a value is right.
    Approval,
    /// That it is wrong.
    Distrust,
}

/// Takes a word on the value of `symbol` back; `false` where no open one was given.
pub async fn take_back(database: &Database, symbol: &Symbol, what: Taken) -> Result<bool, Failure> {
    let mut client = database.client().await?;
    let transaction = client.begin().await?;
    let is_taken = match what {
        Taken::Approval => quarantine::withdraw(&transaction, symbol).await?,
        Taken::Distrust => distrusts::remove(&transaction, symbol).await?,
    };
    transaction.commit().await.map_err(postgres("take a word on a value back"))?;
    Ok(is_taken)
}

fn found_value(market: &Market, index: u32) -> Option<TakenValue> {
    let close_dollars = market.security(index).close_dollars().filter(|close| *close > 0.0)?;
    let cap_cents = market.found_cap(index)?.cents() as i64;
    Some(TakenValue { as_of: market.as_of(), cap_cents, close_dollars })
}

fn full_order(ready: &Ready) -> Order {
    Order { mode: Mode::Full, accept_churn: false, as_of: ready.as_of }
}

async fn read_full(
    database: &Database,
    settings: &Settings,
    now: DateTime<Utc>,
) -> Result<Result<Ready, Refusal>, Failure> {
    let mut client = database.dedicated().await?;
    let transaction = client.begin_read_only(PREVIEW_LIMITS).await?;
    read_for(&transaction, settings, JobRequest::new(JobId::fresh(), Mode::Full, "cli", now)).await
}
