-- The dates that were applied, newest first, each with the closes that its last run saw and the modes that ran for it.
-- Uses cache_sync_runs_by_date.
-- $1 how many
select distinct on (as_of)
    as_of,
    closes,
    array_agg(mode) over (partition by as_of) as modes
from cache_sync_runs
order by as_of desc, id desc
limit $1;
