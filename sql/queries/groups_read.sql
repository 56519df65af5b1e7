-- The groups that stand under our names, and all that carry our mark, each with its members in no order.
-- Uses unique_group (name, type, environment) and unique_membership (group_id, symbol) of AppV2's tables.
-- $1 environment, $2 our names, null for all, $3 our mark, $4 the name of the live feed's group, of which an ETF would serve too
select
    g.id,
    g.name::text as name,
    g.type::text as type,
    g.description,
    g.metadata::text as metadata,
    coalesce(g.metadata ->> 'owner' = $3, false) as is_ours,
    g.created_at is null or g.updated_at is null as lacks_times,
    array(select m.symbol::text from group_memberships m where m.group_id = g.id) as members
from definition_groups g
where g.environment = $1
  and (g.type = 'UNIVERSE' and ($2::text[] is null or g.name = any ($2) or g.metadata ->> 'owner' = $3)
       or g.type in ('UNIVERSE', 'ETF') and g.name = $4)
order by g.name, g.type;
