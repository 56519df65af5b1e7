-- What the last good run saw.
-- Uses cache_sync_runs_by_date.
select as_of, active_stocks, closes, symbols, caps_cents, closes_dollars, shares, sectors, identities
from cache_sync_runs
order by as_of desc, id desc
limit 1;
