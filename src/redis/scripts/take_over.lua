-- Takes the oldest entries of a consumer that is gone, or those that nobody has touched for a while.
-- KEYS: stream. ARGV: group, consumer that takes, how many at most, then either 'of' and the consumer that is gone, or
-- 'idle' and the milliseconds.
-- Returns the ids taken; and, where there is one, the id of an entry that was deleted from the stream. It stays pending,
-- for XCLAIM and XAUTOCLAIM would drop it without a word: it goes when what became of it is written down.
local pending
if ARGV[4] == 'of' then
  pending = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[3], ARGV[5])
else
  pending = redis.call('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[5], '-', '+', ARGV[3])
end
local taken = {}
for _, entry in ipairs(pending) do
  if #redis.call('XRANGE', KEYS[1], entry[1], entry[1]) == 0 then
    return {taken, {entry[1]}}
  end
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry[1], 'JUSTID')
  taken[#taken + 1] = entry[1]
end
return {taken, {}}
