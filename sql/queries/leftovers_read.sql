-- Rows of AppV2's table that look like universes and that no slot of ours is;
-- by place.
-- Uses the unique key of cache_entries and universe_membership_open.
-- $1 environment, and parallel to one another $2 types, $3 names, $4 keys of ours, $5 whether names tell rows apart
select c.type::text as type, c.name::text as name, c.key::text as key, c.value::text as value
from cache_entries c
where c.environment = $1
  and c.type in ('stock_universe', 'etf_universe', 'themes')
  and c.key not like 'dev\_%'
  and c.name not ilike 'dev %'
  and not exists (
    select
    from unnest($2::text[], $3::text[], $4::text[]) as ours (type, name, key)
    where ours.type = c.type
      and ours.key = c.key
      and (ours.name = c.name or not $5 or (c.type = 'themes' and lower(ours.name) = lower(c.name)))
  )
order by c.type, c.name, c.key;
