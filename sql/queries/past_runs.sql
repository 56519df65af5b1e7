-- The runs that are kept, the last one of each date, oldest first; those that saw nothing are left out.
-- Uses cache_sync_runs_by_date.
select distinct on (as_of) id, as_of, least(closes, active_stocks) as closes
from cache_sync_runs
where active_stocks > 0
order by as_of, id desc;
