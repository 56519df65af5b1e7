-- Tells one thing of a job, once: the part that publish_all.lua and enqueue.lua share.
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

-- Ends the script, with nothing written of the delivery at hand, where the user may not run a command: PUBLISH raises
-- only when event and hash have been written, and the next try would take the event for published.
local function need(what, ...)
    if not redis.acl_check_cmd(...) then
        error(redis.error_reply('NOPERM the user of Redis may not run ' .. what))
    end
end

-- Reads the next delivery from ARGV.
local function read_delivery()
    local delivery = {seq_text = next_arg()}
    delivery.seq = tonumber(delivery.seq_text)
    delivery.event, delivery.channel_list, delivery.envelope = next_arg(), next_arg(), next_arg()
    delivery.channels = next_list()
    delivery.status = next_list()
    delivery.ended = next_arg() == '1'
    delivery.monitor, delivery.single_job = next_arg(), next_arg()
    delivery.requested_ms, delivery.job_id = next_arg(), next_arg()
    return delivery
end

-- Raises unless everything that belongs to a delivery may be written.
local function check(delivery)
    if delivery.event ~= '' then
        need('XADD on key ' .. KEYS[2], 'XADD', KEYS[2], '1-0', 'event', '')
        for _, channel in ipairs(delivery.channels) do
            need('PUBLISH on channel ' .. channel, 'PUBLISH', channel, '')
        end
    end
    if #delivery.status > 0 then
        need('HSET on key ' .. KEYS[1], 'HSET', KEYS[1], 'seq', '')
        need('PERSIST on key ' .. KEYS[1], 'PERSIST', KEYS[1])
        if delivery.monitor ~= '' then
            need('SET on key ' .. KEYS[3], 'SET', KEYS[3], '')
        end
    end
    if delivery.requested_ms ~= '' then
        need('ZADD on key ' .. KEYS[4], 'ZADD', KEYS[4], 0, '')
        need('ZREMRANGEBYRANK on key ' .. KEYS[4], 'ZREMRANGEBYRANK', KEYS[4], 0, 0)
    end
    if delivery.ended then
        need('EXPIRE on key ' .. KEYS[1], 'EXPIRE', KEYS[1], 0)
        need('EXPIRE on key ' .. KEYS[2], 'EXPIRE', KEYS[2], 0)
    end
end

-- Writes a delivery that was checked; returns 1 if something new was published, 0 if all of it was old.
local function write(delivery)
    local new_event = delivery.event ~= '' and delivery.seq > event_seq
    local new_status = #delivery.status > 0 and delivery.seq > status_seq

    if new_event then
        redis.call('XADD', KEYS[2], 'MAXLEN', '~', max_events, delivery.seq_text .. '-0',
            'event', delivery.event, 'channels', delivery.channel_list, 'data', delivery.envelope)
        event_seq = delivery.seq
    end
    if new_status then
        redis.call('HSET', KEYS[1], unpack(delivery.status))
        status_seq = delivery.seq
        if delivery.monitor ~= '' then
            redis.call('SET', KEYS[3], delivery.monitor, 'EX', monitor_seconds)
            -- Outside our prefix, and for older pages only: left out where the user may not write it.
            if redis.acl_check_cmd('SET', delivery.single_job, '') then
                redis.call('SET', delivery.single_job, delivery.monitor, 'EX', monitor_seconds)
            end
        end
    end
    if delivery.requested_ms ~= '' then
        redis.call('ZADD', KEYS[4], delivery.requested_ms, delivery.job_id)
        redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -max_recent - 1)
    end
    if delivery.ended and (new_event or new_status) then
        redis.call('EXPIRE', KEYS[1], keep_seconds)
        redis.call('EXPIRE', KEYS[2], keep_seconds)
    elseif new_status then
        -- An id that was refused before and is a job now lives until its own end.
        redis.call('PERSIST', KEYS[1])
        redis.call('PERSIST', KEYS[2])
    end
    if new_event then
        for _, channel in ipairs(delivery.channels) do
            redis.call('PUBLISH', channel, delivery.envelope)
        end
    end

    if new_event or (delivery.event == '' and new_status) then
        return 1
    end
    return 0
end
