-- Put back what a process knows, where it is gone. ARGV[1]: {keep, seq, entries: [record, …]}.
-- Returns how many were gone.

local ask = cjson.decode(ARGV[1])
local back = 0
for _, entry in ipairs(ask.entries) do
  if redis.call('EXISTS', site .. ':write:' .. entry.id) == 0 then
    insert(entry, entry.at, ask.keep, entry.outcome, entry.post, entry.url)
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
