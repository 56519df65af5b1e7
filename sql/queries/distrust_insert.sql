-- Has the next run doubt the value of a symbol, once: answers with nothing where that is asked for already.
-- Uses cache_sync_distrusts_open.
-- $1 symbol, $2 now, $3 who doubts it, $4 why, $5 date, $6 cap in cents and $7 close of the good value
insert into cache_sync_distrusts
    (symbol, distrusted_at, distrusted_by, reason, good_as_of, good_cap_cents, good_close_dollars)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (symbol) where used_at is null do nothing
returning id;
