-- Puts a job request on the stream (KEYS 5) and tells that it is queued, in one; returns the entry's id, and 1 or 0 as
-- tell() does. See script.lua of the publishing side, which stands before this.
-- The entry is always written: that something later was told of the job does not make it a job the workers can see.
redis.call('XLEN', KEYS[5])
local entry_id = redis.call('XADD', KEYS[5], '*', unpack(next_list()))
return {entry_id, tell()}
