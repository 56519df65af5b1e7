-- The job that a dedupe key stands for: one that is unfinished, or completed for the wanted date.
-- Uses cache_sync_jobs_open_key and cache_sync_jobs_done_key.
-- $1 dedupe key, $2 the job that asks, $3 the date it wants, null: any
select job_id
from cache_sync_jobs
where dedupe_key = $1
  and job_id <> $2
  and (status in ('queued', 'running', 'retrying')
       or (status = 'completed' and ($3::date is null or as_of = $3)))
order by created_at
limit 1
