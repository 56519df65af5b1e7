-- Puts back what was removed last and not put back since, to the letter; one row with how many rows that were.
-- Reads cache_sync_leftovers whole: it has some dozens of rows.
-- $1 now
with last as (
    select max(removed_at) as removed_at
    from cache_sync_leftovers
    where restored_at is null
),
returning_rows as (
    update cache_sync_leftovers l
    set restored_at = $1
    from last
    where l.removed_at = last.removed_at
      and l.restored_at is null
    returning l.content
),
restored as (
    insert into cache_entries
    select e.*
    from returning_rows r
    cross join lateral jsonb_populate_record(null::cache_entries, r.content) as e
    returning 1
)
select count(*) from restored;
