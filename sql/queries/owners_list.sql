-- The workers that hold jobs.
select distinct worker
from cache_sync_owners
