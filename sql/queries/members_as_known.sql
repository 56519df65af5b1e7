-- The members of one universe as they were known at a moment, now or on a date, by symbol. What has been recorded later
-- is not known yet; what has been retracted since was.
-- An end whose time was not written down with it has that of the audit of its job, else of the job's run.
-- Uses universe_membership_by_date, cache_sync_retractions_by_universe, cache_sync_changes_by_job, cache_sync_runs_job.
-- $1 universe, $2 date or null for the last one known, $3 moment
with versions as (
    select symbol, valid_from, valid_to, entry_reason, exit_job_id, recorded_at, exit_recorded_at, reopened_at,
        reconstructed, null::timestamptz as retracted_at
    from universe_membership
    where universe = $1
    union all
    select symbol, valid_from, valid_to, entry_reason, exit_job_id, recorded_at, exit_recorded_at, reopened_at,
        false, retracted_at
    from cache_sync_retractions
    where universe = $1
),
known as (
    select v.symbol, v.valid_from, v.entry_reason, v.reconstructed,
        case when v.valid_to is not null and e.exit_recorded_at <= $3 then v.valid_to end as valid_to
    from versions v
    left join lateral (
        select coalesce(
            v.exit_recorded_at,
            (select max(c.recorded_at) from cache_sync_changes c where c.job_id = v.exit_job_id),
            (select r.recorded_at from cache_sync_runs r where r.job_id = v.exit_job_id),
            '-infinity'
        ) as exit_recorded_at
    ) e on v.valid_to is not null
    where coalesce(v.reopened_at, v.recorded_at) <= $3
      and (v.retracted_at is null or v.retracted_at > $3)
)
select symbol, valid_from, entry_reason, reconstructed
from known
where ($2::date is null or valid_from <= $2)
  and (valid_to is null or valid_to > $2)
order by symbol;
