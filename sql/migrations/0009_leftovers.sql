-- Rows of AppV2's table that nobody keeps any more and that an operator had removed, as they stood there.
--
-- Why: what is removed by command can be put back by command.
-- The previous binary can run beside it.

create table cache_sync_leftovers (
    id bigint generated always as identity constraint cache_sync_leftovers_pkey primary key,
    removed_at timestamptz not null,
    restored_at timestamptz,
    content jsonb not null                        -- the row, by column
);
