-- Takes away rows of AppV2's table that were not there before the job that is reverted.
-- Uses the unique key of cache_entries.
-- $1 types, $2 names, $3 keys, $4 environments, $5 whether names tell rows apart
delete from cache_entries e
using unnest($1::text[], $2::text[], $3::text[], $4::text[]) as gone (type, name, key, environment)
where e.environment = gone.environment
  and e.type = gone.type
  and e.key = gone.key
  and (e.name = gone.name or not $5);
