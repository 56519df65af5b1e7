-- Takes members out of groups of ours.
-- Uses unique_membership (group_id, symbol) of AppV2's table.
-- $1 ids of groups, $2 symbols, parallel
delete from group_memberships m
using unnest($1::integer[], $2::text[]) as gone (group_id, symbol)
where m.group_id = gone.group_id
  and m.symbol = gone.symbol;
