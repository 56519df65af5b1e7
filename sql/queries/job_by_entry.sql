-- The job that a stream entry stands for.
-- Reads the unfinished jobs (cache_sync_jobs_open); there are few.
-- $1 entry id
select job_id
from cache_sync_jobs
where entry_id = $1
limit 1
