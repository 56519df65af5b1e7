-- Makes the relays of one job take turns: true for the one that may go on, until its transaction ends.
-- $1 job id
select pg_try_advisory_xact_lock(hashtextextended('cache_sync relay ' || $1, 0)) as is_mine
