-- Takes the rejection of a date back: answers with nothing where there was none.
-- Uses cache_sync_rejected_dates_pkey.
-- $1 date
delete from cache_sync_rejected_dates
where as_of = $1
returning as_of;
