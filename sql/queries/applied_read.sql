-- The dates that were applied, newest first, each with the closes of eligible stocks that its last run saw and the modes
-- that ran for it. Runs of earlier versions counted the closes of everything that is active, of which there are more than
-- there are eligible stocks.
-- Uses cache_sync_runs_by_date.
-- $1 how many
select distinct on (as_of)
    as_of,
    least(closes, active_stocks) as closes,
    array_agg(mode) over (partition by as_of) as modes
from cache_sync_runs
order by as_of desc, id desc
limit $1;
