-- Takes staged changes in, in binary form.
copy cache_sync_staged (action, universe, symbol, reason, task, rank, cap, why, proposal, cik, figi, is_foreign)
from stdin (format binary);
