-- Begins the memberships of those who join; returns how many. One of the same instrument that ended on this very date
-- never ended: it goes on, and its end is kept as retracted. Where history has the membership open already, nothing
-- happens.
-- Uses cache_sync_instruments_open, universe_membership_by_symbol, universe_membership_open.
-- $1 date of the sync, $2 job id, $3 now
with joining as (
    select s.universe, s.symbol, s.reason, s.rank, s.cap, s.why, i.id as instrument_id
    from cache_sync_staged s
    join cache_sync_instruments i on i.symbol = s.symbol and i.valid_to is null
    where s.action in ('added', 'adopted')
      and not s.is_foreign
),
ended as (
    select m.*
    from universe_membership m
    join joining j on m.universe = j.universe and m.symbol = j.symbol
    where m.valid_to = $1
),
retracted as (
    insert into cache_sync_retractions (
        universe, symbol, instrument_id, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry, cap_at_entry,
        evidence, job_id, exit_job_id, recorded_at, exit_recorded_at, reopened_at, retracted_at
    )
    select
        universe, symbol, instrument_id, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry, cap_at_entry,
        evidence, job_id, exit_job_id, recorded_at, exit_recorded_at, reopened_at, $3
    from ended
),
reopened as (
    update universe_membership m
    set valid_to = null, exit_reason = null, exit_job_id = null, exit_recorded_at = null, reopened_at = $3
    from ended e
    where m.id = e.id
    returning m.universe, m.symbol
),
opened as (
    insert into universe_membership (
        universe, symbol, instrument_id, valid_from, entry_reason, rank_at_entry, cap_at_entry, evidence, job_id,
        recorded_at
    )
    select
        j.universe, j.symbol, j.instrument_id, $1, j.reason, j.rank, j.cap, jsonb_build_object('why', j.why), $2, $3
    from joining j
    where not exists (select from reopened r where r.universe = j.universe and r.symbol = j.symbol)
    on conflict (universe, symbol) where valid_to is null do nothing
    returning 1
)
select (select count(*) from reopened) + (select count(*) from opened);
