-- Makes everybody who asks with the same dedupe key take turns until the transaction ends.
-- $1 dedupe key
select pg_advisory_xact_lock(hashtextextended('cache_sync dedupe ' || $1, 0))
