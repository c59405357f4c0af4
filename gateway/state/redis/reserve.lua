-- Answer a reservation and, unless it is a peek, charge and remember it: one atomic step.
-- The same steps as in accounting.py: numbers are doubles there and here, and compared alike.
--
-- ARGV[1]: the reservation, as JSON. Returns the stamp, the epoch, the number of the newest write or
-- ending, and per need what was there before; or how it repeats an earlier write.

local ask = cjson.decode(ARGV[1])
local meta = redis.call('HMGET', site .. ':meta', 'epoch', 'last', 'seq', 'identity', 'opens')
local epoch, last, seq, identity = meta[1], meta[2], tonumber(meta[3] or '0'), meta[4]
if (ask.epoch ~= '' and epoch ~= ask.epoch) or redis.call('EXISTS', site .. ':lost') == 1 then
  return lost()
end
if meta[5] then
  local time = redis.call('TIME')
  if tonumber(time[1]) + tonumber(time[2]) / 1000000 < tonumber(meta[5]) then
    return redis.error_reply('MENDING: what was lost is being put back')
  end
  redis.call('HDEL', site .. ':meta', 'opens')
end
if seq < ask.seq then return redis.error_reply('BEHIND: the newest writes are gone') end
if identity and identity ~= '' and ask.identity ~= '' and identity ~= ask.identity then
  return redis.error_reply('STRANGER: who shares a state shares one audit.key')
end
if not epoch then
  epoch = ask.new_epoch
  redis.call('HSET', site .. ':meta', 'epoch', epoch)
end
if ask.identity ~= '' and (identity or '') == '' then  -- new, or operators made it, or accepted a loss
  redis.call('HSET', site .. ':meta', 'identity', ask.identity)
end
local id, record = ask.write.id, ask.write
if redis.call('EXISTS', site .. ':gone:' .. id) == 1 then
  return redis.error_reply('LATE: nobody waits for this any more')
end

local now = stamp(ask.at, last)
local forgotten = now - ask.keep

-- What an earlier write says to a repeat of it, as in accounting.repeat.
local function kept(name, seconds)
  local found = redis.call('HMGET', site .. ':' .. name, 'write', 'request', 'at', 'outcome', 'answer')
  if found[1] and now - tonumber(found[3]) < seconds then return found end
end
local function repeated()
  local under_key = record.key ~= '' and kept('key:' .. record.key, ask.key_seconds)
  if under_key and under_key[2] ~= record.request then return 'mismatch', under_key end
  local again = kept('again:' .. record.request, ask.lost_seconds)
  if again then again.again = true end
  for _, found in ipairs({under_key or false, again or false}) do
    if found then
      if found[5] then return 'answered', found end
      if found[4] == 'ok' then return 'unkept', found end
      if not found[4] and now - tonumber(found[3]) < ask.pending then return 'in_flight', found end
    end
  end
end
if not ask.peek then
  redis.call('HSET', site .. ':meta', 'last', text(now))
  local how, earlier = repeated()
  if how then
    if earlier.again then redis.call('DEL', site .. ':again:' .. record.request) end  -- given once
    return {text(now), epoch, seq, how, earlier[1], how == 'answered' and earlier[5] or ''}
  end
end

-- The earlier tries of the same request of which nobody can tell that they took effect.
local replaced, is_replaced = {}, {}
if record.request ~= '' then
  local tries = redis.call('ZRANGEBYSCORE', site .. ':request:' .. record.request, '(' .. text(forgotten), '+inf')
  for _, try in ipairs(tries) do
    local write = read(try)
    local outcome = write and write[OUTCOME]
    if outcome == '' and now - write[AT] >= ask.pending then outcome = 'unknown' end
    if outcome == 'failed' or outcome == 'unknown' then
      replaced[#replaced + 1] = try
      is_replaced[try] = true
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
  local key, compared = site .. ':print:' .. lookup.digest, lookup.compare == 'text' and TEXT or EVENT
  local since = '(' .. text(math.max(now - lookup.within, forgotten))
  local found, from = {}, 0
  repeat
    local members = redis.call('ZREVRANGEBYSCORE', key, '+inf', since, 'LIMIT', from, 64)
    for _, member_ in ipairs(members) do
      local other = id_of(member_)
      local write = not is_replaced[other] and #found < 64 and read(other)
      if write and write[compared] == lookup.digest then
        local facts = write[FACTS]  -- integration, token, author, operation, team, thread, target
        local in_scope = lookup.across_teams or facts[5] == lookup.team
        if in_scope and (lookup.author == '' or facts[3] == lookup.author) then
          found[#found + 1] = {other, text(write[AT]), write[OUTCOME], write[POST], write[URL],
            write[REQUEST], unpack(facts)}
        end
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
local held = ask.remember and group_taken[1]
if ask.peek then return {text(now), epoch, seq, '', answers} end

record.caps, record.replaces = {}, replaced
for i, group in ipairs(ask.groups) do
  for _, need in ipairs(group) do
    if need.cap and need.attempts then
      charge_attempt(need.cap, id, now, ask.keep)
    elseif need.cap and held and group_taken[i] then
      record.caps[#record.caps + 1] = need.cap
    end
  end
end
if held then
  insert(record, now, ask.keep, '', '', '')
  seq = seq + 1
  if record.key ~= '' then
    local key = site .. ':key:' .. record.key
    redis.call('DEL', key)
    redis.call('HSET', key, 'write', id, 'request', record.request, 'at', text(now))
    redis.call('EXPIRE', key, ask.key_seconds)
  end
end
return {text(now), epoch, seq, '', answers}
