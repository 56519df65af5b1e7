-- Writes the audit of the staged changes.
-- $1 job id, $2 date of the sync, $3 now
insert into cache_sync_changes (job_id, as_of, universe, symbol, action, reason, task, before, after, recorded_at)
select
    $1,
    $2,
    universe,
    symbol,
    action,
    reason,
    task,
    case when action = 'renamed' then jsonb_build_object('symbol', renamed_from) end,
    case
        when action = 'held' then proposal
        when action = 'renamed' then jsonb_build_object('symbol', symbol)
        else jsonb_strip_nulls(jsonb_build_object('rank', rank, 'cap', cap, 'why', why))
    end,
    $3
from cache_sync_staged
where action <> 'adopted';
