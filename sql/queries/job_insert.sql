-- Accepts a job: the row that makes it durable. Nothing where the id is known already.
-- Uses cache_sync_jobs_pkey.
-- $1 job id, $2 mode, $3 dedupe key, $4 run id, $5 triggered by, $6 force, $7 accept churn, $8 as_of asked for,
-- $9 revert of, $10 replay of, $11 requested at, $12 now, $13 stream entry that asks for it, if it is one
insert into cache_sync_jobs (
    job_id, mode, status, dedupe_key, run_id, triggered_by, force, accept_churn, as_of, requested_as_of,
    revert_of, replay_of, requested_at, created_at, updated_at, entry_id, entry_written_at
)
values ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $8, $9, $10, $11, $12::timestamptz, $12::timestamptz, $13::text, case when $13::text is not null then $12::timestamptz end)
on conflict (job_id) do nothing
returning *
