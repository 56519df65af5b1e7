-- One row of figures for monitoring: open jobs, the oldest one whose turn it is, unsent events, signs of life, good syncs.
-- Uses cache_sync_jobs_open and cache_sync_outbox_unsent; owners and runs hold a few rows each.
-- $1 now, $2 seconds of a lease
with open as (
    select status, created_at, not_before
    from cache_sync_jobs
    where status in ('queued', 'running', 'retrying')
),
unsent as (
    select created_at
    from cache_sync_outbox
    where sent_at is null
)
select
    (select count(*) from open where status = 'queued') as queued,
    (select count(*) from open where status = 'running') as running,
    (select count(*) from open where status = 'retrying') as retrying,
    (
        select extract(epoch from $1 - min(greatest(created_at, not_before)))::float8
        from open
        where status <> 'running'
          and (not_before is null or not_before <= $1)
    ) as oldest_waiting_seconds,
    (select count(*) from unsent) as unsent_events,
    (select extract(epoch from $1 - min(created_at))::float8 from unsent) as outbox_lag_seconds,
    (select count(*) from cache_sync_owners where expires_at > clock_timestamp()) as held_jobs,
    -- The expiry is a lease behind the last sign of life.
    (
        select extract(epoch from clock_timestamp() - min(expires_at))::float8 + $2
        from cache_sync_owners
    ) as oldest_heartbeat_seconds,
    (select extract(epoch from $1 - max(recorded_at))::float8 from cache_sync_runs) as last_good_sync_seconds
