-- Puts groups of others back that a run, or a later one, took over: the group and its members, to the letter. To be sent
-- after ours of these names are gone.
-- Uses cache_sync_runs_pkey.
-- $1 names of groups, $2 the run
with kept as (
    select distinct on (entry.key) entry.value
    from cache_sync_runs r
    cross join lateral jsonb_each(r.previous_groups) as entry
    where r.id >= $2
      and entry.key = any ($1)
    order by entry.key, r.id
),
restored as (
    insert into definition_groups
    select g.*
    from kept
    cross join lateral jsonb_populate_record(null::definition_groups, kept.value -> 'group') as g
    returning id
)
insert into group_memberships
select m.*
from kept
cross join lateral jsonb_populate_recordset(null::group_memberships, kept.value -> 'members') as m
where exists (select from restored where restored.id = m.group_id);
