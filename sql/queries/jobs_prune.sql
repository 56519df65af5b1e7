-- Forgets jobs that ended long ago.
-- Uses cache_sync_jobs_ended.
-- $1 days to keep, $2 how many at most
delete from cache_sync_jobs
where job_id in (
    select job_id
    from cache_sync_jobs
    where end_time < clock_timestamp() - make_interval(days => $1)
    limit $2
)
