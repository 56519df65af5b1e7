-- Whether somebody asked for the end of a job; no row: it is unknown.
-- Uses cache_sync_jobs_pkey.
-- $1 job id
select cancel_requested_at is not null as is_cancel_requested
from cache_sync_jobs
where job_id = $1
