-- End a reservation: keep it, keep its text alone, or leave no trace of it. The first word stands.
--
-- ARGV: the write's id and its mark, its outcome, what becomes of it (`keep`, `text` or nothing), where
-- the new post stands, '1' where its key stays, the answer (empty where there is none), '1' where the
-- reservation may still be on its way here: then it is turned back when it comes; how many answers are
-- kept at most; the answer that its client did not get (empty where there is none), and for how many
-- seconds it is kept. Returns the epoch and the newest number where something was kept.

local id, outcome, becomes, answerable, answer = ARGV[1], ARGV[3], ARGV[4], ARGV[6] == '1', ARGV[7]

if ARGV[8] == '1' then redis.call('SET', site .. ':gone:' .. id, '1', 'EX', 600) end
local write = find(id, ARGV[2])
if not write or write.outcome ~= '' then return end
if not answerable and #write.replaces == 0 then
  free_key(write)
elseif write.key ~= '' and redis.call('HGET', site .. ':key:' .. write.key, 'write') == id then
  -- Where it is released, the earlier try under the key is as unknown as it was.
  redis.call('HSET', site .. ':key:' .. write.key, 'outcome', answerable and outcome or 'unknown')
  if answerable and answer ~= '' then
    redis.call('HSET', site .. ':key:' .. write.key, 'answer', answer)
    bound_answers(site .. ':key:' .. write.key, write.at, tonumber(ARGV[9]))
  end
end
local seq
if becomes == 'keep' then
  seq = keep_write(write, outcome, ARGV[5])
  if ARGV[10] ~= '' then lose(write, ARGV[10], ARGV[11], tonumber(ARGV[9])) end
elseif becomes == 'text' then
  seq = keep_text(write)
else
  forget(write)
  return
end
return {redis.call('HGET', site .. ':meta', 'epoch'), seq}
