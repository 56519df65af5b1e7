-- Makes a worker the owner of a job, in place of whoever held it.
-- Uses cache_sync_owners_pkey.
-- $1 job id, $2 lease number, $3 worker, $4 lease in seconds
insert into cache_sync_owners (job_id, lease_number, worker, expires_at, step)
values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4), 'claim')
on conflict (job_id) do update
set lease_number = excluded.lease_number,
    worker = excluded.worker,
    expires_at = excluded.expires_at,
    backend_pid = null,
    xact_start = null,
    step = excluded.step
