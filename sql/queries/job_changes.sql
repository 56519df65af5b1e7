-- What one job did to each universe: memberships added, removed and renamed, and where a guard held it, why and what
-- was kept back. By name; foreign rows that were cleaned are among them.
-- Uses cache_sync_changes_by_job.
-- $1 job id
select
    universe,
    count(*) filter (where action = 'added') as added,
    count(*) filter (where action = 'removed') as removed,
    count(*) filter (where action = 'renamed') as renamed,
    max(reason) filter (where action = 'held') as held_reason,
    (max(after::text) filter (where action = 'held'))::jsonb as held_proposal
from cache_sync_changes
where job_id = $1
group by universe
order by universe
