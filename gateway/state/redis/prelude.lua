-- What the scripts share. KEYS[1]: the site's prefix with its hash tag.
--
-- Keys of a site: `meta` (epoch, last stamp, seq, identity), `write:<id>`, and by score of their
-- stamp `cap:<counter>`, `request:<digest>`, `print:<digest>`; `key:<digest>` and `again:<request>`
-- hold answers, and `answers` their names by age; `lost` and `accepted` name epochs; `gone:<id>` turns back what comes too late.
--
-- A write is one packed string: a hash of so many fields would take three times its memory. As a
-- record from outside it is a table of these names, its `facts` those behind `facts` here.

local site = KEYS[1]
local AT, OUTCOME, POST, URL, SEQ, CAPS, REPLACES, KEY, TEXT, EVENT, REQUEST, FACTS =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12

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

local function read(id)
  local packed = redis.call('GET', site .. ':write:' .. id)
  return packed and cmsgpack.unpack(packed)
end

local function write_again(id, write)
  redis.call('SET', site .. ':write:' .. id, cmsgpack.pack(write), 'KEEPTTL')
end

-- A number before the id keeps the order of those with the same stamp.
local function member(id, write) return string.format('%010x:', write[SEQ]) .. id end

local function id_of(member_) return string.sub(member_, 12) end

local function forget_text(id, write)
  redis.call('ZREM', site .. ':print:' .. write[TEXT], member(id, write))
  redis.call('ZREM', site .. ':print:' .. write[EVENT], member(id, write))
end

local function forget(id)
  local write = read(id)
  if not write then return end
  for _, counter in ipairs(write[CAPS]) do redis.call('ZREM', site .. ':cap:' .. counter, id) end
  redis.call('ZREM', site .. ':request:' .. write[REQUEST], id)
  forget_text(id, write)
  redis.call('DEL', site .. ':write:' .. id)
end

local function add(key, member_, at, keep)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', text(at - keep))
  redis.call('ZADD', key, text(at), member_)
  redis.call('EXPIRE', key, math.ceil(keep) + 60)
end

local function charge_attempt(counter, id, at, keep)
  add(site .. ':cap:' .. counter, '!' .. id, at, keep)
end

-- Remember a write and what it is charged to. What is written needs no `request`: only a try of
-- which nobody knows is looked for there.
local function insert(record, at, keep, outcome, post, url)
  local seq = redis.call('HINCRBY', site .. ':meta', 'seq', 1)
  local write = {at, outcome, post, url, seq, record.caps, record.replaces, record.key,
    record.text, record.event, record.request, record.facts}
  for _, counter in ipairs(record.caps) do add(site .. ':cap:' .. counter, record.id, at, keep) end
  if record.request ~= '' and outcome ~= 'ok' then
    add(site .. ':request:' .. record.request, record.id, at, keep)
  end
  if record.text ~= '' then add(site .. ':print:' .. record.text, member(record.id, write), at, keep) end
  if record.event ~= '' and record.event ~= record.text then
    add(site .. ':print:' .. record.event, member(record.id, write), at, keep)
  end
  redis.call('SET', site .. ':write:' .. record.id, cmsgpack.pack(write), 'EX', math.ceil(keep) + 60)
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

-- Keep a write, in place of the tries that it repeats; but what SOE took after all stays. It is
-- numbered too, so that a replica that has not heard of it is known to be behind.
local function keep(id, write, outcome, post, url)
  for _, old in ipairs(write[REPLACES]) do
    local tried = read(old)
    if tried and tried[OUTCOME] ~= 'ok' then forget(old) end
  end
  write[OUTCOME], write[POST], write[URL], write[REPLACES] = outcome, post, url, {}
  write_again(id, write)
  if outcome == 'ok' then redis.call('ZREM', site .. ':request:' .. write[REQUEST], id) end
  return redis.call('HINCRBY', site .. ':meta', 'seq', 1)
end

-- Free the key of a write, where it is still its.
local function free_key(id, write)
  local kept = site .. ':key:' .. write[KEY]
  if write[KEY] ~= '' and redis.call('HGET', kept, 'write') == id then redis.call('DEL', kept) end
end
