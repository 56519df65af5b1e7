-- The jobs that matter tonight: the open ones, newest first, the newest of all, and that of the last run; each with what
-- that run saw, and the new listings and delistings that it told of. The caller takes each job once.
-- Uses cache_sync_jobs_open, cache_sync_jobs_recent, cache_sync_jobs_pkey, cache_sync_runs_by_date,
-- cache_sync_changes_by_job.
-- $1 most open jobs, $2 most listings and delistings
with runs as materialized (
    select id, as_of, job_id, closes, quarantine
    from cache_sync_runs
    order by as_of desc, id desc
    limit 20
),
last_run as materialized (
    select as_of, job_id, closes, quarantine
    from runs
    order by as_of desc, id desc
    limit 1
),
news as materialized (
    select
        array(
            select distinct c.symbol
            from cache_sync_changes c
            where c.job_id = r.job_id
              and c.universe = 'recent_ipos'
              and c.reason = 'listing'
            order by c.symbol
            limit $2
        ) as listed,
        array(
            select distinct c.symbol
            from cache_sync_changes c
            where c.job_id = r.job_id
              and c.reason = 'delisted'
              and c.symbol is not null
            order by c.symbol
            limit $2
        ) as delisted
    from last_run r
),
ids as (
    (
        select job_id
        from cache_sync_jobs
        where status in ('queued', 'running', 'retrying')
        order by created_at desc
        limit $1
    )
    union
    (
        select job_id
        from cache_sync_jobs
        order by created_at desc, job_id desc
        limit 1
    )
    union
    select job_id
    from last_run
)
select
    j.*,
    r.as_of as run_as_of,
    r.job_id as run_job_id,
    r.closes as run_closes,
    (select percentile_disc(0.5) within group (order by closes) from runs) as usual_closes,
    r.quarantine::text as quarantine,
    (select array_agg(symbol order by symbol) from cache_sync_approvals where used_at is null) as approved,
    n.listed,
    n.delisted
from ids i
join cache_sync_jobs j on j.job_id = i.job_id
left join last_run r on true
left join news n on true
order by j.created_at desc, j.job_id desc
