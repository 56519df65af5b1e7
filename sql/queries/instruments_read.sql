-- Who some symbols have been, and by which other symbols the same instruments have gone, in any order.
-- Uses all indexes of cache_sync_instruments.
-- $1 symbols
with asked as (
    select coalesce(lineage_id, id) as lineage_id
    from cache_sync_instruments
    where symbol = any ($1)
      and valid_to is null
    union
    select coalesce(lineage_id, id)
    from cache_sync_instruments
    where symbol = any ($1)
      and valid_to is not null
)
select i.symbol, a.lineage_id, i.cik, i.figi, i.share_class_figi, i.composite_figi, i.kind, i.valid_from, i.valid_to
from asked a
join cache_sync_instruments i on i.id = a.lineage_id
union all
select i.symbol, a.lineage_id, i.cik, i.figi, i.share_class_figi, i.composite_figi, i.kind, i.valid_from, i.valid_to
from asked a
join cache_sync_instruments i on i.lineage_id = a.lineage_id and i.id <> a.lineage_id;
