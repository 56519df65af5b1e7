-- Takes a decision back.
-- Uses cache_sync_pins_pkey.
-- $1 universe, $2 symbol, $3 kind
delete from cache_sync_pins
where universe = $1
  and symbol = $2
  and kind = $3;
