-- Memberships of our universes that ended for one of some reasons in a span of dates.
-- Those of symbols that have stood for somebody else since are left out: whoever joins by them now is not back.
-- Uses cache_sync_changes_by_date and cache_sync_instruments_ended.
-- $1 first date, $2 last date, $3 reasons, $4 our names
select distinct c.universe, c.symbol, c.as_of, c.reason
from cache_sync_changes c
where c.action = 'removed'
  and c.as_of between $1 and $2
  and c.reason = any ($3)
  and c.universe = any ($4)
  and not exists (
      select from cache_sync_instruments i where i.symbol = c.symbol and i.valid_to >= c.as_of
  )
order by as_of, universe, symbol;
