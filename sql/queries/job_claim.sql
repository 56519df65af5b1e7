-- Claims a job: the next lease number and, where an attempt begins, one more of them. The caller holds the row's lock.
-- Uses cache_sync_jobs_pkey.
-- $1 job id, $2 worker, $3 now, $4 policy fingerprint, $5 step that the attempt before came to, null: unknown,
-- $6 attempts to count, $7 how the attempt before was lost, null: its worker said itself how it went
update cache_sync_jobs
set attempt = attempt + $6,
    lease_number = lease_number + 1,
    last_seq = (lease_number + 1) * 1000000,
    status = 'running',
    start_time = coalesce(start_time, $3),
    updated_at = $3,
    not_before = null,
    worker = $2,
    last_step = coalesce($5, last_step),
    error = coalesce($7, error),
    policy_fingerprint = $4
where job_id = $1
returning *
