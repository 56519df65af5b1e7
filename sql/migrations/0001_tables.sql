-- The tables of this program, in their final shape, and cache_entries where it is missing.
--
-- Why: later releases fill columns that earlier ones left empty, so that no release has to rewrite history.
-- The previous binary: there is none. Runs inside one transaction with search_path set to the schema of the program.
-- A cache_entries that exists is left exactly as it is; whether it can be used is checked before this file runs.

create table if not exists cache_entries (
    id serial primary key,
    universe varchar(100) not null,
    content jsonb not null,
    cache_type varchar(50),
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    unique (universe)
);

-- Jobs: one row each, the arbiter of what was accepted, begun and finished.
create table cache_sync_jobs (
    job_id text constraint cache_sync_jobs_pkey primary key,
    mode text not null,
    status text not null default 'queued',
    as_of date,                                   -- asked for at first, synced in the end
    attempt integer not null default 0,           -- times a worker began it; taken back when handed back
    lease_number bigint not null default 0,       -- raised at every claim; the fence against workers that woke too late
    not_before timestamptz,                       -- when a retry is due
    waiting_since timestamptz,                    -- since when it waits for a complete import
    dedupe_key text,
    run_id text,
    triggered_by text not null,
    force boolean not null default false,
    accept_churn boolean not null default false,
    requested_as_of date,
    revert_of text,
    replay_of text,
    requested_at timestamptz not null,
    created_at timestamptz not null,
    start_time timestamptz,
    end_time timestamptz,
    updated_at timestamptz not null,
    cancel_requested_at timestamptz,
    entry_id text,                                -- the stream entry that stands for it now
    replaced_entry_id text,                       -- the one before, which was lost or acknowledged
    entry_written_at timestamptz,                 -- when the sweeper or the producer last wrote one
    worker text,
    last_step text,                               -- how far the last attempt came
    last_seq bigint not null default 0,           -- the highest event sequence number given out in Postgres
    error text,
    warnings jsonb not null default '[]',
    result jsonb not null default '{}',
    policy_fingerprint text,
    constraint job_status_known check (status in ('queued', 'running', 'retrying', 'completed', 'failed', 'cancelled')),
    constraint job_finished_or_open check ((status in ('completed', 'failed', 'cancelled')) = (end_time is not null))
);
-- One unfinished job per key; finished ones are looked up by the same index.
create unique index cache_sync_jobs_open_key on cache_sync_jobs (dedupe_key)
    where dedupe_key is not null and status in ('queued', 'running', 'retrying');
create index cache_sync_jobs_done_key on cache_sync_jobs (dedupe_key, as_of)
    where dedupe_key is not null and status = 'completed';
create index cache_sync_jobs_open on cache_sync_jobs (not_before) where status in ('queued', 'running', 'retrying');
create index cache_sync_jobs_recent on cache_sync_jobs (created_at desc);
create index cache_sync_jobs_ended on cache_sync_jobs (end_time) where end_time is not null;

-- Who holds a job. Written by claim and heartbeat only, on their own connection: an update of the job row meanwhile
-- would make the apply fail as not serializable.
create table cache_sync_owners (
    job_id text constraint cache_sync_owners_pkey primary key,
    lease_number bigint not null,
    worker text not null,
    expires_at timestamptz not null,
    backend_pid integer,                          -- the backend that writes, known once it has the lease
    xact_start timestamptz,
    step text                                     -- how far it has come
);

-- Holds no rows. LOCK TABLE ... IN EXCLUSIVE MODE on it is the lease: one job at a time changes universes.
create table cache_sync_lease ();

-- Events that are owed to the world, in order per job.
create table cache_sync_outbox (
    job_id text not null,
    seq bigint not null,
    channels text[] not null,
    envelope jsonb,                               -- null: only the status hash changes
    status_hash jsonb,                            -- the fields of the status hash after this event, null: unchanged
    total_symbols bigint,                         -- securities the job read, for the job monitor page
    created_at timestamptz not null,
    sent_at timestamptz,
    constraint cache_sync_outbox_pkey primary key (job_id, seq)
);
create index cache_sync_outbox_unsent on cache_sync_outbox (job_id, seq) where sent_at is null;
create index cache_sync_outbox_sent on cache_sync_outbox (sent_at) where sent_at is not null;

-- What is known about each universe beside its row in cache_entries.
create table cache_entries_metadata (
    universe text constraint cache_entries_metadata_pkey primary key,
    cache_type text not null,
    symbol_count integer not null,
    added integer not null,
    removed integer not null,
    total_market_cap numeric not null,
    average_market_cap numeric,
    status text not null,
    detail jsonb not null default '{}',
    members_digest text not null,                 -- of the members as history has them; tells an edited row
    last_as_of date not null,                     -- when a plan for it was last applied, not held
    held_runs integer not null default 0,
    last_changed_at timestamptz not null,
    last_synced_at timestamptz not null,
    last_job_id text not null,
    constraint universe_status_known check (status in ('ok', 'held', 'no_source_data'))
);

-- Who a symbol was, when. A reused ticker is two instruments.
create table cache_sync_instruments (
    id bigint generated always as identity constraint cache_sync_instruments_pkey primary key,
    symbol text not null,
    cik text,
    figi text,
    valid_from date not null,
    valid_to date,
    constraint instrument_interval_forward check (valid_to is null or valid_from < valid_to)
);
create unique index cache_sync_instruments_open on cache_sync_instruments (symbol) where valid_to is null;

-- History: half-open intervals of as_of dates.
create table universe_membership (
    id bigint generated always as identity constraint universe_membership_pkey primary key,
    universe text not null,
    symbol text not null,
    instrument_id bigint not null,
    valid_from date not null,
    valid_to date,
    entry_reason text not null,
    exit_reason text,
    rank_at_entry integer,
    cap_at_entry numeric,
    evidence jsonb,
    job_id text not null,
    exit_job_id text,
    recorded_at timestamptz not null,
    constraint membership_interval_forward check (valid_to is null or valid_from < valid_to),
    constraint membership_ended_with_reason check ((valid_to is null) = (exit_reason is null))
);
-- One open interval per universe and symbol. A GiST exclusion of overlaps would cost 15 to 25 times the write.
create unique index universe_membership_open on universe_membership (universe, symbol) where valid_to is null;
create index universe_membership_by_symbol on universe_membership (symbol, valid_from);
create index universe_membership_by_date on universe_membership (universe, valid_from, valid_to);

-- The audit: every change, and every change that was kept back. Kept for ever.
create table cache_sync_changes (
    id bigint generated always as identity constraint cache_sync_changes_pkey primary key,
    job_id text not null,
    as_of date not null,
    universe text not null,
    symbol text,
    action text not null,
    reason text not null,
    task text not null,
    before jsonb,
    after jsonb,
    recorded_at timestamptz not null,
    constraint change_action_known check (action in ('added', 'removed', 'renamed', 'held')),
    constraint change_names_a_symbol check ((symbol is null) = (action = 'held'))
);
create index cache_sync_changes_by_job on cache_sync_changes (job_id, id);
create index cache_sync_changes_by_symbol on cache_sync_changes (symbol, as_of) where symbol is not null;
create index cache_sync_changes_by_date on cache_sync_changes (as_of, action);

-- What the last good runs saw, for the guards, and what they overwrote, for revert. The newest 30 are kept.
create table cache_sync_runs (
    id bigint generated always as identity constraint cache_sync_runs_pkey primary key,
    as_of date not null,
    job_id text not null,
    mode text not null,
    recorded_at timestamptz not null,
    active_stocks integer not null,
    closes integer not null,                      -- active securities with a close on as_of or later
    symbols text[] not null,                      -- the eligible stocks; the arrays below run parallel to it
    caps_cents bigint[] not null,
    closes_dollars double precision[] not null,
    shares double precision[] not null,
    sectors text[] not null,
    previous_entries jsonb not null default '{}', -- universe -> {cache_type, content} before the run, or null for none
    constraint cache_sync_runs_job unique (job_id)
);
-- Written at every sync and read at the next: the disk is cheaper than compressing half a megabyte each time.
alter table cache_sync_runs
    alter column symbols set storage external,
    alter column caps_cents set storage external,
    alter column closes_dollars set storage external,
    alter column shares set storage external,
    alter column sectors set storage external,
    alter column previous_entries set storage external;
create index cache_sync_runs_by_date on cache_sync_runs (as_of desc, id desc);
