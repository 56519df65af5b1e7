-- What of single values is not believed, beside what a run saw, and which of them a person has approved.
--
-- Why: a stock in quarantine is compared with its last good values until they are explained; these stand in the arrays
-- of cache_sync_runs already, and the column says which they are. It is part of the run, so a revert takes it back.
-- The previous binary can run beside it: its runs leave the column empty, and so take every value for good again.
alter table cache_sync_runs
    add column quarantine jsonb not null default '{}'; -- {symbols: [{symbol, anomaly, since, ...}], steps: [...]}

-- Approvals of single values by a person. Open until the next run of any mode has used it; kept for ever.
create table cache_sync_approvals (
    id bigint generated always as identity constraint cache_sync_approvals_pkey primary key,
    symbol text not null,                         -- as symbols spelled it
    approved_at timestamptz not null,
    approved_by text not null,
    seen text not null,                           -- what was approved
    used_at timestamptz,
    used_by_job text,
    constraint approval_used_by_a_job check ((used_at is null) = (used_by_job is null))
);
create unique index cache_sync_approvals_open on cache_sync_approvals (symbol) where used_at is null;
