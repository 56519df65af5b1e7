-- Takes staged changes in, in binary form.
copy cache_sync_staged (
    action, universe, symbol, reason, task, rank, cap, why, proposal, cik, figi, share_class_figi, composite_figi, kind,
    renamed_from, is_foreign
)
from stdin (format binary);
