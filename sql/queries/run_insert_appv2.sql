-- What run_insert.sql does, where cache_entries is AppV2's: what stood in the rows was read already.
-- Uses cache_sync_runs_by_date.
-- $1 to $11, $13 and $14 as there, $12 slot -> {at: [type, name, key] or null, cache_type, content, status} of the rows about
-- to be written; without content there was no row
-- $7 to $11, and $14, are null where they are those of the last run; they are copied from it then.
with forgotten as (
    delete from cache_sync_runs
    where id in (select id from cache_sync_runs order by as_of desc, id desc offset $13)
),
last as (
    select symbols, caps_cents, closes_dollars, shares, sectors, quarantine
    from cache_sync_runs
    where $7::text[] is null or $14::text is null
    order by as_of desc, id desc
    limit 1
)
insert into cache_sync_runs (
    as_of, job_id, mode, recorded_at, active_stocks, closes, symbols, caps_cents, closes_dollars, shares, sectors,
    previous_entries, quarantine
)
values (
    $1, $2, $3, $4, $5, $6,
    coalesce($7, (select symbols from last)),
    coalesce($8, (select caps_cents from last)),
    coalesce($9, (select closes_dollars from last)),
    coalesce($10, (select shares from last)),
    coalesce($11, (select sectors from last)),
    $12::text::jsonb,
    coalesce($14::text::jsonb, (select quarantine from last))
);
