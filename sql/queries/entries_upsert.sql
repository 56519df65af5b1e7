-- Writes rows of our universes, whole.
-- Uses the unique key of cache_entries on universe.
-- $1 universes, $2 contents, $3 cache types, $4 now
insert into cache_entries (universe, content, cache_type, updated_at)
select universe, content::jsonb, cache_type, $4
from unnest($1::text[], $2::text[], $3::text[]) as written (universe, content, cache_type)
order by universe
on conflict (universe) do update
set content = excluded.content,
    cache_type = excluded.cache_type,
    updated_at = excluded.updated_at;
