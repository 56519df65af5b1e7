-- By how much each universe grew or shrank in each week since a date, weeks without a change left out.
-- Uses cache_sync_changes_by_date.
-- $1 the date
select universe, date_trunc('week', as_of)::date as week,
    count(*) filter (where action = 'added') - count(*) filter (where action = 'removed') as net
from cache_sync_changes
where as_of >= $1
  and action in ('added', 'removed')
group by universe, week
order by universe, week
