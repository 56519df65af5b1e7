-- Keeps with a run what stood in the rows of AppV2's table that it writes.
-- Uses cache_sync_runs_job.
-- $1 job id, $2 slot -> {at: [type, name, key] or null, cache_type, content, status}; without content there was no row
update cache_sync_runs
set previous_entries = $2::text::jsonb
where job_id = $1;
