-- Put back what a process knows, where it is gone. ARGV[1]: {keep, seq, entries: [record, …]}.
-- Returns how many were gone.

local ask = cjson.decode(ARGV[1])
local back = 0
for _, entry in ipairs(ask.entries) do
  local key = site .. ':write:' .. entry.id
  if redis.call('EXISTS', key) == 0 then
    insert(entry, entry.at, ask.keep, entry.outcome)
    if entry.post ~= '' then redis.call('HSET', key, 'post', entry.post) end
    if entry.url ~= '' then redis.call('HSET', key, 'url', entry.url) end
    back = back + 1
  end
  for _, counter in ipairs(entry.attempts) do charge_attempt(counter, entry.id, entry.at, ask.keep) end
  local last = tonumber(redis.call('HGET', site .. ':meta', 'last') or '0')
  if entry.at > last then redis.call('HSET', site .. ':meta', 'last', text(entry.at)) end
end
if tonumber(redis.call('HGET', site .. ':meta', 'seq') or '0') < ask.seq then
  redis.call('HSET', site .. ':meta', 'seq', ask.seq)
end
return back
