-- Jobs, newest first.
-- Uses cache_sync_jobs_recent (created_at desc).
-- $1 how many, $2 how many to pass over
select *
from cache_sync_jobs
order by created_at desc, job_id desc
limit $1
offset $2
