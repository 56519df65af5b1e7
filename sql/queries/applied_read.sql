-- The dates that were applied, newest first, each with the closes that its last run saw.
-- Uses cache_sync_runs_by_date.
-- $1 how many
select distinct on (as_of) as_of, closes
from cache_sync_runs
order by as_of desc, id desc
limit $1;
