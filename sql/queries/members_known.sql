-- The members of a universe as history has them, with what it says of each: those that a list names first and in its
-- order, the others by symbol.
-- Uses universe_membership_open.
-- $1 universe, $2 the list
select m.symbol, m.valid_from, m.entry_reason
from universe_membership m
left join unnest($2::text[]) with ordinality as l (symbol, position) on l.symbol = m.symbol
where m.universe = $1
  and m.valid_to is null
order by l.position, m.symbol;
