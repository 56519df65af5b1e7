//! Decides past days again, in one transaction that can't write and takes no lease.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;

use crate::domain::calendar;
use crate::domain::task::Mode;
use crate::failure::Failure;
use crate::plan::policy::Policy;
use crate::plan::replay::{Decided, Replay};
use crate::settings::Settings;
use crate::store::past::{Known, Past};
use crate::store::reading::Sources;
use crate::store::{Database, Limits};

/// Bounds of one statement of a replay: somebody waits for it at a screen, but for more than one day.
const LIMITS: Limits = Limits { statement: Duration::from_secs(300), lock: Duration::from_secs(5) };

/// Which days to decide again, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayOrder {
    /// The first day.
    pub from: NaiveDate,
    /// The last one.
    pub to: NaiveDate,
    /// Which sub-tasks.
    pub mode: Mode,
    /// Whether the size guards are open.
    pub accept_churn: bool,
}

impl ReplayOrder {
    /// The sessions of the span, in order.
    pub fn sessions(&self) -> Vec<NaiveDate> {
        let first =
            if calendar::is_session(self.from) { self.from } else { calendar::next_session(self.from) };
        let sessions = std::iter::successors(Some(first), |date| Some(calendar::next_session(*date)));
        sessions.take_while(|date| *date <= self.to).collect()
    }
}

/// How a replay goes on, told as it does.
#[derive(Debug)]
pub enum Turn<'a> {
    /// It begins.
    Begins {
        /// The rules in force.
        policy: &'a Policy,
        /// What is known of the past.
        known: &'a Known,
        /// How many days there are.
        days: usize,
    },
    /// A day is decided.
    Day {
        /// The day.
        date: NaiveDate,
        /// What became of it.
        decided: &'a Decided,
    },
}

/// Decides every session of a span again, each on what the one before left behind, for as long as `watch` wants it.
pub async fn replay(
    database: &Database,
    settings: &Settings,
    order: &ReplayOrder,
    mut watch: impl FnMut(Turn<'_>) -> bool,
) -> Result<(), Failure> {
    let mut client = database.dedicated().await?;
    let transaction = client.begin_read_only(LIMITS).await?;
    let policy = Arc::new(settings.policy());
    let from = Sources { source: &settings.source, entries: &settings.entries, policy: &policy };
    let (mut past, beginning) = Past::read(&transaction, from, order.from).await?;
    let policy = Arc::clone(&past.policy);
    let sessions = order.sessions();
    let mut goes_on = watch(Turn::Begins { policy: &policy, known: &past.known, days: sessions.len() });
    let mut replay = Replay::new(&policy, order.mode, order.accept_churn, beginning);
    for date in sessions {
        if !goes_on {
            break;
        }
        let securities = past.securities(&transaction, date).await?;
        let decided = replay.day(date, securities);
        goes_on = watch(Turn::Day { date, decided: &decided });
    }
    Ok(())
}
