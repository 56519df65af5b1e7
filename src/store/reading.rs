//! Reads what a job decides on: the market, the date, the state of our universes, all in one transaction.
//!
//! The sync and the `plan` command share it, so that what is shown is what would be done.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use tokio_postgres::Transaction;

use super::snapshot::{self, Applied, Wanted};
use super::source::{self, Market, Source};
use crate::domain::job::JobRequest;
use crate::domain::security::Security;
use crate::domain::task::SyncTask;
use crate::domain::universe::UniverseName;
use crate::failure::Failure;
use crate::plan::date::{Coverage, DateChoice, closes_text};
use crate::plan::outcome::{Refusal, Warning};
use crate::plan::policy::Policy;
use crate::plan::snapshot::Snapshot;
use crate::settings::SourceSettings;

/// What a job found to decide on.
#[derive(Debug)]
pub enum Reading {
    /// A snapshot of one date.
    Ready {
        /// The date.
        as_of: NaiveDate,
        /// That a newer date was passed over, where one was.
        warning: Option<Warning>,
        /// The snapshot.
        snapshot: Box<Snapshot>,
    },
    /// The import is not complete; what was seen of it.
    Incomplete {
        /// `3,412 of 5,600 closes on 2026-03-02`.
        seen: String,
    },
    /// Nothing needs to be done for an automatic job.
    Needless(Warning),
    /// There is nothing to decide on, and waiting would not help.
    Refused(Refusal),
}

/// Reads for `request` inside the caller's repeatable-read transaction.
pub async fn read(
    tx: &Transaction<'_>,
    settings: &SourceSettings,
    policy: &Policy,
    request: &JobRequest,
) -> Result<Reading, Failure> {
    let source = Source::discover(tx, settings).await?;
    let market = source::read_securities(tx, &source, None).await?;
    let coverage = coverage_of(&market, snapshot::read_applied(tx).await?);
    match coverage.date_for(request) {
        DateChoice::Skip(why) => Ok(Reading::Needless(why)),
        DateChoice::Wait { have, usual, date, .. } => {
            Ok(Reading::Incomplete { seen: format!("{} on {date}", closes_text(have, usual)) })
        }
        DateChoice::Refuse(refusal) => Ok(Reading::Refused(refusal)),
        DateChoice::Sync { as_of, warning } => {
            let universes: Vec<UniverseName> = policy.universes().into_keys().collect();
            let cleans = request.mode.runs(SyncTask::DelistedCleanup);
            let protected: Option<&BTreeSet<String>> = cleans.then_some(&policy.protected_types);
            let wanted = Wanted { as_of, universes: &universes, clean_foreign: protected };
            let snapshot = snapshot::read_snapshot(tx, &source, market, wanted).await?;
            Ok(Reading::Ready { as_of, warning, snapshot: Box::new(snapshot) })
        }
    }
}

/// How far the data reaches, counted from what was read.
pub fn coverage_of(market: &Market, applied: Applied) -> Coverage {
    let active: Vec<&Security> =
        market.securities.iter().filter(|security| security.active == Some(true)).collect();
    let mut latest_closes = BTreeMap::new();
    for close in active.iter().filter_map(|security| security.close) {
        *latest_closes.entry(close.date).or_insert(0) += 1;
    }
    Coverage {
        latest_closes,
        active: active.len(),
        last_applied: applied.last,
        last_modes: applied.last_modes,
        applied_closes: applied.recent_closes,
    }
}
