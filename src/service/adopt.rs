//! What the job before us left behind, and having it removed.
//!
//! Reading and removing happen in one transaction that sees the rules in force, so that what is shown is what is removed,
//! and no row that a universe of ours stands for ever is.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::failure::{Failure, postgres};
use crate::settings::Settings;
use crate::store::layout::Layout;
use crate::store::leftovers::{self, Leftover};
use crate::store::read::{read_groups, read_rules};
use crate::store::{Database, Limits};

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

/// Finds what nobody keeps, and removes it where it is asked to.
pub async fn adopt(
    database: &Database,
    settings: &Settings,
    doing: Doing,
    now: DateTime<Utc>,
) -> Result<Leftovers, Failure> {
    let mut client = database.client().await?;
    let transaction = match doing {
        Doing::Plan => client.begin_read_only(Limits::default()).await?,
        Doing::Apply => client.begin_repeatable(Limits::default()).await?,
    };
    let rules = read_rules(&transaction, &settings.entries, &Arc::new(settings.policy())).await?;
    let groups = read_groups(&transaction, &settings.entries, &rules.group_tables, &rules.policy).await?;
    let rows = match &rules.layout {
        // Rows of others are kept clean there by every sync.
        Layout::Universe => Vec::new(),
        Layout::AppV2(table) => leftovers::read(&transaction, table, &rules.policy).await?,
    };
    if doing == Doing::Apply {
        if let Layout::AppV2(table) = &rules.layout {
            leftovers::remove(&transaction, table, &rows, now).await?;
        }
        if let Some(groups) = &groups {
            groups.remove_without_universe(&transaction, &rules.policy).await?;
        }
        transaction.commit().await.map_err(postgres("remove rows of universes that nobody keeps"))?;
    }
    let statement = match rows.as_slice() {
        [] => String::new(),
        rows => leftovers::statement(&settings.entries.schema, &settings.entries.environment, rows),
    };
    let groups = groups.iter().flat_map(|groups| groups.without_universe(&rules.policy));
    Ok(Leftovers { groups: groups.map(str::to_owned).collect(), rows, statement })
}

/// Puts the rows back that were removed last; how many.
pub async fn undo(database: &Database, now: DateTime<Utc>) -> Result<i64, Failure> {
    let mut client = database.client().await?;
    let transaction = client.begin().await?;
    let restored = leftovers::restore(&transaction, now).await?;
    transaction.commit().await.map_err(postgres("put back the rows that were removed"))?;
    Ok(restored)
}
