-- The job that a stream entry stands for, or stood for until the sweeper wrote another.
-- Reads cache_sync_jobs whole: asked only for entries that were deleted under a worker's hands.
-- $1 entry id
select job_id
from cache_sync_jobs
where $1 in (entry_id, replaced_entry_id)
limit 1
