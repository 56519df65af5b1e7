-- Ends the instruments of symbols that stand for somebody else from now on, or for nobody. One that began on this very
-- date can't have ended; it stays open, to be overwritten or taken away.
-- Uses cache_sync_instruments_open.
-- $1 date of the sync; then parallel arrays: $2 actions, $3 symbols, $4 old symbols or null
with changed as (
    select * from unnest($2::text[], $3::text[], $4::text[]) as c (action, symbol, from_symbol)
),
ending as (
    select from_symbol as symbol
    from changed
    where action = 'renamed'
    union
    select symbol
    from changed
    where action in ('reused', 'reorganised')
    union
    -- A renamed instrument takes the new symbol over from whoever had it before.
    select c.symbol
    from changed c
    join cache_sync_instruments i on i.symbol = c.symbol and i.valid_to is null
    where c.action = 'renamed'
      and coalesce(i.lineage_id, i.id) is distinct from (
          select coalesce(f.lineage_id, f.id)
          from cache_sync_instruments f
          where f.symbol = c.from_symbol
          order by f.valid_from desc, f.id desc
          limit 1
      )
)
update cache_sync_instruments i
set valid_to = $1
from ending e
where i.symbol = e.symbol
  and i.valid_to is null
  and i.valid_from < $1;
