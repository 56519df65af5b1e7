-- Puts members into groups of ours. One that somebody else put there meanwhile stays as it is.
-- Uses unique_group (name, type, environment) and unique_membership (group_id, symbol) of AppV2's tables.
-- $1 names of groups, $2 symbols, parallel, $3 environment, $4 now
insert into group_memberships (group_id, symbol, added_at, updated_at)
select g.id, joined.symbol, $4::timestamptz, $4
from unnest($1::text[], $2::text[]) as joined (name, symbol)
join definition_groups g on g.name = joined.name and g.type = 'UNIVERSE' and g.environment = $3
order by g.id, joined.symbol
on conflict (group_id, symbol) do nothing;
