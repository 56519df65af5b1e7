-- What the last runs took for the value of a symbol, newest first, one row a date.
-- Uses cache_sync_runs_by_date.
-- $1 symbol, $2 how many dates
select as_of, caps_cents[place] as cap_cents, closes_dollars[place] as close_dollars
from (
    select distinct on (as_of) as_of, id, caps_cents, closes_dollars, array_position(symbols, $1) as place
    from cache_sync_runs
    order by as_of desc, id desc
) as runs
where place is not null
order by as_of desc
limit $2;
