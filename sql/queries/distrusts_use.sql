-- Closes what a run has seen of values that people don't believe.
-- Uses cache_sync_distrusts_open.
-- $1 symbols, $2 now, $3 job id
update cache_sync_distrusts
set used_at = $2,
    used_by_job = $3
where used_at is null
  and symbol = any ($1);
