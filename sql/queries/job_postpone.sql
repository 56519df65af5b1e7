-- Lets go of a job that goes on later: a retry, a wait for the import, or one handed back (its attempt not counted).
-- No row means that another worker took over.
-- Uses cache_sync_jobs_pkey.
-- $1 job id, $2 lease number, $3 status, $4 delay in seconds, null: none, $5 attempts not to count,
-- $6 now, $7 error, $8 whether it waits for the import, $9 last event number,
-- $10 step that the attempt came to
update cache_sync_jobs
set status = $3,
    not_before = case when $4::double precision is not null
                      then clock_timestamp() + make_interval(secs => $4) end,
    attempt = attempt - $5,
    updated_at = $6,
    error = coalesce($7, error),
    waiting_since = case when $8 then coalesce(waiting_since, $6) else waiting_since end,
    last_seq = $9,
    last_step = $10
where job_id = $1
  and lease_number = $2
  and end_time is null
returning *
