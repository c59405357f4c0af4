-- What the scripts share. KEYS[1]: the site's prefix with its hash tag.
--
-- Keys of a site: `meta` (epoch, last stamp, seq, identity), `write:<id>`, and by score of their
-- stamp `cap:<counter>`, `request:<digest>`, `text:<digest>`, `event:<digest>`; `key:<digest>` and
-- `again:<request>` hold answers; `lost` and `accepted` name epochs; `gone:<id>` turns back what
-- comes too late. A record of a write is what `insert` takes: id, at, caps, attempts, request, key,
-- digests, fields, replaces.

local site = KEYS[1]

local function text(number) return string.format('%.17g', number) end

local function lost() return redis.error_reply('LOST: the data that was kept here is gone') end

-- The stamp of what comes now: of Redis's clock, or of the caller's where `at` is given.
local function stamp(at, last)
  if not at or at == cjson.null then
    local time = redis.call('TIME')
    at = tonumber(time[1]) + tonumber(time[2]) / 1000000
  end
  return math.max(at, tonumber(last or '0'))
end

local function forget(id)
  local key = site .. ':write:' .. id
  local indexed = redis.call('HGET', key, 'indexed')
  if not indexed then return end
  local members = cjson.decode(indexed)
  for i = 1, #members, 2 do redis.call('ZREM', members[i], members[i + 1]) end
  redis.call('DEL', key)
end

local function add(key, member, at, keep)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(at - keep))
  redis.call('ZADD', key, text(at), member)
  redis.call('EXPIRE', key, math.ceil(keep) + 60)
end

local function charge_attempt(counter, id, at, keep)
  add(site .. ':cap:' .. counter, '!' .. id, at, keep)
end

-- Remember a write and what it is charged to.
local function insert(write, at, keep, outcome)
  local indexed = {}
  local function index(key, member)
    add(key, member, at, keep)
    indexed[#indexed + 1] = key
    indexed[#indexed + 1] = member
  end
  for _, counter in ipairs(write.caps) do index(site .. ':cap:' .. counter, write.id) end
  if write.request ~= '' then index(site .. ':request:' .. write.request, write.id) end
  -- A number before the id keeps the order of those with the same stamp.
  local member = string.format('%016x:', redis.call('HINCRBY', site .. ':meta', 'seq', 1)) .. write.id
  for _, digest in ipairs(write.digests) do index(site .. ':' .. digest, member) end
  local key = site .. ':write:' .. write.id
  redis.call('HSET', key, 'at', text(at), 'indexed', cjson.encode(indexed),
    'replaces', cjson.encode(write.replaces), 'key', write.key, unpack(write.fields))
  if outcome ~= '' then redis.call('HSET', key, 'outcome', outcome) end
  redis.call('EXPIRE', key, math.ceil(keep) + 60)
end
