-- The members of some universes as history has them, by universe and symbol.
-- Uses universe_membership_open.
-- $1 universes
select universe, symbol
from universe_membership
where universe = any ($1)
  and valid_to is null
order by universe, symbol;
