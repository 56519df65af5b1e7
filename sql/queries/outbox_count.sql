-- How many events of one job are unsent to the world, and how many were told and not yet forgotten. Rows that only
-- change the status hash are no events.
-- Uses cache_sync_outbox_pkey.
-- $1 job id
select
    count(*) filter (where sent_at is null) as unsent,
    count(*) filter (where sent_at is not null) as sent
from cache_sync_outbox
where job_id = $1
  and envelope is not null
