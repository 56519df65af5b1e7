-- Puts a job request on the stream (KEYS 5) and tells that it is queued, in one; returns the entry's id, and 1 or 0 as
-- write() does. See publish.lua of the publishing side, which stands before this.
-- The entry is always written: that something later was published of the job does not make it a job the workers can see.
redis.call('XLEN', KEYS[5])
local fields = next_list()
local delivery = read_delivery()
check(delivery)
local entry_id = redis.call('XADD', KEYS[5], '*', unpack(fields))
return {entry_id, write(delivery)}
