-- Whether our schema and the source tables are there and may be used, one row; null where there is no such thing.
-- Looks in the catalogue by name, so that nothing is locked.
-- $1 our schema, $2 the source's schema, $3 table of securities, $4 table of bars
with relation as (
    select schema.nspname as schema, class.relname as name,
           has_schema_privilege(schema.oid, 'usage') and has_any_column_privilege(class.oid, 'select') as may_read
    from pg_catalog.pg_class class
    join pg_catalog.pg_namespace schema on schema.oid = class.relnamespace
    where class.relkind in ('r', 'p', 'v', 'm', 'f')
)
select (select has_schema_privilege(oid, 'create') from pg_catalog.pg_namespace where nspname = $1) as may_create,
       exists (select from relation where schema = $1 and name = 'cache_sync_jobs') as has_jobs,
       (select may_read from relation where schema = $2 and name = $3) as may_read_symbols,
       (select may_read from relation where schema = $2 and name = $4) as may_read_bars;
