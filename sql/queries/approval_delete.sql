-- Takes an approval back that no run has used yet: answers with what was approved.
-- Uses cache_sync_approvals_open.
-- $1 spellings of the symbol
delete from cache_sync_approvals
where used_at is null
  and symbol = any ($1)
returning symbol;
