-- End a reservation: keep it, or leave no trace of it. The first word stands.
--
-- KEYS[1]: the site's prefix. ARGV: the write's id, its outcome, '1' where that keeps, the new
-- post and its URL (empty where unknown), and '1' where the reservation may still be on its way
-- here: then it is turned back when it comes.

local site, id, outcome, keeps = KEYS[1], ARGV[1], ARGV[2], ARGV[3] == '1'

local function forget(gone)
  local key = site .. ':write:' .. gone
  local indexed = redis.call('HGET', key, 'indexed')
  if not indexed then return end
  local pairs_ = cjson.decode(indexed)
  for i = 1, #pairs_, 2 do redis.call('ZREM', pairs_[i], pairs_[i + 1]) end
  redis.call('DEL', key)
end

if ARGV[6] == '1' then redis.call('SET', site .. ':gone:' .. id, '1', 'EX', 600) end
local key = site .. ':write:' .. id
local write = redis.call('HMGET', key, 'at', 'outcome', 'replaces')
if not write[1] or write[2] then return end
if not keeps then
  forget(id)
  return
end
for _, old in ipairs(cjson.decode(write[3])) do forget(old) end
redis.call('HSET', key, 'outcome', outcome)
if ARGV[4] ~= '' then redis.call('HSET', key, 'post', ARGV[4]) end
if ARGV[5] ~= '' then redis.call('HSET', key, 'url', ARGV[5]) end
