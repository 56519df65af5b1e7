-- Every universe of ours and how its last sync went, by name.
select
    universe, cache_type, symbol_count, added, removed, total_market_cap, average_market_cap, status, detail,
    last_changed_at, last_synced_at, last_job_id
from cache_entries_metadata
order by universe;
