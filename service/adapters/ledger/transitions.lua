-- The transitions of service/core/ledger.py, each as one atomic script call.
--
-- KEYS[1]  the entry, a hash that expires with the record
-- KEYS[2]  only with a task to be followed: all such tasks, and KEYS[3] when each is due (`tasks.lua`)
-- ARGV     operation, holder, lease in microseconds, retention in milliseconds, turn, then what the operation takes:
--            claim      attempt, resend ('1' or ''), replay ('=NAME' or '')
--            find       nothing
--            release    nothing
--            submitted  attempts, record; and for a task to be followed: its id, microseconds until it is due, task
--            in_doubt   attempts, answer
-- Returns  {'claimed', over a doubt}, {'running', microseconds left, here}, {'submitted', record},
--          {'in_doubt', answer, attempts}, {'damaged'} or {'none'}
--
-- `turn` counts the operations of a holder. A command whose answer was given up on may arrive late, over another
-- connection: it must not take a claim off the record that was made after it.
--
-- Redis checks its memory at the first write of a script. A claim begins with one that needs memory, so that a full
-- Redis refuses it whole; the others begin with one that needs none, so that what a call came to is still taken.

local key = KEYS[1]
local operation, holder = ARGV[1], ARGV[2]
local lease, retention, turn = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

local FIELDS = {'state', 'attempts', 'holder', 'lease_until', 'turn', 'submitted', 'answer', 'doubt', 'replay'}
local values = redis.pcall('HMGET', key, unpack(FIELDS))
local is_hash = not (values.err and string.find(values.err, 'WRONGTYPE', 1, true))
if values.err and is_hash then
  return values
end
local entry = {}
for at, value in ipairs(values) do
  entry[FIELDS[at]] = value
end

-- A number of more digits is none that was written here, and may be beyond every date.
local function is_number(text)
  return text and #text <= 18 and string.find(text, '^%d+$')
end

local function is_null_or(kind, value)
  return value == cjson.null or type(value) == kind
end

local function is_answer(text)
  if not text or text == '' then
    return true
  elseif string.find(text, '[\128-\255]') then
    return false
  end
  -- The parser refuses a surrogate that stands alone, so escapes go first, with escaped backslashes before them.
  local bare = string.gsub(string.gsub(text, '\\\\', ''), '\\u%x%x%x%x', '')
  local parsed, answer = pcall(cjson.decode, bare)
  return parsed and type(answer) == 'table' and is_null_or('number', answer.http_status)
    and is_null_or('string', answer.code) and is_null_or('string', answer.message)
end

-- A submitted record is checked by whoever it is returned to.
local function is_damaged()
  if not is_hash then
    return true
  elseif not entry.state then
    return redis.call('EXISTS', key) == 1
  elseif entry.state == 'submitted' then
    return false
  elseif entry.state == 'calling' then
    return not (is_number(entry.lease_until) and is_number(entry.turn) and is_number(entry.attempts)
      and is_answer(entry.answer))
  end
  return not (entry.state == 'in_doubt' and is_number(entry.attempts) and is_answer(entry.answer))
end

-- Lua would write large numbers with an exponent.
local function whole(number)
  return string.format('%.0f', number)
end

local function is_running()
  return entry.state == 'calling' and now < tonumber(entry.lease_until)
end

local function found()
  if not entry.state then
    return {'none'}
  elseif entry.state == 'submitted' then
    return {'submitted', entry.submitted}
  elseif is_running() then
    local here = entry.holder == holder and 1 or 0
    return {'running', whole(tonumber(entry.lease_until) - now), here}
  end
  return {'in_doubt', entry.answer or '', entry.attempts}
end

-- A forced replay that was used up is a field of its own.
local function is_spent(replay)
  return redis.call('HEXISTS', key, 'spent:' .. replay) == 1
end

local function put_calling(attempt, replay, again)
  redis.call('HSET', key, 'state', 'calling', 'attempts', attempt, 'holder', holder,
    'lease_until', whole(now + lease), 'turn', whole(turn))
  if again then
    redis.call('HSET', key, 'doubt', '1')
  end
  if replay then
    redis.call('HSET', key, 'replay', replay, 'spent:' .. replay, '1')
  else
    redis.call('HDEL', key, 'replay')
  end
  redis.call('PEXPIRE', key, retention)
end

local function claim(attempt, resend, replay_argument)
  local replay = replay_argument ~= '' and string.sub(replay_argument, 2)
  if replay and is_spent(replay) then
    replay = false
  end
  if not entry.state then
    put_calling(attempt, replay, false)
    return {'claimed', 0}
  end
  local known = found()
  if known[1] ~= 'in_doubt' then
    return known
  end
  if resend == '1' or replay then
    put_calling(attempt, replay, true)
    return {'claimed', 1}
  end
  return known
end

local function release()
  if entry.state ~= 'calling' or entry.holder ~= holder or turn < tonumber(entry.turn) then
    return
  end
  if not entry.doubt then
    redis.call('DEL', key)
    return
  end
  -- An earlier call stays in doubt, and the replay that bought nothing may be used again.
  if entry.replay then
    redis.call('HDEL', key, 'spent:' .. entry.replay)
  end
  redis.call('HDEL', key, 'holder', 'lease_until', 'turn', 'doubt', 'replay')
  redis.call('HSET', key, 'state', 'in_doubt', 'doubt', '1')
  redis.call('PEXPIRE', key, retention)
end

local function put_submitted(attempts, record, task_id, wait, task)
  redis.call('DEL', key)
  redis.call('HSET', key, 'state', 'submitted', 'attempts', attempts, 'submitted', record)
  redis.call('PEXPIRE', key, retention)
  -- One that is followed already keeps its time.
  if task_id and redis.call('HSETNX', KEYS[2], task_id, task) == 1 then
    redis.call('ZADD', KEYS[3], whole(now + tonumber(wait)), task_id)
  end
end

local function put_in_doubt(attempts, answer)
  if entry.state == 'submitted' then
    return
  end
  if is_running() and (entry.holder ~= holder or turn < tonumber(entry.turn)) then
    -- Somebody calls again under a permit: leave that call its claim.
    redis.call('HDEL', key, 'answer')
    redis.call('HSET', key, 'answer', answer, 'doubt', '1')
    return
  end
  redis.call('HDEL', key, 'holder', 'lease_until', 'turn', 'submitted', 'answer', 'doubt', 'replay')
  redis.call('HSET', key, 'state', 'in_doubt', 'attempts', attempts, 'answer', answer)
  redis.call('PEXPIRE', key, retention)
end

-- What is damaged is left for somebody to look at. A task id outweighs it.
if operation ~= 'submitted' and is_damaged() then
  return {'damaged'}
end
if operation == 'claim' then
  return claim(ARGV[6], ARGV[7], ARGV[8])
elseif operation == 'release' then
  release()
elseif operation == 'submitted' then
  put_submitted(ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10])
elseif operation == 'in_doubt' then
  put_in_doubt(ARGV[6], ARGV[7])
end
return operation == 'find' and found() or {'none'}
