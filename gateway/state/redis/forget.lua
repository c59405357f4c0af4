-- Forget the text of a write; what it was charged to stays. ARGV[1]: its id. Returns 1 where it did.

local key = site .. ':write:' .. ARGV[1]
local members, kept = cjson.decode(redis.call('HGET', key, 'indexed') or '[]'), {}
local texts, events = site .. ':text:', site .. ':event:'
for i = 1, #members, 2 do
  local name = members[i]
  if string.sub(name, 1, #texts) == texts or string.sub(name, 1, #events) == events then
    redis.call('ZREM', name, members[i + 1])
  else
    kept[#kept + 1] = name
    kept[#kept + 1] = members[i + 1]
  end
end
if #kept == #members then return 0 end
redis.call('HSET', key, 'indexed', #kept > 0 and cjson.encode(kept) or '[]')
redis.call('HDEL', key, 'text')
return 1
