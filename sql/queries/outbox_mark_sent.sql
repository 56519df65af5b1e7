-- Notes that events were told.
-- Uses cache_sync_outbox_pkey.
-- $1 job id, $2 sequence numbers
update cache_sync_outbox
set sent_at = clock_timestamp()
where job_id = $1
  and seq = any($2)
