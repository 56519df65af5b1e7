//! A database of its own for every test, with verbs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_sync::demo::servers::{PostgresOptions, PrivatePostgres};
use cache_sync::domain::change::{EntryReason, ExitReason, UniverseStatus};
use cache_sync::domain::job::JobId;
use cache_sync::domain::money::Usd;
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::{Mode, SyncTask};
use cache_sync::domain::universe::{CacheType, UniverseName};
use cache_sync::failure::Failure;
use cache_sync::plan::given::policy::{Guards, Ranking};
use cache_sync::plan::given::snapshot::{RunState, Snapshot, StoredUniverse};
use cache_sync::plan::result::{Before, ForeignCleanup, Joined, Left, Plan, PlannedUniverse};
use cache_sync::settings::{DatabaseSettings, EntriesSettings, Groups, Layout, Secret, SourceSettings};
use cache_sync::store::apply::{Applied, ApplyContext, apply};
use cache_sync::store::layout::Entries;
use cache_sync::store::lease::Lease;
use cache_sync::store::migrations::{Migrated, migrate};
use cache_sync::store::read::snapshot::{Completing, Wanted, WantedRows, complete, read_state};
use cache_sync::store::read::source::{SourceMarket, SourceTables, read_securities};
use cache_sync::store::revert;
use cache_sync::store::{Client, Database, Limits};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;

/// The usual source tables.
pub(crate) const MARKET: &str = "
    create table symbols (
        symbol varchar(20) primary key, name text, type varchar(20), active boolean, market_cap bigint,
        weighted_shares_outstanding bigint, sector text, cik text, composite_figi text, share_class_figi text);
    create table ohlcv_daily (
        symbol varchar(20) not null, date date not null, close numeric(14,4), volume bigint,
        primary key (symbol, date));";

static SERVER: OnceLock<PrivatePostgres> = OnceLock::new();
static DATABASES: AtomicUsize = AtomicUsize::new(0);

fn server() -> &'static PrivatePostgres {
    SERVER.get_or_init(|| {
        let settings = vec![("max_connections".to_owned(), "200".to_owned())];
        PrivatePostgres::start_with(&PostgresOptions { durable: false, settings }).unwrap()
    })
}

/// A database and where its market data are.
pub(crate) struct World {
    pub(crate) db: Database,
    pub(crate) source: SourceSettings,
    pub(crate) entries: EntriesSettings,
    url: String,
}

impl World {
    /// An empty database.
    pub(crate) async fn empty() -> Self {
        let name = format!("world_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let admin = Self::at(&server().socket_url());
        admin.db.client().await.unwrap().batch_execute(&format!("create database {name}")).await.unwrap();
        // Over the socket: a password is worked out for a tenth of a second at every connection.
        let postgres = server().socket_url();
        Self::at(&format!("{}/{name}", postgres.rsplit_once('/').unwrap().0))
    }

    /// A database with the usual source tables, empty.
    pub(crate) async fn with_market() -> Self {
        let world = Self::empty().await;
        world.sql(MARKET).await;
        world
    }

    /// A database with the usual source tables and ours.
    pub(crate) async fn migrated() -> Self {
        let world = Self::with_market().await;
        world.migrate().await.unwrap();
        world
    }

    fn at(url: &str) -> Self {
        let source = SourceSettings {
            schema: "public".to_owned(),
            symbols_table: "symbols".to_owned(),
            bars_table: "ohlcv_daily".to_owned(),
            columns: BTreeMap::new(),
        };
        Self { db: database(url, "public"), source, entries: entries("public"), url: url.to_owned() }
    }

    /// The same database with our tables in another schema.
    pub(crate) fn in_schema(&self, schema: &str) -> Self {
        Self {
            db: database(&self.url, schema),
            source: self.source.clone(),
            entries: entries(schema),
            url: self.url.clone(),
        }
    }

    /// The same for another role of the server.
    pub(crate) fn as_role(&self, role: &str, password: &str) -> Self {
        let (_, address) = self.url.split_once('@').unwrap();
        let url = format!("postgresql://{role}:{password}@{address}");
        Self {
            db: database(&url, self.db.schema()),
            source: self.source.clone(),
            entries: self.entries.clone(),
            url,
        }
    }

    pub(crate) async fn migrate(&self) -> Result<Migrated, Failure> {
        migrate(&self.db, &self.source, &self.entries).await
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.db.client().await.unwrap().batch_execute(sql).await.unwrap();
    }

    /// What a query answers: a line a row, columns parted by a blank, nulls as `-`.
    pub(crate) async fn ask(&self, sql: &str) -> Vec<String> {
        let messages = self.db.client().await.unwrap().simple_query(sql).await.unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        rows.map(|row| {
            (0..row.len()).map(|column| row.get(column).unwrap_or("-")).collect::<Vec<_>>().join(" ")
        })
        .collect()
    }

    /// The source as it is found, or the sentence that refuses it.
    pub(crate) async fn discover(&self) -> Result<SourceTables, String> {
        let mut client = self.db.client().await.unwrap();
        let tx = client.begin_read_only(Limits::default()).await.unwrap();
        SourceTables::discover(&tx, &self.source).await.map_err(|failure| failure.to_string())
    }

    pub(crate) async fn read_market(&self, bound: Option<NaiveDate>) -> SourceMarket {
        let mut client = self.db.client().await.unwrap();
        let tx = client.begin_read_only(Limits::default()).await.unwrap();
        let source = SourceTables::discover(&tx, &self.source).await.unwrap();
        let mut market = read_securities(&tx, &source, bound).await.unwrap();
        market.securities.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        market
    }

    /// Our own tables as a sync of `as_of` finds them.
    pub(crate) async fn read_state(&self, as_of: &str, universes: &[&str]) -> Snapshot {
        let universes: Vec<(&str, &[&str])> = universes.iter().map(|name| (*name, &[][..])).collect();
        let mut client = self.db.client().await.unwrap();
        let tx = client.begin_read_only(Limits::default()).await.unwrap();
        self.snapshot(&tx, as_of, &universes).await
    }

    /// Makes the universes what is wanted, as a sync of `as_of` would, and commits.
    pub(crate) async fn sync(&self, job: &str, as_of: &str, wanted: &[(&str, &[&str])]) -> Applied {
        self.sync_with(job, as_of, wanted, |_| {}).await
    }

    /// The same with a last change to the plan.
    pub(crate) async fn sync_with(
        &self,
        job: &str,
        as_of: &str,
        wanted: &[(&str, &[&str])],
        adjust: impl FnOnce(&mut Plan),
    ) -> Applied {
        self.sync_at(job, as_of, evening_of(as_of), wanted, adjust).await
    }

    /// The same at a moment.
    pub(crate) async fn sync_at(
        &self,
        job: &str,
        as_of: &str,
        now: DateTime<Utc>,
        wanted: &[(&str, &[&str])],
        adjust: impl FnOnce(&mut Plan),
    ) -> Applied {
        let mut client = self.db.dedicated().await.unwrap();
        let lease = Lease::acquire(&mut client, Limits::default()).await.unwrap();
        let snapshot = self.snapshot(lease.transaction(), as_of, wanted).await;
        let mut plan = plan(&snapshot, as_of, wanted);
        adjust(&mut plan);
        let job_id = JobId::parse(job).unwrap();
        let ctx =
            ApplyContext { job_id: &job_id, now, batch_size: 3, entries: &Entries::Universe, groups: None };
        let applied = apply(&lease, &plan, &snapshot, ctx).await.unwrap();
        lease.commit().await.unwrap();
        applied
    }

    /// Notes that a job has ended well, as its worker would: a revert looks for it.
    pub(crate) async fn note_job(&self, job: &str, as_of: &str, now: DateTime<Utc>) {
        self.sql(&format!(
            "insert into cache_sync_jobs (job_id, mode, status, as_of, triggered_by, requested_at, created_at,
                 updated_at, end_time, result)
             values ('{job}', 'full', 'completed', '{as_of}', 'test', '{now}', '{now}', '{now}', '{now}',
                     '{{\"digest\": \"done\"}}')"
        ))
        .await;
    }

    /// Reverts `target`; false where there is nothing to revert.
    pub(crate) async fn revert_at(&self, job: &str, target: &str, now: DateTime<Utc>) -> bool {
        let mut client = self.db.dedicated().await.unwrap();
        let lease = Lease::acquire(&mut client, Limits::default()).await.unwrap();
        let target = JobId::parse(target).unwrap();
        let (found, entries, _) = revert::read(lease.transaction(), &self.entries, &target).await.unwrap();
        let Ok(plan) = cache_sync::plan::revert::plan(&target, &found) else { return false };
        let job_id = JobId::parse(job).unwrap();
        let ctx = ApplyContext { job_id: &job_id, now, batch_size: 3, entries: &entries, groups: None };
        apply(&lease, &plan, &Snapshot::default(), ctx).await.unwrap();
        lease.commit().await.unwrap();
        true
    }

    /// Applies without committing.
    pub(crate) async fn try_apply(
        &self,
        lease: &Lease<'_>,
        job: &str,
        snapshot: &Snapshot,
        as_of: &str,
        wanted: &[(&str, &[&str])],
    ) -> Result<Applied, Failure> {
        let job_id = JobId::parse(job).unwrap();
        let ctx = ApplyContext {
            job_id: &job_id,
            now: evening_of(as_of),
            batch_size: 3,
            entries: &Entries::Universe,
            groups: None,
        };
        apply(lease, &plan(snapshot, as_of, wanted), snapshot, ctx).await
    }

    pub(crate) async fn snapshot(
        &self,
        tx: &cache_sync::store::Transaction<'_>,
        as_of: &str,
        wanted: &[(&str, &[&str])],
    ) -> Snapshot {
        let universes: Vec<UniverseName> = wanted.iter().map(|(name, _)| UniverseName::known(name)).collect();
        let protected = protected();
        let source = SourceTables::discover(tx, &self.source).await.unwrap();
        let market = read_securities(tx, &source, None).await.unwrap();
        let rows = WantedRows::Universe { clean_foreign: Some(&protected) };
        let state = read_state(tx, Wanted { universes: &universes, rows }).await.unwrap();
        let guards = Guards::default();
        let completing = Completing { universes: &universes, in_question: &[], guards: &guards };
        complete(tx, &source, market, state, completing, date(as_of)).await.unwrap().0
    }

    /// The symbols of a row, in its order.
    pub(crate) async fn stored(&self, universe: &str) -> Vec<String> {
        self.ask(&format!(
            "select jsonb_array_elements_text(content -> 'symbols') from cache_entries where universe = '{universe}'"
        ))
        .await
    }

    /// The intervals of a universe: `symbol from to entry exit`.
    pub(crate) async fn intervals(&self, universe: &str) -> Vec<String> {
        self.ask(&format!(
            "select symbol, valid_from, valid_to, entry_reason, exit_reason from universe_membership
             where universe = '{universe}' order by symbol, valid_from"
        ))
        .await
    }

    /// Whether history, replayed up to now, gives exactly what stands in `cache_entries`.
    pub(crate) async fn history_equals_entries(&self, universe: &str) -> bool {
        let mut stored = self.stored(universe).await;
        stored.sort();
        let history = format!(
            "select symbol from universe_membership where universe = '{universe}' and valid_to is null
             order by symbol"
        );
        stored == self.ask(&history).await
    }

    pub(crate) async fn dedicated(&self) -> Client {
        self.db.dedicated().await.unwrap()
    }
}

fn database(url: &str, schema: &str) -> Database {
    Database::new(&DatabaseSettings { url: Secret::new(url), schema: schema.to_owned(), max_connections: 6 })
        .unwrap()
}

/// As shipped.
fn entries(schema: &str) -> EntriesSettings {
    EntriesSettings {
        schema: schema.to_owned(),
        layout: Layout::Auto,
        environment: "DEFAULT".to_owned(),
        bare_etf_lists: false,
        etf_lists: Some("DROPDOWN".to_owned()),
        appv2_rankings: Ranking::of_appv2(),
        groups: Groups::Auto,
        group_universes: Vec::new(),
    }
}

fn protected() -> BTreeSet<String> {
    BTreeSet::from(["app_settings".to_owned()])
}

pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(crate) fn evening_of(as_of: &str) -> DateTime<Utc> {
    format!("{as_of}T21:00:00.123Z").parse().unwrap()
}

pub(crate) fn symbols(texts: &[&str]) -> Vec<Symbol> {
    texts.iter().map(|text| Symbol::parse(text).unwrap()).collect()
}

/// A plan that makes the universes of `snapshot` what is wanted, as the planner would for plain rules.
pub(crate) fn plan(snapshot: &Snapshot, as_of: &str, wanted: &[(&str, &[&str])]) -> Plan {
    let universes = wanted.iter().map(|(name, members)| {
        let name = UniverseName::known(name);
        let stored = snapshot.universes.get(&name);
        planned(name, stored, &symbols(members))
    });
    Plan {
        as_of: date(as_of),
        mode: Mode::Full,
        universes: universes.collect(),
        foreign: Vec::new(),
        restored: Vec::new(),
        identities: Vec::new(),
        tasks: Vec::new(),
        warnings: Vec::new(),
        measures: Vec::new(),
        counts: cache_sync::plan::market::Counts::default(),
        run: RunState { as_of: date(as_of), active_stocks: 3, closes: 3, ..RunState::default() },
        released: Vec::new(),
        total_symbols: snapshot.securities.len(),
    }
}

fn planned(name: UniverseName, stored: Option<&StoredUniverse>, members: &[Symbol]) -> PlannedUniverse {
    let before = match stored {
        None => Before::Nothing,
        Some(stored) if stored.state.is_none() => Before::Unmanaged,
        Some(_) => Before::Managed,
    };
    let was: Vec<Symbol> = stored.map(|stored| stored.members.clone()).unwrap_or_default();
    let (old, new): (HashSet<&Symbol>, HashSet<&Symbol>) = (was.iter().collect(), members.iter().collect());
    let metadata = json!({"limit": members.len()});
    let content = stored.and_then(|stored| stored.content.as_ref());
    let joined = members.iter().enumerate().filter_map(|(index, symbol)| {
        let reason = match (before, old.contains(symbol)) {
            (Before::Managed, true) => return None,
            (Before::Unmanaged, true) => EntryReason::Adopted,
            (Before::Nothing, _) => EntryReason::FirstFill,
            (_, false) => EntryReason::Rule,
        };
        Some(Joined {
            symbol: symbol.clone(),
            reason,
            task: SyncTask::MarketCapRecalculation,
            rank: index + 1,
            cap: Some(Usd::dollars(1_000)),
            why: "it is large".into(),
        })
    });
    let left = was.iter().filter(|symbol| !new.contains(symbol)).map(|symbol| Left {
        symbol: symbol.clone(),
        reason: ExitReason::Rule,
        task: SyncTask::MarketCapRecalculation,
        cap: None,
        why: "it is small".into(),
    });
    PlannedUniverse {
        name,
        cache_type: CacheType::MarketLeader,
        task: SyncTask::MarketCapRecalculation,
        members: members.to_vec(),
        rewrite: !content.is_some_and(|content| content.holds(members, &metadata)),
        metadata,
        before,
        joined: joined.collect(),
        left: left.collect(),
        renamed: Vec::new(),
        status: UniverseStatus::Ok,
        hold: None,
        total_cap: Usd::dollars(1_000 * members.len() as i64),
        members_with_cap: members.len(),
    }
}

pub(crate) fn cleanup(universe: &str, elements: &[&str]) -> ForeignCleanup {
    ForeignCleanup {
        universe: universe.to_owned(),
        elements: elements.iter().map(|&element| element.to_owned()).collect(),
    }
}
