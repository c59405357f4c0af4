-- Who used what. `uses:<name>` holds by the stamp of each use `<number>:<member>`, as long as the write is
-- in flight, and `0:<member>` for the newest that was kept.

local MEMBERS = 16  -- that are kept of a name

local function uses_key(name) return site .. ':uses:' .. name end

-- The uses of a name and their instants, the newest first.
local function uses_of(name, since)
  return redis.call('ZREVRANGEBYSCORE', uses_key(name), '+inf', '(' .. text(since), 'WITHSCORES')
end

local function keep_use(key, member, at)
  local kept = '0:' .. member
  local before = redis.call('ZSCORE', key, kept)
  if before and tonumber(before) >= at then return end
  redis.call('ZADD', key, text(at), kept)
  if before then return end
  local members = {}
  for _, use in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    if string.sub(use, 1, 2) == '0:' then members[#members + 1] = use end
  end
  for i = 1, #members - MEMBERS do redis.call('ZREM', key, members[i]) end
end

-- Record the uses of a write that is inserted; of one that has ended already, for good.
local function record_uses(write, uses, keep)
  for _, use in ipairs(uses) do
    local key, member = uses_key(use[1]), use[2]
    redis.call('ZREMRANGEBYSCORE', key, '-inf', text(write.at - keep))
    if write.outcome == '' then
      redis.call('ZADD', key, text(write.at), write.number .. ':' .. member)
    else
      keep_use(key, member, write.at)
    end
    redis.call('EXPIRE', key, math.ceil(keep) + 60)
  end
end

-- Keep the uses of a write that is kept. What expired before its write ended stays away.
local function keep_uses(write)
  for _, use in ipairs(write.uses) do
    local key = uses_key(use[1])
    local own = write.number .. ':' .. use[2]
    if redis.call('ZSCORE', key, own) then
      keep_use(key, use[2], write.at)
      redis.call('ZREM', key, own)
    end
  end
  write.uses = {}
end

-- Take back the uses of a write that is in flight.
local function give_back_uses(write)
  for _, use in ipairs(write.uses) do
    redis.call('ZREM', uses_key(use[1]), write.number .. ':' .. use[2])
  end
  write.uses = {}
end
