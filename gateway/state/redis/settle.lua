-- End a reservation: keep it, or leave no trace of it. The first word stands.
--
-- ARGV: the write's id, its outcome, '1' where that keeps, the new post and its URL (empty where
-- unknown), '1' where its key stays, the answer (empty where there is none), and '1' where the
-- reservation may still be on its way here: then it is turned back when it comes.

local id, outcome, keeps, answerable, answer = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[6] == '1', ARGV[7]

if ARGV[8] == '1' then redis.call('SET', site .. ':gone:' .. id, '1', 'EX', 600) end
local key = site .. ':write:' .. id
local write = redis.call('HMGET', key, 'at', 'outcome', 'replaces', 'key')
if not write[1] or write[2] then return end
if write[4] ~= '' then
  local kept = site .. ':key:' .. write[4]
  if redis.call('HGET', kept, 'write') == id then
    if not answerable then
      redis.call('DEL', kept)
    else
      redis.call('HSET', kept, 'outcome', outcome)
      if answer ~= '' then redis.call('HSET', kept, 'answer', answer) end
    end
  end
end
if not keeps then
  forget(id)
  return
end
for _, old in ipairs(cjson.decode(write[3])) do forget(old) end
redis.call('HSET', key, 'outcome', outcome)
if ARGV[4] ~= '' then redis.call('HSET', key, 'post', ARGV[4]) end
if ARGV[5] ~= '' then redis.call('HSET', key, 'url', ARGV[5]) end
