-- Put back what a process knows, where it is gone, or where it is gone how it ended.
-- ARGV[1]: {keep, key_seconds, entries: [record, …]}. Returns how many that were.

local ask = cjson.decode(ARGV[1])

-- The answer is not known any more; but the same post must not be published again.
local function put_back_key(entry)
  local key = site .. ':key:' .. entry.key
  local held = redis.call('HMGET', key, 'write', 'at')
  if held[1] ~= entry.id and tonumber(held[2] or '0') >= entry.at then return end
  redis.call('DEL', key)
  redis.call('HSET', key, 'write', entry.id, 'request', entry.request, 'at', text(entry.at))
  if entry.outcome ~= '' then redis.call('HSET', key, 'outcome', entry.outcome) end
  redis.call('EXPIRE', key, ask.key_seconds)
end

local back = 0
for _, entry in ipairs(ask.entries) do
  local write = read(entry.id)
  local is_open = write and write[OUTCOME] == '' and entry.outcome ~= ''
  if is_open then
    keep(entry.id, write, entry.outcome, entry.post, entry.url)
  elseif not write then
    insert(entry, entry.at, ask.keep, entry.outcome, entry.post, entry.url)
  end
  if is_open or not write then
    if entry.key ~= '' then put_back_key(entry) end
    back = back + 1
  end
  for _, counter in ipairs(entry.attempts) do charge_attempt(counter, entry.id, entry.at, ask.keep) end
  local last = tonumber(redis.call('HGET', site .. ':meta', 'last') or '0')
  if entry.at > last then redis.call('HSET', site .. ':meta', 'last', text(entry.at)) end
end
return back
