-- Keep the answer to a write whose client did not get it. ARGV: the id and its mark, the answer, seconds,
-- and how many answers are kept at most.

local write = find(ARGV[1], ARGV[2])
if not write or write.outcome ~= 'ok' or write.request == '' then return end
local key = site .. ':again:' .. write.request
local last = redis.call('HGET', site .. ':meta', 'last')
redis.call('HSET', key, 'write', write.id, 'request', write.request, 'at', last, 'outcome', 'ok', 'answer', ARGV[3])
redis.call('EXPIRE', key, ARGV[4])
bound_answers(key, tonumber(last), tonumber(ARGV[5]))
