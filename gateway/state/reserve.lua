-- Answer a reservation and, unless it is a peek, charge and remember it: one atomic step.
-- The same steps as in accounting.py: numbers are doubles there and here, and compared alike.
--
-- KEYS[1]: the site's prefix with its hash tag. ARGV[1]: the reservation, as JSON.
-- Returns the stamp, whether the first group is taken, and per need what was there before.

local site, ask = KEYS[1], cjson.decode(ARGV[1])

local function text(number) return string.format('%.17g', number) end

local function stamp()
  local at = ask.at
  if at == cjson.null then
    local time = redis.call('TIME')
    at = tonumber(time[1]) + tonumber(time[2]) / 1000000
  end
  return math.max(at, tonumber(redis.call('GET', site .. ':last') or '0'))
end

local epoch = redis.call('GET', site .. ':epoch')
if ask.epoch ~= '' and epoch ~= ask.epoch then
  return redis.error_reply('LOST: the data that was kept here is gone')
end
if not epoch then
  epoch = ask.new_epoch
  redis.call('SET', site .. ':epoch', epoch)
end
if redis.call('EXISTS', site .. ':gone:' .. ask.id) == 1 then
  return redis.error_reply('LATE: nobody waits for this any more')
end

local now = stamp()
local forgotten = now - ask.keep
local expiry = math.ceil(ask.keep) + 60

-- The earlier tries of the same request of which nobody can tell that they took effect.
local replaced, is_replaced = {}, {}
if ask.request ~= '' then
  local tries = redis.call('ZRANGEBYSCORE', site .. ':request:' .. ask.request, '(' .. text(forgotten), '+inf')
  for _, id in ipairs(tries) do
    local write = redis.call('HMGET', site .. ':write:' .. id, 'outcome', 'at')
    local outcome = write[1] or (write[2] and now - tonumber(write[2]) >= ask.pending and 'unknown')
    if outcome == 'failed' or outcome == 'unknown' then
      replaced[#replaced + 1] = id
      is_replaced[id] = true
    end
  end
end

local function times(charge)
  local longest, most = 0, 0
  for _, window in ipairs(charge.windows) do
    longest, most = math.max(longest, window.seconds), math.max(most, window.limit)
  end
  local since = math.max(now - longest, forgotten)
  local made = redis.call('ZREVRANGEBYSCORE', site .. ':cap:' .. charge.cap, '+inf', '(' .. text(since),
    'WITHSCORES', 'LIMIT', 0, most + #replaced)
  local found = {}
  for i = 1, #made, 2 do
    if not is_replaced[made[i]] then found[#found + 1] = made[i + 1] end
  end
  return found
end

local function has_room(charge, found)
  for _, window in ipairs(charge.windows) do
    local held = 0
    for _, at in ipairs(found) do
      if tonumber(at) > now - window.seconds then held = held + 1 end
    end
    if held >= window.limit then return false end
  end
  return true
end

local function find(lookup)
  local key = site .. ':' .. lookup.compare .. ':' .. lookup.digest
  local since = '(' .. text(math.max(now - lookup.within, forgotten))
  local found, from = {}, 0
  repeat
    local members = redis.call('ZREVRANGEBYSCORE', key, '+inf', since, 'LIMIT', from, 64)
    for _, member in ipairs(members) do
      local id = string.sub(member, 18)
      local write = redis.call('HMGET', site .. ':write:' .. id, 'at', 'outcome', 'integration', 'token',
        'author', 'operation', 'team', 'thread', 'post', 'target', 'url', 'request')
      local in_scope = lookup.across_teams or (write[7] or '') == lookup.team
      local by_author = lookup.author == '' or write[5] == lookup.author
      if write[1] and in_scope and by_author and not is_replaced[id] and #found < 64 then
        table.insert(write, 1, id)
        found[#found + 1] = write
      end
    end
    from = from + 64
  until #members < 64 or #found == 64
  return found
end

local answers, group_taken = {}, {}
for i, group in ipairs(ask.groups) do
  group_taken[i] = true
  for _, need in ipairs(group) do
    local found
    if need.cap then
      found = times(need)
      group_taken[i] = has_room(need, found) and group_taken[i]
    else
      found = find(need)
    end
    answers[#answers + 1] = found
  end
end
local taken = group_taken[1]
if ask.peek then return {text(now), epoch, taken and 1 or 0, answers} end

redis.call('SET', site .. ':last', text(now))

local function add(key, member)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(forgotten))
  redis.call('ZADD', key, text(now), member)
  redis.call('EXPIRE', key, expiry)
end

local indexed = {}
for i, group in ipairs(ask.groups) do
  for _, need in ipairs(group) do
    if need.cap and (need.attempts or (ask.remember and taken and group_taken[i])) then
      local key = site .. ':cap:' .. need.cap
      add(key, (need.attempts and '!' or '') .. ask.id)
      if not need.attempts then
        indexed[#indexed + 1] = key
        indexed[#indexed + 1] = ask.id
      end
    end
  end
end

if ask.remember and taken then
  local function index(key, member)
    add(key, member)
    indexed[#indexed + 1] = key
    indexed[#indexed + 1] = member
  end
  if ask.request ~= '' then index(site .. ':request:' .. ask.request, ask.id) end
  -- A number before the id keeps the order of those with the same stamp.
  local member = string.format('%016x:', redis.call('INCR', site .. ':seq')) .. ask.id
  for _, key in ipairs(ask.digests) do index(site .. ':' .. key, member) end
  local key = site .. ':write:' .. ask.id
  redis.call('HSET', key, 'at', text(now), 'indexed', cjson.encode(indexed),
    'replaces', cjson.encode(replaced), unpack(ask.fields))
  redis.call('EXPIRE', key, expiry)
end
return {text(now), epoch, taken and 1 or 0, answers}
