-- Who holds a job, how far it has come, and until when.
-- Uses cache_sync_owners_pkey.
-- $1 job id
select worker, lease_number, step, expires_at, expires_at <= clock_timestamp() as is_expired
from cache_sync_owners
where job_id = $1
