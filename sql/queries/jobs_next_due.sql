-- Seconds until the next unfinished job is due, or null: none is.
-- Uses cache_sync_jobs_open.
select extract(epoch from min(coalesce(not_before, clock_timestamp())) - clock_timestamp())::double precision as seconds
from cache_sync_jobs
where status in ('queued', 'running', 'retrying')
