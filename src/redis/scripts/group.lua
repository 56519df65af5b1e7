-- Makes the group where it is missing, and beside it the count of entries that we took off the stream. The count is the
-- number of entries read of a second group, as which nobody reads: it lives and dies with the stream, and no other key is
-- needed. The place of that group says since when it counts: 0-0 where that is not known.
-- From the beginning, never from `$`: that would pass over jobs. Finished ones are known in Postgres.
-- KEYS: stream. ARGV: group, group that counts, how the group of the owner begins, database. belong() stands before this.
-- Returns whether the first was made, 1 or 0.
belong(KEYS[1], ARGV[3], ARGV[4])
local known = {}
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    known[group[2]] = true
  end
end
if not known[ARGV[1]] then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
end
if not known[ARGV[2]] then
  local since, gone = '0-0', 0
  if known[ARGV[1]] then
    -- Workers of an earlier version, who did not count, have taken entries off: all that is gone counts as theirs.
    local stream = redis.call('XINFO', 'STREAM', KEYS[1])
    local field = {}
    for i = 1, #stream, 2 do field[stream[i]] = stream[i + 1] end
    gone = field['entries-added'] - field['length']
  else
    -- Just before the oldest entry, for those that it begins with are not lost.
    local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    local ms = tonumber(redis.call('TIME')[1]) * 1000
    if oldest then ms = math.max(tonumber(string.match(oldest[1], '^%d+')) - 1, 0) end
    -- Ids that somebody made up may be beyond what a number holds exactly.
    if ms < 1e15 then since = string.format('%.0f-0', ms) end
  end
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[2], since, 'ENTRIESREAD', gone)
end
return known[ARGV[1]] and 0 or 1
