-- Every symbol that is a member of a universe now.
-- Uses universe_membership_open.
select distinct symbol
from universe_membership
where valid_to is null;
