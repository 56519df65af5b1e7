-- Owes events to the world. Runs in the transaction that makes them true.
-- $1 job id, $2 sequence numbers, $3 channels (joined by commas), $4 envelopes, $5 status hashes, $6 now,
-- $7 securities read
insert into cache_sync_outbox (job_id, seq, channels, envelope, status_hash, created_at, total_symbols)
select $1, e.seq, coalesce(string_to_array(nullif(e.channels, ''), ','), '{}'), e.envelope, e.status_hash, $6, e.total_symbols
from unnest($2::bigint[], $3::text[], $4::jsonb[], $5::jsonb[], $7::bigint[])
         as e (seq, channels, envelope, status_hash, total_symbols)
