-- Every row of cache_entries that a run or a later one wrote: what stood there before the first of them, and what
-- became of it since. `kind` is null for foreign rows; a row is ours where it has metadata, now or before one of the
-- runs. Runs of earlier versions do not say whether a row was ours: it is taken to have been.
-- Uses cache_sync_runs_pkey, the unique key of cache_entries and cache_entries_metadata_pkey.
-- $1 the run
with written as (
    select r.id, w.key as universe, w.value as entry
    from cache_sync_runs r
    cross join lateral jsonb_each(r.previous_entries) as w
    where r.id >= $1
),
first_written as (
    select distinct on (universe)
        universe,
        jsonb_typeof(entry) = 'object' as had_row,
        case when entry ? 'status' then entry ->> 'status' else 'ok' end as status,
        entry ->> 'cache_type' as cache_type,
        entry -> 'content' as content
    from written
    order by universe, id
),
last_written as (
    select distinct on (universe) universe, entry ->> 'left_as' as left_as
    from written
    order by universe, id desc
),
kinds as (
    select universe, min(entry ->> 'cache_type') as kind
    from written
    where entry ->> 'status' is not null
    group by universe
)
select
    f.universe,
    coalesce(m.cache_type, k.kind) as kind,
    f.had_row,
    f.status,
    f.cache_type,
    f.content::text as content,
    case
        when f.had_row and e.universe is not null
        then e.cache_type is not distinct from f.cache_type
            and case when jsonb_typeof(e.content) = 'object' then e.content - 'last_updated' else e.content end::text
              = case when jsonb_typeof(f.content) = 'object' then f.content - 'last_updated' else f.content end::text
        else f.had_row = (e.universe is not null)
    end as stands_again,
    coalesce(md5(e.content::text) = l.left_as, false) as is_as_left,
    case when coalesce(m.cache_type, k.kind) is null then e.content::text end as foreign_content
from first_written f
join last_written l using (universe)
left join kinds k using (universe)
left join cache_entries e on e.universe = f.universe
left join cache_entries_metadata m on m.universe = f.universe
order by f.universe;
