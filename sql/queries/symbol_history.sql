-- The memberships of one symbol, by universe and date.
-- Uses universe_membership_by_symbol.
-- $1 spellings of the symbol
select
    universe, symbol, instrument_id, valid_from, valid_to, entry_reason, exit_reason, rank_at_entry, cap_at_entry,
    evidence, job_id, exit_job_id, recorded_at, reconstructed
from universe_membership
where symbol = any ($1)
order by universe, valid_from;
