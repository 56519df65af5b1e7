-- Jobs that ended after a moment, first ended first.
-- Uses cache_sync_jobs_ended (end_time).
-- $1 the moment, $2 how many
select job_id, mode, status, attempt, end_time, extract(epoch from end_time - start_time)::float8 as seconds
from cache_sync_jobs
where end_time > $1
order by end_time, job_id
limit $2
