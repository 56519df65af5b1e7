-- The memberships of one symbol, and those of the same instruments under other symbols, by universe and date; as they
-- are now, or as they were known at a moment: what has been recorded later is not known yet, what has been retracted
-- since was. An end whose time was not written down with it has that of the audit of its job, else of the job's run.
-- Uses universe_membership_by_symbol, cache_sync_retractions_by_symbol, and of the instruments all indexes.
-- $1 spellings of the symbol, $2 moment or null for now
with lineages as (
    select coalesce(lineage_id, id) as lineage_id
    from cache_sync_instruments
    where symbol = any ($1)
      and valid_to is null
    union
    select coalesce(lineage_id, id)
    from cache_sync_instruments
    where symbol = any ($1)
      and valid_to is not null
),
instruments as (
    select i.id, i.symbol, l.lineage_id
    from lineages l
    join cache_sync_instruments i on i.id = l.lineage_id or i.lineage_id = l.lineage_id
),
symbols as (
    select symbol
    from instruments
    union
    select unnest($1::text[])
),
versions as (
    select
        id, universe, symbol, instrument_id, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry,
        cap_at_entry, evidence, job_id, exit_job_id, recorded_at, exit_recorded_at, reopened_at,
        reconstructed, null::timestamptz as retracted_at
    from universe_membership
    where symbol in (select symbol from symbols)
    union all
    select
        id, universe, symbol, instrument_id, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry,
        cap_at_entry, evidence, job_id, exit_job_id, recorded_at, exit_recorded_at, reopened_at, false,
        retracted_at
    from cache_sync_retractions
    where symbol in (select symbol from symbols)
      and $2::timestamptz is not null
)
select
    v.universe, v.symbol, v.instrument_id, coalesce(i.lineage_id, v.instrument_id) as lineage_id, v.valid_from,
    case when e.is_known then v.valid_to end as valid_to,
    v.entry_reason,
    case when e.is_known then v.exit_reason end as exit_reason,
    v.rank_at_entry, v.cap_at_entry, v.evidence, v.job_id,
    case when e.is_known then v.exit_job_id end as exit_job_id,
    v.recorded_at, v.reconstructed,
    case when v.valid_to is not null and e.is_known then nullif(e.recorded_at, '-infinity') end as exit_recorded_at
from versions v
left join instruments i on i.id = v.instrument_id
cross join lateral (
    select ended.recorded_at, $2::timestamptz is null or ended.recorded_at <= $2 as is_known
    from (
        select coalesce(
            v.exit_recorded_at,
            (select max(c.recorded_at) from cache_sync_changes c where c.job_id = v.exit_job_id),
            (select r.recorded_at from cache_sync_runs r where r.job_id = v.exit_job_id),
            '-infinity'
        ) as recorded_at
    ) ended
) e
where (i.id is not null or v.symbol = any ($1))
  and ($2::timestamptz is null or coalesce(v.reopened_at, v.recorded_at) <= $2)
  and (v.retracted_at is null or v.retracted_at > $2)
order by v.universe, v.valid_from, v.id;
