-- Forgets who held jobs that have ended, where the holder died before it could say so.
-- Reads cache_sync_owners, which holds few rows.
delete from cache_sync_owners o
using cache_sync_jobs j
where j.job_id = o.job_id
  and j.end_time is not null
  and o.expires_at < clock_timestamp()
