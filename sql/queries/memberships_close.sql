-- Ends the memberships of those who leave, and of the old symbols of those who are renamed; returns how many. A membership of this very date never was: its row goes,
-- and what it said is kept as retracted.
-- Uses universe_membership_open.
-- $1 date of the sync, $2 job id, $3 now
with leaving as (
    select universe, coalesce(renamed_from, symbol) as symbol,
        case when action = 'renamed' then 'missing' else reason end as reason
    from cache_sync_staged
    where action in ('removed', 'renamed')
),
withdrawn as (
    delete from universe_membership m
    using leaving l
    where m.universe = l.universe
      and m.symbol = l.symbol
      and m.valid_to is null
      and m.valid_from >= $1
    returning m.*
),
retracted as (
    insert into cache_sync_retractions (
        universe, symbol, instrument_id, valid_from, entry_reason, rank_at_entry, cap_at_entry, evidence, job_id,
        recorded_at, reopened_at, retracted_at
    )
    select
        universe, symbol, instrument_id, valid_from, entry_reason, rank_at_entry, cap_at_entry, evidence, job_id,
        recorded_at, reopened_at, $3
    from withdrawn
),
closed as (
    update universe_membership m
    set valid_to = $1, exit_reason = l.reason, exit_job_id = $2, exit_recorded_at = $3
    from leaving l
    where m.universe = l.universe
      and m.symbol = l.symbol
      and m.valid_to is null
      and m.valid_from < $1
    returning 1
)
select (select count(*) from withdrawn) + (select count(*) from closed);
