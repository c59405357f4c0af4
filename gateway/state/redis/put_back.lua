-- Put back what a process knows, where it is gone, or where it is gone how it ended.
-- ARGV: {keep, key_seconds, entries: [{at, outcome, caps, attempts, uses}, …]} as JSON; then of each entry its
-- `core`, the name of its key, and where its post stands. Returns how many that were.

local ask = cjson.decode(ARGV[1])

-- The answer is not known any more; but the same post must not be published again.
local function put_back_key(name, write, entry)
  local key = site .. ':key:' .. name
  local held = redis.call('HMGET', key, 'write', 'at')
  if held[1] ~= write.id and tonumber(held[2] or '0') >= entry.at then return end
  redis.call('DEL', key)
  redis.call('HSET', key, 'write', write.id, 'request', write.request, 'at', text(entry.at))
  if entry.outcome ~= '' then redis.call('HSET', key, 'outcome', entry.outcome) end
  redis.call('EXPIRE', key, ask.key_seconds)
end

local back = 0
for i, entry in ipairs(ask.entries) do
  local core, key, place = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  local id = names_of(core, 0)
  local write = find(id, mark_of(core))
  local is_open = write and write.outcome == '' and entry.outcome ~= ''
  if is_open and entry.outcome == 'refused' then
    keep_text(write)
  elseif is_open then
    keep_write(write, entry.outcome, place)
  end
  local is_gone = not write
  if is_gone then
    write = insert(core, entry.at, ask.keep, entry.outcome, place, key, entry.caps, {}, entry.uses)
  end
  if is_open or is_gone then
    if key ~= '' then put_back_key(key, write, entry) end
    back = back + 1
  end
  for _, counter in ipairs(entry.attempts) do charge_attempt(counter, id, entry.at, ask.keep) end
  local last = tonumber(redis.call('HGET', site .. ':meta', 'last') or '0')
  if entry.at > last then redis.call('HSET', site .. ':meta', 'last', text(entry.at)) end
end
return back
