-- Writes groups of ours in place: a group keeps its id, so that its members stay.
-- Uses unique_group (name, type, environment) of AppV2's table.
-- $1 names, $2 descriptions, $3 metadata, $4 environment, $5 now
insert into definition_groups (name, type, description, metadata, environment, created_at, updated_at, last_update)
select name, 'UNIVERSE', description, metadata::jsonb, $4, $5::timestamptz, $5, $5
from unnest($1::text[], $2::text[], $3::text[]) as written (name, description, metadata)
order by name
on conflict (name, type, environment) do update
set description = excluded.description,
    metadata = excluded.metadata,
    created_at = coalesce(definition_groups.created_at, excluded.created_at),
    updated_at = excluded.updated_at,
    last_update = excluded.last_update;
