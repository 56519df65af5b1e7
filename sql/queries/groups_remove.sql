-- Takes groups away, with their members, also where nothing deletes these by itself.
-- Uses unique_membership (group_id, symbol) and the primary key of AppV2's tables.
-- $1 ids of groups
with emptied as (
    delete from group_memberships where group_id = any ($1)
)
delete from definition_groups where id = any ($1);
