//! What the job before us left behind, and having it removed.
//!
//! Reading and removing happen in one transaction that sees the rules in force, so that what is shown is what is removed,
//! and no row that a universe of ours stands for ever is.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::failure::Failure;
use crate::settings::Settings;
use crate::store::apply::{remove_leftovers, restore_leftovers};
use crate::store::layout::Layout;
use crate::store::layout::groups::Groups;
use crate::store::lease::Lease;
use crate::store::leftovers::{self, Leftover};
use crate::store::read::{Rules, read_groups, read_rules};
use crate::store::{Database, Limits, Transaction};

/// What nobody keeps any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Rows of `cache_entries`.
    pub rows: Vec<Leftover>,
    /// Groups of ours that belong to no universe any more, by name. The sync makes them again where they are wanted.
    pub groups: Vec<String>,
    /// What would remove the rows; empty where there are none.
    pub statement: String,
}

/// Whether something is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Only look.
    Plan,
    /// Remove it.
    Apply,
}

/// What nobody keeps, as it was found in a transaction.
struct Found {
    rules: Rules,
    groups: Option<Groups>,
    rows: Vec<Leftover>,
}

/// Finds what nobody keeps, and removes it where it is asked to.
pub async fn adopt(
    database: &Database,
    settings: &Settings,
    doing: Doing,
    now: DateTime<Utc>,
) -> Result<Leftovers, Failure> {
    let found = match doing {
        Doing::Plan => {
            let mut client = database.client().await?;
            find(&client.begin_read_only(Limits::default()).await?, settings).await?
        }
        Doing::Apply => apply(database, settings, now).await?,
    };
    let Found { rules, groups, rows } = found;
    let statement = match rows.as_slice() {
        [] => String::new(),
        rows => leftovers::statement(&settings.entries.schema, &settings.entries.environment, rows),
    };
    let groups = groups.iter().flat_map(|groups| groups.without_universe(&rules.policy));
    Ok(Leftovers { groups: groups.map(str::to_owned).collect(), rows, statement })
}

async fn find(transaction: &Transaction<'_>, settings: &Settings) -> Result<Found, Failure> {
    let rules = read_rules(transaction, &settings.entries, &Arc::new(settings.policy())).await?;
    let groups = read_groups(transaction, &settings.entries, &rules.group_tables, &rules.policy).await?;
    let rows = match &rules.layout {
        // Rows of others are kept clean there by every sync.
        Layout::Universe => Vec::new(),
        Layout::AppV2(table) => leftovers::read(transaction, table, &rules.policy).await?,
    };
    Ok(Found { rules, groups, rows })
}

/// Under the lease, so that no sync writes what is being removed.
async fn apply(database: &Database, settings: &Settings, now: DateTime<Utc>) -> Result<Found, Failure> {
    let mut client = database.dedicated().await?;
    let lease = Lease::acquire(&mut client, Limits::default()).await?;
    let found = find(lease.transaction(), settings).await?;
    if let Layout::AppV2(table) = &found.rules.layout {
        remove_leftovers(&lease, table, &found.rows, now).await?;
    }
    if let Some(groups) = &found.groups {
        groups.remove_without_universe(lease.transaction(), &found.rules.policy).await?;
    }
    lease.commit().await?;
    Ok(found)
}

/// Puts the rows back that were removed last; how many.
pub async fn undo(database: &Database, now: DateTime<Utc>) -> Result<i64, Failure> {
    let mut client = database.dedicated().await?;
    let lease = Lease::acquire(&mut client, Limits::default()).await?;
    let restored = restore_leftovers(&lease, now).await?;
    lease.commit().await?;
    Ok(restored)
}
