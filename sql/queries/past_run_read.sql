-- What one run saw.
-- Uses cache_sync_runs_pkey.
-- $1 the run
select as_of, active_stocks, closes, symbols, caps_cents, closes_dollars, shares, sectors, quarantine::text as quarantine
from cache_sync_runs
where id = $1;
