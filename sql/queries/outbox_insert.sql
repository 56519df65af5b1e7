-- Owes events to the world. Runs in the transaction that makes them true.
-- $1 job id, $2 sequence numbers, $3 channels (joined by commas), $4 envelopes, $5 status hashes, $6 now
insert into cache_sync_outbox (job_id, seq, channels, envelope, status_hash, created_at)
select $1, e.seq, coalesce(string_to_array(nullif(e.channels, ''), ','), '{}'), e.envelope, e.status_hash, $6
from unnest($2::bigint[], $3::text[], $4::jsonb[], $5::jsonb[]) as e (seq, channels, envelope, status_hash)
