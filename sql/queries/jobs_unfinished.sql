-- How many jobs are unfinished, counted no further than is asked for.
-- Uses cache_sync_jobs_open.
-- $1 up to how many
select count(*) as unfinished
from (
    select
    from cache_sync_jobs
    where status in ('queued', 'running', 'retrying')
    limit $1
) counted
