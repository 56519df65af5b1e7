-- The check constraints of definition_groups, each with its condition as SQL, by name.
-- Uses pg_constraint_conrelid_contypid_conname_index.
-- $1 definition_groups, quoted and with its schema
select conname::text as name, pg_get_expr(conbin, conrelid) as condition
from pg_catalog.pg_constraint
where conrelid = $1::regclass
  and contype = 'c'
order by conname;
