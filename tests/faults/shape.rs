//! The databases that a matrix is played on, and somebody who reads them all the while.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_sync::store::Database;
use tokio::task::JoinHandle;

use crate::world::{GROUP_TYPES, KEYS, REBUILT, World};

/// How often the reader looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the universes are written into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A `cache_entries` of our own.
    Universe,
    /// What the newest `AppV2` has: its `cache_entries` and its group tables, with rows of others in both.
    Newest,
    /// What an older `AppV2` has: its `cache_entries`, as its own job filled it.
    Older,
}

impl Shape {
    /// From a word of the command line.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        match text {
            "universe" => Some(Self::Universe),
            "newest" => Some(Self::Newest),
            "older" => Some(Self::Older),
            _ => None,
        }
    }

    /// Makes it, before anything was synced.
    pub(crate) async fn make(self, world: &World) {
        match self {
            Self::Universe => {}
            Self::Newest => {
                world.make_appv2_entries(KEYS[0]).await;
                world.make_groups(GROUP_TYPES[1]).await;
            }
            Self::Older => {
                world.make_appv2_entries(KEYS[0]).await;
                world.sql(REBUILT).await;
            }
        }
    }
}

/// What others keep beside ours, to the letter, with who wrote it and where: no fault may move a byte of it. And all that
/// is ours, but for times and numbers.
pub(crate) async fn effects(world: &World) -> Vec<String> {
    let has = async |what: &str| world.count(&format!("select count(*) where {what}")).await == 1;
    let mut queries = Vec::new();
    if has("to_regclass('definition_groups') is not null").await {
        queries.push(
            "select 'foreign group', g.xmin, g.ctid, g::text, m.xmin, m.ctid, m::text
             from definition_groups g left join group_memberships m on m.group_id = g.id
             where (g.metadata ->> 'owner') is distinct from 'cache-sync' order by g.id, m.id",
        );
        queries.push(
            "select 'group', g.name, g.type, g.environment, g.description, g.metadata, m.symbol, m.weight, m.metadata
             from definition_groups g join group_memberships m on m.group_id = g.id
             where g.metadata ->> 'owner' = 'cache-sync' order by g.name, m.symbol",
        );
    }
    if has("exists (select from pg_attribute where attrelid = 'cache_entries'::regclass and attname = 'environment')").await
    {
        // Rows that no slot of ours is: they were there before the first sync.
        queries.push(
            "select 'foreign entry', xmin, ctid, e::text from cache_entries e
             where id <= 9 or key in ('ai', 'software', 'all_stocks_detailed', 'all_etfs', 'etf_factor')
                or name in ('Ai', 'Cloud', 'Complete') order by id",
        );
        queries.push(
            "select 'entry', type, name, key, environment,
                    case when type = 'stock_stats' then value #- '{overview,last_updated}' else value end
             from cache_entries order by type, name, key, environment",
        );
    } else {
        queries.push(
            "select 'entry', universe, cache_type, content - 'last_updated' from cache_entries order by universe",
        );
    }
    let mut effects = Vec::new();
    for query in queries {
        effects.extend(world.ask(query).await);
    }
    effects
}

/// Somebody who asks the tables of universes again and again, as their readers do, while a fault strikes.
pub(crate) struct Reader {
    seen: Arc<Mutex<BTreeSet<String>>>,
    is_done: Arc<AtomicBool>,
    task: JoinHandle<()>,
    statement: String,
}

impl Reader {
    /// Begins to read. What it sees first is how the tables stand before the job.
    pub(crate) async fn start(world: &World) -> Self {
        let statement = statement(world).await;
        let seen = Arc::new(Mutex::new(BTreeSet::from([world.ask(&statement).await.concat()])));
        let is_done = Arc::new(AtomicBool::new(false));
        let (settings, sql) = (world.settings().database, statement.clone());
        let (notes, ends) = (Arc::clone(&seen), Arc::clone(&is_done));
        let task = tokio::spawn(async move {
            let database = Database::new(&settings).unwrap();
            while !ends.load(Ordering::Relaxed) {
                // Where the server is struck too there is nothing to be read until it is back.
                if let Ok(client) = database.client().await
                    && let Ok(row) = client.query_one(&sql, &[]).await
                {
                    notes.lock().unwrap().insert(row.get(0));
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Self { seen, is_done, task, statement }
    }

    /// Stops, and panics where it has seen anything but how the tables stood before the job and how they stand after it.
    pub(crate) async fn assert_saw_all_or_nothing(self, world: &World) {
        self.is_done.store(true, Ordering::Relaxed);
        self.task.abort();
        let after = world.ask(&self.statement).await.concat();
        let mut seen = self.seen.lock().unwrap().clone();
        seen.insert(after);
        assert!(seen.len() <= 2, "somebody saw half a sync: {seen:?}");
    }
}

/// One statement that tells two states of the tables apart.
async fn statement(world: &World) -> String {
    let is_there = "select count(*) where to_regclass('definition_groups') is not null";
    let of_groups = if world.count(is_there).await == 1 {
        "select g.name, md5(string_agg(m.symbol, ',' order by m.symbol)) from definition_groups g
         left join group_memberships m on m.group_id = g.id group by g.id, g.name
         union all "
    } else {
        ""
    };
    format!(
        "select md5(string_agg(place || ' ' || digest, E'\\n' order by place, digest)) from (
            {of_groups}
            select e.id::text, md5(regexp_replace(e::text, '\"last_updated\": \"[^\"]*\"', ''))
            from (select id, to_jsonb(c) - 'updated_at' as e from cache_entries c) as e
         ) as rows (place, digest)"
    )
}
