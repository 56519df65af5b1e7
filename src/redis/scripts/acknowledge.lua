-- KEYS: stream. ARGV: group, group that counts, entry. acknowledge_and_delete() stands before this.
acknowledge_and_delete(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
return redis.status_reply('OK')
