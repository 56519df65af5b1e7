-- The settings that operators keep in AppV2's table, and the day on which each was written where the table tells.
-- A template: {written_on} is that day.
-- Uses the unique key of cache_entries.
-- $1 environment, $2 names of the settings that are ours to read
select c.name::text as name, c.key::text as key, c.value::text as value, {written_on} as written_on
from cache_entries c
where c.type = 'cache_config'
  and c.environment = $1
  and c.name = any ($2)
order by c.name, c.key;
