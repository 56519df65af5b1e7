-- Memberships that people have decided by hand.
--
-- Why: a feed can be wrong about one company for weeks, and a curated decision must outlive the next sync. The rules
-- read this table with every snapshot; nothing but commands writes it.
-- The previous binary can run beside it: it does not know the table and decides by the rules alone.

create table cache_sync_pins (
    universe text not null,
    symbol text not null,                         -- as symbols spells it
    kind text not null,
    reason text not null,
    until date,                                   -- the last date of a sync for which it counts, null: for ever
    created_at timestamptz not null,
    created_by text not null,
    constraint cache_sync_pins_pkey primary key (universe, symbol),
    constraint pin_kind_known check (kind in ('pin', 'ban'))
);
