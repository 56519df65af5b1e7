-- Records what this run saw, and the content of the rows it is about to write; forgets the oldest runs. To be sent
-- before those rows are written.
-- `status` is how a universe of ours fared; null for what was not ours yet.
-- Uses cache_sync_runs_by_date, the unique key of cache_entries and cache_entries_metadata_pkey.
-- $1 date of the sync, $2 job id, $3 mode, $4 now, $5 active stocks, $6 closes, $7 symbols, $8 caps in cents,
-- $9 closes in dollars, $10 shares, $11 sectors, $12 universes about to be written, $13 runs to keep beside this one,
-- $14 what is not believed
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
select
    $1, $2, $3, $4, $5, $6,
    coalesce($7, (select symbols from last)),
    coalesce($8, (select caps_cents from last)),
    coalesce($9, (select closes_dollars from last)),
    coalesce($10, (select shares from last)),
    coalesce($11, (select sectors from last)),
    coalesce(
        jsonb_object_agg(
            written.universe,
            case
                when e.universe is null then null
                else jsonb_build_object(
                    'cache_type', e.cache_type, 'content', e.content, 'status', m.status
                )
            end
        ) filter (where written.universe is not null),
        '{}'
    ),
    coalesce($14::text::jsonb, (select quarantine from last))
from unnest($12::text[]) as written (universe)
left join cache_entries e on e.universe = written.universe
left join cache_entries_metadata m on m.universe = written.universe;
