-- The bare read, first half: every security with its last close, as the snapshot reads them. Sent by the benchmark as
-- it stands here, so that what a sync costs can be compared with what reading its data costs.
select
    s.symbol::text, s.type::text, s.active, s.name::text, s.market_cap, s.weighted_shares_outstanding,
    s.sector::text, s.industry::text, s.sic_code::text, s.exchange::text, s.list_date, s.delisted_date,
    s.cik::text, s.composite_figi::text, s.share_class_figi::text, s.etf_type::text, s.issuer::text,
    s.aum_millions, latest.date, latest.close
from symbols s
left join lateral (
    select b.date, b.close
    from ohlcv_daily b
    where b.symbol = s.symbol
      and b.close is not null
    order by b.date desc
    limit 1
) latest on true;
