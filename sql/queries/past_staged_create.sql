-- Where history that is reconstructed waits, within its transaction, to be carried out by one statement per table.
-- `member` rows are memberships, the others lines of the audit; `held` ones have no symbol and a proposal.
create temp table cache_sync_past_staged (
    action text not null,
    as_of date not null,
    valid_to date,
    universe text not null,
    symbol text,
    reason text not null,
    exit_reason text,
    is_handed_over boolean not null,
    task text,
    rank integer,
    cap numeric,
    why text,
    proposal jsonb,
    cik text,
    figi text
) on commit drop;
