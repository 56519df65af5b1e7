-- Keeps what stands in groups of others that this run takes over, to the letter, for a revert.
-- Uses cache_sync_runs_job and the primary keys of AppV2's tables.
-- $1 job id, $2 ids of groups
update cache_sync_runs
set previous_groups = (
    select coalesce(jsonb_object_agg(g.name, jsonb_build_object(
        'group', to_jsonb(g),
        'members', (select coalesce(jsonb_agg(to_jsonb(m)), '[]') from group_memberships m where m.group_id = g.id)
    )), '{}')
    from definition_groups g
    where g.id = any ($2)
)
where job_id = $1;
