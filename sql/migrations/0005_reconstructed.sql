-- Which memberships were not recorded on their days, but found out afterwards by deciding those days again.
--
-- Why: a backtest must be able to tell what was known then from what was made of later knowledge. Adding a column with a
-- constant default rewrites nothing and takes no time, however long history is.
-- The previous binary can run beside it: whatever it writes was recorded on its day, as the default says.

alter table universe_membership add column reconstructed boolean not null default false;
