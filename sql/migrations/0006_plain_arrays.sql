-- The arrays of a run are kept as they are, not compressed.
--
-- Why: of 7,000 stocks they are 0.4 MB instead of 0.2, of thirty kept runs 13 MB, and compressing them took 8 ms of every
-- ordinary sync, taking them apart 2 ms of every one. Nothing is rewritten: runs that are kept compressed stay readable,
-- and are forgotten after thirty others.
-- The previous binary can run beside it.

alter table cache_sync_runs
    alter column symbols set storage external,
    alter column caps_cents set storage external,
    alter column closes_dollars set storage external,
    alter column shares set storage external,
    alter column sectors set storage external,
    alter column identities set storage external;
