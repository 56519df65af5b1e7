-- Every security with its last close, on or before a date where one is given, in any order.
-- Names in braces are put in by store::source: tables and columns are called differently from place to place, and an
-- optional column that does not exist is a null. Dates are filtered and ordered by the raw column.
-- Uses the index of the bars on (symbol, date): one probe per symbol, whatever the length of history.
-- $1 the date, only where the bound names it
select
    {symbol},
    {type},
    {active},
    {name},
    {market_cap},
    {shares},
    {sector},
    {industry},
    {sic_code},
    {exchange},
    {list_date},
    {delisted_date},
    {cik},
    {composite_figi},
    {share_class_figi},
    {etf_type},
    {issuer},
    {aum_millions},
    {dividend_growth_years},
    {esg_score},
    latest.date,
    latest.close{and_latest_volume}
from {symbols} s
left join lateral (
    select
        {date} as date,
        {close} as close{and_volume}
    from {bars} b
    where {same_symbol}
      and {bound}
      and {has_close}
    order by {date} desc
    limit 1
) latest on true;
