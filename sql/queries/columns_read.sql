-- The columns of some tables or views of one schema, as the catalogue has them; a relation without columns is one row
-- without a column. Types are those under a domain.
-- Uses pg_class_relname_nsp_index.
-- $1 schema, $2 relation names
select
    c.relname::text as relation,
    c.relkind in ('r', 'p') as is_table,
    a.attname::text as name,
    t.oid as type_oid,
    pg_catalog.format_type(t.oid, null) as type_name,
    (
        select pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(l.collname)
        from pg_catalog.pg_collation l
        join pg_catalog.pg_namespace cn on cn.oid = l.collnamespace
        where l.oid = a.attcollation
    ) as collation,
    not a.attnotnull or a.atthasdef or a.attidentity <> '' as may_be_left_out
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_type d on d.oid = a.atttypid
left join pg_catalog.pg_type t on t.oid = coalesce(nullif(d.typbasetype, 0), d.oid)
where n.nspname = $1
  and c.relname = any ($2)
order by c.relname, a.attnum;
