-- The bare read, second half: the current universes.
select universe::text, cache_type::text, content::text from cache_entries;
