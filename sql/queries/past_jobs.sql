-- The jobs that applied a plan for dates up to one, newest first, each with the universes that it held.
-- Reads cache_sync_jobs; uses cache_sync_changes_by_job.
-- $1 the date, $2 how many
select
    j.mode,
    j.as_of,
    array(
        select c.universe from cache_sync_changes c where c.job_id = j.job_id and c.action = 'held'
    ) as held
from cache_sync_jobs j
where j.status = 'completed'
  and j.as_of <= $1
  and coalesce(j.result ->> 'digest', '') <> ''
order by j.as_of desc, j.end_time desc
limit $2;
