-- Opens an instrument for every joining symbol that has none.
-- Uses cache_sync_instruments_open.
-- $1 date of the sync
insert into cache_sync_instruments (symbol, cik, figi, valid_from)
select distinct on (s.symbol) s.symbol, s.cik, s.figi, $1
from cache_sync_staged s
where s.action in ('added', 'adopted')
  and not s.is_foreign
  and not exists (
      select from cache_sync_instruments i where i.symbol = s.symbol and i.valid_to is null
  )
order by s.symbol;
