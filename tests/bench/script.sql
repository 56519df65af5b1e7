-- The script: one sync written as plain SQL, the honest floor of what it costs. It reads the same rows, works out tiers,
-- rankings, sector leaders, all_stocks, recent_ipos, etf_all and the seeds of the themes, compares them with what
-- stands there, and writes universes, history, audit and what the run saw, in one transaction. It has no guards, no
-- evidence, no reasons, no events, no job: what ours does beside is what it may cost more.
-- The benchmark puts in {as_of}, the date, and {fresh}, the oldest date whose close makes a cap.
begin isolation level repeatable read;

create temp table seen on commit drop as
select
    s.symbol::text as symbol, s.type, s.list_date, s.weighted_shares_outstanding as shares, s.aum_millions,
    s.active and coalesce(s.delisted_date > date '{as_of}', true) as active, latest.close,
    case
        when latest.date >= date '{fresh}' and latest.close > 0 and s.weighted_shares_outstanding > 0
        then latest.close * s.weighted_shares_outstanding
        when s.market_cap > 0 then s.market_cap::numeric
    end as cap,
    latest.close is not null as has_close,
    coalesce(by_symbol.sector, by_name.sector, by_sic.sector) as sector
from symbols s
left join lateral (
    select b.date, b.close
    from ohlcv_daily b
    where b.symbol = s.symbol
      and b.close is not null
    order by b.date desc
    limit 1
) latest on true
left join script.sector_of_symbol by_symbol on by_symbol.symbol = s.symbol
left join script.sector_of_name by_name on by_name.name = lower(trim(s.sector))
left join script.sector_of_sic by_sic on s.sic_code ~ '^[0-9]{1,4}$' and by_sic.sic = s.sic_code::integer;

create temp table ranked on commit drop as
select *, row_number() over (order by cap desc nulls last, case when cap is not null then list_date end nulls last, symbol collate "C") as rank
from seen
where active and type = 'CS';

create temp table wanted on commit drop as
select 'all_stocks' as universe, 'complete' as cache_type, symbol, rank, cap from ranked
union all
select tier, 'market_cap', symbol, rank, cap
from ranked
join (values ('mega_cap', 200e9, 15e12), ('large_cap', 10e9, 200e9), ('mid_cap', 2e9, 10e9), ('small_cap', 300e6, 2e9),
             ('micro_cap', 50e6, 300e6)) as tiers (tier, floor, below) on cap >= floor and cap < below
union all
select 'top_' || n, 'market_leader', symbol, rank, cap
from ranked
join (values (100), (500), (1000), (2000)) as sizes (n) on rank <= n
where cap is not null
union all
select 'top_10_' || sector, 'sector_leader', symbol, place, cap
from (select *, row_number() over (partition by sector order by rank) as place from ranked where cap is not null) r
where sector is not null and place <= 10
union all
select 'recent_ipos', 'ipo', symbol, row_number() over (order by list_date desc, rank), cap
from ranked
where has_close and list_date between date '{as_of}' - 30 and date '{as_of}'
union all
select theme, 'theme', symbol, place, cap
from (
    select t.theme, r.symbol, r.cap, t.max_members, row_number() over (partition by t.theme order by r.rank) as place
    from ranked r
    join script.seeds t on t.symbol = r.symbol and r.cap >= t.entry_floor
) seats
where place <= max_members
union all
select 'etf_all', 'etf', symbol, row_number() over (order by coalesce(aum_millions * 1e6, cap) desc nulls last, symbol collate "C"), cap
from seen
where active and type in ('ETF', 'ETN', 'ETV', 'ETS');

create temp table contents on commit drop as
select universe, cache_type, jsonb_build_object('symbols', jsonb_agg(symbol order by rank), 'count', count(*)) as content
from wanted
group by universe, cache_type;

create temp table rewritten on commit drop as
select c.*
from contents c
left join script.cache_entries e on e.universe = c.universe
where e.content - 'last_updated' is distinct from c.content;

insert into script.runs (as_of, symbols, caps, closes, shares, sectors, previous)
select date '{as_of}', array_agg(symbol), array_agg((cap * 100)::bigint), array_agg(close::float8), array_agg(shares::float8),
    array_agg(sector), (select jsonb_object_agg(e.universe, e.content) from script.cache_entries e join rewritten using (universe))
from ranked;

create temp table joining on commit drop as
select w.*
from wanted w
join rewritten using (universe)
where not exists (
    select from script.membership m where m.universe = w.universe and m.symbol = w.symbol and m.valid_to is null
);
create temp table leaving on commit drop as
select m.id, m.universe, m.symbol
from script.membership m
join rewritten r on r.universe = m.universe
where m.valid_to is null
  and not exists (select from wanted w where w.universe = m.universe and w.symbol = m.symbol);

update script.membership m set valid_to = date '{as_of}', exit_reason = 'rule', exit_job_id = 'script'
from leaving l where l.id = m.id;
insert into script.membership (universe, symbol, valid_from, entry_reason, rank_at_entry, cap_at_entry, job_id)
select universe, symbol, date '{as_of}', 'rule', rank, cap, 'script' from joining;
insert into script.changes (job_id, as_of, universe, symbol, action, reason)
select 'script', date '{as_of}', universe, symbol, 'added', 'rule' from joining
union all
select 'script', date '{as_of}', universe, symbol, 'removed', 'rule' from leaving;
insert into script.cache_entries (universe, content, cache_type)
select universe, content || jsonb_build_object('last_updated', now()), cache_type from rewritten
on conflict (universe) do update
set content = excluded.content, cache_type = excluded.cache_type, updated_at = now();

commit;
