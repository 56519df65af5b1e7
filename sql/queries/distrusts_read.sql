-- The values that people don't believe, as far as no run has used that yet.
-- Uses cache_sync_distrusts_open.
select symbol, good_as_of, good_cap_cents, good_close_dollars
from cache_sync_distrusts
where used_at is null
order by symbol;
