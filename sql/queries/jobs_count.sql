-- How many jobs are kept: a few a day for 400 days.
select count(*) as total
from cache_sync_jobs
