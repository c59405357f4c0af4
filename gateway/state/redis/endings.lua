-- What becomes of writes: they are inserted, kept, or forgotten, with what they were charged to.

local REFUSED = 64  -- of the writes under a digest, so many are kept where more of the kind are refused

local function uncharge(write)
  give_back_uses(write)
  for _, counter in ipairs(write.caps) do redis.call('ZREM', site .. ':cap:' .. counter, write.number) end
  redis.call('ZREM', site .. ':request:' .. write.request, write.number)
end

local function forget(write)
  uncharge(write)
  unlist(write, true)
  redis.call('LSET', posts(write.number), write.number % BLOCK, '')
end

local function add(key, member, at, keep)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(at - keep))
  redis.call('ZADD', key, text(at), member)
  redis.call('EXPIRE', key, math.ceil(keep) + 60)
end

local function charge_attempt(counter, id, at, keep)
  add(site .. ':cap:' .. counter, '!' .. id, at, keep)
end

-- Remember a write and what it is charged to; gives it as a table. What is written needs no
-- `request`: only a try of which nobody knows is looked for there.
local function insert(core, at, keep, outcome, place, key, caps, replaces, uses)
  redis.call('HINCRBY', site .. ':meta', 'seq', 1)
  local bytes = packed({
    at = at, outcome = outcome, core = core, place = place, key = key, caps = caps, replaces = replaces,
    uses = outcome == '' and uses or {},
  })
  local number, first = put(bytes, at, keep)
  local write = opened(number, bytes)
  for _, counter in ipairs(caps) do add(site .. ':cap:' .. counter, number, at, keep) end
  record_uses(write, uses, keep)
  if write.request ~= '' and (outcome == '' or outcome == 'failed' or outcome == 'unknown') then
    add(site .. ':request:' .. write.request, number, at, keep)
  end
  list(write, first, keep)
  return write
end

-- Keep at most so many answers: an older one is then told as not kept.
local function bound_answers(key, at, most)
  local all = site .. ':answers'
  redis.call('ZADD', all, text(at), key)
  redis.call('EXPIRE', all, 86400)
  for _ = 1, redis.call('ZCARD', all) - most do
    local oldest = redis.call('ZPOPMIN', all)
    redis.call('HDEL', oldest[1], 'answer')
  end
end

-- Keep the answer to a write that SOE took, whose client did not get it.
local function lose(write, answer, seconds, most)
  if write.outcome ~= 'ok' or write.request == '' then return end
  local key, last = site .. ':again:' .. write.request, redis.call('HGET', site .. ':meta', 'last')
  redis.call('HSET', key, 'write', write.id, 'request', write.request, 'at', last, 'outcome', 'ok', 'answer', answer)
  redis.call('EXPIRE', key, seconds)
  bound_answers(key, tonumber(last), most)
end

-- Keep a write, in place of the tries that it repeats; but what SOE took after all stays. It is
-- numbered too, so that a replica that has not heard of it is known to be behind. Where it was pushed
-- out of its rows meanwhile, it is listed again.
local function keep_write(write, outcome, place)
  for _, old in ipairs(write.replaces) do
    local bytes = read(old)
    if bytes and outcome_of(bytes) ~= 'ok' then forget(opened(old, bytes)) end
  end
  keep_uses(write)
  write.outcome, write.place, write.replaces = outcome, place, {}
  if outcome == 'ok' then redis.call('ZREM', site .. ':request:' .. write.request, write.number) end
  write_again(write)
  list_again(write)
  return redis.call('HINCRBY', site .. ':meta', 'seq', 1)
end

-- Of a flood of one text, the newest are enough: an older one that was refused goes for each new one.
local function bound_refused(write)
  for _, mark in ipairs(digests_of(write.core)) do
    local same = site .. ':same:' .. mark
    if redis.call('ZCARD', same) > REFUSED then
      for _, member in ipairs(redis.call('ZRANGE', same, 0, 7)) do
        local bytes = read(tonumber(member))
        if not bytes then
          redis.call('ZREM', same, member)
        elseif outcome_of(bytes) == 'refused' then
          forget(opened(tonumber(member), bytes))
          return
        end
      end
    end
  end
end

-- Keep the text of a write that the gateway refused for it, and nothing else.
local function keep_text(write)
  uncharge(write)
  write.outcome, write.caps, write.key, write.replaces = 'refused', {}, '', {}
  write_again(write)
  list_again(write)
  bound_refused(write)
  return redis.call('HINCRBY', site .. ':meta', 'seq', 1)
end

-- Free the key of a write, where it is still its.
local function free_key(write)
  local kept = site .. ':key:' .. write.key
  if write.key ~= '' and redis.call('HGET', kept, 'write') == write.id then redis.call('DEL', kept) end
end
