//! `migrate`: makes or updates our tables.

use serde_json::json;

use crate::settings::{EntriesSettings, Layout};
use crate::store::migrations::{self, Migrated};

use super::Context;
use super::exit::Exit;
use super::screen;

/// Makes or updates the tables of this program
///
/// Safe to run twice and by several at once. A table that is not ours is never altered.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cache-sync migrate
  CACHE_SYNC__DATABASE__SCHEMA=staging cache-sync migrate")]
pub struct MigrateArgs {
    /// Print a JSON object: applied, already, newer, made_layout
    #[arg(long)]
    pub json: bool,
}

/// Runs `migrate`.
pub async fn migrate(args: &MigrateArgs, context: &Context) -> Result<(), Exit> {
    let settings = &context.settings;
    let migrated = migrations::migrate(&context.database()?, &settings.source, &settings.entries).await?;
    if let Some(warning) = warning(&settings.entries, &migrated) {
        screen::remark(&warning);
    }
    if args.json {
        screen::print_json(&json!(migrated))
    } else {
        screen::print(&render_migrated(&settings.database.schema, &migrated))
    }
}

/// That `AppV2` can't start on the table that was made, where nobody has said which it shall be.
fn warning(entries: &EntriesSettings, migrated: &Migrated) -> Option<String> {
    let is_guess = entries.layout == Layout::Auto && migrated.made_layout == Some(Layout::Universe.as_str());
    is_guess.then(|| {
        let table = format!("{}.cache_entries", entries.schema);
        format!(
            "note: {table} was missing and has been made in the universe layout, on which AppV2 can't start. If AppV2 \
             uses this database, run: drop table {table}; and migrate again with database.layout = \"appv2\". If it does \
             not, set database.layout to \"universe\""
        )
    })
}

/// What migrating did.
pub fn render_migrated(schema: &str, migrated: &Migrated) -> String {
    let Migrated { applied, already, newer, made_layout: _ } = migrated;
    let mut text: String = applied.iter().map(|name| format!("applied {name}\n")).collect();
    text += &match (applied.len(), already.len()) {
        (0, _) => format!("Schema {schema} is up to date, {}.\n", migrations(already.len())),
        (now, 0) => format!("Schema {schema} is ready, {} applied.\n", migrations(now)),
        (now, before) => {
            format!("Schema {schema} is up to date, {} applied, {before} before.\n", migrations(now))
        }
    };
    if !newer.is_empty() {
        text += &format!(
            "A newer version of cache-sync has applied {} here that this one does not know.\n",
            migrations(newer.len())
        );
    }
    text
}

fn migrations(number: usize) -> String {
    screen::counted(number, "migration", "migrations")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_says_what_it_did_and_what_was_done_already() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let shown = |applied: &[&str], already: &[&str], newer: &[&str]| {
            let migrated = Migrated {
                applied: names(applied),
                already: names(already),
                newer: names(newer),
                made_layout: None,
            };
            render_migrated("public", &migrated)
        };
        insta::assert_snapshot!(shown(&["0001_tables"], &[], &[]), @r"
        applied 0001_tables
        Schema public is ready, 1 migration applied.
        ");
        insta::assert_snapshot!(shown(&["0002_more"], &["0001_tables"], &[]), @r"
        applied 0002_more
        Schema public is up to date, 1 migration applied, 1 before.
        ");
        insta::assert_snapshot!(shown(&[], &["0001_tables"], &["0009_future"]), @r"
        Schema public is up to date, 1 migration.
        A newer version of cache-sync has applied 1 migration here that this one does not know.
        ");
    }
}
