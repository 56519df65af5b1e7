//! The group tables of a newer `AppV2`: the same memberships as everywhere, where each of its readers finds them, and
//! nothing else in those tables touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cache_sync::doctor;
use cache_sync::settings::Secret;
use cache_sync::store::Database;
use chrono::Utc;

use crate::world::{GROUP_TABLES, GROUP_TYPES, KEYS, World, background, stock, until};

/// Funds, for the groups of funds and for the one of the live feed.
const FUNDS: &str = "
    insert into symbols (symbol, name, type, active, etf_type, issuer, aum_millions) values
    ('SPY', 'SPDR S&P 500 ETF Trust', 'ETF', true, 'broad_market', 'State Street', 500000),
    ('TLT', 'iShares 20+ Year Treasury Bond ETF', 'ETF', true, 'bond', 'BlackRock', 50000);
    insert into ohlcv_daily (symbol, date, close, volume)
    select symbol, '2026-03-02', 100, 1 from symbols where type = 'ETF';";

impl World {
    /// A world with the group tables, and groups of others in them, beside a `cache_entries` of our own layout.
    async fn grouped(settings: &[(&str, &str)]) -> Self {
        let world = Self::with(settings).await;
        world.make_groups(GROUP_TYPES[1]).await;
        world.sql(FUNDS).await;
        world
    }

    /// The same after a first sync.
    async fn grouped_filled(settings: &[(&str, &str)]) -> Self {
        let world = Self::grouped(settings).await;
        world.sync("first").await;
        world
    }

    /// The members of a universe, as `AppV2` looks them up.
    async fn looked_up(&self, key: &str) -> Vec<String> {
        let client = Database::new(&self.settings().database).unwrap().client().await.unwrap();
        readers::universe_symbols(&client, key).await
    }

    /// Every row of both tables, and who wrote it.
    async fn group_portrait(&self) -> Vec<String> {
        let mut rows = self.ask("select id, xmin, ctid, g::text from definition_groups g order by id").await;
        rows.extend(self.ask("select id, xmin, ctid, m::text from group_memberships m order by id").await);
        rows
    }

    /// The groups of others with their members, and who wrote them.
    async fn groups_of_others(&self) -> Vec<String> {
        self.ask(
            "select g.xmin, g.ctid, g::text, m.xmin, m.ctid, m::text
             from definition_groups g left join group_memberships m on m.group_id = g.id
             where (g.metadata ->> 'owner') is distinct from 'cache-sync' order by g.id, m.id",
        )
        .await
    }

    /// Our groups to the letter, but for numbers and times.
    async fn group_letters(&self) -> Vec<String> {
        self.ask(
            "select g.name, g.type, g.description, g.metadata - 'as_of', g.environment,
                    array(select symbol from group_memberships m where m.group_id = g.id order by symbol)
             from definition_groups g where g.metadata ->> 'owner' = 'cache-sync' order by g.name",
        )
        .await
    }

    /// How a job ended that can't have gone well.
    async fn refused(&self, job: &str) -> String {
        self.xadd(&[("job_id", job), ("triggered_by", "admin")]).await;
        self.run_once().await;
        let status = self.status(job).await;
        assert_eq!(status["status"], "failed", "{status:?}");
        status["error"].clone()
    }

    /// What `doctor` says of the groups.
    async fn group_findings(&self) -> Vec<String> {
        group_findings(&self.settings()).await
    }
}

/// What each program of the newest `AppV2` asks of the tables, in its own words.
mod readers {
    use cache_sync::store::Client;

    /// The lookup of the live feed, of the historical load, of the analysis and of threshold bars: exact names of the
    /// types UNIVERSE and ETF in DEFAULT, several joined by colons.
    pub(super) async fn universe_symbols(client: &Client, key: &str) -> Vec<String> {
        let mut symbols = std::collections::BTreeSet::new();
        for part in key.split(':').map(str::trim).filter(|part| !part.is_empty()) {
            let sql = "select gm.symbol::text from definition_groups dg
                       join group_memberships gm on dg.id = gm.group_id
                       where dg.name = $1 and dg.type in ('UNIVERSE', 'ETF') and dg.environment = 'DEFAULT'
                       order by gm.symbol";
            let rows = client.query(sql, &[&part]).await.unwrap();
            symbols.extend(rows.iter().map(|row| row.get::<_, String>(0)));
        }
        symbols.into_iter().collect()
    }

    /// The dropdown of the admin pages: name, what people read, how many.
    pub(super) async fn dropdown(client: &Client) -> Vec<(String, String, i64)> {
        let sql =
            "select dg.name::text, coalesce(dg.description, dg.type || ': ' || dg.name), count(gm.symbol)
                   from definition_groups dg left join group_memberships gm on dg.id = gm.group_id
                   where dg.type = any ('{UNIVERSE,ETF}') and dg.environment = 'DEFAULT'
                   group by dg.id, dg.name, dg.type, dg.description order by dg.type, dg.name";
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
    }
}

/// The universes that have a group by default, as far as this market fills them.
fn usual_names() -> BTreeSet<String> {
    let names = "all_stocks combo_test etf_all etf_bonds etf_broad_market large_cap mega_cap mid_cap micro_cap \
                 small_cap technology_leaders top_10 top_50 top_100 top_250 top_500 top_1000 top_2000";
    names.split_whitespace().map(str::to_owned).collect()
}

async fn our_names(world: &World) -> BTreeSet<String> {
    let sql = "select name from definition_groups where metadata ->> 'owner' = 'cache-sync'";
    world.ask(sql).await.into_iter().collect()
}

#[tokio::test]
async fn every_universe_of_the_list_has_a_group_beside_either_layout() {
    for key in [None, Some(KEYS[0]), Some(KEYS[1])] {
        let world = match key {
            None => World::grouped(&[]).await,
            Some(key) => {
                let world = World::appv2(key, &[]).await;
                world.make_groups(GROUP_TYPES[1]).await;
                world
            }
        };
        let others = world.groups_of_others().await;
        world.sync("first").await;
        assert_eq!(our_names(&world).await, usual_names());
        for name in usual_names().iter().filter(|name| *name != "combo_test") {
            let members: BTreeSet<String> = world.looked_up(name).await.into_iter().collect();
            assert!(!members.is_empty());
            assert_eq!(world.members_in_history(name).await, members, "{name}");
        }
        let odd = "select count(*) from definition_groups where metadata ->> 'owner' = 'cache-sync'
                   and (type <> 'UNIVERSE' or environment <> 'DEFAULT' or description is null
                        or created_at is null or updated_at is null or metadata ->> 'as_of' <> '2026-03-02')";
        assert_eq!(world.count(odd).await, 0);
        let ours = "from group_memberships m join definition_groups g on g.id = m.group_id
                    where g.metadata ->> 'owner' = 'cache-sync'";
        let with_extras =
            format!("select count(*) {ours} and (m.weight is not null or m.metadata is not null)");
        assert_eq!(world.count(&with_extras).await, 0);
        let counted = format!(
            "select count(*) from (select 1 {ours} group by g.id
             having count(*) <> (min(g.metadata ->> 'total_symbols'))::int) as wrong"
        );
        assert_eq!(world.count(&counted).await, 0);
        assert_eq!(world.groups_of_others().await, others);
    }
}

#[tokio::test]
async fn the_keys_of_older_readers_find_their_members() {
    let world = World::grouped_filled(&[]).await;
    let members =
        async |universe: &str| world.members_in_history(universe).await.into_iter().collect::<Vec<_>>();
    for (key, universe) in [
        ("top_500", "top_500"),
        ("all_stocks", "all_stocks"),
        ("market_leaders:top_50", "top_50"),
        ("market_cap:mega_cap", "mega_cap"),
        ("themes : technology_leaders", "technology_leaders"),
    ] {
        assert_eq!(world.looked_up(key).await, members(universe).await, "{key}");
    }
    // Several connections ask for unions.
    let mut union: BTreeSet<String> = world.members_in_history("top_10").await;
    union.extend(world.members_in_history("mega_cap").await);
    assert_eq!(world.looked_up("top_10:mega_cap").await, union.into_iter().collect::<Vec<_>>());
    // Names are compared to the letter, and an upper-case ticker is looked up where a name is not found.
    assert_eq!(world.looked_up("TOP_500").await, [""; 0]);
    assert_eq!(world.looked_up("esg_leaders").await, [""; 0], "an empty universe has no group");
}

#[tokio::test]
async fn names_can_be_read_by_every_reader() {
    let world =
        World::grouped_filled(&[("database.group_universes", r#"["sector_leader", "market_cap"]"#)]).await;
    for name in our_names(&world).await {
        let fits = name.len() <= 50
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        assert!(fits, "{name}");
    }
    assert!(our_names(&world).await.contains("top_10_technology"));
    assert!(!our_names(&world).await.contains("top_100"));
}

#[tokio::test]
async fn the_dropdown_has_an_entry_for_people_and_none_of_nothing() {
    let world = World::grouped_filled(&[]).await;
    let client = Database::new(&world.settings().database).unwrap().client().await.unwrap();
    let entries = readers::dropdown(&client).await;
    assert!(entries.iter().all(|(_, _, count)| *count > 0), "{entries:?}");
    let texts: BTreeMap<String, String> =
        entries.into_iter().map(|(name, description, _)| (name, description)).collect();
    for (name, description) in [
        ("mega_cap", "Mega Cap stocks"),
        ("top_500", "Top 500 stocks by market cap"),
        ("technology_leaders", "Technology Leaders"),
        ("etf_bonds", "Bond ETFs"),
        ("all_stocks", "All stocks"),
        ("combo_test", "Stocks and funds that the live feed starts with"),
        ("sp500", "UNIVERSE: sp500"),
    ] {
        assert_eq!(texts.get(name).map(String::as_str), Some(description));
    }
}

#[tokio::test]
async fn a_group_without_times_is_mended_since_it_hides_all_others() {
    let world = World::grouped_filled(&[]).await;
    world.sql("update definition_groups set created_at = null where name = 'top_100' and environment = 'DEFAULT'").await;
    world.sql("update definition_groups set updated_at = null where name = 'mega_cap'").await;
    world.sync("again").await;
    let nulls = "select count(*) from definition_groups where created_at is null or updated_at is null";
    assert_eq!(world.count(nulls).await, 0);
}

#[tokio::test]
async fn a_sync_without_news_writes_no_group_and_a_new_day_only_what_differs() {
    let world = World::grouped_filled(&[]).await;
    let before = world.group_portrait().await;
    assert_eq!(world.sync("again").await["total_changes"], "0");
    assert_eq!(world.group_portrait().await, before);

    world.close_next_day(&[(&background(13), 1.2)]).await;
    let (others, ids) = (
        world.groups_of_others().await,
        world.ask("select id, name from definition_groups order by id").await,
    );
    world.sync("next").await;
    assert_eq!(world.groups_of_others().await, others);
    assert_eq!(world.ask("select id, name from definition_groups order by id").await, ids);
    assert!(world.looked_up("mega_cap").await.contains(&background(13)));
    assert!(!world.looked_up("large_cap").await.contains(&background(13)));
    let touched = "select name from definition_groups where updated_at > created_at order by name";
    assert_eq!(world.ask(touched).await, ["large_cap", "mega_cap"]);
    let after = world.group_portrait().await;
    let changed: Vec<&String> = after.iter().filter(|row| !before.contains(row)).collect();
    assert_eq!(changed.len(), 3, "two groups and one new member: {changed:?}");
}

#[tokio::test]
async fn what_somebody_edited_or_deleted_comes_back() {
    let world = World::grouped_filled(&[]).await;
    let before = world.group_letters().await;
    for damage in [
        "delete from definition_groups where environment = 'DEFAULT' and metadata ->> 'owner' = 'cache-sync'",
        "delete from group_memberships m using definition_groups g where g.id = m.group_id and g.name = 'top_500'
         and m.symbol < 'BG050'",
        "insert into group_memberships (group_id, symbol) select id, 'GONE' from definition_groups where name = 'mid_cap'",
        "update definition_groups set description = 'mine' where name = 'large_cap'",
        r#"update definition_groups set metadata = metadata || '{"total_symbols": 1}' where name = 'all_stocks'"#,
        "delete from group_memberships m using definition_groups g where g.id = m.group_id and g.name = 'combo_test'",
    ] {
        world.sql(damage).await;
        assert_ne!(world.group_letters().await, before, "{damage}");
        let status = world.sync(&format!("after-{}", damage.len())).await;
        assert_eq!(status["total_changes"], "0", "no membership has changed");
        assert_eq!(world.group_letters().await, before, "{damage}");
    }
}

#[tokio::test]
async fn a_universe_that_becomes_empty_has_no_group_until_it_has_members() {
    let world = World::grouped(&[]).await;
    world.list(stock("NEW").cap("7B").listed_days_ago(29)).await;
    world.sync("first").await;
    assert_eq!(world.looked_up("recent_ipos").await, ["NEW"]);
    for _ in 0..3 {
        world.close_next_day(&[]).await;
    }
    world.sync("later").await;
    assert!(!our_names(&world).await.contains("recent_ipos"));
    world.list(stock("NEWER").cap("3B").listed_days_ago(1)).await;
    world.sync("last").await;
    assert_eq!(world.looked_up("recent_ipos").await, ["NEWER"]);
    let description = "select description from definition_groups where name = 'recent_ipos'";
    assert_eq!(world.ask(description).await, ["Stocks listed within 30 days"]);
}

#[tokio::test]
async fn a_held_universe_keeps_its_group() {
    let world = World::grouped_filled(&[("guards.quarantine", "false")]).await;
    let before = world.group_portrait().await;
    let moves: Vec<String> = (61..=86).map(background).collect();
    let moves: Vec<(&str, f64)> = moves.iter().map(|symbol| (symbol.as_str(), 9.0)).collect();
    world.close_next_day(&moves).await;
    let status = world.sync("odd").await;
    assert!(status["held_universes"].contains("mid_cap"), "{status:?}");
    let of_tiers = |rows: &[String]| -> Vec<String> {
        rows.iter().filter(|row| row.contains("_cap,")).cloned().collect()
    };
    assert_eq!(of_tiers(&world.group_portrait().await), of_tiers(&before));
    assert_eq!(
        world.looked_up("mid_cap").await.into_iter().collect::<BTreeSet<_>>(),
        world.members_in_history("mid_cap").await
    );
}

#[tokio::test]
async fn a_mode_touches_the_groups_of_its_universes_only() {
    let world = World::grouped_filled(&[]).await;
    world.sql("delete from definition_groups where environment = 'DEFAULT' and name in ('mega_cap', 'technology_leaders')").await;
    world.xadd(&[("job_id", "themes"), ("mode", "themes"), ("triggered_by", "admin")]).await;
    world.run_once().await;
    let names = our_names(&world).await;
    assert!(names.contains("technology_leaders") && !names.contains("mega_cap"), "{names:?}");
}

#[tokio::test]
async fn delisted_symbols_leave_our_groups_and_that_of_the_feed_and_no_others() {
    let world = World::grouped_filled(&[]).await;
    let gone = background(1);
    let feed = world.looked_up("combo_test").await;
    assert!(feed.contains(&gone) && feed.contains(&"SPY".to_owned()));
    assert_eq!(feed, world.looked_up("stock_etf_test:combo_test").await);
    // What an operator adds stays there.
    world.sql("insert into group_memberships (group_id, symbol) select id, 'X:BTCUSD' from definition_groups where name = 'combo_test'").await;
    let others = world.groups_of_others().await;
    world.delist(&gone).await;
    world.close_next_day(&[]).await;
    world.sync("next").await;
    assert!(!world.looked_up("all_stocks").await.contains(&gone));
    let mut wanted: Vec<String> = feed.into_iter().filter(|symbol| *symbol != gone).collect();
    wanted.push("X:BTCUSD".to_owned());
    assert_eq!(world.looked_up("combo_test").await, wanted);
    assert_eq!(world.groups_of_others().await, others);
    let portrait = world.group_portrait().await;
    world.sync("again").await;
    assert_eq!(world.group_portrait().await, portrait);
}

#[tokio::test]
async fn a_feed_of_somebody_elses_is_left_alone() {
    for kind in ["UNIVERSE", "ETF"] {
        let world = World::grouped(&[]).await;
        world
            .sql(&format!(
                "insert into definition_groups (name, type, environment) values ('combo_test', '{kind}', 'DEFAULT');
                 insert into group_memberships (group_id, symbol)
                 select id, 'GONE' from definition_groups where name = 'combo_test'"
            ))
            .await;
        world.sync("first").await;
        assert_eq!(world.looked_up("combo_test").await, ["GONE"]);
        assert!(!our_names(&world).await.contains("combo_test"));
    }
}

#[tokio::test]
async fn a_group_of_one_of_our_names_that_we_did_not_make_is_refused_or_taken_over() {
    let theirs = r#"
        insert into definition_groups (name, type, environment, description, metadata, created_at)
        values ('top_100', 'UNIVERSE', 'DEFAULT', 'mine', '{"checksum": 1.50}', null);
        insert into group_memberships (group_id, symbol, weight, metadata)
        select id, unnest(array['GONE', 'BG001']), 0.5, '{"a": 1}' from definition_groups where description = 'mine'"#;
    let world = World::grouped(&[]).await;
    world.sql(theirs).await;
    let before = world.group_portrait().await;
    let error = world.refused("job").await;
    assert!(error.starts_with("foreign_group: the group top_100 of type UNIVERSE"), "{error}");
    assert_eq!(world.group_portrait().await, before);
    assert_eq!(world.count("select count(*) from cache_entries").await, 0, "nothing else is written either");
    let findings = world.group_findings().await;
    assert!(findings.iter().any(|line| line.starts_with("error the group top_100")), "{findings:?}");

    let world = World::grouped(&[("database.adopt_existing", "true")]).await;
    world.sql(theirs).await;
    let letters =
        "select g::text, array(select m::text from group_memberships m where m.group_id = g.id order by m.id)
                   from definition_groups g where name = 'top_100' and environment = 'DEFAULT'";
    let before = world.ask(letters).await;
    world.sync("first").await;
    assert_eq!(world.looked_up("top_100").await.len(), 100);
    world.undo("first").await;
    assert_eq!(world.ask(letters).await, before);
    assert_eq!(our_names(&world).await, BTreeSet::from(["combo_test".to_owned()]));
    world.undo("revert-of-first").await;
    assert_eq!(world.looked_up("top_100").await.len(), 100);
}

#[tokio::test]
async fn a_revert_brings_the_members_back() {
    let world = World::grouped(&[]).await;
    world.list(stock("NEW").cap("7B").listed_days_ago(29)).await;
    world.sync("first").await;
    let (letters, others) = (world.group_letters().await, world.groups_of_others().await);
    world.close_next_day(&[(&background(13), 1.2), (&background(51), 1.2)]).await;
    world.list(stock("NEWER").cap("30B").listed_days_ago(1)).await;
    world.sync("bad").await;
    world.close_next_day(&[]).await;
    world.sync("later").await;
    let after = world.group_letters().await;
    assert_ne!(after, letters);
    world.undo("bad").await;
    assert_eq!(world.group_letters().await, letters);
    assert_eq!(world.groups_of_others().await, others);
    world.undo("revert-of-bad").await;
    assert_eq!(world.group_letters().await, after);
    assert_eq!(world.sync("again").await["total_changes"], "0");
    assert_eq!(world.group_letters().await, after);
}

#[tokio::test]
async fn after_the_revert_of_the_first_sync_only_groups_of_others_and_the_feed_stand_there() {
    let world = World::grouped(&[]).await;
    let others = world.groups_of_others().await;
    world.sync("first").await;
    world.undo("first").await;
    assert_eq!(our_names(&world).await, BTreeSet::from(["combo_test".to_owned()]));
    assert_eq!(world.groups_of_others().await, others);
}

#[tokio::test]
async fn a_worker_that_dies_while_it_writes_leaves_the_groups_as_they_were() {
    for statement in [
        "insert on definition_groups",
        "delete on group_memberships",
        "insert on group_memberships",
        "update on cache_sync_jobs",
    ] {
        let world = World::grouped(&[("worker.lease_seconds", "600")]).await;
        world.sync("first").await;
        let before = world.group_portrait().await;
        world.close_next_day(&[(&background(13), 1.2)]).await;
        let gate = if statement == "update on cache_sync_jobs" {
            world.gate_in_commit().await
        } else {
            world.gate(statement).await
        };
        let worker = world.spawn_worker();
        world.xadd(&[("job_id", "cut"), ("triggered_by", "admin")]).await;
        gate.reached().await;
        assert_eq!(world.group_portrait().await, before);
        worker.kill();
        gate.open().await;
        until("the end of the dead worker's transaction", async || {
            let holding = "select count(*) from pg_locks l join pg_class c on c.oid = l.relation
                           where c.relname = 'cache_sync_lease'";
            world.count(holding).await == 0
        })
        .await;
        world.run_once().await;
        assert_eq!(world.ended("cut").await["status"], "completed");
        assert!(world.looked_up("mega_cap").await.contains(&background(13)), "{statement}");
        let portrait = world.group_portrait().await;
        world.sync("again").await;
        assert_eq!(world.group_portrait().await, portrait);
    }
}

#[tokio::test]
async fn readers_never_see_half_a_universe() {
    let world = World::grouped_filled(&[]).await;
    let (is_done, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut at_work = Vec::new();
    for _ in 0..2 {
        let (settings, is_done, looks) = (world.settings(), Arc::clone(&is_done), Arc::clone(&looks));
        at_work.push(tokio::spawn(async move {
            let client = Database::new(&settings.database).unwrap().client().await.unwrap();
            while !is_done.load(Ordering::Relaxed) {
                for (key, count) in [("top_100", 100), ("top_50", 50), ("all_stocks", 130)] {
                    assert_eq!(readers::universe_symbols(&client, key).await.len(), count, "{key}");
                }
                assert!(readers::dropdown(&client).await.iter().all(|(_, _, count)| *count > 0));
                looks.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for day in 0..4 {
        let factor = if day % 2 == 0 { 1.5 } else { 0.6 };
        let names = [background(51), background(103), background(101), background(7)];
        let moves: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), factor)).collect();
        world.close_next_day(&moves).await;
        world.sync(&format!("day-{day}")).await;
    }
    until("a few looks", async || looks.load(Ordering::Relaxed) > 5).await;
    is_done.store(true, Ordering::Relaxed);
    for reader in at_work {
        reader.await.unwrap();
    }
}

/// Others' transactions may take as long as a busy machine takes.
const PATIENT: &str = "set local idle_in_transaction_session_timeout = 0; set local statement_timeout = 0";

#[tokio::test]
async fn somebody_who_writes_groups_of_his_own_meanwhile_is_not_in_the_way() {
    let world = World::grouped_filled(&[]).await;
    world.close_next_day(&[(&background(13), 1.2)]).await;
    // As its loaders do: one group, by delete and insert, in a transaction that is still open.
    let mut client = Database::new(&world.settings().database).unwrap().client().await.unwrap();
    let tx = client.begin().await.unwrap();
    tx.batch_execute(PATIENT).await.unwrap();
    tx.batch_execute(
        "delete from definition_groups where name = 'sp500';
         insert into definition_groups (name, type, environment) values ('sp500', 'UNIVERSE', 'DEFAULT')",
    )
    .await
    .unwrap();
    world.sync("next").await;
    tx.commit().await.unwrap();
    assert!(world.looked_up("mega_cap").await.contains(&background(13)));
    assert_eq!(world.looked_up("sp500").await, [""; 0]);
}

#[tokio::test]
async fn somebody_who_deletes_all_groups_meanwhile_makes_the_sync_start_over() {
    let world = World::grouped_filled(&[]).await;
    world.close_next_day(&[(&background(13), 1.2)]).await;
    let mut client = Database::new(&world.settings().database).unwrap().client().await.unwrap();
    let tx = client.begin().await.unwrap();
    tx.batch_execute(PATIENT).await.unwrap();
    tx.batch_execute("delete from definition_groups where environment = 'DEFAULT'").await.unwrap();
    world.xadd(&[("job_id", "next"), ("triggered_by", "admin")]).await;
    let settled = async {
        let blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
        until("the sync to wait for the deletion", async || world.count(blocked).await > 0).await;
        tx.commit().await.unwrap();
    };
    tokio::join!(world.run_once(), settled);
    assert_eq!(world.status("next").await["status"], "completed");
    assert_eq!(our_names(&world).await, usual_names());
}

#[tokio::test]
async fn tables_that_can_not_be_written_fail_the_job_with_the_statement_that_helps() {
    let world = World::with(&[]).await;
    world.make_groups(GROUP_TYPES[0]).await;
    let error = world.refused("check").await;
    assert!(error.contains("public.definition_groups allows no type UNIVERSE"), "{error}");
    assert_eq!(world.count("select count(*) from cache_entries").await, 0);
    let findings = world.group_findings().await;
    let remedy = findings
        .iter()
        .find_map(|line| line.strip_prefix("error ")?.split_once("; run as the owner of the table: "))
        .unwrap_or_else(|| panic!("{findings:?}"))
        .1
        .to_owned();
    // The statement is to be run as it is.
    world.sql(&remedy).await;
    world.sync("then").await;
    assert_eq!(world.looked_up("top_50").await.len(), 50);
    let narrowed =
        world.ask("select count(*) from pg_constraint where conname = 'definition_groups_type_check'").await;
    assert_eq!(narrowed, ["1"]);

    for (damage, sentence) in [
        (
            "alter table definition_groups drop constraint unique_group",
            "no unique constraint on environment, name, type",
        ),
        (
            "alter table group_memberships drop constraint unique_membership",
            "no unique constraint on group_id, symbol",
        ),
        ("alter table definition_groups drop column last_update", "has no column last_update"),
        ("alter table definition_groups alter column metadata type text", "a column metadata of type text"),
        (
            "alter table group_memberships add column rank integer not null",
            "wants a value for the column rank",
        ),
        (
            "alter table definition_groups add constraint short check (length(name) < 3)",
            "would refuse our groups by short",
        ),
    ] {
        let world = World::with(&[]).await;
        world.sql(&GROUP_TABLES.replace("{types}", GROUP_TYPES[1])).await;
        world.sql(damage).await;
        let error = world.refused("job").await;
        assert!(error.contains(sentence), "{damage}: {error}");
        assert!(error.ends_with("or set database.groups to \"off\""), "{error}");
        let findings = world.group_findings().await;
        assert!(
            findings.iter().any(|line| line.starts_with("error ") && line.contains(sentence)),
            "{findings:?}"
        );
    }
}

#[tokio::test]
async fn an_environment_that_the_tables_do_not_know_is_refused() {
    let world = World::grouped(&[("database.environment", "STAGING")]).await;
    let error = world.refused("job").await;
    assert!(error.contains("definition_groups allows no environment STAGING"), "{error}");
    // Another that they know is written, and DEFAULT stays as it is.
    let world =
        World::grouped(&[("database.environment", "TEST"), ("database.adopt_existing", "true")]).await;
    let before =
        world.ask("select xmin, g::text from definition_groups g where environment = 'DEFAULT'").await;
    world.sync("first").await;
    assert_eq!(
        world.ask("select xmin, g::text from definition_groups g where environment = 'DEFAULT'").await,
        before
    );
    assert_eq!(world.count("select count(*) from definition_groups where environment = 'TEST'").await, 18);
}

#[tokio::test]
async fn rights_that_are_missing_are_named_with_the_statement_that_grants_them() {
    let world = World::grouped(&[]).await;
    let role = format!("clerk_{}", std::process::id());
    world.sql(&format!("create role {role} login password 'x'; grant usage on schema public to {role};
        grant all on all tables in schema public to {role}; grant all on all sequences in schema public to {role};
        revoke all on definition_groups, group_memberships, group_memberships_id_seq from {role}")).await;
    let url = {
        let (_, rest) = world.database_url.split_once("://").unwrap();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        format!("postgresql://{role}:x@{rest}")
    };
    let mut as_clerk = world.settings();
    as_clerk.database.url = Secret::new(url);
    for statement in [
        format!("grant select, insert, update, delete on definition_groups, group_memberships to {role}"),
        format!("grant usage on sequence group_memberships_id_seq to {role}"),
    ] {
        let findings = group_findings(&as_clerk).await;
        let error =
            findings.iter().find(|line| line.starts_with("error ")).unwrap_or_else(|| panic!("{findings:?}"));
        let wanted =
            statement.split(" to ").next().unwrap().replace("definition_groups, group_memberships", "");
        assert!(error.contains(wanted.split(" on ").next().unwrap()), "{error}");
        world.sql(&statement).await;
    }
    let findings = group_findings(&as_clerk).await;
    assert!(findings.iter().all(|line| !line.starts_with("error ")), "{findings:?}");
    world.sql(&format!("drop owned by {role}; drop role {role}")).await;
}

async fn group_findings(settings: &cache_sync::settings::Settings) -> Vec<String> {
    let report = doctor::examine(settings, Utc::now()).await;
    let lines = report.findings.iter().map(|f| format!("{} {}; {}", f.level, f.what, f.remedy));
    lines.filter(|line| line.contains("group")).collect()
}

#[tokio::test]
async fn without_both_tables_or_with_the_switch_off_nobody_looks_at_groups() {
    let world = World::grouped(&[("database.groups", "off")]).await;
    world.sql("alter table definition_groups drop constraint unique_group").await;
    let before = world.group_portrait().await;
    world.sync("first").await;
    assert_eq!(world.group_portrait().await, before);
    assert_eq!(world.group_findings().await, [""; 0]);
    let rows = "select count(*) from cache_entries where universe = 'top_50'";
    assert_eq!(world.count(rows).await, 0);

    let world = World::new().await;
    world.sync("first").await;
    assert_eq!(world.group_findings().await, [""; 0]);
    world.sql(&GROUP_TABLES.replace("{types}", GROUP_TYPES[1])).await;
    world.sql("drop table group_memberships").await;
    world.sync("again").await;
    let findings = world.group_findings().await;
    assert!(
        findings[0].starts_with("warn there is a table definition_groups, but no group_memberships"),
        "{findings:?}"
    );
}

#[tokio::test]
async fn doctor_names_the_group_tables_and_groups_that_nobody_keeps() {
    let world = World::grouped_filled(&[]).await;
    let findings = world.group_findings().await;
    assert_eq!(
        findings,
        ["ok public.definition_groups and group_memberships are written too, in environment DEFAULT; "]
    );
    let mut settings = world.settings();
    settings.entries.group_universes = ["market_cap", "no_such"].map(str::to_owned).into();
    let findings = group_findings(&settings).await;
    let stale =
        "warn 12 groups of ours belong to no universe of database.group_universes: all_stocks, etf_all";
    assert!(findings.iter().any(|line| line.starts_with(stale)), "{findings:?}");
    let unknown =
        "warn database.group_universes names no_such, which is neither a kind of universe nor a universe";
    assert!(findings.iter().any(|line| line.starts_with(unknown)), "{findings:?}");
}
