-- Unfinished jobs that are due and that no worker holds, with the entry that should stand for them.
-- Uses cache_sync_jobs_open.
-- $1 how many, $2 grace in seconds: a producer writes its entry right after its row
select j.*
from cache_sync_jobs j
where j.status in ('queued', 'running', 'retrying')
  and (j.not_before is null or j.not_before <= clock_timestamp())
  and coalesce(j.not_before, j.entry_written_at, j.created_at) <= clock_timestamp() - make_interval(secs => $2)
  and not exists (
      select from cache_sync_owners o
      where o.job_id = j.job_id
        and o.expires_at > clock_timestamp()
  )
order by j.created_at
limit $1
