-- A job that is to be undone: whether it applied a plan, its run where that is kept, the layouts of cache_entries that
-- it and later ones wrote, and the jobs of the runs after it.
-- Uses cache_sync_jobs_pkey, cache_sync_runs_job and cache_sync_runs_pkey.
-- $1 job id
select
    j.status,
    coalesce(j.result ->> 'digest', '') <> '' as has_applied,
    r.id as run_id,
    r.as_of,
    coalesce(r.previous_entries <> '{}', false) as has_written,
    exists (
        select from cache_sync_runs w
        cross join lateral jsonb_each(w.previous_entries) as entry
        where w.id >= r.id
          and entry.value ? 'at'
    ) as wrote_appv2,
    exists (
        select from cache_sync_runs w
        cross join lateral jsonb_each(w.previous_entries) as entry
        where w.id >= r.id
          and not entry.value ? 'at'
    ) as wrote_universes,
    array(select later.job_id from cache_sync_runs later where later.id > r.id order by later.id) as later_jobs
from cache_sync_jobs j
left join cache_sync_runs r on r.job_id = j.job_id
where j.job_id = $1;
