-- Accept every loss that was noticed. Returns how many there were.

local names = redis.call('SMEMBERS', site .. ':lost')
for _, name in ipairs(names) do redis.call('SADD', site .. ':accepted', name) end
redis.call('DEL', site .. ':lost')
redis.call('HDEL', site .. ':meta', 'identity')
return #names
