-- Which database this is, one row: the cluster, the database in it, and our schema. A standby that is promoted stays the
-- same; a copy is another.
-- $1 our schema
select
    (select system_identifier from pg_control_system())::text || '.' || oid::text || '.' || $1 as identity
from pg_catalog.pg_database
where datname = current_database()
