-- Small named values, each with an end. `note:<name>` holds one, behind its end. Of all of them, `notes`
-- has the names by the stamp with which they were put, `notes:until` by their end, `notes:sizes` the bytes
-- of each and `notes:bytes` their sum; these go when the last one ends.
--
-- ARGV: what is asked, as JSON {verb, at, …}, and the name; for `put` the value and what is expected to be
-- there. Returns the epoch, the number of the newest write or ending, and the answer.

local PRUNED_AT_ONCE = 16
local FAR = 1e9  -- seconds that a key is given at most: what ends later is put again sometime

local ask, name = cjson.decode(ARGV[1]), ARGV[2]
local refusal, epoch, last, seq = admit(ask)
if refusal then return refusal end
local now = stamp(ask.at, last)

local PUT, ENDS, SIZES, BYTES = site .. ':notes', site .. ':notes:until', site .. ':notes:sizes', site .. ':notes:bytes'
local function key_of(each) return site .. ':note:' .. each end

local function there()
  local bytes = redis.call('GET', key_of(name))
  return bytes and struct.unpack('<d', bytes) > now and string.sub(bytes, 9) or nil
end

local function drop(each)
  local size = redis.call('HGET', SIZES, each)
  if not size then return end
  redis.call('DEL', key_of(each))
  redis.call('HDEL', SIZES, each)
  redis.call('ZREM', PUT, each)
  redis.call('ZREM', ENDS, each)
  redis.call('DECRBY', BYTES, size)
end

-- Drop notes that have ended, at most so many; whether there were any.
local function prune(most)
  local ended = redis.call('ZRANGEBYSCORE', ENDS, '-inf', text(now), 'LIMIT', 0, most)
  for _, each in ipairs(ended) do drop(each) end
  return #ended > 0
end

local function is_full(size)
  local before = redis.call('HGET', SIZES, name)
  local notes = redis.call('ZCARD', ENDS) + (before and 0 or 1)
  local bytes = tonumber(redis.call('GET', BYTES) or '0') + size - tonumber(before or '0')
  return notes > ask.notes or bytes > ask.bytes
end

local function seconds(ends) return math.ceil(math.min(ends - now, FAR)) end

local function put(value)
  prune(PRUNED_AT_ONCE)
  while is_full(#value) do
    if not prune(1) then return redis.error_reply('FULL: there is no room for another note') end
  end
  drop(name)
  if ask.ends <= now then return 1 end
  redis.call('SET', key_of(name), struct.pack('<d', ask.ends) .. value, 'EX', seconds(ask.ends))
  redis.call('HSET', SIZES, name, #value)
  redis.call('ZADD', PUT, text(now), name)
  redis.call('ZADD', ENDS, text(ask.ends), name)
  redis.call('INCRBY', BYTES, #value)
  local latest = tonumber(redis.call('ZRANGE', ENDS, -1, -1, 'WITHSCORES')[2])
  for _, key in ipairs({PUT, ENDS, SIZES, BYTES}) do redis.call('EXPIRE', key, seconds(latest) + 60) end
  return 1
end

local function is_wanted(value)
  if ask.expects == 'any' then return true end
  if ask.expects == 'none' then return not value end
  return value == ARGV[4]
end

local function names(prefix)
  local found, from, some = {}, 0, nil
  repeat
    some = redis.call('ZREVRANGE', PUT, from, from + 499)
    from = from + 500
    for _, each in ipairs(some) do
      if #found >= ask.limit then return found end
      local is_asked = string.sub(each, 1, #prefix) == prefix
      if is_asked and tonumber(redis.call('ZSCORE', ENDS, each)) > now then found[#found + 1] = each end
    end
  until #some == 0
  return found
end

if ask.verb == 'names' then return {epoch, seq, names(name)} end
local value = there()
if ask.verb == 'get' then return {epoch, seq, value} end
redis.call('HSET', site .. ':meta', 'last', text(now))
if ask.verb == 'drop' then
  drop(name)
  return {epoch, seq, value and 1 or 0}
end
local done = is_wanted(value) and put(ARGV[3]) or 0
return type(done) == 'table' and done or {epoch, seq, done}
