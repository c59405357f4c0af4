-- Go on with the data that is here, if a loss is accepted. ARGV: the epoch that the process knew,
-- one for new data, the process's identity, and '1' where it accepts.
-- Returns the epoch, empty where the loss is not accepted.

local known, accepts = ARGV[1], ARGV[4] == '1'
local epoch = redis.call('HGET', site .. ':meta', 'epoch')
if not epoch then
  epoch = ARGV[2]
  redis.call('HSET', site .. ':meta', 'epoch', epoch, 'identity', ARGV[3])
end
if known ~= '' and known ~= epoch and redis.call('SISMEMBER', site .. ':accepted', known) == 0 then
  redis.call('SADD', site .. (accepts and ':accepted' or ':lost'), known)
end
if accepts and known ~= '' then redis.call('SREM', site .. ':lost', known) end
return redis.call('EXISTS', site .. ':lost') == 1 and '' or epoch
