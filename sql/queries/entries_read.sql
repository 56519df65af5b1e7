-- Our universes, as their rows and their metadata say; and, where wanted, the foreign rows that may be cleaned.
-- A universe without row or without metadata comes too; of a foreign row only its array of symbols travels.
-- Reads cache_entries whole: it has a row per universe.
-- $1 our names, $2 whether foreign rows are wanted, $3 cache types of foreign rows that are never touched
select
    coalesce(e.universe::text, m.universe) as universe,
    coalesce(e.universe::text, m.universe) = any ($1) as is_ours,
    e.universe is not null as has_row,
    e.cache_type::text as cache_type,
    case when e.universe = any ($1) then e.content::text end as content,
    case
        when e.universe <> all ($1) and jsonb_typeof(e.content -> 'symbols') = 'array'
        then (e.content -> 'symbols')::text
    end as foreign_symbols,
    m.last_as_of,
    m.held_runs,
    m.members_digest
from cache_entries e
full join cache_entries_metadata m on m.universe = e.universe::text
where coalesce(e.universe::text, m.universe) = any ($1)
   or ($2 and e.universe is not null and (e.cache_type = any ($3)) is not true);
