-- Puts rows back as they were: a content to the letter, but for the time of a universe of ours; none takes the row away.
-- Uses the unique key of cache_entries on universe.
-- $1 universes, $2 contents, $3 cache types, $4 whether they are ours, $5 now, $6 the same as the text for last_updated
with wanted as (
    select *
    from unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) as wanted (universe, content, cache_type, is_ours)
),
removed as (
    delete from cache_entries e
    using wanted w
    where e.universe = w.universe
      and w.content is null
)
insert into cache_entries (universe, content, cache_type, updated_at)
select
    universe,
    case
        when is_ours and content::jsonb ? 'last_updated' and jsonb_typeof(content::jsonb) = 'object'
        then jsonb_set(content::jsonb, '{last_updated}', to_jsonb($6::text))
        else content::jsonb
    end,
    cache_type,
    $5
from wanted
where content is not null
order by universe
on conflict (universe) do update
set content = excluded.content,
    cache_type = excluded.cache_type,
    updated_at = excluded.updated_at;
