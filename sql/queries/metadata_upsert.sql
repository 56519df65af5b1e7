-- Writes what is known about every universe of a plan. The time of the last change moves only with a change, the date
-- of the last application not while held. A job that only takes delisted symbols out of a universe, or seats new
-- listings in it, says nothing about how it fares: status, detail, runs held and that date stay.
-- Uses cache_entries_metadata_pkey.
-- $1 job id, $2 date of the sync, $3 now; then parallel arrays: $4 universes, $5 cache types, $6 members, $7 added,
-- $8 removed, $9 total caps, $10 average caps, $11 statuses, $12 details, $13 digests of members, $14 runs held,
-- $15 whether the job recalculated it
insert into cache_entries_metadata (
    universe, cache_type, symbol_count, added, removed, total_market_cap, average_market_cap, status, detail,
    members_digest, last_as_of, held_runs, last_changed_at, last_synced_at, last_job_id
)
select
    n.universe, n.cache_type, n.symbol_count, n.added, n.removed, n.total_cap, n.average_cap,
    case when n.recalculated then n.status else coalesce(m.status, n.status) end,
    case when n.recalculated then n.detail else coalesce(m.detail, n.detail) end,
    n.members_digest,
    case when n.status = 'held' or not n.recalculated then coalesce(m.last_as_of, $2) else $2 end,
    case when n.recalculated then n.held_runs else coalesce(m.held_runs, n.held_runs) end,
    case when n.added + n.removed > 0 then $3 else coalesce(m.last_changed_at, $3) end,
    $3,
    $1
from unnest(
    $4::text[], $5::text[], $6::integer[], $7::integer[], $8::integer[], $9::numeric[], $10::numeric[], $11::text[],
    $12::jsonb[], $13::text[], $14::integer[], $15::boolean[]
) as n (
    universe, cache_type, symbol_count, added, removed, total_cap, average_cap, status, detail, members_digest,
    held_runs, recalculated
)
left join cache_entries_metadata m on m.universe = n.universe
order by n.universe
on conflict (universe) do update
set cache_type = excluded.cache_type,
    symbol_count = excluded.symbol_count,
    added = excluded.added,
    removed = excluded.removed,
    total_market_cap = excluded.total_market_cap,
    average_market_cap = excluded.average_market_cap,
    status = excluded.status,
    detail = excluded.detail,
    members_digest = excluded.members_digest,
    last_as_of = excluded.last_as_of,
    held_runs = excluded.held_runs,
    last_changed_at = excluded.last_changed_at,
    last_synced_at = excluded.last_synced_at,
    last_job_id = excluded.last_job_id;
