-- Takes the oldest entries of a consumer that is gone, if they are still its own.
-- KEYS: stream. ARGV: group, consumer that is gone, consumer that takes, how many at most.
-- Returns the ids taken; and, where there is one, the id of an entry that was deleted from the stream. XCLAIM drops such
-- an entry from the pending list without a word, so the script stops there: whoever calls it is the last to know.
local taken = {}
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[4], ARGV[2])) do
  if #redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, entry[1], 'JUSTID') == 0 then
    return {taken, {entry[1]}}
  end
  taken[#taken + 1] = entry[1]
end
return {taken, {}}
