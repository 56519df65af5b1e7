-- Pins a symbol to a universe or bans it, in place of what was decided of the two before.
-- Uses cache_sync_pins_pkey.
-- $1 universe, $2 symbol, $3 kind, $4 reason, $5 until, $6 now, $7 who
insert into cache_sync_pins (universe, symbol, kind, reason, until, created_at, created_by)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (universe, symbol) do update
set kind = excluded.kind,
    reason = excluded.reason,
    until = excluded.until,
    created_at = excluded.created_at,
    created_by = excluded.created_by;
