-- Notes on a job that was just accepted what its result is to mention.
-- Uses cache_sync_jobs_pkey.
-- $1 job id, $2 warnings
update cache_sync_jobs
set warnings = warnings || $2
where job_id = $1
returning *
