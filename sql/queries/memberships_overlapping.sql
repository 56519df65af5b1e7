-- Memberships that overlap the next one of the same universe and symbol; there must be none.
-- Reads all of universe_membership.
-- $1 how many at most
select universe, symbol, valid_from, next_from
from (
    select
        universe, symbol, valid_from, valid_to,
        lead(valid_from) over (partition by universe, symbol order by valid_from, id) as next_from
    from universe_membership
) m
where next_from is not null
  and (valid_to is null or valid_to > next_from)
order by universe, symbol, valid_from
limit $1;
