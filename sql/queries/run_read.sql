-- What the last good run saw, and the symbols approved since.
-- Uses cache_sync_runs_by_date and cache_sync_approvals_open.
select
    as_of, active_stocks, closes, symbols, caps_cents, closes_dollars, shares, sectors, quarantine::text as quarantine,
    (select array_agg(symbol order by symbol) from cache_sync_approvals where used_at is null) as approved
from cache_sync_runs
order by as_of desc, id desc
limit 1;
