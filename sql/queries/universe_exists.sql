-- Whether history has ever had a universe of this name.
-- Uses cache_entries_metadata_pkey and universe_membership_by_date.
-- $1 universe
select exists (select from cache_entries_metadata where universe = $1)
    or exists (select from universe_membership where universe = $1);
