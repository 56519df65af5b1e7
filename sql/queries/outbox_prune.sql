-- Forgets events that were told long ago.
-- Uses cache_sync_outbox_sent.
-- $1 days to keep, $2 how many at most
delete from cache_sync_outbox
where (job_id, seq) in (
    select job_id, seq
    from cache_sync_outbox
    where sent_at < clock_timestamp() - make_interval(days => $1)
    limit $2
)
