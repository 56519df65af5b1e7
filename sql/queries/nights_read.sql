-- What the guards measured in the newest full syncs, one a date, newest first.
-- Reads the kept jobs once: some hundreds.
-- $1 how many
select as_of, guards
from (
    select distinct on (as_of) as_of, result -> 'guards' as guards
    from cache_sync_jobs
    where status = 'completed'
      and mode = 'full'
      and as_of is not null
      and jsonb_array_length(coalesce(result -> 'guards', '[]')) > 0
    order by as_of, end_time desc
) nights
order by as_of desc
limit $1
