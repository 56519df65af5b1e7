-- The members of one universe on a date, by symbol.
-- Uses universe_membership_by_date.
-- $1 universe, $2 date
select symbol, valid_from, entry_reason, reconstructed
from universe_membership
where universe = $1
  and valid_from <= $2
  and (valid_to is null or valid_to > $2)
order by symbol;
