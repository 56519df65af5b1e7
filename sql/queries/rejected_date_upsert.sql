-- Rejects a date.
-- Uses cache_sync_rejected_dates_pkey.
-- $1 date, $2 now, $3 who rejects it, $4 why
insert into cache_sync_rejected_dates (as_of, rejected_at, rejected_by, reason)
values ($1, $2, $3, $4)
on conflict (as_of) do update
set rejected_at = excluded.rejected_at,
    rejected_by = excluded.rejected_by,
    reason = excluded.reason;
