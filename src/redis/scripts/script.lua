-- Tells one thing of a job, once: the part that deliver.lua and enqueue.lua share.
--
-- KEYS  1 status hash   2 event stream   3 job monitor text   4 recent jobs
-- ARGV  first the bounds: most events of a job, most recent jobs, seconds that hash and event stream outlive the end,
--       seconds that the monitor text outlives its update; then whatever the script is about, read in order.
--
-- What is read is read before anything is written: a key of another kind fails the script before it leaves half a
-- picture, for Redis rolls nothing back. Running out of memory is noticed by Redis at the first write.

local position = 0

local function next_arg()
    position = position + 1
    return ARGV[position]
end

local function next_number()
    return tonumber(next_arg())
end

local function next_list()
    local list = {}
    for i = 1, next_number() do
        list[i] = next_arg()
    end
    return list
end

local max_events = next_arg()
local max_recent = next_number()
local keep_seconds = next_arg()
local monitor_seconds = next_arg()

-- The place of the last write to the status hash; without one it is before everything, 0 (a refusal) included.
local function read_status_seq()
    return tonumber(redis.call('HGET', KEYS[1], 'seq') or '') or -1
end

-- The place of the last event. The stream remembers it even when its entries are trimmed; where there is no stream
-- (expired, or flushed), the hash may still know that the job is further.
local function read_event_seq(status_seq)
    if redis.call('EXISTS', KEYS[2]) == 0 then
        return status_seq
    end
    local info = redis.call('XINFO', 'STREAM', KEYS[2])
    for i = 1, #info, 2 do
        if info[i] == 'last-generated-id' then
            return tonumber(string.match(info[i + 1], '^%d+'))
        end
    end
end

local status_seq = read_status_seq()
local event_seq = read_event_seq(status_seq)
redis.call('ZCARD', KEYS[4])

-- Returns 1 if something new was told, 0 if all of it was old.
local function tell()
    local seq_text = next_arg()
    local seq = tonumber(seq_text)
    local event, channel_list, envelope = next_arg(), next_arg(), next_arg()
    local published_to = next_list()
    local status = next_list()
    local ended = next_arg() == '1'
    local monitor = next_arg()
    local requested_ms, job_id = next_arg(), next_arg()

    local new_event = event ~= '' and seq > event_seq
    local new_status = #status > 0 and seq > status_seq

    if new_event then
        redis.call('XADD', KEYS[2], 'MAXLEN', '~', max_events, seq_text .. '-0',
            'event', event, 'channels', channel_list, 'data', envelope)
        event_seq = seq
    end
    if new_status then
        redis.call('HSET', KEYS[1], unpack(status))
        status_seq = seq
        if monitor ~= '' then
            redis.call('SET', KEYS[3], monitor, 'EX', monitor_seconds)
        end
    end
    if requested_ms ~= '' then
        redis.call('ZADD', KEYS[4], requested_ms, job_id)
        redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -max_recent - 1)
    end
    if ended and (new_event or new_status) then
        redis.call('EXPIRE', KEYS[1], keep_seconds)
        redis.call('EXPIRE', KEYS[2], keep_seconds)
    elseif new_status then
        -- An id that was refused before and is a job now lives until its own end.
        redis.call('PERSIST', KEYS[1])
        redis.call('PERSIST', KEYS[2])
    end
    if new_event then
        for _, channel in ipairs(published_to) do
            redis.call('PUBLISH', channel, envelope)
        end
    end

    if new_event or (event == '' and new_status) then
        return 1
    end
    return 0
end
