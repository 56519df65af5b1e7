-- How many connections there may be, and how many there are: of the server, of this role and of this database; a row for
-- each that has a limit. A superuser has only that of the server.
-- Reads settings, the catalogue and statistics only.
with client as (
    select usename, datname from pg_stat_activity where backend_type = 'client backend'
),
me as (
    select rolsuper, rolconnlimit from pg_catalog.pg_roles where rolname = current_user
)
select
    'server' as whose,
    'the server' as name,
    current_setting('max_connections')::bigint
        - current_setting('superuser_reserved_connections')::bigint
        - coalesce(current_setting('reserved_connections', true)::bigint, 0) as most,
    (select count(*) from client) as open
union all
select 'role', format('role %I', current_user), rolconnlimit, (select count(*) from client where usename = current_user)
from me
where not rolsuper and rolconnlimit >= 0
union all
select
    'database', format('database %I', datname), datconnlimit,
    (select count(*) from client where datname = current_database())
from pg_catalog.pg_database, me
where datname = current_database() and not rolsuper and datconnlimit >= 0;
