-- The backend that holds the lease and the start of its transaction; read right after the LOCK.
select pid, xact_start
from pg_stat_activity
where pid = pg_backend_pid()
