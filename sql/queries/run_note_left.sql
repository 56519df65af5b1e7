-- Notes with a run in which state it left foreign rows: a revert puts them back only while they are still so.
-- Uses cache_sync_runs_job and the unique key of cache_entries.
-- $1 job id, $2 foreign rows that were written
update cache_sync_runs r
set previous_entries = r.previous_entries || (
    select coalesce(
        jsonb_object_agg(
            e.universe,
            (r.previous_entries -> e.universe::text) || jsonb_build_object('left_as', md5(e.content::text))
        ),
        '{}'
    )
    from cache_entries e
    where e.universe = any ($2)
      and jsonb_typeof(r.previous_entries -> e.universe::text) = 'object'
)
where r.job_id = $1;
