-- Remember posts that stand on the site. ARGV: {at, keep} as JSON; then of each post its `core`, and
-- where it stands. Returns how many were new, or have another text.

if redis.call('EXISTS', site .. ':lost') == 1 then return lost() end
local ask = cjson.decode(ARGV[1])
local now = stamp(ask.at, redis.call('HGET', site .. ':meta', 'last'))
redis.call('HSET', site .. ':meta', 'last', text(now))
local new = 0
local function texts(core) return string.sub(core, TEXT - 9, EVENT - 2) end
for i = 2, #ARGV, 2 do
  local core = ARGV[i]
  local known = find(names_of(core, 0), mark_of(core))
  if known then forget(known) end  -- also what is known: it counts as written at this instant
  insert(core, now, ask.keep, 'ok', ARGV[i + 1], '', {}, {}, {})
  if not known or texts(known.core) ~= texts(core) then new = new + 1 end
end
return new
