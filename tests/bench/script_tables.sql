-- Where the script (script.sql) writes: tables shaped like ours, and the lists that it joins with.
drop schema if exists script cascade;
create schema script;
create table script.cache_entries (
    id serial primary key, universe varchar(100) not null, content jsonb not null, cache_type varchar(50),
    created_at timestamptz default now(), updated_at timestamptz default now(), unique (universe)
);
create table script.membership (
    id bigint generated always as identity primary key, universe text not null, symbol text not null,
    valid_from date not null, valid_to date, entry_reason text not null, exit_reason text, rank_at_entry integer,
    cap_at_entry numeric, job_id text not null, exit_job_id text, recorded_at timestamptz not null default now(),
    check (valid_from < valid_to)
);
create unique index on script.membership (universe, symbol) where valid_to is null;
create index on script.membership (symbol, valid_from);
create table script.changes (
    id bigint generated always as identity primary key, job_id text not null, as_of date not null,
    universe text not null, symbol text, action text not null, reason text not null,
    recorded_at timestamptz not null default now()
);
create index on script.changes (job_id);
create index on script.changes (symbol, as_of);
create table script.runs (
    id bigint generated always as identity primary key, as_of date not null, symbols text[], caps bigint[],
    closes float8[], shares float8[], sectors text[], previous jsonb
);
create table script.sector_of_symbol (symbol text primary key, sector text not null);
create table script.sector_of_name (name text primary key, sector text not null);
create table script.sector_of_sic (sic integer primary key, sector text not null);
create table script.seeds (theme text, symbol text, entry_floor bigint, max_members integer, primary key (theme, symbol));
