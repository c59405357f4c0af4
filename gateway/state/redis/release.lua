-- Take back a write that SOE is not known to have taken. ARGV: its id and its mark. Returns 1 where it
-- did.

local write = find(ARGV[1], ARGV[2])
if not write or write.outcome == 'ok' then return 0 end
free_key(write)
forget(write)
return 1
