-- The table of AppV2, as its own models make it, for a database that AppV2 has not seen yet.
create table cache_entries (
    id serial primary key,
    type varchar(50) not null,
    name varchar(100) not null,
    key varchar(100) not null,
    value jsonb not null,
    environment varchar(10) not null,
    created_at timestamp default now(),
    updated_at timestamp default now(),
    constraint unique_cache_entry unique (type, name, key, environment)
);
