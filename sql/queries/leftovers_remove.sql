-- Removes rows of AppV2's table, and keeps them to the letter.
-- Uses the unique key of cache_entries.
-- $1 types, $2 names, $3 keys, parallel; $4 environment, $5 now
with removed as (
    delete from cache_entries e
    using unnest($1::text[], $2::text[], $3::text[]) as gone (type, name, key)
    where e.type = gone.type
      and e.name = gone.name
      and e.key = gone.key
      and e.environment = $4
    returning to_jsonb(e) as content
)
insert into cache_sync_leftovers (removed_at, content)
select $5, content
from removed;
