-- Jobs that owe events, those that owe longest first.
-- Uses cache_sync_outbox_unsent.
-- $1 how many
select job_id
from cache_sync_outbox
where sent_at is null
group by job_id
order by min(created_at)
limit $1
