-- Confirms ownership and says whether somebody asked for the job to be cancelled; no row: ownership is lost.
-- Uses cache_sync_owners_pkey and cache_sync_jobs_pkey.
-- $1 job id, $2 lease number, $3 lease in seconds
update cache_sync_owners o
set expires_at = clock_timestamp() + make_interval(secs => $3)
from cache_sync_jobs j
where o.job_id = $1
  and o.lease_number = $2
  and j.job_id = o.job_id
returning j.cancel_requested_at is not null as is_cancel_requested
