-- The first date that history tells of; null where it tells of none.
-- Reads universe_membership whole: memberships grow with changes, not with days.
select min(valid_from) from universe_membership;
