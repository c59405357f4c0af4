-- Take back a write. ARGV: its id, and '1' where also one that is settled `ok`. Returns 1 where it did.

local write = redis.call('HMGET', site .. ':write:' .. ARGV[1], 'at', 'outcome', 'key')
if not write[1] or (write[2] == 'ok' and ARGV[2] ~= '1') then return 0 end
if write[2] ~= 'ok' and write[3] ~= '' then
  local kept = site .. ':key:' .. write[3]
  if redis.call('HGET', kept, 'write') == ARGV[1] then redis.call('DEL', kept) end
end
forget(ARGV[1])
return 1
