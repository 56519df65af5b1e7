-- Notes the step that a job is at and, once it has the lease, the backend that writes for it.
-- Uses cache_sync_owners_pkey.
-- $1 job id, $2 lease number, $3 step, $4 backend pid, $5 start of its transaction
update cache_sync_owners
set step = $3,
    backend_pid = coalesce($4, backend_pid),
    xact_start = coalesce($5, xact_start)
where job_id = $1
  and lease_number = $2
