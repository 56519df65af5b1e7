-- Takes staged elements out of the symbols of foreign rows. All other elements and keys stay as they are, but for a
-- numeric count that equalled the old length.
-- Uses the unique key of cache_entries on universe.
-- $1 now
with leaving as (
    select universe, array_agg(symbol) as elements
    from cache_sync_staged
    where is_foreign
    group by universe
),
cleaned as (
    select
        e.universe,
        jsonb_array_length(e.content -> 'symbols') as old_length,
        coalesce(kept.symbols, '[]') as symbols
    from cache_entries e
    join leaving l on e.universe = l.universe
    cross join lateral (
        select jsonb_agg(x.element order by x.position) as symbols
        from jsonb_array_elements(e.content -> 'symbols') with ordinality as x (element, position)
        where jsonb_typeof(x.element) <> 'string'
           or x.element #>> '{}' <> all (l.elements)
    ) kept
    where jsonb_typeof(e.content -> 'symbols') = 'array'
)
update cache_entries e
set content = jsonb_set(e.content, '{symbols}', c.symbols)
        || case
            when jsonb_typeof(e.content -> 'count') = 'number'
            then case
                when (e.content ->> 'count')::numeric = c.old_length
                then jsonb_build_object('count', jsonb_array_length(c.symbols))
                else '{}'
            end
            else '{}'
        end,
    updated_at = $1
from cleaned c
where e.universe = c.universe;
