//! Looks at the group tables of `AppV2`, from which its newer versions take their universes.

use crate::store::Transaction;

use crate::domain::universe::CacheType;
use crate::domain::wording::first_few;
use crate::failure::Failure;
use crate::plan::given::policy::Policy;
use crate::plan::members::universes::Universe;
use crate::settings::EntriesSettings;
use crate::store::layout::groups::Groups;
use crate::store::layout::groups::tables::{Flaw, GroupTables};
use crate::store::read::{Rules, read_groups};

use super::Finding;

const SUBJECT: &str = "groups";

/// What a sync would make of the group tables.
pub(super) async fn examine(
    transaction: &Transaction<'_>,
    settings: &EntriesSettings,
    rules: &Rules,
) -> Result<Vec<Finding>, Failure> {
    let schema = &settings.schema;
    Ok(match &rules.group_tables {
        GroupTables::Off | GroupTables::Missing => Vec::new(),
        GroupTables::Half { missing } => {
            let (is, lacks) = match *missing {
                "definition_groups" => ("group_memberships", "definition_groups"),
                _ => ("definition_groups", "group_memberships"),
            };
            vec![Finding::warn(
                SUBJECT,
                format!("there is a table {is}, but no {lacks}, so no groups are written"),
                "let AppV2 make both, or set database.groups to \"off\"",
            )]
        }
        GroupTables::Unusable(Flaw { what, remedy }) => {
            vec![Finding::error(SUBJECT, format!("{schema}.{what}"), remedy.clone())]
        }
        tables @ GroupTables::Usable => {
            let groups = read_groups(transaction, settings, tables, &rules.policy).await?;
            groups.iter().flat_map(|groups| findings(settings, groups, &rules.policy)).collect()
        }
    })
}

fn findings(settings: &EntriesSettings, groups: &Groups, policy: &Policy) -> Vec<Finding> {
    let EntriesSettings { schema, environment, .. } = settings;
    let refused = groups.refusal(policy).map(|refusal| {
        let remedy =
            "rename or remove that group, or set database.adopt_existing; until then every sync is refused";
        Finding::error(SUBJECT, refusal.text, remedy)
    });
    let is_written = Finding::ok(
        SUBJECT,
        format!(
            "{schema}.definition_groups and group_memberships are written too, in environment {environment}"
        ),
    );
    let stale = groups.without_universe(policy);
    let stale = (!stale.is_empty()).then(|| {
        Finding::warn(
            SUBJECT,
            format!(
                "{} groups of ours belong to no universe of database.group_universes: {}",
                stale.len(),
                first_few(stale.iter())
            ),
            "nobody keeps them; `cache-sync adopt --plan` shows what removes them",
        )
    });
    let unknown: Vec<&String> =
        settings.group_universes.iter().filter(|word| !names_something(word, policy)).collect();
    let unknown = (!unknown.is_empty()).then(|| {
        Finding::warn(
            SUBJECT,
            format!(
                "database.group_universes names {}, which is neither a kind of universe nor a universe",
                first_few(unknown.into_iter())
            ),
            "correct the list",
        )
    });
    refused.into_iter().chain([is_written]).chain(stale).chain(unknown).collect()
}

fn names_something(word: &str, policy: &Policy) -> bool {
    CacheType::from_text(word).is_some() || Universe::kinds_by_name(policy).contains_key(word)
}
