-- Begins the memberships of those who join, and of the new symbols of those who are renamed, who keep the reason, rank,
-- cap and evidence of the membership that goes on; returns how many. One of the same instrument that ended on this very date
-- never ended: it goes on, and its end is kept as retracted. Where history has the membership open already, nothing
-- happens.
-- Uses cache_sync_instruments_open, cache_sync_instruments_pkey, universe_membership_by_symbol,
-- universe_membership_open, and for renames cache_sync_retractions_by_symbol.
-- $1 date of the sync, $2 job id, $3 now
with joining as (
    select
        s.universe, s.symbol, i.id as instrument_id, coalesce(i.lineage_id, i.id) as lineage_id,
        case
            when s.action <> 'renamed' then s.reason
            else coalesce(old.entry_reason, 'rule')
        end as reason,
        case when s.action <> 'renamed' then s.rank else old.rank_at_entry end as rank,
        case when s.action <> 'renamed' then s.cap else old.cap_at_entry end as cap,
        case
            when s.action <> 'renamed' then jsonb_build_object('why', s.why)
            else coalesce(old.evidence, '{}') || jsonb_build_object('renamed_from', s.renamed_from)
        end as evidence
    from cache_sync_staged s
    join cache_sync_instruments i on i.symbol = s.symbol and i.valid_to is null
    left join lateral (
        -- The membership that has just been ended, or withdrawn where it began on this very date.
        select entry_reason, rank_at_entry, cap_at_entry, evidence
        from (
            select m.entry_reason, m.rank_at_entry, m.cap_at_entry, m.evidence
            from universe_membership m
            where m.universe = s.universe
              and m.symbol = s.renamed_from
              and m.valid_to = $1
              and m.exit_recorded_at = $3
            union all
            select r.entry_reason, r.rank_at_entry, r.cap_at_entry, r.evidence
            from cache_sync_retractions r
            where r.universe = s.universe
              and r.symbol = s.renamed_from
              and r.retracted_at = $3
        ) ended
        limit 1
    ) old on s.action = 'renamed'
    where s.action in ('added', 'adopted', 'renamed')
      and not s.is_foreign
),
ended as (
    select m.*
    from joining j
    join universe_membership m on m.universe = j.universe and m.symbol = j.symbol
    join cache_sync_instruments i on i.id = m.instrument_id
    where m.valid_to = $1
      and coalesce(i.lineage_id, i.id) = j.lineage_id
),
retracted as (
    insert into cache_sync_retractions (
        universe, symbol, instrument_id, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry, cap_at_entry,
        evidence, job_id, exit_job_id, recorded_at, exit_recorded_at, reopened_at, retracted_at
    )
    select
        universe, symbol, instrument_id, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry, cap_at_entry,
        evidence, job_id, exit_job_id, recorded_at, exit_recorded_at, reopened_at, $3
    from ended
),
reopened as (
    update universe_membership m
    set valid_to = null, exit_reason = null, exit_job_id = null, exit_recorded_at = null, reopened_at = $3
    from ended e
    where m.id = e.id
    returning m.universe, m.symbol
),
opened as (
    insert into universe_membership (
        universe, symbol, instrument_id, valid_from, entry_reason, rank_at_entry, cap_at_entry, evidence, job_id,
        recorded_at
    )
    select
        j.universe, j.symbol, j.instrument_id, $1, j.reason, j.rank, j.cap, j.evidence, $2, $3
    from joining j
    where not exists (select from reopened r where r.universe = j.universe and r.symbol = j.symbol)
    on conflict (universe, symbol) where valid_to is null do nothing
    returning 1
)
select (select count(*) from reopened) + (select count(*) from opened);
