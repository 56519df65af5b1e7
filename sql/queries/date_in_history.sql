-- What a date has to do with our history: whether memberships begin or end on it or later, the jobs that did so, and the
-- newest date that was applied before it.
-- Uses universe_membership_by_date and cache_sync_runs_by_date.
-- $1 the date
select
    exists (select from universe_membership where valid_from >= $1 or valid_to >= $1) as is_in_history,
    exists (select from cache_sync_runs where as_of > $1) as is_passed,
    array(select job_id from cache_sync_runs where as_of >= $1 and mode <> 'revert' order by id) as jobs,
    (select max(as_of) from cache_sync_runs where as_of < $1) as applied_before;
