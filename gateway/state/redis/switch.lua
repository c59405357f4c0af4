-- Put in switches of integrations that are newer than what is there: `switches` has them by name, as JSON.
-- No loss of data stands in their way, so nobody is admitted: who asks puts back what is gone.
--
-- ARGV: the switches, as JSON each.

local SWITCHES = site .. ':switches'

-- Whether a text is greater, by its bytes: Lua's own comparison knows letters of a language.
local function is_greater(a, b)
  for place = 1, math.min(#a, #b) do
    local left, right = string.byte(a, place), string.byte(b, place)
    if left ~= right then return left > right end
  end
  return #a > #b
end

-- Whether a counts before b: by `at`, `off`, `by` and `reason`, as `Switch.rank` has it.
local function is_newer(a, b)
  if a.at ~= b.at then return a.at > b.at end
  if a.off ~= b.off then return a.off end
  if a.by ~= b.by then return is_greater(a.by, b.by) end
  return is_greater(a.reason, b.reason)
end

for _, told in ipairs(ARGV) do
  local switch = cjson.decode(told)
  local there = redis.call('HGET', SWITCHES, switch.integration)
  if not there or is_newer(switch, cjson.decode(there)) then
    redis.call('HSET', SWITCHES, switch.integration, told)
  end
end
return 1
