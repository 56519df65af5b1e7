//! Every file of `sql/queries` is a statement that Postgres takes over the migrated tables.

use cache_sync::store::Limits;
use cache_sync::store::read::source::{SourceTables, Volumes};

use super::world::World;

/// Templates: `store::read::source` fills their braces in, and its tests run them.
const TEMPLATES: [&str; 2] = ["closes_reread.sql", "securities_read.sql"];
/// Those that want a table of `AppV2`; the tests of that layout and of groups run them.
const OF_APPV2: [&str; 16] = [
    "appv2_entries_create.sql",
    "appv2_config_read.sql",
    "appv2_rows_read.sql",
    "appv2_rows_remove.sql",
    "appv2_rows_upsert.sql",
    "groups_checks_try.sql",
    "groups_keep.sql",
    "groups_members_join.sql",
    "groups_members_leave.sql",
    "groups_read.sql",
    "groups_remove.sql",
    "groups_restore.sql",
    "groups_upsert.sql",
    "leftovers_read.sql",
    "leftovers_remove.sql",
    "revert_rows_appv2.sql",
];

#[tokio::test]
async fn every_query_can_be_prepared_over_the_migrated_tables() {
    let world = World::migrated().await;
    let mut client = world.dedicated().await;
    let tx = client.begin().await.unwrap();
    tx.batch_execute(include_str!("../../sql/queries/staged_create.sql")).await.unwrap();
    tx.batch_execute(include_str!("../../sql/queries/past_staged_create.sql")).await.unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/queries");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let sql = std::fs::read_to_string(&path).unwrap();
        assert!(sql.starts_with("-- "), "{name} has no header");
        if TEMPLATES.contains(&name.as_str()) || OF_APPV2.contains(&name.as_str()) {
            continue;
        }
        if let Err(error) = tx.prepare(&sql).await {
            panic!("{name}: {error}");
        }
    }
}

#[tokio::test]
async fn the_templates_can_be_prepared_over_the_usual_source() {
    let world = World::migrated().await;
    let mut client = world.dedicated().await;
    let tx = client.begin_read_only(Limits::default()).await.unwrap();
    for volumes in [Volumes::Unread, Volumes::Read] {
        let source = SourceTables::discover_with(&tx, &world.source, volumes).await.unwrap();
        let of_all = [source.securities_sql(false), source.securities_sql(true)];
        assert!(of_all.iter().all(|sql| sql.contains("volume") == (volumes == Volumes::Read)), "{of_all:?}");
        let of_some = source.closes_sql();
        assert!(of_some.contains("volume"), "{of_some}");
        for sql in of_all.iter().chain([&of_some]) {
            tx.prepare(sql).await.unwrap();
        }
    }
}
