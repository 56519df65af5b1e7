-- The jobs that were asked for under a dedupe key, in whatever state, oldest first.
-- Reads the table, which holds a few jobs a day for 400 days: the indexes on keys leave out failed jobs.
-- $1 dedupe key, $2 limit
select *
from cache_sync_jobs
where dedupe_key = $1
order by created_at, job_id
limit $2
