-- A database as a newest AppV2 leaves it, for the trial of the integration page: its cache_entries, filled by its own old
-- job, and its group tables, with rows of others in both. The market is there already.
create table cache_entries (
    id serial primary key, type varchar(50) not null, name varchar(100) not null, key varchar(100) not null,
    value jsonb not null, environment varchar(10) not null,
    created_at timestamp default now(), updated_at timestamp default now(),
    constraint unique_cache_entry unique (type, name, key, environment)
);
insert into cache_entries (type, name, key, value, environment) values
    ('app_settings', 'app_settings', 'MAIL_TIMEOUT', '{"value": 10}', 'DEFAULT'),
    ('priority_stocks', 'processing', 'top_priority', '{"stocks": [{"ticker": "AAPL"}]}', 'DEFAULT'),
    ('stock_universe', 'market_cap', 'mega_cap', '{"count": 2, "stocks": [{"ticker": "AAPL"}, {"ticker": "XLNX"}]}', 'DEFAULT'),
    ('stock_universe', 'market_leaders', 'top_10_stocks', '{"count": 1, "stocks": [{"ticker": "AAPL"}]}', 'DEFAULT'),
    ('stock_universe', 'industry', 'software', '{"count": 2, "stocks": [{"ticker": "MSFT"}, {"ticker": "XLNX"}]}', 'DEFAULT'),
    ('stock_universe', 'complete', 'all_stocks_detailed', '{"count": 1, "stocks": [{"ticker": "XLNX"}]}', 'DEFAULT'),
    ('stock_universe', 'complete', 'all_etfs', '["SPY"]', 'DEFAULT'),
    ('etf_universe', 'Factor ETFs', 'etf_factor', '["SPY"]', 'DEFAULT'),
    ('themes', 'Cybersecurity', 'list', '["PANW", "XLNX"]', 'DEFAULT');
create table definition_groups (
    id serial primary key, name varchar(100) not null, type varchar(50) not null, description text, metadata jsonb,
    liquidity_filter jsonb, environment varchar(10) not null,
    created_at timestamp default now(), updated_at timestamp default now(), last_update timestamp default now(),
    constraint definition_groups_type_check check (type in ('ETF', 'THEME', 'SECTOR', 'SEGMENT', 'CUSTOM')),
    constraint definition_groups_environment_check check (environment in ('DEFAULT', 'TEST', 'UAT', 'PROD')),
    constraint unique_group unique (name, type, environment)
);
create table group_memberships (
    id serial primary key, group_id integer not null references definition_groups (id) on delete cascade,
    symbol varchar(50) not null, weight numeric(5, 4), metadata jsonb,
    added_at timestamp default now(), updated_at timestamp default now(),
    constraint unique_membership unique (group_id, symbol)
);
insert into definition_groups (name, type, environment) values ('SPY', 'ETF', 'DEFAULT');
insert into group_memberships (group_id, symbol, weight) select id, 'AAPL', 0.07 from definition_groups;
