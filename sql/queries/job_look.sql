-- What the worker of a job has to know between two heartbeats: whether somebody asked for the job's end, and what the
-- backend is doing that writes for it. No row: the job is unknown.
-- Uses cache_sync_jobs_pkey; pg_stat_activity is a table in memory, a row a connection.
-- $1 job id, $2 pid of the backend, null: none yet, $3 start of its transaction
select j.cancel_requested_at is not null as is_cancel_requested,
    $2::int is null or a.pid is not null as has_backend,
    a.wait_event
from cache_sync_jobs j
left join pg_stat_activity a on a.pid = $2 and a.xact_start = $3
where j.job_id = $1
