-- Writes rows of AppV2's table in place: its readers see what stood there or what stands there now.
-- A template: {unique} is what is unique in the table; {columns}, {values} and {updated} are its times, where it has
-- them.
-- $1 types, $2 names, $3 keys, $4 values, $5 environments, $6 now
insert into cache_entries (type, name, key, environment, value{columns})
select type, name, key, environment, value::jsonb{values}
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as written (type, name, key, value, environment)
order by type, name, key, environment
on conflict ({unique}) do update
set name = excluded.name,
    value = excluded.value{updated};
