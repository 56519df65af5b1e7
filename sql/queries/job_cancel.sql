-- Notes that somebody asked for the end of a job that a worker holds. The caller holds the row's lock.
-- Uses cache_sync_jobs_pkey.
-- $1 job id, $2 now
update cache_sync_jobs
set cancel_requested_at = $2,
    updated_at = $2
where job_id = $1
