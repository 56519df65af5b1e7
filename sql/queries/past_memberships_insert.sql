-- Writes reconstructed memberships, each of the first instrument that its symbol can have stood for.
-- Reads cache_sync_instruments whole.
-- $1 job id, $2 now
with instruments as (
    select distinct on (p.symbol) p.symbol, i.id
    from (
        select distinct symbol, cik, figi from cache_sync_past_staged where action = 'member'
    ) p
    join cache_sync_instruments i
      on i.symbol = p.symbol
     and (i.cik = p.cik or i.cik is null or p.cik is null)
     and (i.figi = p.figi or i.figi is null or p.figi is null)
    order by p.symbol, i.valid_from, i.id
)
insert into universe_membership (
    universe, symbol, instrument_id, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry, cap_at_entry,
    evidence, job_id, exit_job_id, recorded_at, exit_recorded_at, reconstructed
)
select
    p.universe, p.symbol, i.id, p.as_of, p.valid_to, p.reason, p.exit_reason, p.rank, p.cap,
    jsonb_strip_nulls(jsonb_build_object(
        'why', p.why,
        'exit', case when p.is_handed_over then 'recorded history begins' end
    )),
    $1, $1, $2, $2, true
from cache_sync_past_staged p
join instruments i on i.symbol = p.symbol
where p.action = 'member'
order by p.as_of, p.universe, p.rank;
