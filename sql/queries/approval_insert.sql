-- Approves the value of a symbol, once: answers with nothing where an approval of it is open already.
-- Uses cache_sync_approvals_open.
-- $1 symbol, $2 now, $3 who approves, $4 what is approved
insert into cache_sync_approvals (symbol, approved_at, approved_by, seen)
values ($1, $2, $3, $4)
on conflict (symbol) where used_at is null do nothing
returning id;
