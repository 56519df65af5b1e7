-- What the run before another one saw, where it is kept.
-- Uses cache_sync_runs_pkey.
-- $1 that other run
select
    as_of, active_stocks, closes, symbols, caps_cents, closes_dollars, shares, sectors, quarantine::text as quarantine
from cache_sync_runs
where id < $1
order by id desc
limit 1;
