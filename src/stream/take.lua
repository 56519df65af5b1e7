-- Takes the oldest entries of a consumer that is gone, if they are still its own.
-- KEYS: stream. ARGV: group, consumer that is gone, consumer that takes, how many at most. Returns the ids taken.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[4], ARGV[2])
local taken = {}
for _, entry in ipairs(pending) do
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, entry[1], 'JUSTID')
  taken[#taken + 1] = entry[1]
end
return taken
