-- Takes the instruments of old symbols away that began on this very date and have no membership: they never were.
-- Uses cache_sync_instruments_open and universe_membership_by_symbol.
-- $1 date of the sync, $2 symbols
delete from cache_sync_instruments i
where i.symbol = any ($2)
  and i.valid_to is null
  and i.valid_from >= $1
  and not exists (
      select from universe_membership m where m.symbol = i.symbol and m.instrument_id = i.id
  );
