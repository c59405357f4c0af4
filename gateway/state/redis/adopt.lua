-- Go on with the data that is here, if a loss is accepted. ARGV: the epoch that the process knew,
-- one for new data, the process's identity, '1' where it accepts, and '1' where it found the data
-- behind: then another turn of them begins, so that all processes put back what they know. Nobody
-- is answered for ARGV[6] seconds meanwhile.
-- Returns the epoch, and 1 where a loss is not accepted.

local known, accepts, behind = ARGV[1], ARGV[4] == '1', ARGV[5] == '1'
local function data(name) return string.match(name, '^[^.]*') end

local function close_for_a_moment()
  local time = redis.call('TIME')
  redis.call('HSET', site .. ':meta', 'opens', tonumber(time[1]) + tonumber(time[2]) / 1000000 + tonumber(ARGV[6]))
end

local epoch = redis.call('HGET', site .. ':meta', 'epoch')
if not epoch then
  epoch = ARGV[2]
  redis.call('HSET', site .. ':meta', 'epoch', epoch, 'identity', ARGV[3])
  if known ~= '' then close_for_a_moment() end
elseif behind and epoch == known then
  epoch = data(epoch) .. string.match(ARGV[2], '%..*$')
  redis.call('HSET', site .. ':meta', 'epoch', epoch)
  close_for_a_moment()
end
if known ~= '' and data(known) ~= data(epoch)
    and redis.call('SISMEMBER', site .. ':accepted', data(known)) == 0 then
  redis.call('SADD', site .. (accepts and ':accepted' or ':lost'), data(known))
end
if accepts and known ~= '' then redis.call('SREM', site .. ':lost', data(known)) end
return {epoch, redis.call('EXISTS', site .. ':lost')}
