-- Keep the answer to a write whose client did not get it. ARGV: the id, the answer, seconds, and how
-- many answers are kept at most.

local write = read(ARGV[1])
if not write or write[OUTCOME] ~= 'ok' or write[REQUEST] == '' then return end
local key = site .. ':again:' .. write[REQUEST]
local last = redis.call('HGET', site .. ':meta', 'last')
redis.call('HSET', key, 'write', ARGV[1], 'request', write[REQUEST], 'at', last, 'outcome', 'ok', 'answer', ARGV[2])
redis.call('EXPIRE', key, ARGV[3])
bound_answers(key, tonumber(last), tonumber(ARGV[4]))
