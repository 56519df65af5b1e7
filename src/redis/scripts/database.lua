-- Raises unless the stream is this database's; notes that it is where nobody's is noted. The note is a group of that name, as
-- which nobody reads: it lives and dies with the stream, and no other key is needed.
local function belong(stream, prefix, database)
  if redis.call('EXISTS', stream) == 1 then
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      local name = group[2]
      if name == prefix .. database then return end
      if string.sub(name, 1, #prefix) == prefix then
        error(redis.error_reply('OTHERDB the jobs on ' .. stream .. ' belong to database ' .. string.sub(name, #prefix + 1)
          .. ' and this one is ' .. database .. ': give one of them another redis.prefix; or, where this one has taken the '
          .. 'place of that one: redis-cli XGROUP DESTROY ' .. stream .. ' ' .. name))
      end
    end
  end
  redis.call('XGROUP', 'CREATE', stream, prefix .. database, '0', 'MKSTREAM')
end
