-- Forgets the runs of a date that was reverted, so that the one before it is the last applied date again.
-- Uses cache_sync_runs_by_date, cache_entries_metadata_pkey and cache_sync_instruments_open.
-- $1 the date, $2 the date applied before it
with runs as (
    delete from cache_sync_runs
    where as_of = $1
),
universes as (
    update cache_entries_metadata
    set last_as_of = $2
    where last_as_of >= $1
)
update cache_sync_instruments
set valid_from = $2
where valid_from >= $1
  and valid_to is null;
