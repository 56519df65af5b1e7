-- Forgets universes that are ours no longer.
-- Uses cache_entries_metadata_pkey.
-- $1 universes
delete from cache_entries_metadata
where universe = any ($1);
