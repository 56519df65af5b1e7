-- Takes back that the next run doubts the value of a symbol: answers with what was asked for.
-- Uses cache_sync_distrusts_open.
-- $1 spellings of the symbol
delete from cache_sync_distrusts
where used_at is null
  and symbol = any ($1)
returning symbol;
