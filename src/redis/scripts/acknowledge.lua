-- KEYS: stream. ARGV: group, group that counts, entry. take_off() stands before this.
take_off(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
return redis.status_reply('OK')
