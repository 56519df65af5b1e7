-- Seconds until the next unfinished job that no worker holds is due, or null: there is none.
-- Uses cache_sync_jobs_open.
select extract(epoch from min(coalesce(j.not_before, clock_timestamp())) - clock_timestamp())::double precision as seconds
from cache_sync_jobs j
where j.status in ('queued', 'running', 'retrying')
  and not exists (
      select from cache_sync_owners o
      where o.job_id = j.job_id
        and o.expires_at > clock_timestamp()
  )
