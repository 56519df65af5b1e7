-- Begins the instruments of symbols that stand for somebody from now on, those of one lineage after those before, and
-- writes down what is known of them now. One that ended on this very date goes on; one that began on it is overwritten.
-- Uses cache_sync_instruments_open and cache_sync_instruments_ended.
-- $1 date of the sync; then parallel arrays: $2 actions, $3 symbols, $4 old symbols or null, $5 share-class FIGIs,
-- $6 composite FIGIs, $7 CIKs, $8 types
with changed as (
    select
        c.*,
        case
            when c.action in ('renamed', 'reorganised') then (
                select coalesce(f.lineage_id, f.id)
                from cache_sync_instruments f
                where f.symbol = coalesce(c.from_symbol, c.symbol)
                order by f.valid_from desc, f.id desc
                limit 1
            )
        end as lineage_id
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) as c (
        action, symbol, from_symbol, share_class_figi, composite_figi, cik, kind
    )
),
known as (
    update cache_sync_instruments i
    set share_class_figi = coalesce(c.share_class_figi, own.share_class_figi),
        composite_figi = coalesce(c.composite_figi, own.composite_figi),
        figi = coalesce(c.share_class_figi, c.composite_figi, own.figi),
        cik = coalesce(c.cik, own.cik),
        kind = coalesce(c.kind, own.kind),
        lineage_id = case when c.action = 'completed' then i.lineage_id else c.lineage_id end
    from changed c
    join cache_sync_instruments o on o.symbol = c.symbol and o.valid_to is null
    -- What a reused ticker was known by says nothing about its new owner.
    left join cache_sync_instruments own on own.id = o.id and c.action = 'completed'
    where i.id = o.id
      and (c.action <> 'renamed' or i.valid_from = $1 or coalesce(i.lineage_id, i.id) = c.lineage_id)
    returning i.symbol
),
resumed as (
    update cache_sync_instruments i
    set valid_to = null,
        share_class_figi = coalesce(last.share_class_figi, i.share_class_figi),
        composite_figi = coalesce(last.composite_figi, i.composite_figi),
        figi = coalesce(last.share_class_figi, last.composite_figi, i.figi),
        cik = coalesce(last.cik, i.cik),
        kind = coalesce(last.kind, i.kind)
    from (
        select distinct on (c.symbol) o.id, c.share_class_figi, c.composite_figi, c.cik, c.kind
        from changed c
        join cache_sync_instruments o on o.symbol = c.symbol and o.valid_to = $1
        where c.action = 'renamed'
          and coalesce(o.lineage_id, o.id) = c.lineage_id
          and not exists (select from known k where k.symbol = c.symbol)
        order by c.symbol, o.id desc
    ) last
    where i.id = last.id
    returning i.symbol
)
insert into cache_sync_instruments (
    symbol, share_class_figi, composite_figi, figi, cik, kind, lineage_id, valid_from
)
select
    c.symbol, c.share_class_figi, c.composite_figi, coalesce(c.share_class_figi, c.composite_figi), c.cik, c.kind,
    c.lineage_id, $1
from changed c
where c.action <> 'completed'
  and not exists (select from known k where k.symbol = c.symbol)
  and not exists (select from resumed r where r.symbol = c.symbol);
