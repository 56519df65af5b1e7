-- The members of some universes on a date, as history has them, by universe and symbol.
-- Uses universe_membership_by_date.
-- $1 universes, $2 date
select universe, symbol
from universe_membership
where universe = any ($1)
  and valid_from <= $2
  and (valid_to is null or valid_to > $2)
order by universe, symbol;
