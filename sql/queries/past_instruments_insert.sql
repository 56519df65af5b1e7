-- Makes an instrument, ended, for every symbol of reconstructed history that no known one can be. Known ones stay as
-- they are.
-- Reads cache_sync_instruments whole: it has a row per symbol.
insert into cache_sync_instruments (symbol, cik, figi, valid_from, valid_to)
select p.symbol, max(p.cik), max(p.figi), min(p.as_of), max(p.valid_to)
from cache_sync_past_staged p
where p.action = 'member'
  and not exists (
      select from cache_sync_instruments i
      where i.symbol = p.symbol
        and (i.cik = p.cik or i.cik is null or p.cik is null)
        and (i.figi = p.figi or i.figi is null or p.figi is null)
  )
group by p.symbol;
