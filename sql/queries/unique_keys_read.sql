-- The column lists that are unique in one table, each fit for `on conflict`: whole, valid, checked at once, without
-- expressions.
-- $1 schema, $2 table
select array(
    select a.attname::text
    from unnest(i.indkey::int2[]) with ordinality as k (attnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where k.position <= i.indnkeyatts
    order by k.position
) as columns
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1
  and c.relname = $2
  and i.indisunique
  and i.indisvalid
  and i.indimmediate
  and i.indpred is null
  and i.indexprs is null;
