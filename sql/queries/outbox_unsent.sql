-- The unsent events of one job, in the order they were written; the caller holds the job's relay lock.
-- Uses cache_sync_outbox_unsent (job_id, seq) where sent_at is null.
-- $1 job id, $2 batch size
select seq, channels, envelope, status_hash, total_symbols
from cache_sync_outbox
where job_id = $1
  and sent_at is null
order by seq
limit $2
