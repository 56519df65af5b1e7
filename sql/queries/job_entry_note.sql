-- Notes the stream entry that stands for a job now.
-- Uses cache_sync_jobs_pkey.
-- $1 job id, $2 entry id
update cache_sync_jobs
set entry_id = $2,
    replaced_entry_id = entry_id,
    entry_written_at = clock_timestamp()
where job_id = $1
