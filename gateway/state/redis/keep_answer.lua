-- Keep the answer to a write whose client did not get it. ARGV: the id and its mark, the answer, seconds,
-- and how many answers are kept at most.

local write = find(ARGV[1], ARGV[2])
if write then lose(write, ARGV[3], ARGV[4], tonumber(ARGV[5])) end
