-- Keeps an entry from being taken over, if it is still this consumer's. XCLAIM alone would steal it back.
-- KEYS: stream. ARGV: group, consumer, entry.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)
if #pending == 1 and pending[1][2] == ARGV[2] then
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'JUSTID')
end
return redis.status_reply('OK')
