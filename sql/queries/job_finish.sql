-- Ends a job for good, if the lease number is still the caller's: no row means that another worker took over.
-- Uses cache_sync_jobs_pkey.
-- $1 job id, $2 lease number, $3 status, $4 as_of, $5 now, $6 error, $7 warnings beside those it was accepted with,
-- $8 result, $9 last event number, $10 step that the attempt came to, $11 what tells the rules it was decided by, null
-- for those of its claim, $12 whether its dedupe key is free again
update cache_sync_jobs
set status = $3,
    as_of = coalesce($4, as_of),
    end_time = $5,
    start_time = coalesce(start_time, $5),
    updated_at = $5,
    not_before = null,
    error = $6,
    warnings = warnings || $7,
    result = $8,
    last_seq = $9,
    last_step = $10,
    policy_fingerprint = coalesce($11, policy_fingerprint),
    dedupe_key = case when not $12 then dedupe_key end
where job_id = $1
  and lease_number = $2
  and end_time is null
returning *
