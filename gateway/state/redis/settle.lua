-- End a reservation: keep it, or leave no trace of it. The first word stands.
--
-- ARGV: the write's id, its outcome, '1' where that keeps, the new post and its URL (empty where
-- unknown), '1' where its key stays, the answer (empty where there is none), and '1' where the
-- reservation may still be on its way here: then it is turned back when it comes; last, how many
-- answers are kept at most. Returns the epoch and the newest number where it kept it.

local id, outcome, keeps, answerable, answer = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[6] == '1', ARGV[7]

if ARGV[8] == '1' then redis.call('SET', site .. ':gone:' .. id, '1', 'EX', 600) end
local write = read(id)
if not write or write[OUTCOME] ~= '' then return end
if not answerable and #write[REPLACES] == 0 then
  free_key(id, write)
elseif write[KEY] ~= '' and redis.call('HGET', site .. ':key:' .. write[KEY], 'write') == id then
  -- Where it is released, the earlier try under the key is as unknown as it was.
  redis.call('HSET', site .. ':key:' .. write[KEY], 'outcome', answerable and outcome or 'unknown')
  if answerable and answer ~= '' then
    redis.call('HSET', site .. ':key:' .. write[KEY], 'answer', answer)
    bound_answers(site .. ':key:' .. write[KEY], write[AT], tonumber(ARGV[9]))
  end
end
if not keeps then
  forget(id)
  return
end
local seq = keep(id, write, outcome, ARGV[4], ARGV[5])
return {redis.call('HGET', site .. ':meta', 'epoch'), seq}
