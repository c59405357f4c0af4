-- Take back a write that SOE is not known to have taken. ARGV[1]: its id. Returns 1 where it did.

local write = redis.call('HMGET', site .. ':write:' .. ARGV[1], 'at', 'outcome', 'key')
if not write[1] or write[2] == 'ok' then return 0 end
if write[3] ~= '' then
  local kept = site .. ':key:' .. write[3]
  if redis.call('HGET', kept, 'write') == ARGV[1] then redis.call('DEL', kept) end
end
forget(ARGV[1])
return 1
