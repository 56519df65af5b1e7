//! The tables that a live `AppV2` database has, with rows of others in them.

use super::World;

/// What is unique in most installations, and what is in some.
pub(crate) const KEYS: [&str; 2] = ["type, name, key, environment", "type, key, environment"];

/// Rows of others, as `AppV2` and its tools keep them beside ours.
const OTHERS: &str = r#"
    insert into cache_entries (type, name, key, value, environment) values
    ('app_settings', 'app_settings', 'MAIL_TIMEOUT', '{"value": 10.50}', 'DEFAULT'),
    ('cache_config', 'sic_mapping', '3571', '{"sector": "Technology"}', 'DEFAULT'),
    ('priority_stocks', 'processing', 'top_priority', '{"count": 1, "stocks": [{"ticker": "BG001"}]}', 'DEFAULT'),
    ('stock_universe', 'Dev Top 10 Stocks', 'dev_top_10', '{"stocks": [{"ticker": "BG001"}]}', 'DEFAULT'),
    ('stock_universe', 'industry', 'banks', '{"count": 1, "stocks": [{"ticker": "GONE"}]}', 'DEFAULT'),
    ('etf_universe', 'Dev ETF Selection', 'dev_etfs', '{"etfs": [{"ticker": "SPY"}]}', 'DEFAULT'),
    ('themes', 'Cybersecurity', 'list', '["BG002", "GONE"]', 'DEFAULT'),
    ('stock_universe', 'market_cap', 'mega_cap', '["OLD", "OLD"]', 'STAGING'),
    ('setting', 'theme_mode', 'theme_mode', '"dark"', 'DEFAULT');"#;

/// Funds, one of them without any detail.
const FUNDS: &str = "
    insert into symbols (symbol, name, type, active, etf_type, issuer, aum_millions) values
    ('SPY', 'SPDR S&P 500 ETF Trust', 'ETF', true, 'broad_market', 'State Street', 500000),
    ('TLT', 'iShares 20+ Year Treasury Bond ETF', 'ETF', true, 'bond', 'BlackRock', 50000),
    ('BARE', null, 'ETF', true, null, null, null),
    ('QQQ', 'Closed', 'ETF', false, null, null, null);
    insert into ohlcv_daily (symbol, date, close, volume)
    select symbol, '2026-03-02', 100, 1 from symbols where type = 'ETF';";

/// What the rebuild of 2025-09 writes beside rows that we keep: themes of its own as bare lists, industries, categories of
/// funds that we don't have, rows with details; and what its clean-up writes.
pub(crate) const REBUILT: &str = r#"
    insert into cache_entries (type, name, key, value, environment) values
    ('stock_universe', 'themes', 'ai', '["BG001", "GONE"]', 'DEFAULT'),
    ('themes', 'Ai', 'list', '["BG001", "GONE"]', 'DEFAULT'),
    ('themes', 'Cloud', 'list', '["BG002"]', 'DEFAULT'),
    ('stock_universe', 'industry', 'software', '{"count": 1, "stocks": [{"ticker": "GONE"}]}', 'DEFAULT'),
    ('stock_universe', 'complete', 'all_stocks_detailed', '{"count": 1, "stocks": [{"ticker": "BG001"}]}', 'DEFAULT'),
    ('stock_universe', 'complete', 'all_etfs', '["SPY"]', 'DEFAULT'),
    ('etf_universe', 'Factor ETFs', 'etf_factor', '{"count": 1.0, "etfs": [{"ticker": "SPY"}]}', 'DEFAULT'),
    ('stock_universe', 'Complete', 'all_stocks', '["GONE"]', 'DEFAULT'),
    ('stock_universe', 'market_cap', 'mega_cap', '{"count": 1, "stocks": [{"ticker": "BG001", "rank": 1}]}', 'DEFAULT')"#;

/// The tables as the newest `AppV2` makes them; `{types}` is what its check allows.
pub(crate) const GROUP_TABLES: &str = "
    create table definition_groups (
        id serial primary key, name varchar(100) not null,
        type varchar(50) not null check (type in ({types})),
        description text, metadata jsonb, liquidity_filter jsonb,
        environment varchar(10) not null check (environment in ('DEFAULT', 'TEST', 'UAT', 'PROD')),
        created_at timestamp default current_timestamp, updated_at timestamp default current_timestamp,
        last_update timestamp default current_timestamp,
        constraint unique_group unique (name, type, environment));
    create table group_memberships (
        id serial primary key, group_id integer not null references definition_groups (id) on delete cascade,
        symbol varchar(50) not null, weight numeric(5, 4), metadata jsonb,
        added_at timestamp default current_timestamp, updated_at timestamp default current_timestamp,
        constraint unique_membership unique (group_id, symbol));";
/// What the script of `AppV2` allows, and what it has to allow for us.
pub(crate) const GROUP_TYPES: [&str; 2] = [
    "'ETF', 'THEME', 'SECTOR', 'SEGMENT', 'CUSTOM'",
    "'ETF', 'THEME', 'SECTOR', 'SEGMENT', 'CUSTOM', 'UNIVERSE'",
];
/// Groups of others: those of its loaders, one of our names in another type, and one in another environment.
const OTHER_GROUPS: &str = r#"
    insert into definition_groups (name, type, environment, metadata, liquidity_filter) values
    ('sp500', 'UNIVERSE', 'DEFAULT', '{"total_symbols": 2, "checksum": "ab"}', null),
    ('SPY', 'ETF', 'DEFAULT', null, '{"min_volume": 1000000.50}'),
    ('cloud_computing', 'THEME', 'DEFAULT', '[]', null),
    ('technology', 'SECTOR', 'DEFAULT', '{"industries": ["Software"]}', null),
    ('top_100', 'UNIVERSE', 'TEST', '{"owner": "somebody"}', null);
    insert into group_memberships (group_id, symbol, weight, metadata)
    select g.id, member.symbol, 0.0650, '{"industry": "Banks"}'
    from definition_groups g, (values ('BG001'), ('GONE')) as member (symbol);"#;

impl World {
    /// A world whose `cache_entries` is `AppV2`'s, with rows of others and a few funds.
    pub(crate) async fn appv2(key: &str, settings: &[(&str, &str)]) -> Self {
        let world = Self::with(settings).await;
        world.make_appv2_entries(key).await;
        world
    }

    /// Puts `AppV2`'s table in the place of ours.
    pub(crate) async fn make_appv2_entries(&self, key: &str) {
        self.sql(&format!(
            "drop table cache_entries;
             create table cache_entries (
                id serial primary key, type varchar(50) not null, name varchar(100) not null,
                key varchar(100) not null, value jsonb not null, environment varchar(20) not null,
                created_at timestamp default now(), updated_at timestamp with time zone default now(),
                note text, unique ({key}));
             {OTHERS} {FUNDS}"
        ))
        .await;
    }

    /// Makes the group tables, with groups of others in them.
    pub(crate) async fn make_groups(&self, types: &str) {
        self.sql(&GROUP_TABLES.replace("{types}", types)).await;
        // What others hold is only put where their types are allowed.
        if types.contains("UNIVERSE") {
            self.sql(OTHER_GROUPS).await;
        }
    }

    /// Whether `cache_entries` is `AppV2`'s.
    pub(crate) async fn has_appv2_entries(&self) -> bool {
        let column = "select count(*) from pg_attribute
                      where attrelid = 'cache_entries'::regclass and attname = 'environment'";
        self.count(column).await == 1
    }

    /// Panics unless the rows of every universe, and its group where there are groups, say what history says.
    pub(crate) async fn assert_appv2_rows_are_the_history(&self) {
        let entries = "
            with entries as (
                select case e.key when 'top_10_stocks' then 'top_10' else e.key end as universe,
                       member ->> 'ticker' as symbol
                from cache_entries e,
                     jsonb_array_elements(coalesce(e.value -> 'stocks', e.value -> 'etfs')) as member
                where e.environment = 'DEFAULT' and e.type in ('stock_universe', 'etf_universe')
                  and jsonb_typeof(e.value) = 'object'
                  and case e.key when 'top_10_stocks' then 'top_10' else e.key end
                      in (select universe from cache_entries_metadata)),
            history as (
                select universe, symbol from universe_membership where valid_to is null and universe <> 'recent_ipos')
            (table history except table entries) union all (table entries except table history)";
        assert_eq!(self.ask(entries).await, [""; 0]);
        if self.count("select count(*) where to_regclass('definition_groups') is not null").await == 0 {
            return;
        }
        let groups = "
            with groups as (
                select g.name as universe, m.symbol from definition_groups g
                join group_memberships m on m.group_id = g.id
                where g.metadata ->> 'owner' = 'cache-sync' and g.name <> 'combo_test'),
            history as (
                select h.universe, h.symbol from universe_membership h
                join cache_entries_metadata m on m.universe = h.universe
                where h.valid_to is null and m.cache_type <> 'sector_leader')
            (table history except table groups) union all (table groups except table history)";
        assert_eq!(self.ask(groups).await, [""; 0]);
    }
}
