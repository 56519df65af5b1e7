-- A consumer leaves: what it holds goes to a consumer that nobody reads as, for anyone to take; delivery counts stay.
-- KEYS: stream. ARGV: group, consumer that leaves, consumer that keeps.
if redis.call('EXISTS', KEYS[1]) == 0 then return redis.status_reply('OK') end
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1000, ARGV[2])) do
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, entry[1], 'RETRYCOUNT', entry[4], 'JUSTID')
end
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return redis.status_reply('OK')
