-- Where the changes of one plan wait, within its transaction, to be carried out by one statement per table.
-- `renamed` ones have the new symbol, and the old one in `renamed_from`; their reason says by what both are one.
-- `adopted` ones open history and are no change; `held` ones have no symbol and a proposal.
create temp table cache_sync_staged (
    action text not null,
    universe text not null,
    symbol text,
    reason text not null,
    task text not null,
    rank integer,
    cap numeric,
    why text,
    proposal jsonb,
    cik text,
    figi text,
    share_class_figi text,
    composite_figi text,
    kind text,
    renamed_from text,
    is_foreign boolean not null
) on commit drop;
