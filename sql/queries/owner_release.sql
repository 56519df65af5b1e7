-- Ends an ownership.
-- Uses cache_sync_owners_pkey.
-- $1 job id, $2 lease number
delete from cache_sync_owners
where job_id = $1
  and lease_number = $2
