-- Owes again what a job has told: Redis lost it. What is still there is told apart by its number.
-- Uses cache_sync_outbox_pkey.
-- $1 job id
update cache_sync_outbox
set sent_at = null
where job_id = $1
  and sent_at is not null
