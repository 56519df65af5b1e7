-- The newest stream entry that a kept job stood on, and the time of the oldest one; no row where none is known.
-- Reads all kept jobs: some thousands.
with known as (
    select split_part(id, '-', 1)::bigint as ms, split_part(id, '-', 2)::bigint as number
    from (
        select entry_id as id from cache_sync_jobs
        union all
        select replaced_entry_id from cache_sync_jobs
    ) as ids
    where id ~ '^[0-9]{1,15}-[0-9]{1,15}$'
)
select ms, number, (select min(ms) from known) as oldest_ms
from known
order by ms desc, number desc
limit 1
