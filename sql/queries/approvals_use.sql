-- Closes the open approvals that a run has seen.
-- Uses cache_sync_approvals_open.
-- $1 symbols, $2 now, $3 job id
update cache_sync_approvals
set used_at = $2,
    used_by_job = $3
where used_at is null
  and symbol = any ($1);
