-- The last close on or before a date with its volume and that of the bar before it, for some symbols; a row for each row
-- of the source with that symbol, those that spell it exactly last.
-- Names in braces are put in by store::source, as in securities_read.sql.
-- Uses the index of the bars on (symbol, date).
-- $1 the date, $2 trimmed symbols
select
    wanted.symbol,
    latest.date,
    latest.close{and_latest_volume}{and_previous_volume}
from unnest($2::text[]) as wanted (symbol)
join {symbols} s on btrim({symbol}, E' \t\n\r') = wanted.symbol
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
) latest on true
left join lateral (
    select {date} as date{and_volume}
    from {bars} b
    where {same_symbol}
      and {date} < latest.date
      and {has_close}
    order by {date} desc
    limit 1
) previous on true
order by {symbol} = wanted.symbol;
