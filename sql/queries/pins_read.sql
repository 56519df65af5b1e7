-- What people have decided by hand, those decisions that are over included, by universe and symbol.
-- Reads cache_sync_pins whole: people write it, a few rows at a time.
select
    universe,
    symbol,
    kind,
    reason,
    until,
    created_at,
    created_by
from cache_sync_pins
order by universe, symbol;
