-- One universe, and on which days since a date members joined and left it, newest first; with the first symbols of each
-- day, and with the market caps in cents that the last run saw of some symbols, in their order. One row without a day
-- where there was none; no row for a universe that is not ours.
-- Uses cache_entries_metadata_pkey, universe_membership_by_date, cache_sync_runs_by_date.
-- $1 universe, $2 the date, $3 symbols, $4 most symbols of a day and direction
with turns as (
    select valid_from as day, 1 as joined, symbol
    from universe_membership
    where universe = $1
      and valid_from >= $2
    union all
    select valid_to, 0, symbol
    from universe_membership
    where universe = $1
      and valid_to >= $2
),
days as (
    select
        day,
        sum(joined) as added,
        sum(1 - joined) as removed,
        (array_agg(symbol order by symbol) filter (where joined = 1))[1:$4] as who_joined,
        (array_agg(symbol order by symbol) filter (where joined = 0))[1:$4] as who_left
    from turns
    group by day
),
run as materialized (
    select symbols, caps_cents
    from cache_sync_runs
    order by as_of desc, id desc
    limit 1
),
caps as materialized (
    select array_agg(s.cap order by w.place) as caps
    from unnest($3::text[]) with ordinality as w (symbol, place)
    left join (select unnest(symbols) as symbol, unnest(caps_cents) as cap from run) s on s.symbol = w.symbol
)
select
    m.universe, m.cache_type, m.symbol_count, m.added as last_added, m.removed as last_removed, m.total_market_cap,
    m.average_market_cap, m.status, m.detail, m.last_changed_at, m.last_synced_at, m.last_job_id, m.last_as_of,
    c.caps, d.day, d.added, d.removed, d.who_joined, d.who_left
from cache_entries_metadata m
cross join caps c
left join days d on true
where m.universe = $1
order by d.day desc nulls last
