-- Opens an instrument for every joining symbol that has none. A revert, which looks at no market, takes up the one that
-- the symbol was last.
-- Uses cache_sync_instruments_open and cache_sync_instruments_ended.
-- $1 date of the sync
insert into cache_sync_instruments (
    symbol, cik, figi, share_class_figi, composite_figi, kind, lineage_id, valid_from
)
select distinct on (s.symbol)
    s.symbol, coalesce(s.cik, was.cik), coalesce(s.figi, was.figi), coalesce(s.share_class_figi, was.share_class_figi),
    coalesce(s.composite_figi, was.composite_figi), coalesce(s.kind, was.kind), was.lineage_id, $1
from cache_sync_staged s
left join lateral (
    select i.cik, i.figi, i.share_class_figi, i.composite_figi, i.kind, coalesce(i.lineage_id, i.id) as lineage_id
    from cache_sync_instruments i
    where i.symbol = s.symbol
      and i.valid_to is not null
    order by i.valid_to desc, i.id desc
    limit 1
) was on s.reason = 'revert'
where s.action in ('added', 'adopted')
  and not s.is_foreign
  and not exists (
      select from cache_sync_instruments i where i.symbol = s.symbol and i.valid_to is null
  )
order by s.symbol;
