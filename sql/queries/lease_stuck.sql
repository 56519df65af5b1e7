-- Ends the backend of an owner whose hold has run out or whose process is known dead, if that very transaction still
-- holds the lease: never a stranger that a pooler put on the same backend since.
-- $1 workers known dead
select o.worker, o.job_id, pg_terminate_backend(o.backend_pid) as is_ended
from cache_sync_owners o
join pg_stat_activity a on a.pid = o.backend_pid and a.xact_start = o.xact_start
join pg_locks l on l.pid = o.backend_pid
where (o.expires_at <= clock_timestamp() or o.worker = any($1))
  and l.locktype = 'relation'
  and l.database = (select oid from pg_database where datname = current_database())
  and l.relation = 'cache_sync_lease'::regclass
  and l.mode = 'ExclusiveLock'
  and l.granted
