-- Transactions whose COMMIT has not returned for a while, of everybody in this database whom we may see: how many, for how
-- long the oldest, and what its backend waits for. Under synchronous replication without its standby it is SyncRep.
-- pg_stat_activity is a table in memory, a row a connection.
-- $1 seconds after which one counts
with waiting as (
    select extract(epoch from clock_timestamp() - query_start)::float8 as seconds,
        wait_event
    from pg_stat_activity
    where datname = current_database()
      and state = 'active'
      and query ilike 'commit%'
      and query_start < clock_timestamp() - make_interval(secs => $1)
)
select count(*) as commits,
    max(seconds) as longest_seconds,
    (array_agg(wait_event order by seconds desc))[1] as wait_event
from waiting
