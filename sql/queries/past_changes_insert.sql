-- Writes the audit of reconstructed history.
-- $1 job id, $2 now
insert into cache_sync_changes (job_id, as_of, universe, symbol, action, reason, task, after, recorded_at)
select
    $1,
    as_of,
    universe,
    symbol,
    action,
    reason,
    task,
    case
        when action = 'held' then proposal
        else jsonb_strip_nulls(jsonb_build_object('rank', rank, 'cap', cap, 'why', why))
    end || '{"reconstructed": true}',
    $2
from cache_sync_past_staged
where action <> 'member'
order by as_of, universe, action desc, rank;
