-- Take back a write that SOE is not known to have taken. ARGV[1]: its id. Returns 1 where it did.

local write = read(ARGV[1])
if not write or write[OUTCOME] == 'ok' then return 0 end
free_key(ARGV[1], write)
forget(ARGV[1])
return 1
