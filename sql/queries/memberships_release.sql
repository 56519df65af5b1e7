-- Ends every membership of universes that are ours no longer. One of this very date never was: its row goes.
-- Uses universe_membership_open.
-- $1 date of the sync, $2 job id, $3 universes, $4 reason
with withdrawn as (
    delete from universe_membership
    where universe = any ($3)
      and valid_to is null
      and valid_from >= $1
)
update universe_membership
set valid_to = $1, exit_reason = $4, exit_job_id = $2
where universe = any ($3)
  and valid_to is null
  and valid_from < $1;
