-- Answer a reservation and, unless it is a peek, charge and remember it: one atomic step.
-- The same steps as in accounting.py: numbers are doubles there and here, and compared alike.
--
-- ARGV: the reservation, as JSON; the write's `core`, the name of its key (empty without one); of each
-- look-up the digest, team and author that it asks for, sixteen bytes; then for each scope in which
-- near-copies are looked for, the names of the rows of all prints of the write with the salt of that
-- scope, four bytes each of which three count, and these prints.
--
-- Returns the stamp, the epoch, the number of the newest write or ending; then how it repeats an
-- earlier write, or nothing, the writes that were found, per need what was there before: instants, or
-- where in those writes the equal ones stand, and the near ones, below zero, or uses with their instants;
-- and the earlier tries of the request that nobody settled in time.

local EQUAL, CANDIDATES, AT_LEAST = 64, 24, 2  -- posts that are told, and prints that near ones share

local ask = cjson.decode(ARGV[1])
local refusal, epoch, last, seq = admit(ask)
if refusal then return refusal end
local core, key, looked = ARGV[2], ARGV[3], ARGV[4]
local id, request = names_of(core, 0)
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
  local under_key = key ~= '' and kept('key:' .. key, ask.key_seconds)
  if under_key and under_key[2] ~= request then return 'mismatch', under_key end
  local again = kept('again:' .. request, ask.lost_seconds)
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
    if earlier.again then redis.call('DEL', site .. ':again:' .. request) end  -- given once
    return {text(now), epoch, seq, how, earlier[1], how == 'answered' and earlier[5] or ''}
  end
end

-- The earlier tries of the same request of which nobody can tell that they took effect.
local replaced, is_replaced, overdue = {}, {}, {}
if request ~= '' then
  local tries = redis.call('ZRANGEBYSCORE', site .. ':request:' .. request, '(' .. text(forgotten), '+inf')
  for _, try in ipairs(tries) do
    local bytes = read(tonumber(try))
    local outcome = bytes and outcome_of(bytes)
    if outcome == '' and now - at_of(bytes) >= ask.pending then
      outcome = 'unknown'
      overdue[#overdue + 1] = id_of(bytes)
    end
    if outcome == 'failed' or outcome == 'unknown' then
      replaced[#replaced + 1] = tonumber(try)
      is_replaced[tonumber(try)] = true
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
    if not is_replaced[tonumber(made[i])] then found[#found + 1] = made[i + 1] end
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

-- ── posts ──────────────────────────────────────────────────────────────────────────────────────

local told, place_of, known = {}, {}, {}

local function post(number)
  if known[number] == nil then known[number] = not is_replaced[number] and read(number) or false end
  return known[number]
end

local function tell(number)
  if not place_of[number] then
    told[#told + 1] = known[number]
    place_of[number] = #told
  end
  return place_of[number]
end

local function fits(bytes, lookup)
  return at_of(bytes) > lookup.since
    and (lookup.across_teams or string.sub(bytes, 10, 13) == lookup.team)
    and (not lookup.of_author or string.sub(bytes, 14, 17) == lookup.author)
end

local function is_equal(bytes, lookup)
  return string.sub(bytes, lookup.at, lookup.at + 7) == lookup.digest
end

-- The numbers under a digest's mark, some at a time, the newest first.
local function batches(lookup)
  local mark = string.sub(lookup.digest, 1, 4)
  local row = redis.call('HGET', ROWS, row_name(mark)) or ''
  local found, from = entries(row, string.sub(mark, 3, 4)), 0
  if is_moved(row, found) then
    return function()
      local members = redis.call('ZREVRANGEBYSCORE', site .. ':same:' .. mark, '+inf',
        '(' .. text(lookup.since), 'LIMIT', from, EQUAL)
      from = from + EQUAL
      return members
    end
  end
  local numbers = {}
  for i, at in ipairs(found) do
    local number = number_at(row, at)
    if post(number) then numbers[#numbers + 1] = number end
  end
  table.sort(numbers, function(a, b)
    local at, other = at_of(known[a]), at_of(known[b])
    if at ~= other then return at > other end
    return a > b
  end)
  return function()
    from = from + 1
    return from == 1 and numbers or {}
  end
end

-- What stands comes first: so no flood of refused copies hides the post that they copy.
local function equal_posts(lookup)
  local found, refused = {}, {}
  for members in batches(lookup) do
    for _, member in ipairs(members) do
      local number = tonumber(member)
      local bytes = post(number)
      if #found < EQUAL and bytes and is_equal(bytes, lookup) and fits(bytes, lookup) then
        local list = outcome_of(bytes) == 'refused' and refused or found
        list[#list + 1] = number
      end
    end
    if #members == 0 or #found == EQUAL then break end
  end
  for i = 1, math.min(#refused, EQUAL - #found) do found[#found + 1] = refused[i] end
  for i, number in ipairs(found) do found[i] = tell(number) end
  return found
end

-- The numbers that stand under prints of the write in a scope, the most shared first; once for all
-- look-ups in it.
local searched = {}
local function search(scope)
  if searched[scope] then return searched[scope] end
  local rows, prints, names = ARGV[3 + 2 * scope], ARGV[4 + 2 * scope], {}
  local sub, find_in = string.sub, string.find  -- this is what takes a reservation's time
  for i = 1, #prints / 4 do names[i] = sub(rows, 4 * i - 3, 4 * i - 1) end
  local hits, often = {}, {}
  for i, row in ipairs(redis.call('HMGET', ROWS, unpack(names))) do
    if row then
      local tag = sub(prints, 4 * i - 1, 4 * i)
      local from = find_in(row, tag, 1, true)
      while from do
        if from % 6 == 1 then
          local number = sub(row, from + 2, from + 5)
          local shared = (hits[number] or 0) + 1
          hits[number] = shared
          if shared == AT_LEAST then often[#often + 1] = number end
        end
        from = find_in(row, tag, from + 1, true)
      end
    end
  end
  for i, own in ipairs(often) do
    local number = struct.unpack('<I4', own)
    often[i], hits[number] = number, hits[own]
  end
  table.sort(often, function(a, b)
    if hits[a] ~= hits[b] then return hits[a] > hits[b] end
    return a > b
  end)
  searched[scope] = often
  return often
end

local function find_posts(lookup)
  local from = 16 * lookup.look
  lookup.at = lookup.compare == 'text' and TEXT or EVENT
  lookup.digest = string.sub(looked, from + 1, from + 8)
  lookup.team, lookup.author = string.sub(looked, from + 9, from + 12), string.sub(looked, from + 13, from + 16)
  lookup.since = math.max(now - lookup.within, forgotten)
  local found = equal_posts(lookup)
  if lookup.scope == 0 then return found end
  local near = 0
  for _, number in ipairs(search(lookup.scope)) do
    local bytes = post(number)
    if bytes and not is_equal(bytes, lookup) and fits(bytes, lookup) then
      found[#found + 1], near = -tell(number), near + 1
      if near == CANDIDATES then break end
    end
  end
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
    elseif need.uses then
      found = uses_of(need.uses, forgotten)
    else
      found = find_posts(need)
    end
    answers[#answers + 1] = found
  end
end
local held = ask.remember and group_taken[1]
if ask.peek then return {text(now), epoch, seq, '', told, answers, overdue} end

local caps = {}
for i, group in ipairs(ask.groups) do
  for _, need in ipairs(group) do
    if need.cap and need.attempts then
      charge_attempt(need.cap, id, now, ask.keep)
    elseif need.cap and held and group_taken[i] then
      caps[#caps + 1] = need.cap
    end
  end
end
if held then
  insert(core, now, ask.keep, '', '', key, caps, replaced, ask.uses)
  seq = seq + 1
  if key ~= '' then
    local kept_as = site .. ':key:' .. key
    redis.call('DEL', kept_as)
    redis.call('HSET', kept_as, 'write', id, 'request', request, 'at', text(now))
    redis.call('EXPIRE', kept_as, ask.key_seconds)
  end
end
return {text(now), epoch, seq, '', told, answers, overdue}
