//! `reject`: a date that is not synced, whatever closes it has.

use std::time::Duration;

use chrono::NaiveDate;

use crate::store::lease::Lease;
use crate::store::rejected::{self, RejectedDate, Rejection};
use crate::store::{Limits, apply};

use super::exit::Exit;
use super::{Context, now, screen};

/// Bounds of the change: a sync may have the lease meanwhile.
const LIMITS: Limits = Limits { statement: Duration::from_secs(60), lock: Duration::from_secs(60) };

/// Rejects a date: its closes don't count, and it is not synced until that is taken back
///
/// For an import that is bad as a whole, so that a revert lasts; and for a date that never was, of bars with a wrong
/// year, before which nothing would be synced any more. What jobs of that date have written is reverted first. Without a
/// date it lists those that are rejected.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync reject
  cache-sync revert eod-2026-03-11 --wait && cache-sync reject 2026-03-11 --reason 'the feed repeated the day before'
  cache-sync reject 2026-03-11 --undo")]
pub struct RejectArgs {
    /// The date of the closes
    date: Option<NaiveDate>,
    /// Why, for whoever finds it
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Who says so, for the record
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "unknown")]
    by: String,
    /// Take it back
    #[arg(long, requires = "date")]
    undo: bool,
}

/// Runs `reject`.
pub async fn reject(args: &RejectArgs, context: &Context) -> Result<(), Exit> {
    let mut client = context.database()?.dedicated().await?;
    let Some(as_of) = args.date else {
        let transaction = client.begin_read_only(Limits::default()).await?;
        return screen::print(&listed(&rejected::list(&transaction).await?));
    };
    if args.undo {
        let lease = Lease::acquire(&mut client, LIMITS).await?;
        let was_rejected = rejected::accept(lease.transaction(), as_of).await?;
        lease.commit().await?;
        return if was_rejected {
            screen::print(&format!("{as_of} is no longer rejected; the next job for it syncs it\n"))
        } else {
            Err(Exit::NotDone(format!("{as_of} is not rejected; `cache-sync reject` lists what is")))
        };
    }
    let reason = args.reason.trim();
    if reason.is_empty() {
        return Err(Exit::Usage("--reason is missing; say why, for whoever finds it there".to_owned()));
    }
    let (rejected_by, reason) = (args.by.clone(), reason.to_owned());
    let date = RejectedDate { as_of, rejected_at: now(), rejected_by, reason };
    let lease = Lease::acquire(&mut client, LIMITS).await?;
    match rejected::reject(&lease, &date).await? {
        Rejection::Written { forget_since } => {
            if let Some(before) = forget_since {
                apply::forget_date(&lease, as_of, before).await?;
            }
            lease.commit().await?;
            screen::print(&format!("{as_of} is rejected; its closes don't count until that is taken back\n"))
        }
        Rejection::Applied(jobs) => Err(Exit::NotDone(applied(as_of, &jobs))),
    }
}

fn applied(as_of: NaiveDate, jobs: &[String]) -> String {
    let first = jobs.first().map_or("JOB", String::as_str);
    format!(
        "the universes stand as a sync of {as_of} has left them; revert it first: cache-sync revert {first} --wait"
    )
}

fn listed(rejected: &[RejectedDate]) -> String {
    if rejected.is_empty() {
        return "no date is rejected\n".to_owned();
    }
    let line = |date: &RejectedDate| {
        format!(
            "{}  by {} on {}: {}\n",
            date.as_of,
            date.rejected_by,
            date.rejected_at.date_naive(),
            date.reason
        )
    };
    rejected.iter().map(line).collect()
}
