-- Whether a group of ours would pass each of the check constraints, one row with a column for each.
-- A template: {conditions} is what the constraints say, {table} is definition_groups, quoted and with its schema. They are
-- evaluated as an insert would.
-- $1 the group as JSON
select {conditions}
from jsonb_populate_record(null::{table}, $1) as definition_groups;
