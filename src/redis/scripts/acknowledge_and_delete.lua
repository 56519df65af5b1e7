-- Acknowledges an entry, deletes it from the stream, and counts that we did: what is gone otherwise was taken by somebody
-- else.
local function acknowledge_and_delete(stream, group, counter, entry)
  redis.call('XACK', stream, group, entry)
  if redis.call('XDEL', stream, entry) == 0 then return end
  for _, known in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local field = {}
    for i = 1, #known, 2 do field[known[i]] = known[i + 1] end
    if field['name'] == counter then
      local since, count = field['last-delivered-id'], (field['entries-read'] or 0) + 1
      redis.call('XGROUP', 'SETID', stream, counter, since, 'ENTRIESREAD', count)
    end
  end
end
