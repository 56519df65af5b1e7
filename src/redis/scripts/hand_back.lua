-- A consumer hands back what it holds: to a consumer that nobody reads as, for anyone to take; delivery counts stay.
-- KEYS: stream. ARGV: group, consumer that hands back, consumer that keeps. Returns how many entries.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local entries = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000, ARGV[2])
for _, entry in ipairs(entries) do
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, entry[1], 'RETRYCOUNT', entry[4], 'JUSTID')
end
return #entries
