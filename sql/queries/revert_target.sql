-- A job that is to be undone: whether it applied a plan, its run where that is kept, and the jobs of the runs after it.
-- Uses cache_sync_jobs_pkey, cache_sync_runs_job and cache_sync_runs_pkey.
-- $1 job id
select
    j.status,
    coalesce(j.result ->> 'digest', '') <> '' as has_applied,
    r.id as run_id,
    r.as_of,
    coalesce(r.previous_entries <> '{}', false) as has_written,
    array(select later.job_id from cache_sync_runs later where later.id > r.id order by later.id) as later_jobs
from cache_sync_jobs j
left join cache_sync_runs r on r.job_id = j.job_id
where j.job_id = $1;
