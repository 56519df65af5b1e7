-- Asks for a job's end. One that no worker has begun ends at once; no row: it is unknown or has ended.
-- Uses cache_sync_jobs_pkey.
-- $1 job id, $2 now
update cache_sync_jobs
set cancel_requested_at = coalesce(cancel_requested_at, $2),
    updated_at = $2
where job_id = $1
  and end_time is null
returning *
