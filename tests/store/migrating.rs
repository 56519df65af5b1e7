//! Migrating: what it makes, what it leaves alone and what it refuses.

use cache_sync::failure::Failure;
use cache_sync::settings::Layout;

use super::world::{MARKET, World};

/// Every relation of a schema with its columns, defaults, constraints and indexes, and the rows of `cache_entries`.
async fn portrait_of_entries(world: &World) -> Vec<String> {
    let mut portrait = world
        .ask(
            "select a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                    pg_get_expr(d.adbin, d.adrelid)
             from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
             where a.attrelid = 'cache_entries'::regclass order by 1",
        )
        .await;
    portrait.extend(
        world
            .ask(
                "select pg_get_indexdef(indexrelid) from pg_index where indrelid = 'cache_entries'::regclass
                 union all select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'cache_entries'::regclass
                 union all select tgname from pg_trigger where tgrelid = 'cache_entries'::regclass
                 order by 1",
            )
            .await,
    );
    portrait.extend(world.ask("select ctid, xmin, e.* from cache_entries e order by id").await);
    portrait
}

async fn refusal(world: &World) -> String {
    let failure = world.migrate().await.unwrap_err();
    assert!(matches!(failure, Failure::Permanent { .. }), "{failure:?}");
    failure.to_string()
}

/// Every migration there is, as it is called when it is applied.
fn all() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/migrations");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut names: Vec<String> =
        files.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

async fn tables(world: &World) -> Vec<String> {
    world.ask("select tablename from pg_tables where schemaname = 'public' order by 1").await
}

#[tokio::test]
async fn migrating_twice_does_nothing_the_second_time() {
    let world = World::with_market().await;
    let first = world.migrate().await.unwrap();
    assert_eq!(first.applied, all());
    let made = world.ask("select oid, relname from pg_class order by 1").await;
    let second = world.migrate().await.unwrap();
    assert!(second.applied.is_empty());
    assert_eq!(second.already, all());
    assert_eq!(world.ask("select oid, relname from pg_class order by 1").await, made);
}

#[tokio::test]
async fn eight_at_once_migrate_once() {
    let world = World::with_market().await;
    let processes = (0..8).map(|_| {
        let other = world.in_schema("fresh");
        tokio::spawn(async move { other.migrate().await.unwrap().applied.len() })
    });
    let mut applied = 0;
    for task in processes.collect::<Vec<_>>() {
        applied += task.await.unwrap();
    }
    assert_eq!(applied, all().len());
}

#[tokio::test]
async fn a_missing_schema_is_made_where_the_role_may() {
    let world = World::with_market().await;
    world
        .sql("create role guest login password 'guest'; grant select on symbols, ohlcv_daily to guest")
        .await;
    let guest = world.in_schema("mine").as_role("guest", "guest");
    let sentence = refusal(&guest).await;
    assert!(sentence.contains("permission denied for database"), "{sentence}");

    world.in_schema("mine").migrate().await.unwrap();
    assert_eq!(world.ask("select count(*) from mine.cache_sync_jobs").await, ["0"]);
}

#[tokio::test]
async fn a_role_that_may_use_the_schema_needs_no_right_to_make_one() {
    let world = World::with_market().await;
    world
        .sql(
            "create role tenant login password 'tenant'; create schema mine authorization tenant;
             grant select on symbols, ohlcv_daily to tenant",
        )
        .await;
    let tenant = world.in_schema("mine").as_role("tenant", "tenant");
    assert_eq!(tenant.migrate().await.unwrap().applied, all());
    assert!(tenant.migrate().await.unwrap().applied.is_empty());
}

#[tokio::test]
async fn a_foreign_table_of_one_of_our_names_is_refused_and_nothing_is_made() {
    for foreign in ["cache_sync_outbox", "cache_sync_migrations", "universe_membership"] {
        let world = World::with_market().await;
        world.sql(&format!("create table {foreign} (theirs int)")).await;
        let before = tables(&world).await;
        let sentence = refusal(&world).await;
        assert!(
            sentence.contains(&format!("public.{foreign} exists and was not made by cache-sync")),
            "{sentence}"
        );
        assert_eq!(tables(&world).await, before);
    }
}

#[tokio::test]
async fn without_the_source_tables_migrating_is_refused_with_the_remedy() {
    let world = World::empty().await;
    let sentence = refusal(&world).await;
    assert!(sentence.contains("no table or view public.symbols; load the market data first"), "{sentence}");
    assert!(tables(&world).await.is_empty());

    world.sql("create table symbols (symbol text, type text, active bool, market_cap bigint)").await;
    let sentence = refusal(&world).await;
    assert!(sentence.contains("public.ohlcv_daily"), "{sentence}");
}

#[tokio::test]
async fn cache_entries_and_its_rows_stay_byte_for_byte() {
    let world = World::with_market().await;
    world
        .sql(
            "create table cache_entries (
                 id serial primary key, universe varchar(100) not null, content jsonb not null,
                 cache_type varchar(50), owner text, flags int not null default 0,
                 created_at timestamptz default now(), updated_at timestamptz default now(), unique (universe));
             insert into cache_entries (universe, content, cache_type)
             values ('top_100', '{\"symbols\": [\"A\"]}', 'market_leader'), ('theirs', '[1, null]', null)",
        )
        .await;
    let before = portrait_of_entries(&world).await;
    world.migrate().await.unwrap();
    world.migrate().await.unwrap();
    assert_eq!(portrait_of_entries(&world).await, before);
}

#[tokio::test]
async fn a_cache_entries_of_appv2_is_left_exactly_as_it_is() {
    let world = World::with_market().await;
    world
        .sql(
            "create table cache_entries (id serial primary key, type varchar(50), name text, key text, value jsonb,
                environment text not null, note text, unique (environment, key, type));
             insert into cache_entries (type, name, key, value, environment) values ('a', 'b', 'c', '[1]', 'DEFAULT')",
        )
        .await;
    let before = portrait_of_entries(&world).await;
    world.migrate().await.unwrap();
    assert_eq!(portrait_of_entries(&world).await, before);
}

#[tokio::test]
async fn a_table_that_is_missing_is_made_in_the_layout_that_is_wanted() {
    let columns = "select attname from pg_attribute a join pg_class c on c.oid = a.attrelid
                   where c.relname = 'cache_entries' and attnum > 0 order by attnum limit 3";
    for (layout, made, wanted) in [
        (Layout::AppV2, "appv2", ["id", "type", "name"]),
        (Layout::Auto, "universe", ["id", "universe", "content"]),
        (Layout::Universe, "universe", ["id", "universe", "content"]),
    ] {
        let mut world = World::with_market().await;
        world.entries.layout = layout;
        assert_eq!(world.migrate().await.unwrap().made_layout, Some(made));
        assert_eq!(world.ask(columns).await, wanted);
        assert_eq!(world.migrate().await.unwrap().made_layout, None);
    }
}

#[tokio::test]
async fn a_table_of_another_layout_than_is_wanted_is_not_made_again() {
    let mut world = World::with_market().await;
    world.entries.layout = Layout::AppV2;
    let ours = "universe text unique, content jsonb, cache_type text, updated_at timestamptz";
    world.sql(&format!("create table cache_entries ({ours})")).await;
    let sentence = refusal(&world).await;
    assert!(sentence.contains("has the universe layout, but database.layout is \"appv2\""), "{sentence}");
    world.entries.layout = Layout::Universe;
    world.migrate().await.unwrap();
}

#[tokio::test]
async fn a_cache_entries_that_cannot_be_written_is_refused_with_what_is_wrong_with_it() {
    let ours = "universe text, content jsonb, cache_type text, updated_at timestamptz";
    for (columns, what) in [
        (ours.to_owned(), "no unique constraint on the column universe alone"),
        (format!("{ours}, unique (universe, cache_type)"), "no unique constraint"),
        (format!("{ours}, unique (universe) deferrable"), "no unique constraint"),
        (format!("{ours}, owner text not null, unique (universe)"), "wants a value for the column owner"),
        ("universe text unique, content json, cache_type text".to_owned(), "content that is json, not jsonb"),
        ("universe text unique, cache_type text".to_owned(), "has no column content"),
        (
            "id serial, type text, name text, key text, value jsonb, environment text not null".to_owned(),
            "has a unique constraint neither on type, name, key and environment nor on type, key and environment",
        ),
        (
            "type text, name text, key text, value json, environment text, unique (type, key, environment)"
                .to_owned(),
            "has a column value that is json, not jsonb",
        ),
        (
            "type text, name text, key text, value jsonb, environment text, owner text not null,
             unique (type, key, environment)"
                .to_owned(),
            "wants a value for the column owner",
        ),
    ] {
        let world = World::with_market().await;
        world.sql(&format!("create table cache_entries ({columns})")).await;
        let sentence = refusal(&world).await;
        assert!(sentence.contains(what), "{columns}: {sentence}");
        assert!(!tables(&world).await.contains(&"cache_sync_jobs".to_owned()));
    }
    let world = World::with_market().await;
    world.sql("create view cache_entries as select 1 as universe").await;
    assert!(refusal(&world).await.contains("is not a table"));
}

#[tokio::test]
async fn a_migration_applied_in_another_wording_is_refused() {
    let world = World::migrated().await;
    world.sql("update cache_sync_migrations set checksum = 'other'").await;
    assert!(refusal(&world).await.contains("0001_tables was applied in another wording"));
}

#[tokio::test]
async fn a_database_that_a_newer_version_migrated_is_accepted_and_reported() {
    let world = World::migrated().await;
    world.sql("insert into cache_sync_migrations values (9999, 'later', 'x')").await;
    let migrated = world.migrate().await.unwrap();
    assert_eq!((migrated.already, migrated.newer), (all(), vec!["9999_later".to_owned()]));
}

#[tokio::test]
async fn the_source_is_never_altered() {
    let world = World::empty().await;
    world.sql(MARKET).await;
    let facts = "select c.relname, c.relfilenode, c.relhastriggers, c.relhasrules, c.xmin
                 from pg_class c where c.relname in ('symbols', 'ohlcv_daily') order by 1";
    let before = world.ask(facts).await;
    world.migrate().await.unwrap();
    assert_eq!(world.ask(facts).await, before);
}
