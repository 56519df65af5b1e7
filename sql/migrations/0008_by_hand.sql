-- What people decide about single values and dates: values that they don't believe, and dates that are bad.
--
-- Why: the rules doubt only what is wrong ten times as often as right, and a person sees more; and a date that was
-- reverted because its import was bad would be synced again by the next signal. The previous binary can run beside it:
-- it reads neither table, so it believes the value and syncs the date.

-- Values that a person does not believe. Open until the next run of any mode has used it; kept for ever.
create table cache_sync_distrusts (
    id bigint generated always as identity constraint cache_sync_distrusts_pkey primary key,
    symbol text not null,                         -- as symbols spelled it
    distrusted_at timestamptz not null,
    distrusted_by text not null,
    reason text not null,
    good_as_of date not null,                     -- of the last value that differs
    good_cap_cents bigint not null,
    good_close_dollars double precision not null,
    used_at timestamptz,
    used_by_job text,
    constraint distrust_used_by_a_job check ((used_at is null) = (used_by_job is null))
);
create unique index cache_sync_distrusts_open on cache_sync_distrusts (symbol) where used_at is null;

-- Dates that are not synced, whatever closes they have, until somebody takes it back.
create table cache_sync_rejected_dates (
    as_of date constraint cache_sync_rejected_dates_pkey primary key,
    rejected_at timestamptz not null,
    rejected_by text not null,
    reason text not null
);
