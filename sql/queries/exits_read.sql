-- Memberships of our universes that ended for one of some reasons in a span of dates.
-- Uses cache_sync_changes_by_date.
-- $1 first date, $2 last date, $3 reasons, $4 our names
select distinct universe, symbol, as_of, reason
from cache_sync_changes
where action = 'removed'
  and as_of between $1 and $2
  and reason = any ($3)
  and universe = any ($4)
order by as_of, universe, symbol;
