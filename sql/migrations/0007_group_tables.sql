-- What stood in groups of AppV2 that a run took over from others, so that a revert can put it back to the letter.
--
-- Why: groups are written from memberships, which have their own way back; only what others had put there is known to
-- nobody else.
-- The previous binary can run beside it: it leaves the column empty.

alter table cache_sync_runs
    add column previous_groups jsonb not null default '{}';  -- group -> {group, members} before the run
