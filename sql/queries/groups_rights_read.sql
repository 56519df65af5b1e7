-- What this role may do with the two group tables of AppV2, one row. A sequence that belongs to no column is null.
-- Looks in the catalogue, so that nothing is locked. To be asked only where both tables exist.
-- $1 definition_groups, $2 group_memberships, both quoted and with their schema
select
    has_table_privilege($1, 'select') and has_table_privilege($1, 'insert')
        and has_table_privilege($1, 'update') and has_table_privilege($1, 'delete') as may_write_groups,
    has_table_privilege($2, 'select') and has_table_privilege($2, 'insert')
        and has_table_privilege($2, 'delete') as may_write_members,
    pg_get_serial_sequence($1, 'id') as groups_sequence,
    pg_get_serial_sequence($2, 'id') as members_sequence,
    coalesce(has_sequence_privilege(pg_get_serial_sequence($1, 'id'), 'usage'), true) as may_number_groups,
    coalesce(has_sequence_privilege(pg_get_serial_sequence($2, 'id'), 'usage'), true) as may_number_members;
