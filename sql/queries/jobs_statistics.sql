-- How the jobs that were accepted since a moment went; the duration is that of those that completed.
-- Uses cache_sync_jobs_recent (created_at).
-- $1 the moment
select
    count(*) as total,
    count(*) filter (where status = 'completed') as successful,
    count(*) filter (where status in ('failed', 'cancelled')) as failed,
    (avg(extract(epoch from end_time - start_time)) filter (where status = 'completed'))::float8 as avg_seconds
from cache_sync_jobs
where created_at > $1
