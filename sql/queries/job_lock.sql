-- One job, its row locked until the transaction ends.
-- Uses cache_sync_jobs_pkey.
-- $1 job id
select *
from cache_sync_jobs
where job_id = $1
for update
