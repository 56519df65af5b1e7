-- The jobs that applied a plan for some dates, oldest first, each with its digest.
-- $1 a job's id, or null for all, $2 the first date, or null for the newest that a plan was applied for, $3 the last date,
-- or null
select
    job_id,
    as_of,
    mode,
    result ->> 'digest' as digest
from cache_sync_jobs
where status = 'completed'
  and coalesce(result ->> 'digest', '') <> ''
  and ($1::text is null or job_id = $1)
  and as_of >= coalesce($2::date, case when $1::text is null then (
      select max(as_of) from cache_sync_jobs where status = 'completed' and coalesce(result ->> 'digest', '') <> ''
  ) end, '-infinity')
  and ($3::date is null or as_of <= $3)
order by as_of, end_time
