-- What revert_rows.sql tells, of AppV2's table: every slot that a run or a later one wrote, what stood there before the
-- first of them, where, and whether just this stands there now. `kind` is null for rows that belong to no universe.
-- Uses cache_sync_runs_pkey, the unique key of cache_entries and cache_entries_metadata_pkey.
-- $1 the run, $2 environment, $3 whether names tell rows apart
with written as (
    select r.id, w.key as slot, w.value as entry
    from cache_sync_runs r
    cross join lateral jsonb_each(r.previous_entries) as w
    where r.id >= $1
),
first_written as (
    select distinct on (slot) slot, entry
    from written
    order by slot, id
),
kinds as (
    select slot, min(entry ->> 'cache_type') as kind
    from written
    group by slot
)
select
    f.slot as universe,
    coalesce(m.cache_type, k.kind) as kind,
    f.entry ? 'content' as had_row,
    f.entry ->> 'status' as status,
    (f.entry -> 'content')::text as content,
    f.entry #>> '{at,0}' as type,
    f.entry #>> '{at,1}' as name,
    f.entry #>> '{at,2}' as key,
    f.entry #>> '{at,3}' as environment,
    case
        when f.entry ? 'content' and e.type is not null
        then e.value::text = (f.entry -> 'content')::text and e.name = f.entry #>> '{at,1}'
        else f.entry ? 'content' = (e.type is not null)
    end as stands_again
from first_written f
join kinds k using (slot)
left join cache_entries e
    on e.environment = coalesce(f.entry #>> '{at,3}', $2)
    and e.type = f.entry #>> '{at,0}'
    and e.key = f.entry #>> '{at,2}'
    and (e.name = f.entry #>> '{at,1}' or not $3)
left join cache_entries_metadata m on m.universe = f.slot
order by f.slot;
