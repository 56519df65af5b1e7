-- Who a symbol is, exactly enough to tell a rename and a reused ticker; history as it was known; sets for backtests.
--
-- Why: the identifiers of a share class and of a composite are compared each with its own kind; the rows of one
-- instrument under several symbols belong together; and "what did the application show that evening" needs to know
-- when an end was recorded, and what history once said that it says no longer.
-- The previous binary can run beside it: every column may be left out. Ends that it records are dated by the audit.

alter table cache_sync_instruments
    add column share_class_figi text,
    add column composite_figi text,
    add column kind text,                         -- the type, beside which a CIK identifies
    add column lineage_id bigint;                 -- the first row of this instrument; null: this one
create index cache_sync_instruments_ended on cache_sync_instruments (symbol) where valid_to is not null;
create index cache_sync_instruments_lineage on cache_sync_instruments (lineage_id) where lineage_id is not null;

-- Sorted hashes of symbol and identifiers, of the securities that may be members: whoever has none of the last run
-- is looked at. Null: not known, so everybody is.
alter table cache_sync_runs add column identities bigint[];
alter table cache_sync_runs alter column identities set storage external;

alter table universe_membership
    add column exit_recorded_at timestamptz,      -- null with an end: that of the audit of exit_job_id
    add column reopened_at timestamptz;           -- since when it is as it is, where it had ended before

-- What history said of memberships and says no longer: those that began and ended on one date, and the ends of those
-- that went on after all.
create table cache_sync_retractions (
    id bigint generated always as identity constraint cache_sync_retractions_pkey primary key,
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
    exit_recorded_at timestamptz,
    reopened_at timestamptz,
    retracted_at timestamptz not null
);
create index cache_sync_retractions_by_universe on cache_sync_retractions (universe);
create index cache_sync_retractions_by_symbol on cache_sync_retractions (symbol);

-- Memberships by the sessions on which one may trade by them: a member that was decided on the evening of valid_from
-- is known from the next session on, one that left on the evening of valid_to was a member through that session. No
-- calendar is needed, since both are sessions.
create view universe_sessions as
select
    universe, symbol, instrument_id, daterange(valid_from, valid_to, '(]') as sessions, valid_from, valid_to,
    entry_reason, exit_reason
from universe_membership;

-- The members of a universe on the evening before a session, by symbol.
-- Uses universe_membership_by_date. The body is bound to our tables when it is made, whatever search_path is later,
-- and the planner sees through it.
create function universe_members_before(universe text, session date)
returns table (symbol text, instrument_id bigint, valid_from date, entry_reason text)
language sql stable parallel safe
begin atomic
    select m.symbol, m.instrument_id, m.valid_from, m.entry_reason
    from universe_membership m
    where m.universe = universe_members_before.universe
      and m.valid_from < universe_members_before.session
      and (m.valid_to is null or m.valid_to >= universe_members_before.session)
    order by m.symbol;
end;
