-- Files a dead letter unless there is one about the same entry, and takes the entry off the stream: a worker that was
-- stopped in between and wakes files no second one. The newest letters are looked at, for only a worker that just had
-- the entry can come late.
-- KEYS: stream of dead letters, stream. ARGV: group, group that counts, entry, letters that are kept, letters looked at,
-- then the letter. acknowledge_and_delete() stands before this.
local is_filed = false
for _, letter in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[5])) do
  -- The entry's id is the first field of a letter.
  is_filed = is_filed or letter[2][2] == ARGV[3]
end
if not is_filed then
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', unpack(ARGV, 6))
end
acknowledge_and_delete(KEYS[2], ARGV[1], ARGV[2], ARGV[3])
return redis.status_reply('OK')
