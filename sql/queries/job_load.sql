-- One job, and the worker that holds it now with the step it is at.
-- Uses cache_sync_jobs_pkey and cache_sync_owners_pkey.
-- $1 job id
select j.*, o.worker as held_by, o.step as held_at_step
from cache_sync_jobs j
left join cache_sync_owners o on o.job_id = j.job_id and o.expires_at > clock_timestamp()
where j.job_id = $1
