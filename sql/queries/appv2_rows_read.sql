-- What stands in each slot of AppV2's table, and what is known of its universe; one row per slot, in no order. What a
-- theme is called may be spelled with other capitals; of several such rows the one spelled as given comes first.
-- Uses the unique key of cache_entries and cache_entries_metadata_pkey.
-- $1 slots, and parallel to them $2 types, $3 names, $4 keys, null for a slot without a row, $5 environments; $6 whether
-- names tell rows apart
select
    w.slot, e.name as found_name, e.value, m.last_as_of, m.held_runs, m.members_digest, m.status
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as w (slot, type, name, key, environment)
left join lateral (
    select c.name::text as name, c.value::text as value
    from cache_entries c
    where c.environment = w.environment
      and c.type = w.type
      and c.key = w.key
      and (not $6 or c.name = w.name or (w.type = 'themes' and lower(c.name) = lower(w.name)))
    order by c.name = w.name desc, c.name
    limit 1
) e on true
left join cache_entries_metadata m on m.universe = w.slot;
