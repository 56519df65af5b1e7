-- Takes staged history in, in binary form.
copy cache_sync_past_staged (
    action, as_of, valid_to, universe, symbol, reason, exit_reason, is_handed_over, task, rank, cap, why, proposal, cik,
    figi
)
from stdin (format binary);
