-- Which of some commands the user may not run; nothing is run, and no right of an administrator is needed, as it would be
-- for ACL DRYRUN.
-- ARGV: for each command the number of its words, then the words. Returns the places, from 1, of those that are refused;
-- one that the server does not know, or knows under another name, is refused too.
local refused, position, place = {}, 1, 0
while position <= #ARGV do
  local words, count = {}, tonumber(ARGV[position])
  for i = 1, count do words[i] = ARGV[position + i] end
  position, place = position + count + 1, place + 1
  local is_known, may = pcall(redis.acl_check_cmd, unpack(words))
  if not (is_known and may) then refused[#refused + 1] = place end
end
return refused
