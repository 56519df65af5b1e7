-- The symbols of one row of cache_entries, in its order, with what history says of each; no row where there is none
-- of that name, one without a symbol where it has no symbols.
-- Uses the unique key of cache_entries on universe, and universe_membership_open.
-- $1 universe
select x.symbol, x.rank, m.valid_from, m.entry_reason
from cache_entries e
left join lateral jsonb_array_elements_text(
    case when jsonb_typeof(e.content -> 'symbols') = 'array' then e.content -> 'symbols' else '[]' end
) with ordinality as x (symbol, rank) on true
left join universe_membership m on m.universe = $1 and m.symbol = x.symbol and m.valid_to is null
where e.universe = $1
order by x.rank;
