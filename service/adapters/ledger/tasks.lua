-- The tasks that are followed, each operation as one atomic script call. `transitions.lua` puts them on record.
--
-- KEYS[1]  hash: task id to task
-- KEYS[2]  sorted set: task id by when it is due, in microseconds on the clock of this server
-- ARGV     operation, then what it takes:
--            take        lease in microseconds
--            reschedule  task id, wait in microseconds
--            done        task id
--            count       nothing
-- Returns  for `take` the task that has been due for longest, or nil; for `count` how many there are

local operation = ARGV[1]

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

-- Lua would write large numbers with an exponent.
local function whole(number)
  return string.format('%.0f', number)
end

local function take(lease)
  while true do
    local id = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now), 'LIMIT', 0, 1)[1]
    local task = id and redis.call('HGET', KEYS[1], id)
    if task then
      redis.call('ZADD', KEYS[2], whole(now + tonumber(lease)), id)
    end
    if task or not id then
      return task
    end
    -- Somebody took the task away by hand.
    redis.call('ZREM', KEYS[2], id)
  end
end

if operation == 'take' then
  return take(ARGV[2])
elseif operation == 'reschedule' then
  redis.call('ZADD', KEYS[2], 'XX', whole(now + tonumber(ARGV[3])), ARGV[2])
elseif operation == 'done' then
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('HDEL', KEYS[1], ARGV[2])
elseif operation == 'count' then
  return redis.call('HLEN', KEYS[1])
end
