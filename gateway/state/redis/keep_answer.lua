-- Keep the answer to a write whose client did not get it. ARGV: the id, the answer, seconds.

local write = redis.call('HMGET', site .. ':write:' .. ARGV[1], 'outcome', 'request')
if write[1] ~= 'ok' then return end
local key = site .. ':again:' .. write[2]
local last = redis.call('HGET', site .. ':meta', 'last')
redis.call('HSET', key, 'write', ARGV[1], 'request', write[2], 'at', last, 'outcome', 'ok', 'answer', ARGV[2])
redis.call('EXPIRE', key, ARGV[3])
