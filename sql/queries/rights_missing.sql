-- What this role may not do of what it has to, one row a right: what is missing and the statement that grants it. Policies
-- that hide rows from it are among them, for half of a table is worse than none.
-- Looks in the catalogue by name, so that nothing is locked.
-- $1 our schema, $2 our tables, $3 the source's schema, $4 its tables
with relation as (
    select
        class.oid, class.relkind, schema.oid as schema_oid, schema.nspname as schema,
        format('%I.%I', schema.nspname, class.relname) as name,
        schema.nspname = $1 and class.relname = any($2) as is_ours
    from pg_catalog.pg_class class
    join pg_catalog.pg_namespace schema on schema.oid = class.relnamespace
    where class.relkind in ('r', 'p', 'v', 'm', 'f')
      and (schema.nspname = $1 and class.relname = any($2) or schema.nspname = $3 and class.relname = any($4))
)
select
    'it may make no temporary tables in database ' || current_database() as what,
    format('grant temporary on database %I to %I', current_database(), current_user) as remedy
where not has_database_privilege(current_database(), 'temporary')
union all
select distinct
    'it may not use schema ' || schema,
    format('grant usage on schema %I to %I', schema, current_user)
from relation
where not has_schema_privilege(schema_oid, 'usage')
union all
select
    'it may not ' || string_agg(privilege, ', ' order by place) || ' on ' || name,
    format('grant %s on %s to %I', string_agg(privilege, ', ' order by place), name, current_user)
from relation
cross join unnest(
    case when relkind in ('r', 'p') then array['select', 'insert', 'update', 'delete'] else array['select'] end
) with ordinality needed (privilege, place)
where is_ours
  and has_schema_privilege(schema_oid, 'usage')
  and not has_table_privilege(oid, privilege)
group by name
union all
select
    'it may not use sequence ' || sequence.relname || ' of ' || relation.name,
    format('grant usage on sequence %I.%I to %I', relation.schema, sequence.relname, current_user)
from relation
join pg_catalog.pg_depend depend on depend.refobjid = relation.oid and depend.deptype = 'a'
join pg_catalog.pg_class sequence on sequence.oid = depend.objid
where is_ours
  -- In this order: the function fails for anything else.
  and case when sequence.relkind = 'S' then not has_sequence_privilege(sequence.oid, 'usage') else false end
union all
select
    'row-level security hides rows of ' || name || ' from it',
    format('alter role %I bypassrls, or: alter table %s disable row level security', current_user, name)
from relation
where row_security_active(oid)
order by 1;
