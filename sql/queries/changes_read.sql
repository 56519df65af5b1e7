-- What finished jobs did to memberships, and what a guard kept back, in the order it was written down, from the oldest
-- date on.
-- Uses cache_sync_changes_by_job or cache_sync_changes_by_date.
-- $1 a job's id, or null for all, $2 the first date, or null, $3 the last date, or null, $4 one universe, or null,
-- $5 the most rows
select
    job_id,
    as_of,
    universe,
    symbol,
    action,
    reason,
    before ->> 'symbol' as renamed_from,
    after ->> 'why' as why,
    (after ->> 'rank')::integer as rank,
    (after ->> 'cap')::numeric as cap,
    coalesce(jsonb_array_length(after -> 'would_join'), 0) as would_join,
    coalesce(jsonb_array_length(after -> 'would_leave'), 0) as would_leave
from cache_sync_changes
where ($1::text is null or job_id = $1)
  and ($2::date is null or as_of >= $2)
  and ($3::date is null or as_of <= $3)
  and ($4::text is null or universe = $4)
order by as_of, id
limit $5
