-- How the stream stands, at one moment: the last entry that the group was given (false where there is no group), entries
-- ever added, entries there, those that workers took off (false where nobody counts) and since when they are counted, the
-- newest id ever given. Nothing where there is no stream.
-- KEYS: stream. ARGV: group, group that counts.
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local function fields(list)
  local field = {}
  for i = 1, #list, 2 do field[list[i]] = list[i + 1] end
  return field
end
local stream, groups = fields(redis.call('XINFO', 'STREAM', KEYS[1])), {}
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local field = fields(group)
  groups[field['name']] = field
end
local readers, counter = groups[ARGV[1]] or {}, groups[ARGV[2]] or {}
return {
  readers['last-delivered-id'] or false, stream['entries-added'], stream['length'],
  counter['entries-read'] or false, counter['last-delivered-id'] or false, stream['last-generated-id'],
}
