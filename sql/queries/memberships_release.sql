-- Ends every membership of universes that are ours no longer. One of this very date never was: its row goes, and what it
-- said is kept as retracted.
-- Uses universe_membership_open.
-- $1 date of the sync, $2 job id, $3 universes, $4 reason, $5 now
with withdrawn as (
    delete from universe_membership
    where universe = any ($3)
      and valid_to is null
      and valid_from >= $1
    returning *
),
retracted as (
    insert into cache_sync_retractions (
        universe, symbol, instrument_id, valid_from, entry_reason, rank_at_entry, cap_at_entry, evidence, job_id,
        recorded_at, reopened_at, retracted_at
    )
    select
        universe, symbol, instrument_id, valid_from, entry_reason, rank_at_entry, cap_at_entry, evidence, job_id,
        recorded_at, reopened_at, $5
    from withdrawn
)
update universe_membership
set valid_to = $1, exit_reason = $4, exit_job_id = $2, exit_recorded_at = $5
where universe = any ($3)
  and valid_to is null
  and valid_from < $1;
