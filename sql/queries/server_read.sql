-- What the server says of itself, one row.
-- Reads settings and statistics only.
select current_setting('server_version_num')::int as version_number,
       current_setting('server_version') as version,
       current_setting('server_encoding') as encoding,
       current_setting('TimeZone') as time_zone,
       pg_is_in_recovery() as is_replica,
       -- Not transaction_read_only: the transaction that asks is read-only itself.
       current_setting('default_transaction_read_only')::bool as is_read_only,
       current_setting('fsync')::bool as fsync,
       current_setting('synchronous_commit') as synchronous_commit,
       clock_timestamp() as at;
