-- How many bars are in tables without an index that begins with the symbol and has the date, how many securities there are,
-- and whether the table is partitioned: estimates by the statistics, or by the size where there are none. No row where it is
-- no table.
-- Looks in the catalogue only; every partition, chunk or child counts by itself.
-- $1 the source's schema, $2 table of bars, $3 its column of symbols, $4 its column of dates, $5 table of securities
with recursive part as (
    select class.oid
    from pg_catalog.pg_class class
    join pg_catalog.pg_namespace schema on schema.oid = class.relnamespace
    where schema.nspname = $1
      and class.relname = $2
      and class.relkind in ('r', 'p', 'm')
    union all
    select inherits.inhrelid
    from pg_catalog.pg_inherits inherits
    join part on part.oid = inherits.inhparent
),
size as (
    select
        class.oid, class.relkind,
        case
            when class.reltuples >= 0 then class.reltuples::bigint
            else coalesce(pg_relation_size(class.oid), 0) / 100
        end as rows
    from part
    join pg_catalog.pg_class class on class.oid = part.oid
)
select
    coalesce(sum(size.rows) filter (where size.relkind <> 'p'), 0)::bigint as bars,
    bool_or(size.relkind = 'p') as is_partitioned,
    (
        select max(case when class.reltuples >= 0 then class.reltuples::bigint else pg_relation_size(class.oid) / 200 end)
        from pg_catalog.pg_class class
        join pg_catalog.pg_namespace schema on schema.oid = class.relnamespace
        where schema.nspname = $1
          and class.relname = $5
          and class.relkind in ('r', 'm')
    ) as securities
from size
where not exists (
    select
    from pg_catalog.pg_index index
    join pg_catalog.pg_class index_class on index_class.oid = index.indexrelid
    join pg_catalog.pg_am method on method.oid = index_class.relam
    join pg_catalog.pg_attribute first on first.attrelid = index.indrelid and first.attnum = index.indkey[0]
    join pg_catalog.pg_attribute date on date.attrelid = index.indrelid and date.attnum = any (index.indkey)
    where index.indrelid = size.oid
      and index.indisvalid
      and index.indpred is null
      and method.amname = 'btree'
      and first.attname = $3
      and date.attname = $4
)
having count(*) > 0
