-- The dates that people have rejected, newest first.
-- Uses cache_sync_rejected_dates_pkey.
select as_of, rejected_at, rejected_by, reason
from cache_sync_rejected_dates
order by as_of desc;
